//! The session token: a JSON Web Token signed with HMAC-SHA256, as in the real server's cookie.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// The claims of a token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Claims {
    pub(super) sub: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) email: String,
    pub(super) workspace_id: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) session_id: String,
    /// Issued, in seconds since the epoch.
    pub(super) iat: i64,
    /// Expires, in seconds since the epoch.
    pub(super) exp: i64,
    pub(super) iss: String,
}

/// The token with these claims, signed with `secret`.
pub(super) fn sign(claims: &Claims, secret: &str) -> Option<String> {
    let header = BASE64.encode(br#"{"alg":"HS256","typ":"JWT"}"#);
    let signed = format!("{header}.{}", BASE64.encode(serde_json::to_vec(claims).ok()?));
    let signature = mac(&signed, secret)?.finalize().into_bytes();
    Some(format!("{signed}.{}", BASE64.encode(signature)))
}

/// The claims of a token that was signed with `secret`. The caller checks whether it has expired.
pub(super) fn verify(token: &str, secret: &str) -> Option<Claims> {
    let (signed, signature) = token.rsplit_once('.')?;
    let signature = BASE64.decode(signature).ok()?;
    mac(signed, secret)?.verify_slice(&signature).ok()?;
    let (_, claims) = signed.split_once('.')?;
    serde_json::from_slice(&BASE64.decode(claims).ok()?).ok()
}

fn mac(text: &str, secret: &str) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
    mac.update(text.as_bytes());
    Some(mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_believed_only_as_it_was_signed() {
        let claims = Claims {
            sub: "user".to_owned(),
            email: "human@passerelle.test".to_owned(),
            workspace_id: "workspace".to_owned(),
            kind: "access".to_owned(),
            session_id: "session".to_owned(),
            iat: 1,
            exp: 2,
            iss: "Docmost".to_owned(),
        };
        let token = sign(&claims, "secret").unwrap();
        assert_eq!(verify(&token, "secret"), Some(claims));
        assert_eq!(verify(&token, "other"), None);
        assert_eq!(verify(&token.replacen('.', ".e", 1), "secret"), None);
        assert_eq!(verify("garbage", "secret"), None);
    }
}
