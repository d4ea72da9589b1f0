//! Reading the state of the bridge. Redis and the database are read apart: one that is away does not hide the other.

use std::time::Duration;

use passerelle_model::time::Timestamp;
use passerelle_queue::gate::GateStatus;
use passerelle_queue::loops::Parked;
use passerelle_queue::{Oldest, Pause, QueueName, QueueStats, Running, WorkerInfo};
use passerelle_store::{Counts, Deliveries, Ended, InStep, LastDelivery, WentBack};
use tokio::time::timeout;

use crate::desk::Desk;
use crate::pages::redacted::is_by_rule;
use crate::settings::RowContents;

/// How long Redis or the database may take before a page is shown without it.
const PATIENCE: Duration = Duration::from_secs(3);
/// Most parked rows that are named.
const MOST_PARKED: usize = 20;
/// The stretches of the two charts.
pub(crate) const MINUTE: Duration = Duration::from_mins(1);
pub(crate) const HALF_HOUR: Duration = Duration::from_mins(30);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// The bridge at one moment. What could not be read is the reason why.
#[derive(Debug, Clone)]
pub(crate) struct Overview {
    pub(crate) at: Timestamp,
    pub(crate) work: Result<Work, String>,
    pub(crate) ledger: Result<Ledger, String>,
}

/// What Redis knows.
#[derive(Debug, Clone)]
pub(crate) struct Work {
    /// The queue of rows.
    pub(crate) stats: QueueStats,
    /// Dead letters of all queues.
    pub(crate) dead: u64,
    /// The queues that are paused.
    pub(crate) pauses: Vec<(QueueName, Pause)>,
    pub(crate) oldest: Oldest,
    pub(crate) gates: Vec<GateStatus>,
    pub(crate) workers: Vec<WorkerInfo>,
    pub(crate) running: Vec<Running>,
    pub(crate) parked: Vec<Parked>,
}

/// What the database knows.
#[derive(Debug, Clone)]
pub(crate) struct Ledger {
    pub(crate) counts: Counts,
    /// `None` before the ledger was read for the first time, or without Redis.
    pub(crate) deliveries: Option<Deliveries>,
    pub(crate) went_back: Option<WentBack>,
    pub(crate) in_step: InStep,
    pub(crate) sources: Vec<LastDelivery>,
    pub(crate) slow: Slow,
}

/// What is looked up less often: it costs more.
#[derive(Debug, Clone)]
pub(crate) struct Slow {
    pub(crate) at: Timestamp,
    pub(crate) hour: Vec<Ended>,
    pub(crate) day: Vec<Ended>,
}

impl Work {
    /// Jobs of rows that wait, for whatever reason.
    pub(crate) fn waiting(&self) -> u64 {
        self.stats.active + self.stats.scheduled
    }
}

/// Looks at everything.
pub(crate) async fn look(desk: &Desk, known: Option<Slow>) -> Overview {
    let at = Timestamp::now();
    let (work, ledger) = tokio::join!(
        timeout(PATIENCE, work(desk)),
        timeout(PATIENCE, ledger(desk, known, at))
    );
    let late = || "no answer in time".to_owned();
    Overview {
        at,
        work: work.unwrap_or_else(|_| Err(late())),
        ledger: ledger.unwrap_or_else(|_| Err(late())),
    }
}

async fn work(desk: &Desk) -> Result<Work, String> {
    let why = |error: passerelle_queue::QueueError| error.to_string();
    let mut pauses = Vec::new();
    let mut stats = QueueStats::default();
    for name in QueueName::ALL {
        let found = desk.queue_of(name).stats().await.map_err(why)?;
        if let Some(pause) = &found.paused {
            pauses.push((name, pause.clone()));
        }
        if name == QueueName::Sync {
            stats = found;
        }
    }
    Ok(Work {
        stats,
        dead: desk.redis.dead_load().await.map_err(why)?.letters,
        pauses,
        oldest: desk.queue.oldest().await.map_err(why)?,
        gates: gates(desk).await.map_err(why)?,
        workers: desk.queue.workers().await.map_err(why)?,
        running: desk.queue.running().await.map_err(why)?,
        parked: desk.loops.list(MOST_PARKED).await.map_err(why)?,
    })
}

/// The gates, as everybody may see them.
async fn gates(desk: &Desk) -> Result<Vec<GateStatus>, passerelle_queue::QueueError> {
    let mut gates = desk.gates.list().await?;
    if desk.settings.row_contents == RowContents::Operators {
        for gate in gates.iter_mut().filter(|gate| is_by_rule(gate)) {
            gate.why = None;
        }
    }
    Ok(gates)
}

async fn ledger(desk: &Desk, known: Option<Slow>, now: Timestamp) -> Result<Ledger, String> {
    let why = |error: passerelle_store::StoreError| error.to_string();
    let slow = match known {
        Some(known) => known,
        None => slow(desk, now).await.map_err(why)?,
    };
    Ok(Ledger {
        counts: desk.store.counts().await.map_err(why)?,
        deliveries: desk.store.deliveries(&desk.queue).await.ok().flatten(),
        went_back: desk.store.went_back(&desk.queue).await.ok().flatten(),
        in_step: desk.store.in_step().await.map_err(why)?,
        sources: desk.store.last_deliveries().await.map_err(why)?,
        slow,
    })
}

async fn slow(desk: &Desk, now: Timestamp) -> Result<Slow, passerelle_store::StoreError> {
    let store = &desk.store;
    Ok(Slow {
        at: now,
        hour: store.ended_between(now.minus(HOUR), now.plus(MINUTE), MINUTE).await?,
        day: store.ended_between(now.minus(DAY), now.plus(MINUTE), HALF_HOUR).await?,
    })
}
