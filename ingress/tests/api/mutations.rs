//! Ten thousand damaged deliveries, each correctly signed: every one is either accepted or refused
//! with a reason, and what was accepted is durable.

use futures::StreamExt as _;
use passerelle_model::ledger::LedgerRecord;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::captures::captures;
use crate::harness::{Answer, Ingress};

const COUNT: usize = 10_000;
const AT_ONCE: usize = 32;

/// One way to damage a body.
#[derive(Debug, Clone)]
enum Damage {
    Flip(Index, u8),
    Remove(Index, usize),
    Repeat(Index, usize),
    Replace(Index, usize),
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        1 => (any::<Index>(), 1_u8..).prop_map(|(place, bits)| Damage::Flip(place, bits)),
        1 => (any::<Index>(), 1_usize..40).prop_map(|(place, length)| Damage::Remove(place, length)),
        1 => (any::<Index>(), 1_usize..40).prop_map(|(place, length)| Damage::Repeat(place, length)),
        4 => (any::<Index>(), 0_usize..strange_values().len()).prop_map(|(place, value)| Damage::Replace(place, value)),
    ]
}

fn strange_values() -> Vec<Value> {
    vec![
        Value::Null,
        json!(true),
        json!(0),
        json!(-1),
        json!(1.5),
        json!(u64::MAX),
        json!(""),
        json!("a b\n\u{0}"),
        json!("x".repeat(1000)),
        json!([]),
        json!({}),
        json!([[1], {"id": 1}, null]),
        json!({"id": 7}),
    ]
}

impl Damage {
    fn apply(&self, body: &mut Vec<u8>) {
        if body.is_empty() {
            return;
        }
        match self {
            Self::Flip(place, bits) => {
                let place = place.index(body.len());
                body[place] ^= bits;
            }
            Self::Remove(place, length) => {
                let start = place.index(body.len());
                body.drain(start..(start + length).min(body.len()));
            }
            Self::Repeat(place, length) => {
                let start = place.index(body.len());
                let piece = body[start..(start + length).min(body.len())].to_vec();
                body.splice(start..start, piece);
            }
            Self::Replace(place, value) => {
                if let Ok(mut json) = serde_json::from_slice::<Value>(body) {
                    let count = count_values(&json);
                    let _ = replace_value(&mut json, place.index(count), &strange_values()[*value]);
                    *body = json.to_string().into_bytes();
                }
            }
        }
    }
}

fn count_values(value: &Value) -> usize {
    1 + match value {
        Value::Array(elements) => elements.iter().map(count_values).sum(),
        Value::Object(fields) => fields.values().map(count_values).sum(),
        _ => 0,
    }
}

/// Replaces the value number `place`, counted from the root; returns what is left of `place` where
/// it was not inside.
fn replace_value(value: &mut Value, place: usize, new: &Value) -> Option<usize> {
    let Some(mut place) = place.checked_sub(1) else {
        *value = new.clone();
        return None;
    };
    let children: Vec<&mut Value> = match value {
        Value::Array(elements) => elements.iter_mut().collect(),
        Value::Object(fields) => fields.values_mut().collect(),
        _ => Vec::new(),
    };
    for child in children {
        place = replace_value(child, place, new)?;
    }
    Some(place)
}

fn damaged_deliveries() -> anyhow::Result<Vec<Vec<u8>>> {
    let captures = captures()?;
    let strategy = (any::<Index>(), prop::collection::vec(damage(), 1..4));
    let mut runner = TestRunner::deterministic();
    let mut bodies = Vec::with_capacity(COUNT);
    for _ in 0..COUNT {
        let tree = strategy
            .new_tree(&mut runner)
            .map_err(|reason| anyhow::anyhow!("{reason}"))?;
        let (capture, damages) = tree.current();
        let mut body = captures[capture.index(captures.len())].body.clone().into_bytes();
        for damage in damages {
            damage.apply(&mut body);
        }
        bodies.push(body);
    }
    Ok(bodies)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_damaged_deliveries_are_accepted_or_refused_and_nothing_else() {
    let ingress = Ingress::start().unwrap();
    let bodies = damaged_deliveries().unwrap();
    let deliver = |body: Vec<u8>| async {
        let answer = ingress.deliver(body.clone()).await;
        (body, answer)
    };
    let answers: Vec<(Vec<u8>, anyhow::Result<Answer>)> = futures::stream::iter(bodies)
        .map(deliver)
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;

    let (mut accepted, mut refused) = (0, 0);
    for (body, answer) in answers {
        let body = String::from_utf8_lossy(&body);
        let answer = answer.unwrap_or_else(|error| panic!("no answer ({error:#}) to {body}"));
        match answer.status {
            200 => accepted += 1,
            400 => refused += 1,
            status => panic!("{status} {:?} to {body}", answer.body),
        }
        assert!(!answer.word().is_empty(), "{:?} to {body}", answer.body);
    }
    assert!(
        accepted > COUNT / 10 && refused > COUNT / 10,
        "{accepted} accepted, {refused} refused"
    );
    let ledger = ingress.ledger().await.unwrap();
    let is_arrival =
        |record: &&LedgerRecord| matches!(record, LedgerRecord::Accepted(_) | LedgerRecord::Duplicate { .. });
    assert_eq!(ledger.iter().filter(is_arrival).count(), accepted);
}
