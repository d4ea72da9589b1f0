//! A form is carried out once, however often its button is pressed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::OnceCell;

/// How long a form is kept in mind.
const KEPT: Duration = Duration::from_mins(10);
/// Most forms that are kept in mind; beyond that the old ones are forgotten, or else all.
const MOST_KEPT: usize = 10_000;

/// The forms of the last minutes, and the addresses that they led to.
#[derive(Debug, Default)]
pub(crate) struct Once {
    forms: Mutex<HashMap<String, (Instant, Led)>>,
}

/// Where a form has led: set as soon as its act is done.
pub(crate) type Led = Arc<OnceCell<String>>;

impl Once {
    /// The place of this form's result. Whoever sends the same form meanwhile or later gets the
    /// same place.
    pub(crate) fn of(&self, form: String, now: Instant) -> Led {
        let mut forms = self.forms.lock().unwrap_or_else(PoisonError::into_inner);
        if forms.len() >= MOST_KEPT {
            forms.retain(|_, (since, _)| now.duration_since(*since) < KEPT);
        }
        if forms.len() >= MOST_KEPT {
            forms.clear();
        }
        Arc::clone(&forms.entry(form).or_insert_with(|| (now, Led::default())).1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_has_one_place_and_old_ones_are_forgotten_before_there_are_too_many() {
        let (once, now) = (Once::default(), Instant::now());
        let first = once.of("a".to_owned(), now);
        assert!(Arc::ptr_eq(&first, &once.of("a".to_owned(), now)));
        assert!(!Arc::ptr_eq(&first, &once.of("b".to_owned(), now)));
        for number in 0..MOST_KEPT {
            once.of(number.to_string(), now + KEPT);
        }
        assert!(once.forms.lock().unwrap().len() <= MOST_KEPT);
        assert!(!Arc::ptr_eq(&first, &once.of("a".to_owned(), now + KEPT)));
    }
}
