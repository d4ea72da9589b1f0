//! Positions among siblings: fractional indexes, texts that sort in the order of the pages.

use rand::distr::{Alphanumeric, SampleString as _};

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A position after `last`, the position of the last sibling.
pub(super) fn after(last: Option<&str>) -> String {
    let whole = match last.and_then(whole_part) {
        Some(whole) => successor(whole),
        None => "a0".to_owned(),
    };
    whole + &Alphanumeric.sample_string(&mut rand::rng(), 3)
}

/// Whether a client may ask for this position (its length is checked elsewhere).
pub(super) fn is_valid(position: &str) -> bool {
    whole_part(position).is_some() && position.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// The integer part: a letter that encodes the number of digits, and the digits.
fn whole_part(position: &str) -> Option<&str> {
    let length = match position.bytes().next()? {
        head @ b'a'..=b'z' => usize::from(head - b'a') + 2,
        head @ b'A'..=b'Z' => usize::from(b'Z' - head) + 2,
        _ => return None,
    };
    position.get(..length)
}

/// The next whole part: one more, with one more digit where the digits are used up.
fn successor(whole: &str) -> String {
    let mut bytes = whole.as_bytes().to_vec();
    for byte in bytes.iter_mut().skip(1).rev() {
        let place = DIGITS.iter().position(|digit| digit == byte).unwrap_or(0);
        *byte = DIGITS.get(place + 1).copied().unwrap_or(b'0');
        if place + 1 < DIGITS.len() {
            return String::from_utf8_lossy(&bytes).into_owned();
        }
    }
    let head = bytes.first().copied().unwrap_or(b'a');
    let zeros = bytes.len();
    format!("{}{}", char::from(head + 1), "0".repeat(zeros))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_thousand_siblings_stand_in_the_order_in_which_they_came() {
        let mut last = after(None);
        for _ in 0..10_000 {
            let next = after(Some(&last));
            assert!(next > last, "{next} must come after {last}");
            last = next;
        }
    }

    #[test]
    fn a_position_that_is_no_fractional_index_is_refused() {
        assert!(is_valid("a0000"));
        assert!(!is_valid("!!!!!"));
        assert!(!is_valid("00000"));
    }
}
