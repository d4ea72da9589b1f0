//! The list of incidents. Each script writes a fact in the same step as the change that it
//! describes, so exactly once.

use serde::{Deserialize, Serialize};

use super::{GateTarget, Operation};
use passerelle_model::time::Timestamp;

/// One fact of the list of incidents.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// When, by the clock of Redis.
    pub at: Timestamp,
    /// The system that it is about: `docmost`, `baserow`, `smtp`, `slack`.
    pub target: String,
    /// For an incident of jobs that fail although no gate stopped: a word that all facts of it
    /// share. None for an outage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// What happened.
    #[serde(flatten)]
    pub what: IncidentKind,
}

/// What happened. People get a message of `opened`, `lasting` and `over`; the other kinds are the
/// record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum IncidentKind {
    /// The first trouble: a gate stopped, or a job failed for the third time.
    Opened {
        /// The gate, if one stopped.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        gate: Option<String>,
        /// Why.
        why: String,
        /// Jobs that wait.
        held: u64,
    },
    /// It has lasted for another hour.
    Lasting {
        /// Why it was opened.
        why: String,
        /// Milliseconds since it was opened.
        lasted_ms: u64,
        /// Jobs that wait.
        held: u64,
    },
    /// Everything works again.
    Over {
        /// Why it was opened.
        why: String,
        /// Milliseconds from its opening to the recovery.
        lasted_ms: u64,
        /// Jobs that the ramp let through.
        drained: u64,
        /// Dead letters that came meanwhile. Negative if more were replayed or discarded.
        dead: i64,
    },
    /// A gate stopped.
    Stopped {
        /// Which.
        gate: String,
        /// Why.
        why: String,
        /// When it will be probed.
        next: Timestamp,
    },
    /// A gate lets through as many jobs as its ramp allows.
    Ramping {
        /// Which.
        gate: String,
        /// Why.
        why: String,
    },
    /// A gate flows again. Versions before the states had their present names wrote `open`.
    #[serde(alias = "open")]
    Flowing {
        /// Which.
        gate: String,
        /// Why.
        why: String,
        /// Milliseconds since the trouble began.
        down_ms: u64,
        /// Jobs that its ramp let through.
        given: u64,
    },
    /// An operator stopped, ramped or released a gate.
    Operated {
        /// Which.
        gate: String,
        /// What was done: a word of [`Operation`], or `close` or `open` of an older version.
        verb: String,
        /// Who did it.
        by: String,
        /// Why.
        why: String,
    },
}

impl Incident {
    /// The target, if this version knows it.
    pub fn target(&self) -> Option<GateTarget> {
        GateTarget::parse(&self.target)
    }

    /// Whether people get a message of it.
    pub fn is_message(&self) -> bool {
        matches!(
            self.what,
            IncidentKind::Opened { .. } | IncidentKind::Lasting { .. } | IncidentKind::Over { .. }
        )
    }

    /// One sentence for people.
    pub fn sentence(&self) -> String {
        let target = &self.target;
        match &self.what {
            IncidentKind::Opened { why, held, .. } => format!("{target} is in trouble: {why}; {held} jobs are waiting"),
            IncidentKind::Lasting { why, lasted_ms, held } => {
                format!(
                    "{target} has been in trouble for {}: {why}; {held} jobs are waiting",
                    in_words(*lasted_ms)
                )
            }
            IncidentKind::Over {
                lasted_ms,
                drained,
                dead,
                ..
            } => {
                format!(
                    "{target} recovered after {}: {drained} drained, {dead} dead",
                    in_words(*lasted_ms)
                )
            }
            IncidentKind::Stopped { gate, why, .. } => format!("gate {gate} stopped: {why}"),
            IncidentKind::Ramping { gate, why } => format!("gate {gate} ramps up: {why}"),
            IncidentKind::Flowing { gate, why, given, .. } => {
                format!("gate {gate} flows again: {why}; {given} jobs let through meanwhile")
            }
            IncidentKind::Operated { gate, verb, by, why } => {
                let operation = Operation::parse(verb);
                let verb = operation.map_or(verb.as_str(), |operation| operation.as_str());
                format!("gate {gate}: {verb} by {by}: {why}")
            }
        }
    }
}

fn in_words(millis: u64) -> String {
    match millis / 1000 {
        seconds @ 0..=119 => format!("{seconds} s"),
        seconds @ 120..=7199 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3600),
    }
}

/// Logs and counts incidents that this process has just caused.
pub fn announce(incidents: &[Incident]) {
    for incident in incidents {
        let (target, sentence) = (&incident.target, incident.sentence());
        match &incident.what {
            IncidentKind::Opened { .. } | IncidentKind::Lasting { .. } => {
                tracing::error!(target_system = %target, "{sentence}");
                metrics::counter!("passerelle_incidents_total", "target" => target.clone()).increment(1);
            }
            IncidentKind::Stopped { gate, .. } => {
                tracing::warn!(target_system = %target, gate = %gate, "{sentence}");
                metrics::counter!("passerelle_gate_stops_total", "gate" => gate.clone()).increment(1);
            }
            IncidentKind::Over { .. }
            | IncidentKind::Ramping { .. }
            | IncidentKind::Flowing { .. }
            | IncidentKind::Operated { .. } => {
                tracing::info!(target_system = %target, "{sentence}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_an_incident_is_told_with_its_counts() {
        let text = r#"{"kind":"over","at":1763800000000,"target":"docmost","why":"x","lasted_ms":840500,"drained":812,"dead":0}"#;
        let incident: Incident = serde_json::from_str(text).unwrap();
        assert_eq!(
            incident.sentence(),
            "docmost recovered after 14 min: 812 drained, 0 dead"
        );
        assert!(incident.is_message());
    }
}
