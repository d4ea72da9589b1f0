//! `trace` while the ledger cannot be read: what Redis knows of a job or an event.

use passerelle_model::id::JobKey;
use passerelle_model::ledger::LedgerRecord;
use serde::Serialize;

use super::{Wanted, parked_in_words};
use crate::console::Console;
use crate::operator::{Operator, incomplete};
use crate::trouble::Trouble;

/// Ledger entries on the way that are searched.
const MOST_ENTRIES: usize = 5_000;

#[derive(Debug, Serialize)]
struct InRedis {
    /// Why the ledger could not be read.
    not_read: String,
    /// What the queue and the ledger stream have of it, in words.
    found: Vec<String>,
}

/// Shows what there is, and fails: the answer is not complete.
pub(super) async fn show(
    operator: &Operator,
    subject: &Wanted,
    trouble: &Trouble,
    console: &mut Console,
) -> Result<(), Trouble> {
    let mut found = Vec::new();
    if let Wanted::Job(job) = subject {
        found.extend(in_queue(operator, job).await?);
    }
    found.extend(on_the_way(operator, subject).await?);
    let answer = InRedis {
        not_read: trouble.to_string(),
        found,
    };
    console.answer(&answer, |answer| {
        let lines = answer.found.iter().map(|line| format!("  {line}\n"));
        let found: String = lines.collect();
        let found = if found.is_empty() {
            "  nothing\n".to_owned()
        } else {
            found
        };
        format!("Redis has of it\n{found}\nNot read: the ledger: {}", answer.not_read)
    })?;
    Err(incomplete())
}

/// Whether a worker runs the job, the loop guard has parked its row, or it has dead letters.
async fn in_queue(operator: &Operator, job: &JobKey) -> Result<Vec<String>, Trouble> {
    let mut found = Vec::new();
    let running = operator.queue.running().await?;
    for run in running.into_iter().filter(|run| run.job == *job) {
        found.push(format!("running since {} by {}", run.since, run.worker));
    }
    if let Some(row) = job.row() {
        found.extend(operator.loops.parked(row).await?.as_ref().map(parked_in_words));
    }
    let key = job.to_string();
    let (letters, _) = operator
        .queue
        .sieved_letters(None, MOST_ENTRIES, |stored| stored.contains(&key))
        .await?;
    for letter in letters.iter().filter(|letter| letter.job == *job) {
        let (id, reason, died) = (&letter.id, &letter.reason, letter.died);
        found.push(format!(
            "dead letter {id} since {died} ({reason}): {}",
            letter.failure.message
        ));
    }
    Ok(found)
}

/// Facts that the database does not have yet.
async fn on_the_way(operator: &Operator, subject: &Wanted) -> Result<Vec<String>, Trouble> {
    let entries = operator.queue.read_ledger(None, MOST_ENTRIES).await?;
    let facts = entries.into_iter().flat_map(|entry| entry.records).flatten();
    Ok(facts.filter_map(|fact| in_words(&fact, subject)).collect())
}

fn in_words(fact: &LedgerRecord, subject: &Wanted) -> Option<String> {
    match (fact, subject) {
        (LedgerRecord::Accepted(event), Wanted::Event(id)) if event.key.event == *id => {
            Some(format!("event {id} was accepted at {}", event.received))
        }
        (LedgerRecord::Accepted(event), Wanted::Job(JobKey::Row(row))) => {
            let is_meant = event.table == Some(row.table) && event.items.iter().any(|item| item.row == Some(row.row));
            is_meant.then(|| format!("event {} was accepted at {}", event.key.event, event.received))
        }
        (LedgerRecord::Attempt(attempt), Wanted::Job(job)) if attempt.job == *job => {
            let (worker, ended) = (&attempt.worker, super::story::ended(&attempt.verdict));
            Some(format!("attempt at {} by {worker}: {ended}", attempt.started))
        }
        _ => None,
    }
}
