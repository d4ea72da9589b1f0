//! The signature that a signing proxy would add.
//!
//! Stock Baserow cannot sign: it sends fixed custom headers only. Where the bridge asks for a
//! signature, a small proxy between the two adds `X-Baserow-Signature` and forwards the untouched
//! body. The sandbox plays Baserow and that proxy in one: a webhook with a secret is delivered as
//! the proxy would forward it.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// The header that carries the signature.
pub(crate) const HEADER: &str = "X-Baserow-Signature";

/// The hex HMAC-SHA256 of a body.
pub(crate) fn signature(secret: &str, body: &[u8]) -> String {
    // HMAC takes a key of any length, so this never fails.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
        return String::new();
    };
    mac.update(body);
    hex::encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_signature_is_the_published_one() {
        // RFC 4231, test case 2.
        assert_eq!(
            super::signature("Jefe", b"what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }
}
