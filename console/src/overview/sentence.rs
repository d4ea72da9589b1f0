//! The state of the bridge in one sentence: the worst that is true, and else that all is well.

use std::time::Duration;

use passerelle_model::time::Timestamp;
use passerelle_queue::gate::{GateState, GateStatus};
use serde::Serialize;

use super::look::{Ledger, Overview, Work};
use crate::words::Tongue;

/// How long the oldest job may be queued before it is worth a word.
const LONG_QUEUED: Duration = Duration::from_mins(5);

/// How it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Tone {
    Well,
    Attention,
    Trouble,
}

/// The sentence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Sentence {
    pub(crate) tone: Tone,
    pub(crate) text: String,
}

impl Sentence {
    fn new(tone: Tone, text: String) -> Self {
        Self { tone, text }
    }
}

/// The sentence of an overview.
pub(crate) fn of(overview: &Overview, tongue: Tongue) -> Sentence {
    let (work, ledger) = (overview.work.as_ref(), overview.ledger.as_ref());
    let found = match (work, ledger) {
        (Err(why), _) => Some(Sentence::new(
            Tone::Trouble,
            tongue.say("now.no_redis", &[("why", why)]),
        )),
        (_, Err(why)) => Some(Sentence::new(
            Tone::Trouble,
            tongue.say("now.no_store", &[("why", why)]),
        )),
        (Ok(work), Ok(ledger)) => lost(ledger, tongue)
            .or_else(|| standing(work, tongue))
            .or_else(|| outage(work, overview.at, tongue))
            .or_else(|| slow(work, overview.at, tongue))
            .or_else(|| left_over(work, tongue)),
    };
    found.unwrap_or_else(|| Sentence {
        tone: Tone::Well,
        text: well(ledger.ok(), overview.at, tongue),
    })
}

fn rows_wait(work: &Work, tongue: Tongue) -> String {
    match work.waiting() {
        0 => tongue.say("now.nothing_waits", &[]),
        waiting => tongue.count("now.rows_wait", waiting, &[]),
    }
}

/// Whatever is missing is worse than anything that waits.
fn lost(ledger: &Ledger, tongue: Tongue) -> Option<Sentence> {
    let missing =
        ledger.deliveries.map_or(0, |found| found.missing).unsigned_abs() + ledger.counts.missing().unsigned_abs();
    if missing > 0 {
        return Some(Sentence::new(Tone::Trouble, tongue.count("now.missing", missing, &[])));
    }
    let back = ledger.went_back?;
    Some(Sentence::new(
        Tone::Trouble,
        tongue.count("now.went_back", back.lost.unsigned_abs(), &[]),
    ))
}

/// Nobody works, because somebody said so or because nobody is there.
fn standing(work: &Work, tongue: Tongue) -> Option<Sentence> {
    let waiting = rows_wait(work, tongue);
    if let Some((queue, pause)) = work.pauses.first() {
        let values = [
            ("queue", queue.as_str()),
            ("by", &pause.by),
            ("why", &pause.why),
            ("waiting", &waiting),
        ];
        return Some(Sentence::new(Tone::Attention, tongue.say("now.paused", &values)));
    }
    if work.workers.is_empty() {
        return Some(Sentence::new(
            Tone::Trouble,
            tongue.say("now.no_worker", &[("waiting", &waiting)]),
        ));
    }
    None
}

/// The gate that tells most: one that is stopped before one that ramps.
fn worst_gate(gates: &[GateStatus]) -> Option<&GateStatus> {
    let rank = |state: GateState| match state {
        GateState::Stopped => 0,
        GateState::Probing => 1,
        GateState::Ramping => 2,
        GateState::Flowing => 3,
    };
    let troubled = gates.iter().filter(|gate| gate.state != GateState::Flowing);
    troubled.min_by_key(|gate| rank(gate.state))
}

fn outage(work: &Work, now: Timestamp, tongue: Tongue) -> Option<Sentence> {
    let gate = worst_gate(&work.gates)?;
    let target = target_name(gate.gate, tongue);
    let waiting = rows_wait(work, tongue);
    let since = gate
        .down_since
        .or(gate.since)
        .map_or(Duration::ZERO, |since| now.since(since));
    let since = tongue.span(since);
    let mut values = vec![("target", target.as_str()), ("span", &since), ("waiting", &waiting)];
    if gate.state == GateState::Ramping {
        return Some(Sentence::new(Tone::Attention, tongue.say("now.ramping", &values)));
    }
    let by = gate.by.as_deref().filter(|by| *by != "rule");
    if let Some(by) = by.filter(|_| gate.next_probe.is_none()) {
        values.push(("by", by));
        return Some(Sentence::new(
            Tone::Attention,
            tongue.say("now.stopped_by_hand", &values),
        ));
    }
    let next = gate
        .next_probe
        .map(|next| next.since(now))
        .filter(|wait| !wait.is_zero());
    let next = next.map_or_else(
        || tongue.say("now.next_try_now", &[]),
        |wait| {
            tongue.say(
                "now.next_try",
                &[("span", &tongue.span(Duration::from_secs(wait.as_secs().max(1))))],
            )
        },
    );
    values.push(("next", &next));
    Some(Sentence::new(Tone::Trouble, tongue.say("now.away", &values)))
}

fn slow(work: &Work, now: Timestamp, tongue: Tongue) -> Option<Sentence> {
    let age = now.since(work.oldest.queued?);
    if age < LONG_QUEUED {
        return None;
    }
    let (waiting, span) = (rows_wait(work, tongue), tongue.span(age));
    let values = [("waiting", waiting.as_str()), ("span", &span)];
    Some(Sentence::new(Tone::Attention, tongue.say("now.slow", &values)))
}

fn left_over(work: &Work, tongue: Tongue) -> Option<Sentence> {
    if work.dead == 0 {
        return None;
    }
    Some(Sentence::new(Tone::Attention, tongue.count("now.dead", work.dead, &[])))
}

fn well(ledger: Option<&Ledger>, now: Timestamp, tongue: Tongue) -> String {
    let pages = ledger.map_or(0, |ledger| ledger.in_step.pages.unsigned_abs());
    let rows = tongue.count("now.in_step", pages, &[]);
    match ledger.and_then(|ledger| ledger.in_step.last_change) {
        Some(last) => {
            let ago = tongue.ago(now.since(last));
            tongue.say("now.well_since", &[("rows", &rows), ("ago", &ago)])
        }
        None => tongue.say("now.well", &[("rows", &rows)]),
    }
}

/// The system behind a gate, as people call it.
pub(crate) fn target_name(gate: &str, tongue: Tongue) -> String {
    tongue.system(gate.split(':').next().unwrap_or(gate))
}

/// The calls behind a gate, where a system has several; `None` where it has one.
pub(crate) fn call_of(gate: &str, tongue: Tongue) -> Option<String> {
    let (_, call) = gate.split_once(':')?;
    let key = format!("gate.{call}");
    Some(if tongue.knows(&key) {
        tongue.say(&key, &[])
    } else {
        call.to_owned()
    })
}

#[cfg(test)]
mod tests;
