//! Passwords, and what is kept of them.

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher as _, PasswordVerifier as _};

/// The shortest password that is accepted, in characters.
pub const SHORTEST: usize = 12;
/// The longest, in bytes: more costs time and is no safer.
const LONGEST: usize = 1024;
/// Characters of a password that the console makes: no two look alike.
const ALPHABET: &[u8] = b"abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
/// Length of such a password: 115 bits.
const MADE_LENGTH: usize = 20;

/// Why a password is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// It is too short, or far too long.
    #[error("a password has {SHORTEST} characters or more")]
    Length,
    /// It could not be hashed.
    #[error("the password cannot be hashed: {0}")]
    Hash(String),
}

/// The hash that is kept, with its salt and parameters.
pub fn hash(password: &str) -> Result<String, PasswordError> {
    if password.chars().count() < SHORTEST || password.len() > LONGEST {
        return Err(PasswordError::Length);
    }
    let hashed = Argon2::default().hash_password(password.as_bytes());
    hashed
        .map(|hashed| hashed.to_string())
        .map_err(|error| PasswordError::Hash(error.to_string()))
}

/// Whether the password is the one that was hashed. Without a hash it takes as long, and the answer
/// is no: the time that passes does not tell which names there are.
pub fn is_right(password: &str, hashed: Option<&str>) -> bool {
    /// Of a password that nobody has.
    const NOBODY: &str =
        "$argon2id$v=19$m=19456,t=2,p=1$cGFzc2VyZWxsZS1ub2JvZHk$Sb1ZJGpAsCPFuzpnOu1cjfuJ/LqxnwPJyhCdTBfIjWk";
    if password.len() > LONGEST {
        return false;
    }
    let Ok(known) = PasswordHash::new(hashed.unwrap_or(NOBODY)) else {
        return false;
    };
    let fits = Argon2::default().verify_password(password.as_bytes(), &known).is_ok();
    fits && hashed.is_some()
}

/// A new password.
pub fn make() -> String {
    let place = || rand::random_range(0..ALPHABET.len());
    (0..MADE_LENGTH).map(|_| char::from(ALPHABET[place()])).collect()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    const ROUNDS: usize = 40;

    #[test]
    fn only_the_password_that_was_hashed_is_right() {
        let password = make();
        let hashed = hash(&password).unwrap();
        assert!(hashed.starts_with("$argon2id$"), "{hashed}");
        assert!(is_right(&password, Some(&hashed)));
        assert!(!is_right("another password", Some(&hashed)));
        assert!(!is_right(&password, Some("not a hash")));
        assert!(!is_right(&password, None));
        assert_ne!(hash(&password).unwrap(), hashed, "each hash has a salt of its own");
    }

    #[test]
    fn a_short_password_is_refused() {
        assert_eq!(hash("elevenchars"), Err(PasswordError::Length));
        assert_eq!(hash(&"x".repeat(2000)), Err(PasswordError::Length));
    }

    #[test]
    fn a_name_that_does_not_exist_takes_as_long_as_one_that_does() {
        let hashed = hash("a password of somebody").unwrap();
        let time = |hashed: Option<&str>| {
            let began = Instant::now();
            assert!(!is_right("a wrong password", hashed));
            began.elapsed()
        };
        // Whatever else the machine does makes some of them slow, and none fast.
        let (mut known, mut unknown) = (Duration::MAX, Duration::MAX);
        for _ in 0..ROUNDS {
            known = known.min(time(Some(&hashed)));
            unknown = unknown.min(time(None));
            if unknown * 3 > known {
                return;
            }
        }
        panic!("{unknown:?} for an unknown name, {known:?} for a known one");
    }
}
