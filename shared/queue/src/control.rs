//! What operators see and switch: numbers, pause, resume.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::gate::{GateName, Gates, Operation};
use crate::ledger_stream::encode_fact;
use crate::server::scripts::{NOTE, STATS, SWITCH};
use crate::{Queue, QueueError};
use passerelle_model::id::Subject;
use passerelle_model::ledger::LedgerRecord;
use passerelle_model::time::Timestamp;

/// The state of the queue, in numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueueStats {
    /// Jobs ready to run.
    pub active: u64,
    /// Those of them whose table's rule is broken: they wait until it is mended.
    pub held: u64,
    /// Jobs in workers' hands.
    pub running: u64,
    /// Jobs waiting for their time.
    pub scheduled: u64,
    /// Dead letters.
    pub dead: u64,
    /// Entries of the ledger stream, those included that the store has and Redis has not forgotten;
    /// a group of deliveries is two.
    pub ledger_backlog: u64,
    /// Since when, by whom and why fetching is paused, if it is.
    pub paused: Option<Pause>,
}

/// What a person does to a gate, who it is, and why.
#[derive(Debug, Clone, Copy)]
pub struct ByHand<'a> {
    /// What is done.
    pub operation: Operation,
    /// Who does it.
    pub by: &'a str,
    /// Why.
    pub why: &'a str,
}

/// Why a queue stands still.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Since when.
    pub since: Timestamp,
    /// Who paused it.
    pub by: String,
    /// Why.
    pub why: String,
}

/// Who paused it, and why: `paused by Ada (Docmost is being upgraded)`.
impl fmt::Display for Pause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "paused by {} ({})", self.by, self.why)
    }
}

impl Pause {
    /// Whatever stands in the key, the queue is paused: one that somebody set by hand too.
    fn read(stored: &[u8]) -> Self {
        serde_json::from_slice(stored).unwrap_or_else(|_| Self {
            since: Timestamp::from_millis(0),
            by: "somebody".to_owned(),
            why: "the key was set by hand".to_owned(),
        })
    }
}

/// What the script answers.
type Numbers = (u64, u64, u64, u64, u64, Option<Vec<u8>>, u64);

impl Queue {
    /// The queue in numbers, all of one moment. Its cost does not depend on them.
    pub async fn stats(&self) -> Result<QueueStats, QueueError> {
        let (keys, redis) = (&self.inner.keys, &self.inner.redis);
        let mut call = STATS.call(8);
        for key in [
            &keys.active,
            &keys.leases,
            &keys.scheduled,
            &keys.dead,
            &keys.ledger,
            &keys.paused,
            &keys.suspects,
            &keys.gates,
        ] {
            call.arg(key);
        }
        let (active, running, scheduled, dead, ledger_backlog, paused, held): Numbers = call.send(redis).await?;
        Ok(QueueStats {
            active,
            held,
            running,
            scheduled,
            dead,
            ledger_backlog,
            paused: paused.as_deref().map(Pause::read),
        })
    }

    /// Stops fetching by all workers until resumed. What runs is finished; what arrives is
    /// accepted. Kept in the ledger.
    ///
    /// Pausing a paused queue replaces who and why. Returns whether it was paused before.
    pub async fn pause(&self, by: &str, why: &str) -> Result<bool, QueueError> {
        let pause = Pause {
            since: Timestamp::now(),
            by: by.to_owned(),
            why: why.to_owned(),
        };
        let stored = serde_json::to_vec(&pause).map_err(|error| QueueError::Protocol(error.to_string()))?;
        self.switch("paused", stored, pause).await
    }

    /// Ends a pause. Kept in the ledger. Returns whether there was one.
    pub async fn resume(&self, by: &str, why: &str) -> Result<bool, QueueError> {
        let end = Pause {
            since: Timestamp::now(),
            by: by.to_owned(),
            why: why.to_owned(),
        };
        self.switch("resumed", Vec::new(), end).await
    }

    /// Keeps in the ledger what an operator did to something that is no job: `on` is e.g.
    /// `gate/docmost:write`.
    pub async fn note_act(&self, on: &str, act: &str, by: &str, why: &str) -> Result<(), QueueError> {
        let fact = encode_fact(&LedgerRecord::Switched {
            on: subject(on)?,
            act: act.to_owned(),
            by: by.to_owned(),
            why: why.to_owned(),
            at: Timestamp::now(),
        })?;
        let mut call = NOTE.call(2);
        call.arg(&self.inner.keys.ledger).arg(&self.inner.keys.life).arg(fact);
        let _entry: String = call.send(&self.inner.redis).await?;
        Ok(())
    }

    /// Stops, ramps or releases a gate by hand. The ledger keeps who and why first: whoever dies in
    /// between has changed nothing that it does not know of.
    pub async fn operate_gate(&self, gates: &Gates, gate: GateName, act: ByHand<'_>) -> Result<(), QueueError> {
        let ByHand { operation, by, why } = act;
        self.note_act(&format!("gate/{gate}"), operation.as_str(), by, why)
            .await?;
        gates.operate(gate, operation, by, why).await
    }

    async fn switch(&self, act: &str, stored: Vec<u8>, Pause { since, by, why }: Pause) -> Result<bool, QueueError> {
        let keys = &self.inner.keys;
        let fact = encode_fact(&LedgerRecord::Switched {
            on: subject(&format!("queue/{}", self.inner.name.as_str()))?,
            act: act.to_owned(),
            by,
            why,
            at: since,
        })?;
        let mut call = SWITCH.call(3);
        call.arg(&keys.paused)
            .arg(&keys.ledger)
            .arg(&keys.life)
            .arg(stored)
            .arg(fact)
            .arg(&keys.wake);
        call.send(&self.inner.redis).await
    }
}

fn subject(text: &str) -> Result<Subject, QueueError> {
    Subject::parse(text).map_err(|error| QueueError::Protocol(error.to_string()))
}
