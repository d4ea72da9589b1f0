//! A job's record as Redis keeps it: a small hash with short field names, because there may be a million of them.
//!
//! | field | meaning |
//! |---|---|
//! | `s` | state: `q` queued, `r` running, `w` waiting for its time |
//! | `c` `k` `e` | what it covers: last ledger entry, kinds of events, last event |
//! | `w` | when the first event that it covers was accepted |
//! | `a` `x` `f` | counted attempts, crashes in a row, when its failures began |
//! | `h` | `1`: its wait is kept when news arrive (an outage, a crash) |
//! | `t` `o` `b` | while it runs: token, owner, when it began |
//! | `d` `dk` `de` `dw` | while it runs: what arrived meanwhile (as `c` `k` `e` `w`) |

use std::fmt::Display;
use std::str::FromStr;

use redis::Value;

use crate::id::EventId;
use crate::job::{EventKinds, Job, JobKey};
use crate::ledger::Seq;
use crate::time::Timestamp;

/// How many values [`decode`] reads after the key: c, k, e, w, a, x, f.
pub(super) const FIELDS: usize = 7;

/// Reads a job from its key and fields. The error says which field cannot be read; such a record becomes a dead letter.
pub(super) fn decode(key: &[u8], fields: &[Value; FIELDS]) -> Result<Job, String> {
    let [covers, kinds, event, since, attempts, crashes, failing] = fields;
    let covers = text("c", covers)?.ok_or("c is missing")?;
    let event = text("e", event)?.ok_or("e is missing")?;
    Ok(Job {
        key: std::str::from_utf8(key)
            .map_err(|error| format!("key: {error}"))
            .and_then(|key| JobKey::parse(key).map_err(|error| error.to_string()))?,
        covers: Seq::from_stream_id(covers).map_err(|error| format!("c: {error}"))?,
        kinds: EventKinds::from_bits(number("k", kinds)?.ok_or("k is missing")?),
        last_event: EventId::parse(event).map_err(|error| format!("e: {error}"))?,
        waiting_since: Timestamp::from_millis(number("w", since)?.ok_or("w is missing")?),
        attempts: number("a", attempts)?.unwrap_or(0),
        crashes: number("x", crashes)?.unwrap_or(0),
        failing_since: number("f", failing)?.map(Timestamp::from_millis),
    })
}

/// A field's text; `None` if the record does not have the field.
pub(super) fn text<'a>(name: &str, value: &'a Value) -> Result<Option<&'a str>, String> {
    match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes)
            .map(Some)
            .map_err(|error| format!("{name}: {error}")),
        Value::Nil => Ok(None),
        other => Err(format!("{name} is {other:?}")),
    }
}

fn number<T: FromStr<Err: Display>>(name: &str, value: &Value) -> Result<Option<T>, String> {
    match text(name, value)? {
        Some(text) => text.parse().map(Some).map_err(|error| format!("{name}: {error}")),
        None => Ok(None),
    }
}

/// What an unreadable record held, for people: the start of every field.
pub(super) fn describe(fields: &[Value]) -> String {
    let mut description = String::new();
    for value in fields {
        match value {
            Value::BulkString(bytes) => description.extend(bytes.escape_ascii().map(char::from)),
            _ => description.push('-'),
        }
        description.push(' ');
    }
    description.truncate(4096);
    description
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    #[test]
    fn a_fresh_record_has_no_attempts_and_no_crashes() {
        let fields = [
            bulk("1732280000120-3"),
            bulk("3"),
            bulk("event"),
            bulk("1732280000120"),
            Value::Nil,
            Value::Nil,
            Value::Nil,
        ];
        let job = decode(b"t12/r345", &fields).unwrap();
        assert_eq!((job.attempts, job.crashes, job.failing_since), (0, 0, None));
        assert_eq!(job.covers.stream_id(), "1732280000120-3");
    }

    proptest! {
        #[test]
        fn no_record_makes_the_reader_panic(key: Vec<u8>, fields: [Option<Vec<u8>>; FIELDS]) {
            let fields = fields.map(|field| field.map_or(Value::Nil, Value::BulkString));
            let _ = decode(&key, &fields);
            prop_assert!(describe(&fields).len() <= 4096);
        }
    }
}
