//! `stats`: the queue and the ledger in numbers, and whether they add up.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use clap::Args;
use passerelle_model::time::Timestamp;
use passerelle_queue::gate::{GateState, GateStatus};
use passerelle_queue::loops::Parked;
use passerelle_queue::{DeadLoad, Pause};
use passerelle_store::{Backlog, Counts, Deliveries, WentBack};
use serde::Serialize;
use tokio::time::MissedTickBehavior;

use crate::console::Console;
use crate::doctor::ingress;
use crate::gates::details;
use crate::operator::{Freshness, NotRead, Operator};
use crate::trace::parked_in_words;
use crate::trouble::Trouble;

/// How often `--watch` looks.
const WATCH_EVERY: Duration = Duration::from_secs(1);
/// Most parked rows that are named.
const MOST_PARKED: usize = 20;

/// `stats`.
#[derive(Debug, Clone, Copy, Args)]
pub struct StatsVerb {
    /// Refresh every second, until Ctrl-C.
    #[arg(long)]
    pub watch: bool,
}

/// The answer; a half that could not be read is absent.
#[derive(Debug, Serialize)]
struct Stats {
    /// When this was looked at.
    at: Timestamp,
    queue: Option<QueueNumbers>,
    #[serde(flatten)]
    ledger: Option<LedgerNumbers>,
    /// Deliveries in the spools of the ingresses; `null` where one of them does not answer.
    spooled: Option<u64>,
    not_read: NotRead,
}

#[derive(Debug, Serialize)]
struct LedgerNumbers {
    #[serde(flatten)]
    counts: Counts,
    /// Items that are neither open nor ended; always 0 in a sound ledger.
    missing: i64,
    unreadable_records: i64,
    /// Of the present life of Redis' data; `null` before it was read for the first time, or where
    /// Redis does not answer.
    answered: Option<Deliveries>,
    /// The ledger's entries between Redis and the store; `null` where Redis does not answer.
    backlog: Option<Backlog>,
    /// `null` unless the workers still repair what Redis has lost.
    went_back: Option<WentBack>,
    #[serde(flatten)]
    freshness: Freshness,
}

#[derive(Debug, Serialize)]
struct QueueNumbers {
    queued: u64,
    running: u64,
    scheduled: u64,
    /// The dead letters of all queues.
    dead: u64,
    /// The same for each queue.
    dead_by_queue: BTreeMap<&'static str, DeadLoad>,
    /// The dead letters of all queues, in bytes, and what they may weigh.
    dead_bytes: u64,
    dead_budget_bytes: u64,
    ledger_backlog: u64,
    /// `null` while it is not.
    paused: Option<Pause>,
    /// The gates that do not flow: why jobs wait.
    gates: Vec<GateStatus>,
    /// Rows that the loop guard has parked.
    parked: Vec<Parked>,
}

/// Shows the numbers once, or every second until Ctrl-C. Fails if items are missing, or if not
/// everything could be read.
pub async fn run(operator: &Operator, verb: &StatsVerb, console: &mut Console) -> Result<(), Trouble> {
    if !verb.watch {
        let stats = look(operator).await;
        console.answer(&stats, in_words)?;
        return verdict(&stats);
    }
    console.is_watching = true;
    let stop = console.stop.clone();
    let mut looks = tokio::time::interval(WATCH_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = looks.tick() => {}
            () = stop.cancelled() => return Ok(()),
        }
        let stats = look(operator).await;
        console.redraw()?;
        console.answer(&stats, in_words)?;
    }
}

async fn look(operator: &Operator) -> Stats {
    let mut not_read = NotRead::default();
    // The ledger first: it takes in what the queue's numbers count as on the way.
    let ledger = not_read.noting("the ledger", ledger(operator).await);
    let queue = not_read.noting("the queue", queue(operator).await);
    Stats {
        at: Timestamp::now(),
        queue,
        ledger,
        spooled: ingress::spooled(&operator.settings()).await,
        not_read,
    }
}

async fn queue(operator: &Operator) -> Result<QueueNumbers, Trouble> {
    let queue = operator.queue.stats().await?;
    let loads = operator.redis.dead_loads().await?;
    let load: DeadLoad = loads.iter().map(|(_, load)| *load).sum();
    Ok(QueueNumbers {
        queued: queue.active,
        running: queue.running,
        scheduled: queue.scheduled,
        dead: load.letters,
        dead_by_queue: loads.into_iter().map(|(name, load)| (name.as_str(), load)).collect(),
        dead_bytes: load.bytes,
        dead_budget_bytes: operator.dead_letters.budget_bytes,
        ledger_backlog: queue.ledger_backlog,
        paused: queue.paused,
        gates: operator
            .gates()
            .list()
            .await?
            .into_iter()
            .filter(|gate| gate.state != GateState::Flowing)
            .collect(),
        parked: operator.loops.list(MOST_PARKED).await?,
    })
}

async fn ledger(operator: &Operator) -> Result<LedgerNumbers, Trouble> {
    let store = operator.store().await?;
    let freshness = operator.catch_up(store).await;
    let counts = store.counts().await?;
    Ok(LedgerNumbers {
        answered: store.deliveries(&operator.queue).await.ok().flatten(),
        backlog: store.backlog(&operator.queue).await.ok(),
        went_back: store.went_back(&operator.queue).await.ok().flatten(),
        missing: counts.missing(),
        unreadable_records: store.unreadable_records().await?,
        counts,
        freshness,
    })
}

fn verdict(stats: &Stats) -> Result<(), Trouble> {
    let lost = |ledger: &LedgerNumbers| ledger.answered.map_or(0, |found| found.missing);
    if let Some(lost) = stats.ledger.as_ref().map(lost).filter(|lost| *lost != 0) {
        return Err(Trouble::found(
            "deliveries_missing",
            format!("{lost} deliveries that were answered are nowhere"),
            "run `passerelle reconcile`, see \"Deliveries are missing\" in docs/RUNBOOK.md",
        ));
    }
    if stats.ledger.as_ref().is_none_or(|ledger| ledger.missing == 0) {
        return stats.not_read.verdict();
    }
    let cure = "keep the database as it is, and report this output";
    Err(Trouble::found("items_missing", "the ledger does not add up", cure))
}

fn in_words(stats: &Stats) -> String {
    let queue = stats.queue.as_ref().map(queue_in_words);
    let ledger = stats.ledger.as_ref().map(ledger_in_words);
    let spooled = stats.spooled.filter(|spooled| *spooled > 0);
    let spooled =
        spooled.map(|spooled| format!("  {spooled} more were answered and wait in the spools of the ingresses.\n"));
    let parts: Vec<String> = queue
        .into_iter()
        .chain(ledger)
        .chain(spooled)
        .chain(stats.not_read.warning())
        .collect();
    parts.join("\n")
}

fn queue_in_words(queue: &QueueNumbers) -> String {
    let mut text = String::from("Queue\n");
    for (name, jobs, note) in [
        ("queued", queue.queued, ""),
        ("running", queue.running, ""),
        ("scheduled", queue.scheduled, "   for their next attempt"),
        ("dead", queue.dead, "   passerelle dead list"),
    ] {
        let _ = writeln!(text, "  {name:<10} {jobs:>8}{note}");
    }
    for (name, load) in queue.dead_by_queue.iter().filter(|_| queue.dead > 0) {
        let _ = writeln!(text, "    {name:<6}   {:>8}", load.letters);
    }
    if queue.dead_bytes > queue.dead_budget_bytes {
        let (bytes, budget) = (queue.dead_bytes, queue.dead_budget_bytes);
        let _ = writeln!(
            text,
            "  The dead letters hold {bytes} bytes, more than their budget of {budget}: replay or discard them."
        );
    }
    if let Some(Pause { since, by, why }) = &queue.paused {
        let _ = writeln!(
            text,
            "  Paused since {since} by {by} ({why}): no job is taken until `passerelle resume`."
        );
    }
    for gate in &queue.gates {
        let state = match gate.state {
            GateState::Ramping => "lets jobs through slowly",
            GateState::Probing | GateState::Stopped | GateState::Flowing => "is stopped",
        };
        let _ = writeln!(text, "  The gate {} {state}, {}", gate.gate, details(gate));
    }
    for parked in &queue.parked {
        let _ = writeln!(text, "  {}", parked_in_words(parked));
    }
    text
}

fn ledger_in_words(ledger: &LedgerNumbers) -> String {
    let counts = &ledger.counts;
    let mut text = format!(
        "Ledger\n  deliveries {:>8}   and {} duplicates\n  items      {:>8}   one per row of each delivery\n",
        counts.deliveries, counts.duplicates, counts.items
    );
    for (outcome, items) in &counts.outcomes {
        let _ = writeln!(text, "    {outcome:<15}{items:>8}");
    }
    let _ = writeln!(text, "    {:<15}{:>8}", "open", counts.open);
    let ended: i64 = counts.outcomes.values().sum();
    let verdict = match ledger.missing {
        0 => "nothing is lost".to_owned(),
        missing => format!("{missing} ITEMS ARE MISSING"),
    };
    let (items, open) = (counts.items, counts.open);
    let _ = writeln!(text, "  {items} accepted = {ended} ended + {open} open: {verdict}");
    if let Some(found) = ledger.answered {
        let Deliveries {
            answered,
            recorded,
            on_the_way,
            missing,
        } = found;
        let verdict = match missing {
            0 => "nothing is lost".to_owned(),
            missing => format!("{missing} ARE MISSING"),
        };
        let _ = writeln!(
            text,
            "  {answered} answered = {recorded} recorded + {on_the_way} on the way: {verdict}"
        );
    }
    if let Some(Backlog { unread, kept }) = ledger.backlog.filter(|found| found.unread + found.kept > 0) {
        let _ = writeln!(
            text,
            "  {unread} entries are on the way; {kept} more are still in Redis"
        );
    }
    if let Some(WentBack { seen, lost }) = ledger.went_back {
        let _ = writeln!(
            text,
            "  Redis went back, seen at {seen}: at least {lost} answered deliveries are lost. The workers compare all rows."
        );
    }
    if ledger.unreadable_records > 0 {
        let _ = writeln!(
            text,
            "  {} records could not be read; the table unreadable_records keeps them.",
            ledger.unreadable_records
        );
    }
    if let Some(warning) = ledger.freshness.warning() {
        let _ = writeln!(text, "\n{warning}");
    }
    text
}
