//! What a gate is doing, as the scripts answer it.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use super::incident::Incident;
use super::{GateName, GateTarget, LONGEST_ASKED};
use crate::QueueError;
use passerelle_model::time::Timestamp;

/// The state of a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GateState {
    /// Everything passes: what a circuit breaker calls closed.
    Flowing,
    /// As many jobs are in flight at once as the ramp allows.
    Ramping,
    /// Nothing passes but the one job of the probe's holder: what a circuit breaker calls
    /// half-open.
    Probing,
    /// Nothing passes: what a circuit breaker calls open.
    Stopped,
}

/// A gate, as operators see it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GateStatus {
    /// Its name.
    pub gate: &'static str,
    /// Its state.
    pub state: GateState,
    /// Since when it has been in this state (for a probe: since it stopped).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// When the trouble began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub down_since: Option<Timestamp>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Who stopped or ramped it: `rule`, or a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// When the next probe may begin. None for a gate that was stopped by hand: it waits for a
    /// hand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_probe: Option<Timestamp>,
    /// Jobs that were let through by the ramp so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub given: Option<u64>,
    /// Jobs that the ramp allows in flight at once, all workers together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    #[serde(skip)]
    pub(super) probe: Option<Probe>,
    #[serde(skip)]
    pub(super) decided: Option<Decided>,
}

/// When more will be known: at the next probe, or when a ramp has had its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Decided {
    at: Timestamp,
    /// How long before it that was written at most.
    within: Duration,
}

/// Who probes, and how far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Probe {
    pub(super) holder: String,
    pub(super) is_health: bool,
}

impl GateStatus {
    /// A gate that flows.
    pub fn flowing(gate: GateName) -> Self {
        Self {
            gate: gate.as_str(),
            state: GateState::Flowing,
            since: None,
            down_since: None,
            why: None,
            by: None,
            next_probe: None,
            given: None,
            limit: None,
            probe: None,
            decided: None,
        }
    }
}

/// All gates that do not flow, at one moment of Redis' clock.
#[derive(Debug, Clone, Default)]
pub(super) struct View {
    pub(super) at: Timestamp,
    /// When this process asked for it.
    pub(super) asked: Option<Instant>,
    pub(super) not_flowing: BTreeMap<GateName, GateStatus>,
}

impl View {
    /// The longest wait that the gates of a target ask for; none if all flow.
    pub(super) fn wait_for(&self, target: GateTarget) -> Option<Duration> {
        let gates = self.not_flowing.iter().filter(|(gate, _)| gate.target() == target);
        gates.map(|(_, status)| self.wait_of(status)).max()
    }

    /// Until the next probe, or until a ramp has had its time: by then more will be known.
    pub(super) fn wait_of(&self, status: &GateStatus) -> Duration {
        const SOON: Duration = Duration::from_secs(1);
        let decided = status
            .decided
            .map(|decided| decided.at.wait_from(self.at, decided.within));
        decided.unwrap_or(SOON).max(SOON)
    }

    /// Targets whose health this process shall check now.
    pub(super) fn to_check(&self, process: &str) -> Vec<GateTarget> {
        let mine = |status: &GateStatus| {
            status
                .probe
                .as_ref()
                .is_some_and(|probe| probe.is_health && probe.holder == process)
        };
        let mut targets: Vec<GateTarget> = self
            .not_flowing
            .iter()
            .filter(|(_, status)| mine(status))
            .map(|(gate, _)| gate.target())
            .collect();
        targets.dedup();
        targets
    }
}

/// Reads what every script of this folder answers.
pub(super) fn decode(answer: &[String], asked: Instant) -> Result<(View, Vec<Incident>), QueueError> {
    let unexpected = |what: &str| QueueError::Protocol(format!("a gate script answered {what}"));
    let [now, gates, happened @ ..] = answer else {
        return Err(unexpected("too little"));
    };
    let at = now.parse().map_err(|_error| unexpected("no time"))?;
    let at = Timestamp::from_millis(at);
    let gates: HashMap<String, HashMap<String, String>> =
        serde_json::from_str(gates).map_err(|error| unexpected(&error.to_string()))?;
    let not_flowing = gates
        .iter()
        .filter_map(|(name, fields)| GateName::parse(name).map(|gate| (gate, status(gate, fields, at))))
        .collect();
    let incidents = happened
        .iter()
        .filter_map(|fact| serde_json::from_str(fact).ok())
        .collect();
    let asked = Some(asked);
    Ok((View { at, asked, not_flowing }, incidents))
}

fn status(gate: GateName, fields: &HashMap<String, String>, now: Timestamp) -> GateStatus {
    let text = |field: &str| fields.get(field).cloned();
    let time = |field: &str| {
        fields
            .get(field)
            .and_then(|text| text.parse().ok())
            .map(Timestamp::from_millis)
    };
    let state = match fields.get("state").map(String::as_str) {
        Some("ramping") => GateState::Ramping,
        Some("probing") => GateState::Probing,
        Some("stopped") => GateState::Stopped,
        _ => GateState::Flowing,
    };
    let is_ramping = state == GateState::Ramping;
    GateStatus {
        state,
        since: time("since"),
        down_since: time("down"),
        why: text("why"),
        by: text("by"),
        next_probe: time("next").filter(|_| text("manual").is_none()),
        given: fields
            .get("given")
            .filter(|_| is_ramping)
            .and_then(|text| text.parse().ok()),
        limit: fields
            .get("limit")
            .filter(|_| is_ramping)
            .and_then(|text| text.parse().ok()),
        probe: text("holder").map(|holder| Probe {
            holder,
            is_health: fields.get("phase").is_some_and(|phase| phase == "health"),
        }),
        decided: decided(fields, is_ramping.then_some(now)),
        ..GateStatus::flowing(gate)
    }
}

/// `ramping`: the moment of the view, if the gate ramps.
fn decided(fields: &HashMap<String, String>, ramping: Option<Timestamp>) -> Option<Decided> {
    let number = |field: &str| fields.get(field).and_then(|text| text.parse::<i64>().ok());
    let time = |field: &str| number(field).map(Timestamp::from_millis);
    let span = |field: &str| number(field).map(|millis| Duration::from_millis(u64::try_from(millis).unwrap_or(0)));
    if let Some(now) = ramping {
        // A job that fails now shall not fail again in the same ramp: one row must not look like an
        // outage.
        const RAMP: Duration = Duration::from_secs(10);
        return Some(Decided {
            at: time("resume").unwrap_or(now).max(now).plus(RAMP),
            within: RAMP + span("pause").unwrap_or_default().min(LONGEST_ASKED),
        });
    }
    let next = time("next").filter(|_| !fields.contains_key("manual"))?;
    Some(Decided {
        at: next,
        within: span("within").unwrap_or(LONGEST_ASKED.mul_f64(1.1)),
    })
}
