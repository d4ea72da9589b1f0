//! Why a job is in its state, in words.

use std::collections::BTreeMap;

use passerelle_model::id::RowKey;
use passerelle_model::time::Timestamp;
use passerelle_queue::gate::{GateName, GateState};
use passerelle_queue::loops::Parked;
use passerelle_queue::{JobState, QueueName, SeenJob};

use crate::operator::Operator;
use crate::trouble::Trouble;

/// What holds back more than one job.
#[derive(Debug, Default)]
pub(crate) struct Circumstances {
    /// Why no job of the queue is taken at present, or few are.
    pub(crate) standstill: Option<String>,
    parked: BTreeMap<RowKey, Parked>,
    now: Timestamp,
}

impl Circumstances {
    /// As they are now, for these jobs.
    pub(crate) async fn look(operator: &Operator, queue: QueueName, jobs: &[SeenJob]) -> Result<Self, Trouble> {
        let mut parked = BTreeMap::new();
        let held = jobs.iter().filter(|seen| seen.state == JobState::Held);
        for row in held.filter_map(|seen| seen.job.key.row()) {
            parked.extend(operator.loops.parked(row).await?.map(|parked| (row, parked)));
        }
        Ok(Self {
            standstill: standstill(operator, queue).await?,
            parked,
            now: operator.queue.clock().await?,
        })
    }

    /// Why the job is not done yet.
    pub(crate) fn reason(&self, seen: &SeenJob) -> String {
        let is_due = seen.until.is_some_and(|until| until <= self.now);
        let crashes = seen.job.crashes;
        let parked = seen.job.key.row().and_then(|row| self.parked.get(&row));
        match (seen.state, &self.standstill) {
            (JobState::Running, _) => "a worker runs it".to_owned(),
            (JobState::TableHeld, _) => {
                let trouble = seen.table_trouble.as_deref().unwrap_or("see `passerelle gates`");
                format!("the rule of its table is broken: {trouble}")
            }
            (JobState::Queued, Some(standstill)) => standstill.clone(),
            (_, Some(standstill)) if is_due => standstill.clone(),
            (JobState::Queued, None) if crashes > 0 => {
                format!("{}: it runs alone, when a worker has nothing else", vanished(crashes))
            }
            (JobState::Queued, None) => "it waits for a free worker".to_owned(),
            (JobState::Scheduled, _) => "it failed, and is tried again".to_owned(),
            (JobState::Held, _) if parked.is_some() => "the loop guard has parked its row".to_owned(),
            (JobState::Held, _) if crashes > 0 => vanished(crashes),
            (JobState::Held, _) => "it waits through no fault of its own".to_owned(),
        }
    }
}

fn vanished(crashes: u32) -> String {
    match crashes {
        1 => "its worker vanished".to_owned(),
        crashes => format!("its worker vanished {crashes} times"),
    }
}

/// Why no job of a queue is taken at present, or few are.
async fn standstill(operator: &Operator, queue: QueueName) -> Result<Option<String>, Trouble> {
    if let Some(pause) = operator.queue_of(queue).stats().await?.paused {
        return Ok(Some(format!("the queue is {pause}")));
    }
    let passed: Vec<&str> = GateName::passed_by(queue).map(GateName::as_str).collect();
    let gates = operator.gates().list().await?.into_iter();
    let mut gates = gates.filter(|gate| passed.contains(&gate.gate) && gate.state != GateState::Flowing);
    if let Some(gate) = gates.next() {
        let state = match gate.state {
            GateState::Ramping => "lets jobs through slowly",
            GateState::Probing | GateState::Stopped | GateState::Flowing => "is stopped",
        };
        let why = gate.why.map_or_else(String::new, |why| format!(": {why}"));
        return Ok(Some(format!("the gate {} {state}{why}", gate.gate)));
    }
    // The workers of rows send the notices too.
    let is_alone = operator.queue.workers().await?.is_empty();
    Ok(is_alone.then(|| "no worker is alive".to_owned()))
}
