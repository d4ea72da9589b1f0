//! What the accept script answers.

use crate::QueueError;
use crate::life::Seen;

/// What became of a prepared event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    New,
    Duplicate,
    /// What it was to be made from was not there.
    Gone,
}

/// What became of each event, and what the count is.
pub(crate) fn parse_answer(answer: &str, expected: usize) -> Result<(Vec<Taken>, Seen), QueueError> {
    let mut words = answer.split(' ');
    let taken: Option<Vec<Taken>> = words
        .next()
        .unwrap_or_default()
        .chars()
        .map(|digit| match digit {
            '0' => Some(Taken::Duplicate),
            '1' => Some(Taken::New),
            '2' => Some(Taken::Gone),
            _ => None,
        })
        .collect();
    let mut count = || words.next().and_then(|word| word.parse().ok());
    let seen = Seen {
        answered: count(),
        remembered: count(),
    };
    let taken = taken.filter(|taken| taken.len() == expected);
    taken
        .map(|taken| (taken, seen))
        .ok_or_else(|| QueueError::Protocol(format!("accept answered {answer:?} for {expected} events")))
}
