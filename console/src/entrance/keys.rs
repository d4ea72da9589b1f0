//! What a browser keeps, and the tokens that are made of it.

use actix_web::HttpRequest;
use actix_web::cookie::{Cookie, SameSite};
use sha2::{Digest as _, Sha256};

/// The cookie of a person who is signed in.
const SESSION: &str = "passerelle-session";
/// The cookie of one who is not, or who comes by way of a proxy: it makes forms safe.
const VISIT: &str = "passerelle-visit";

/// What a browser keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key(String);

/// Which of the two cookies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Session,
    Visit,
}

impl Kind {
    /// With TLS, a browser takes such a name from this very host only.
    fn name(self, is_by_tls: bool) -> String {
        let name = match self {
            Self::Session => SESSION,
            Self::Visit => VISIT,
        };
        if is_by_tls {
            format!("__Host-{name}")
        } else {
            name.to_owned()
        }
    }
}

impl Key {
    /// A new one: 256 bits.
    pub(crate) fn make() -> Self {
        Self(hex::encode(rand::random::<[u8; 32]>()))
    }

    /// The one that the request brings.
    pub(crate) fn of(request: &HttpRequest, kind: Kind, is_by_tls: bool) -> Option<Self> {
        let cookie = request.cookie(&kind.name(is_by_tls))?;
        let value = cookie.value();
        let is_ours = value.len() == 64 && value.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_ours.then(|| Self(value.to_owned()))
    }

    /// What the store knows of it.
    pub(crate) fn stored(&self) -> String {
        self.hashed("session")
    }

    /// The token that belongs into every form.
    pub(crate) fn form_token(&self) -> String {
        self.hashed("form")
    }

    /// The cookie: for this site only, and for no script.
    pub(crate) fn cookie(&self, kind: Kind, is_by_tls: bool) -> Cookie<'static> {
        Cookie::build(kind.name(is_by_tls), self.0.clone())
            .path("/")
            .http_only(true)
            .secure(is_by_tls)
            .same_site(SameSite::Lax)
            .finish()
    }

    fn hashed(&self, purpose: &str) -> String {
        hex::encode(Sha256::digest(format!("{purpose}:{}", self.0)))
    }
}

/// The cookie that ends what the browser keeps.
pub(crate) fn forgotten(kind: Kind, is_by_tls: bool) -> Cookie<'static> {
    let mut cookie = Key(String::new()).cookie(kind, is_by_tls);
    cookie.make_removal();
    cookie
}

/// Whether two tokens are the same; the time that it takes says nothing of where they differ.
pub(crate) fn is_same(one: &str, other: &str) -> bool {
    let (one, other) = (Sha256::digest(one), Sha256::digest(other));
    one.iter()
        .zip(other.iter())
        .fold(0, |differs, (a, b)| differs | (a ^ b))
        == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_store_and_the_forms_know_is_not_what_the_browser_keeps() {
        let key = Key::make();
        assert_ne!(key.stored(), key.form_token());
        assert!(!key.stored().contains(&key.0) && !key.form_token().contains(&key.0));
        assert_ne!(Key::make(), key);
    }

    #[test]
    fn a_session_is_kept_from_scripts_other_sites_and_where_there_is_tls_from_plain_connections() {
        let text = Key::make().cookie(Kind::Session, true).to_string();
        for part in [
            "__Host-passerelle-session=",
            "HttpOnly",
            "SameSite=Lax",
            "Secure",
            "Path=/",
        ] {
            assert!(text.contains(part), "{text}");
        }
        assert!(!Key::make().cookie(Kind::Session, false).to_string().contains("Secure"));
    }

    #[test]
    fn tokens_are_compared_whole() {
        assert!(is_same("abc", "abc"));
        assert!(!is_same("abc", "abd"));
        assert!(!is_same("abc", ""));
    }
}
