//! A job's record as Redis keeps it: one short text, because there may be a million of them and
//! each is read and written for every step.
//!
//! | line | what it says |
//! |---|---|
//! | 1 | its state: `q` queued · `w` waiting for its time · `w held` waiting, and news do not end it (an outage, a crash); behind either, the target that is to blame, if one is · `r` running, with its token, its owner, and when it began |
//! | 2 | the job: last ledger entry, kinds of events and last event that it covers; when the first of them was accepted; counted attempts, crashes in a row, when its failures began (`-`: none) |
//! | 3 | only while it runs: what arrived meanwhile, as the first four of line 2 |
//!
//! A text, and all texts in one hash: the records of a whole group are read by one call and written
//! by one call, which halves what a job costs Redis. Words and numbers rather than bytes:
//! `redis-cli hget` shows what an operator wants to know.

use std::str::FromStr;

use passerelle_model::id::{EventId, JobKey};
use passerelle_model::job::{EventKinds, Job};
use passerelle_model::seq::Seq;
use passerelle_model::time::Timestamp;

/// Who has a running job.
pub(crate) struct Lease {
    pub(crate) token: String,
    pub(crate) owner: String,
    pub(crate) began: Timestamp,
}

/// The lease of a running job; `None` for any other record.
pub(crate) fn lease(record: &[u8]) -> Option<Lease> {
    let state = std::str::from_utf8(record.split(|byte| *byte == b'\n').next()?).ok()?;
    let mut words = state.strip_prefix("r ")?.split(' ');
    Some(Lease {
        token: words.next()?.to_owned(),
        owner: words.next()?.to_owned(),
        began: Timestamp::from_millis(words.next()?.parse().ok()?),
    })
}

/// Reads a job from its key and its record. The error says what cannot be read; such a record
/// becomes a dead letter.
pub(crate) fn decode(key: &[u8], record: &[u8]) -> Result<Job, String> {
    let mut words = Words(work(record)?.split(' '));
    let covers = words.text("the covered entry")?;
    Ok(Job {
        key: std::str::from_utf8(key)
            .map_err(|error| format!("the key: {error}"))
            .and_then(|key| JobKey::parse(key).map_err(|error| error.to_string()))?,
        covers: Seq::from_stream_id(covers).map_err(|error| error.to_string())?,
        kinds: EventKinds::from_bits(words.number("the kinds of events")?),
        last_event: EventId::parse(words.text("the last event")?).map_err(|error| error.to_string())?,
        waiting_since: Timestamp::from_millis(words.number("the time of the first event")?),
        attempts: words.number("the attempts")?,
        crashes: words.number("the crashes")?,
        failing_since: match words.text("the time of the first failure")? {
            "-" => None,
            time => Some(Timestamp::from_millis(
                time.parse().map_err(|_| format!("{time:?} is no time"))?,
            )),
        },
    })
}

/// What an unreadable record still says about the last entry that it covers; nothing, if that
/// cannot be read either.
pub(crate) fn covers(record: &[u8]) -> Seq {
    let word = work(record).ok().and_then(|work| work.split(' ').next());
    word.and_then(|word| Seq::from_stream_id(word).ok())
        .unwrap_or(Seq::ZERO)
}

/// What an unreadable record held, for people: its start.
pub(crate) fn describe(record: &[u8]) -> String {
    let mut description = record.escape_ascii().to_string();
    description.truncate(4096);
    description
}

fn work(record: &[u8]) -> Result<&str, String> {
    let line = record.split(|byte| *byte == b'\n').nth(1).unwrap_or_default();
    std::str::from_utf8(line).map_err(|error| error.to_string())
}

struct Words<'a>(std::str::Split<'a, char>);

impl<'a> Words<'a> {
    fn text(&mut self, what: &str) -> Result<&'a str, String> {
        self.0
            .next()
            .filter(|word| !word.is_empty())
            .ok_or_else(|| format!("{what} is missing"))
    }

    fn number<T: FromStr>(&mut self, what: &str) -> Result<T, String> {
        let word = self.text(what)?;
        word.parse().map_err(|_| format!("{what} is {word:?}, not a number"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_fresh_record_has_no_attempts_and_no_crashes() {
        let record = b"r call:1 worker-7 1732280000500\n1732280000120-3 3 event 1732280000120 0 0 -";
        let job = decode(b"t12/r345", record).unwrap();
        assert_eq!((job.attempts, job.crashes, job.failing_since), (0, 0, None));
        assert_eq!(job.covers.stream_id(), "1732280000120-3");
        let lease = lease(record).unwrap();
        assert_eq!((lease.token.as_str(), lease.owner.as_str()), ("call:1", "worker-7"));
        assert_eq!(lease.began.as_millis(), 1_732_280_000_500);
    }

    #[test]
    fn news_are_no_part_of_the_job_that_runs() {
        let record = b"r call:1 worker-7 5\n17-3 3 event 17 2 1 16\n18-0 1 later 18";
        let job = decode(b"t12/r345", record).unwrap();
        assert_eq!((job.attempts, job.crashes, job.last_event.as_str()), (2, 1, "event"));
        assert_eq!(job.failing_since, Some(Timestamp::from_millis(16)));
    }

    #[test]
    fn a_record_that_lacks_something_says_what() {
        let error = |record: &[u8]| decode(b"t12/r345", record).unwrap_err();
        assert_eq!(
            error(b"r call:1 worker-7 5\n17-3 3 event"),
            "the time of the first event is missing"
        );
        assert_eq!(error(b"rubbish"), "the covered entry is missing");
    }

    proptest! {
        #[test]
        fn no_record_makes_the_reader_panic(key: Vec<u8>, record: Vec<u8>) {
            let _ = (decode(&key, &record), lease(&record), covers(&record));
            prop_assert!(describe(&record).len() <= 4096);
        }
    }
}
