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
    sources.add("*", by(vec![way(kind, header)])).unwrap();
    sources
}

fn by(ways: Vec<Way>) -> Source {
    Source {
        proof: Proof::by(ways),
        tables: None,
    }
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
    prove(sources.claim("projet-changed", &headers).unwrap(), body).unwrap()
}

/// Whether this header, which nobody made who knows a secret, proves a body in one of the ways.
pub(crate) fn claims_forged(shown: &HeaderValue) -> bool {
    let ways = [(ProofKind::Hmac, SIGNATURE), (ProofKind::Token, TOKEN)];
    ways.into_iter().any(|(kind, header)| {
        let mut headers = HeaderMap::new();
        headers.insert(header.clone(), shown.clone());
        let sources = sources(kind, header);
        let claim = sources.claim("projet-changed", &headers);
        claim.and_then(|claim| prove(claim, b"body")).is_ok()
    })
}

/// Hears the body byte by byte.
fn prove(claim: Claim<'_>, body: &[u8]) -> Result<ProvenBody, Rejection> {
    let mut proving = claim.listen();
    body.chunks(1).for_each(|byte| proving.hear(byte));
    proving.prove(Keeping::from(body))
}

/// `Ok`, or the reason of the refusal.
fn judge(sources: &Sources, headers: &HeaderMap, body: &[u8]) -> Result<(), &'static str> {
    let claim = sources.claim("projet-changed", headers);
    let proven = claim.and_then(|claim| prove(claim, body));
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
    sources.add("*", by(ways)).unwrap();
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
    sources.add("projet-changed", by(vec![own])).unwrap();
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
