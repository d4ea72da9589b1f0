//! Reading the state of the bridge. Redis, the database and the charts are read apart: what is away
//! or slow does not hide the others.

use std::time::Duration;

use passerelle_model::time::Timestamp;
use passerelle_queue::gate::GateStatus;
use passerelle_queue::loops::Parked;
use passerelle_queue::{Oldest, Pause, QueueName, QueueStats, Running, WorkerInfo};
use passerelle_store::{Counts, Deliveries, InStep, LastDelivery, WentBack};
use tokio::time::timeout;

use super::history::{Charts, History};
use crate::desk::Desk;
use crate::pages::redacted::is_by_rule;
use crate::settings::RowContents;

/// How long Redis, the database or the charts may take before a page is shown without them.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);
/// What is said of one that took longer.
pub(super) const LATE: &str = "no answer in time";
/// Most parked rows that are named.
const MOST_PARKED: usize = 20;

/// The bridge at one moment. What could not be read is the reason why.
#[derive(Debug, Clone)]
pub(crate) struct Overview {
    pub(crate) at: Timestamp,
    pub(crate) work: Result<Work, String>,
    pub(crate) ledger: Result<Ledger, String>,
    pub(crate) charts: Charts,
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
}

impl Work {
    /// Jobs of rows that wait, for whatever reason.
    pub(crate) fn waiting(&self) -> u64 {
        self.stats.active + self.stats.scheduled
    }
}

/// Looks at everything.
pub(crate) async fn look(desk: &Desk, history: &mut History) -> Overview {
    let at = Timestamp::now();
    let (work, ledger, ()) = tokio::join!(
        timeout(PATIENCE, work(desk)),
        timeout(PATIENCE, ledger(desk)),
        history.refresh(&desk.store, at)
    );
    Overview {
        at,
        work: work.unwrap_or_else(|_| Err(LATE.to_owned())),
        ledger: ledger.unwrap_or_else(|_| Err(LATE.to_owned())),
        charts: history.charts(at),
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

async fn ledger(desk: &Desk) -> Result<Ledger, String> {
    let why = |error: passerelle_store::StoreError| error.to_string();
    Ok(Ledger {
        counts: desk.store.counts().await.map_err(why)?,
        deliveries: desk.store.deliveries(&desk.queue).await.ok().flatten(),
        went_back: desk.store.went_back(&desk.queue).await.ok().flatten(),
        in_step: desk.store.in_step().await.map_err(why)?,
        sources: desk.store.last_deliveries().await.map_err(why)?,
    })
}
