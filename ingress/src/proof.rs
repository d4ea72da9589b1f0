//! Who may call: turns raw headers and a raw body into a [`ProvenBody`], which nothing else can make.
//!
//! A proof has two halves, so that a caller without a plausible one never makes us hold its body:
//! [`Sources::claim`] looks at the headers alone, [`Claim::prove`] at the body. What is secret is compared in constant time,
//! and every live secret is tried, so that two are accepted during a rotation.

use std::collections::HashMap;
use std::fmt;

use actix_web::http::header::{HeaderMap, HeaderName};
use actix_web::web::Bytes;
use hmac::digest::InvalidLength;
use hmac::{Hmac, KeyInit as _, Mac as _};
use passerelle_model::config::ProofKind;
use passerelle_model::id::{InvalidId, SourceName};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;

use crate::rejection::Rejection;

type HmacSha256 = Hmac<Sha256>;

/// The name in `bridge.toml` for every source that is not named.
const EVERY_OTHER_SOURCE: &str = "*";

/// Tokens are compared by their HMAC under this key: the key is no secret, the comparison of the HMACs is constant in time for every length.
const TOKEN_COMPARISON_KEY: &[u8] = b"passerelle token comparison";

/// Every source that may call.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sources {
    named: HashMap<SourceName, Proof>,
    others: Option<Proof>,
}

/// How one source proves itself: in one way, or in the first of several whose header is there, so that a wrong signature is not saved by a token.
#[derive(Debug, Clone)]
pub(crate) struct Proof(Vec<Way>);

/// One way to prove oneself. Keyed once at start: a delivery pays for its own bytes only.
#[derive(Clone)]
pub(crate) struct Way {
    header: HeaderName,
    keys: Keys,
}

#[derive(Clone)]
enum Keys {
    Hmac(Vec<HmacSha256>),
    Token {
        comparison: HmacSha256,
        tags: Vec<[u8; 32]>,
    },
}

/// What the headers of a request promise about its body.
#[derive(Debug)]
#[must_use]
pub(crate) struct Claim<'a> {
    source: SourceName,
    promise: Promise<'a>,
}

enum Promise<'a> {
    /// The body has this HMAC under one of the keys.
    Signed {
        keys: &'a [HmacSha256],
        signature: [u8; 32],
    },
    /// The caller showed its token: it may say what it likes.
    TokenShown,
}

/// A body whose sender has proven itself. Only [`Claim::prove`] makes one.
#[derive(Debug)]
pub(crate) struct ProvenBody {
    source: SourceName,
    bytes: Bytes,
}

impl Sources {
    /// Adds a source by its name in `bridge.toml`.
    pub(crate) fn add(&mut self, name: &str, proof: Proof) -> Result<(), InvalidId> {
        if name == EVERY_OTHER_SOURCE {
            self.others = Some(proof);
        } else {
            self.named.insert(SourceName::parse(name)?, proof);
        }
        Ok(())
    }

    /// What the headers of a call to the path segment `name` promise.
    pub(crate) fn claim(&self, name: &str, headers: &HeaderMap) -> Result<Claim<'_>, Rejection> {
        let source = SourceName::parse(name).map_err(|_| Rejection::UnknownSource)?;
        let proof = self.named.get(&source).or(self.others.as_ref());
        let promise = proof.ok_or(Rejection::UnknownSource)?.promise(headers)?;
        Ok(Claim { source, promise })
    }
}

impl Proof {
    /// By the first of these ways whose header is there.
    pub(crate) fn by(ways: Vec<Way>) -> Self {
        Self(ways)
    }

    fn promise(&self, headers: &HeaderMap) -> Result<Promise<'_>, Rejection> {
        let shown = self.0.iter().find_map(|way| Some((way, headers.get(&way.header)?)));
        let (way, shown) = shown.ok_or(Rejection::ProofMissing)?;
        way.promise(shown.as_bytes())
    }
}

impl Way {
    /// From a source's live secrets, at least one.
    pub(crate) fn new(kind: ProofKind, header: HeaderName, secrets: &[SecretString]) -> Result<Self, InvalidLength> {
        let secrets = secrets.iter().map(|secret| secret.expose_secret().as_bytes());
        let keys = match kind {
            ProofKind::Hmac => Keys::Hmac(secrets.map(HmacSha256::new_from_slice).collect::<Result<_, _>>()?),
            ProofKind::Token => {
                let comparison = HmacSha256::new_from_slice(TOKEN_COMPARISON_KEY)?;
                let tag = |secret| comparison.clone().chain_update(secret).finalize().into_bytes().into();
                let tags = secrets.map(tag).collect();
                Keys::Token { comparison, tags }
            }
        };
        Ok(Self { header, keys })
    }

    fn promise(&self, shown: &[u8]) -> Result<Promise<'_>, Rejection> {
        match &self.keys {
            Keys::Hmac(keys) => {
                let digits = shown.strip_prefix(b"sha256=").unwrap_or(shown);
                let mut signature = [0; 32];
                hex::decode_to_slice(digits, &mut signature).map_err(|_| Rejection::SignatureMalformed)?;
                Ok(Promise::Signed { keys, signature })
            }
            Keys::Token { comparison, tags } => {
                let shown = comparison.clone().chain_update(shown);
                let is_live = tags.iter().any(|tag| shown.clone().verify_slice(tag).is_ok());
                is_live.then_some(Promise::TokenShown).ok_or(Rejection::TokenWrong)
            }
        }
    }
}

impl Claim<'_> {
    /// Holds the body against the promise.
    pub(crate) fn prove(self, bytes: Bytes) -> Result<ProvenBody, Rejection> {
        let is_kept = match self.promise {
            Promise::TokenShown => true,
            Promise::Signed { keys, signature } => keys
                .iter()
                .any(|key| key.clone().chain_update(&bytes).verify_slice(&signature).is_ok()),
        };
        let source = self.source;
        is_kept
            .then_some(ProvenBody { source, bytes })
            .ok_or(Rejection::SignatureWrong)
    }
}

impl ProvenBody {
    /// The path segment that it came in by, and the raw bytes.
    pub(crate) fn into_parts(self) -> (SourceName, Bytes) {
        (self.source, self.bytes)
    }
}

impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Way")
            .field("header", &self.header)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Promise<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Signed { .. } => "Signed",
            Self::TokenShown => "TokenShown",
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use actix_web::http::header::HeaderValue;
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    const OLD: &str = "old-secret-0123456789";
    const NEW: &str = "new-secret-0123456789";
    const SIGNATURE: HeaderName = HeaderName::from_static("x-baserow-signature");
    const TOKEN: HeaderName = HeaderName::from_static("x-bridge-token");

    fn sources(kind: ProofKind, header: HeaderName) -> Sources {
        let mut sources = Sources::default();
        sources.add("*", Proof::by(vec![way(kind, header)])).unwrap();
        sources
    }

    fn way(kind: ProofKind, header: HeaderName) -> Way {
        Way::new(kind, header, &[OLD, NEW].map(SecretString::from)).unwrap()
    }

    fn signature(secret: &str, body: &[u8]) -> String {
        let mac = HmacSha256::new_from_slice(secret.as_bytes()).unwrap();
        hex::encode(mac.chain_update(body).finalize().into_bytes())
    }

    fn headers(name: HeaderName, value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_str(value).unwrap());
        headers
    }

    /// A body that proved itself by a token, for the tests of what comes next.
    pub(crate) fn proven(body: &[u8]) -> ProvenBody {
        let sources = sources(ProofKind::Token, TOKEN);
        let headers = headers(TOKEN, OLD);
        let claim = sources.claim("projet-changed", &headers).unwrap();
        claim.prove(Bytes::copy_from_slice(body)).unwrap()
    }

    /// `Ok`, or the reason of the refusal.
    fn judge(sources: &Sources, headers: &HeaderMap, body: &[u8]) -> Result<(), &'static str> {
        let claim = sources.claim("projet-changed", headers);
        let proven = claim.and_then(|claim| claim.prove(Bytes::copy_from_slice(body)));
        proven.map(|_| ()).map_err(|rejection| rejection.reason())
    }

    #[rstest]
    #[case::the_old_secret(OLD, "")]
    #[case::the_new_secret(NEW, "")]
    #[case::the_prefix(NEW, "sha256=")]
    fn a_body_signed_with_any_live_secret_is_proven(#[case] secret: &str, #[case] prefix: &str) {
        let sources = sources(ProofKind::Hmac, SIGNATURE);
        let signature = format!("{prefix}{}", signature(secret, b"body"));
        assert_eq!(judge(&sources, &headers(SIGNATURE, &signature), b"body"), Ok(()));
        let upper_case = headers(SIGNATURE, &signature.to_uppercase().replace("SHA", "sha"));
        assert_eq!(judge(&sources, &upper_case, b"body"), Ok(()));
    }

    /// The example of the FIPS 198 test vectors for HMAC-SHA256 that everybody quotes.
    #[test]
    fn the_signature_is_the_hmac_sha256_that_other_programs_compute() {
        let known = "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8";
        assert_eq!(signature("key", b"The quick brown fox jumps over the lazy dog"), known);
    }

    #[rstest]
    #[case::another_secret(&signature("another-secret-012345", b"body"), "signature_wrong")]
    #[case::empty("", "signature_malformed")]
    #[case::too_short("abcd", "signature_malformed")]
    #[case::not_hex(&"z".repeat(64), "signature_malformed")]
    #[case::too_long(&format!("{}00", signature(OLD, b"body")), "signature_malformed")]
    #[case::the_secret_itself(OLD, "signature_malformed")]
    fn a_body_with_any_other_signature_is_refused(#[case] value: &str, #[case] reason: &str) {
        let sources = sources(ProofKind::Hmac, SIGNATURE);
        assert_eq!(judge(&sources, &headers(SIGNATURE, value), b"body"), Err(reason));
    }

    #[test]
    fn a_request_without_the_header_is_refused_before_its_body_is_read() {
        for (kind, header) in [(ProofKind::Hmac, SIGNATURE), (ProofKind::Token, TOKEN)] {
            let refused = sources(kind, header)
                .claim("projet-changed", &HeaderMap::new())
                .unwrap_err();
            assert_eq!(refused.reason(), "proof_missing");
        }
    }

    #[rstest]
    #[case::the_old(OLD, Ok(()))]
    #[case::the_new(NEW, Ok(()))]
    #[case::a_prefix_of_it("old-secret", Err("token_wrong"))]
    #[case::longer_than_it("old-secret-0123456789-", Err("token_wrong"))]
    #[case::empty("", Err("token_wrong"))]
    fn only_a_live_token_is_accepted(#[case] shown: &str, #[case] expected: Result<(), &str>) {
        let sources = sources(ProofKind::Token, TOKEN);
        assert_eq!(judge(&sources, &headers(TOKEN, shown), b"anything"), expected);
    }

    #[test]
    fn a_source_with_two_proofs_takes_either_and_no_token_saves_a_wrong_signature() {
        let mut sources = Sources::default();
        let ways = vec![way(ProofKind::Hmac, SIGNATURE), way(ProofKind::Token, TOKEN)];
        sources.add("*", Proof::by(ways)).unwrap();
        let signed = headers(SIGNATURE, &signature(NEW, b"body"));
        assert_eq!(judge(&sources, &signed, b"body"), Ok(()));
        assert_eq!(judge(&sources, &headers(TOKEN, OLD), b"body"), Ok(()));
        assert_eq!(judge(&sources, &HeaderMap::new(), b"body"), Err("proof_missing"));
        assert_eq!(judge(&sources, &headers(TOKEN, "wrong"), b"body"), Err("token_wrong"));
        let mut both = signed;
        both.insert(TOKEN, HeaderValue::from_static(OLD));
        assert_eq!(judge(&sources, &both, b"another body"), Err("signature_wrong"));
    }

    #[test]
    fn a_source_of_its_own_name_is_not_opened_by_the_secret_of_the_others() {
        let mut sources = sources(ProofKind::Token, TOKEN);
        let own = Way::new(ProofKind::Token, TOKEN, &[SecretString::from("own-secret-0123456789")]).unwrap();
        sources.add("projet-changed", Proof::by(vec![own])).unwrap();
        assert_eq!(judge(&sources, &headers(TOKEN, OLD), b""), Err("token_wrong"));
        assert_eq!(judge(&sources, &headers(TOKEN, "own-secret-0123456789"), b""), Ok(()));
        assert!(sources.claim("another", &headers(TOKEN, OLD)).is_ok());
    }

    #[test]
    fn a_source_that_nobody_configured_is_unknown() {
        let refused = Sources::default()
            .claim("projet-changed", &HeaderMap::new())
            .unwrap_err();
        assert_eq!(refused.reason(), "unknown_source");
        let refused = sources(ProofKind::Token, TOKEN)
            .claim("a b", &headers(TOKEN, OLD))
            .unwrap_err();
        assert_eq!(refused.reason(), "unknown_source");
    }

    #[test]
    fn no_secret_and_no_signature_is_ever_printed() {
        let sources = sources(ProofKind::Hmac, SIGNATURE);
        let signed = headers(SIGNATURE, &signature(OLD, b"body"));
        let claim = sources.claim("projet-changed", &signed).unwrap();
        let printed = format!("{sources:?} {claim:?}");
        assert!(!printed.contains("secret-0"), "{printed}");
        assert!(!printed.contains(&signature(OLD, b"body")[..8]), "{printed}");
    }

    proptest! {
        #[test]
        fn any_tampered_byte_is_refused(
            body in prop::collection::vec(any::<u8>(), 1..200), place in any::<prop::sample::Index>(), change in 1_u8..
        ) {
            let sources = sources(ProofKind::Hmac, SIGNATURE);
            let signed = headers(SIGNATURE, &signature(OLD, &body));
            prop_assert_eq!(judge(&sources, &signed, &body), Ok(()));
            let mut tampered = body.clone();
            tampered[place.index(body.len())] ^= change;
            prop_assert_eq!(judge(&sources, &signed, &tampered), Err("signature_wrong"));
        }

        #[test]
        fn any_tampered_digit_of_the_signature_is_refused(place in 0_usize..64, digit in "[0-9a-f]") {
            let sources = sources(ProofKind::Hmac, SIGNATURE);
            let mut value = signature(OLD, b"body");
            prop_assume!(value[place..=place] != digit);
            value.replace_range(place..=place, &digit);
            prop_assert_eq!(judge(&sources, &headers(SIGNATURE, &value), b"body"), Err("signature_wrong"));
        }
    }
}
