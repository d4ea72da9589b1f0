//! The bridge at work: live workers, what is stopped, what does not add up.

use std::time::Duration;

use passerelle_model::config::{Reader, StallSettings};
use passerelle_model::time::Timestamp;
use passerelle_queue::QueueName;
use passerelle_queue::gate::GateState;
use passerelle_store::{Backlog, Deliveries, Store, WentBack};

use super::stores::{Sound, mebibytes};
use super::{Finding, rules, stalls};
use crate::operator::Operator;
use crate::trouble::Trouble;

/// Up to so many entries on the way to the store are normal: a busy second brings them.
const LAGGING: i64 = 5_000;
/// With more than so many the store has been unavailable for long, and Redis fills.
const FAR_BEHIND: i64 = 100_000;
/// Redis forgets at once what the store has. A busy moment keeps the entries of one batch.
const KEPT: i64 = 1_500;

pub(super) async fn look(reader: &Reader, sound: Sound) -> Vec<Finding> {
    let mut own = reader.afresh();
    let limits = StallSettings::read(&mut own);
    let Ok(operator) = own
        .finish(())
        .map_err(Trouble::from)
        .and_then(|()| Operator::new(reader.afresh()))
    else {
        return vec![Finding::skipped("work")];
    };
    let mut findings = Vec::new();
    if sound.redis {
        for (check, result) in [
            ("workers", workers(&operator).await),
            (rules::CHECK, rules::in_use(&operator).await),
            ("pauses", pauses(&operator).await),
            ("gates", gates(&operator, limits.gate).await),
            ("ledger", ledger(&operator, sound.store).await),
            ("dead letters", dead_letters(&operator).await),
            ("stalls", stalls::in_redis(&operator, limits).await),
        ] {
            add(&mut findings, check, result);
        }
    }
    if sound.store {
        add(&mut findings, "conservation", conservation(&operator).await);
        add(&mut findings, "stalls", stalls::in_store(&operator, limits).await);
    }
    findings
}

fn add(findings: &mut Vec<Finding>, check: &'static str, result: Result<Vec<Finding>, Trouble>) {
    match result {
        Ok(found) => findings.extend(found),
        Err(trouble) => findings.push(broken(check, &trouble)),
    }
}

fn broken(check: &'static str, trouble: &Trouble) -> Finding {
    Finding::fail(
        check,
        trouble.to_string(),
        "fix Redis or the store first, and run it again",
    )
}

async fn workers(operator: &Operator) -> Result<Vec<Finding>, Trouble> {
    const CHECK: &str = "workers";
    let alive = operator.queue.workers().await?;
    if alive.is_empty() {
        let fix = "start a worker (passerelle up, docker compose up -d), or read its log";
        return Ok(vec![Finding::fail(
            CHECK,
            "no worker is alive: events are accepted and wait",
            fix,
        )]);
    }
    let running = operator.queue.running().await?;
    let is_known = |name: &str| alive.iter().any(|worker| worker.name.as_str() == name);
    let orphaned = running.iter().filter(|job| !is_known(&job.worker)).count();
    let found = format!("{} alive, {} jobs running", alive.len(), running.len());
    if orphaned == 0 {
        return Ok(vec![Finding::ok(CHECK, found)]);
    }
    let fix = "none: others take them when the leases expire, within a minute. If it persists, read in the logs why \
        workers die";
    let found = format!("{found}, {orphaned} of them by workers that send no heartbeat");
    Ok(vec![Finding::warn(CHECK, found, fix)])
}

async fn pauses(operator: &Operator) -> Result<Vec<Finding>, Trouble> {
    let mut findings = Vec::new();
    for name in QueueName::ALL {
        let stats = operator.queue_of(name).stats().await?;
        if let Some(pause) = stats.paused {
            let queue = name.as_str();
            let found = format!("the queue {queue} is {pause}, since {}", pause.since);
            let fix = format!("when the reason is gone: passerelle resume --queue {queue} --why …");
            findings.push(Finding::warn("pauses", found, fix));
        }
    }
    if findings.is_empty() {
        findings.push(Finding::ok("pauses", "no queue is paused"));
    }
    Ok(findings)
}

async fn gates(operator: &Operator, longest: Duration) -> Result<Vec<Finding>, Trouble> {
    let mut findings = Vec::new();
    for gate in operator.gates().list().await? {
        let why = gate.why.unwrap_or_default();
        let since = gate
            .down_since
            .map_or_else(String::new, |since| format!(" since {since}"));
        match gate.state {
            GateState::Flowing => {}
            GateState::Ramping => {
                let found = format!("{} is recovering, slowly on purpose", gate.gate);
                findings.push(Finding::warn(
                    "gates",
                    found,
                    "none: it flows by itself when the ramp is over",
                ));
            }
            GateState::Stopped | GateState::Probing => {
                let found = format!("{} is stopped{since}: {why}", gate.gate);
                let fix = "fix the target; a stop by hand ends with: passerelle gates ramp <gate> --why …";
                let is_long = gate
                    .down_since
                    .is_some_and(|since| Timestamp::now().since(since) > longest);
                findings.push(if is_long {
                    Finding::fail("gates", found, fix)
                } else {
                    Finding::warn("gates", found, fix)
                });
            }
        }
    }
    if findings.is_empty() {
        findings.push(Finding::ok("gates", "all flow"));
    }
    Ok(findings)
}

async fn ledger(operator: &Operator, has_store: bool) -> Result<Vec<Finding>, Trouble> {
    const CHECK: &str = "ledger";
    let backlog = if has_store {
        let backlog = operator.store().await?.backlog(&operator.queue).await;
        backlog.map_err(|error| Trouble::Failed(error.to_string()))?
    } else {
        let held = operator.queue.stats().await?.ledger_backlog;
        Backlog {
            unread: i64::try_from(held).unwrap_or(i64::MAX),
            kept: 0,
        }
    };
    let Backlog { unread: behind, kept } = backlog;
    if kept > KEPT {
        let found = format!("Redis keeps {kept} entries that the store has, and {behind} are on the way");
        let fix = "does a worker run, and may its user of Redis call XTRIM? Their logs say what Redis refuses; its memory fills meanwhile";
        return Ok(vec![Finding::warn(CHECK, found, fix)]);
    }
    let found = format!("{behind} entries on the way to the store");
    let fix =
        "check that workers are alive and the database is neither slow nor full; the entries wait in Redis meanwhile";
    Ok(vec![match behind {
        ..=LAGGING => Finding::ok(CHECK, found),
        behind if behind <= FAR_BEHIND => Finding::warn(CHECK, found, fix),
        _ => Finding::fail(CHECK, found, fix),
    }])
}

async fn conservation(operator: &Operator) -> Result<Vec<Finding>, Trouble> {
    const CHECK: &str = "conservation";
    let store = operator.store().await?;
    let counts = store.counts().await?;
    let unreadable = store.unreadable_records().await?;
    let mut findings = vec![deliveries(operator, store).await?];
    findings.extend(went_back(operator, store).await?);
    findings.push(match counts.missing() {
        0 => Finding::ok(
            CHECK,
            format!(
                "{} accepted = ended + {} open: nothing is lost",
                counts.items, counts.open
            ),
        ),
        missing => {
            let fix = "keep Redis and the database as they are, and report it with the output of `passerelle stats`";
            Finding::fail(
                CHECK,
                format!("{missing} accepted items are neither open nor ended"),
                fix,
            )
        }
    });
    if unreadable > 0 {
        let fix = "did two versions run at once? The table unreadable_records keeps them";
        findings.push(Finding::warn(
            CHECK,
            format!("{unreadable} records could not be read"),
            fix,
        ));
    }
    Ok(findings)
}

/// What Redis had answered is in the store or on its way there.
async fn deliveries(operator: &Operator, store: &Store) -> Result<Finding, Trouble> {
    const CHECK: &str = "conservation";
    let found = store.deliveries(&operator.queue).await;
    let Some(found) = found.map_err(|error| Trouble::Failed(error.to_string()))? else {
        return Ok(Finding::ok(
            CHECK,
            "the ledger of this life of Redis has not been read yet",
        ));
    };
    let Deliveries {
        answered,
        recorded,
        on_the_way,
        missing,
    } = found;
    let sum = format!("{answered} deliveries answered = {recorded} recorded + {on_the_way} on the way");
    if missing == 0 {
        return Ok(Finding::ok(CHECK, format!("{sum}: nothing is lost")));
    }
    let fix =
        "passerelle reconcile finds the rows; their history is lost. See \"Deliveries are missing\" in docs/RUNBOOK.md";
    Ok(Finding::fail(CHECK, format!("{sum} + {missing} MISSING"), fix))
}

/// Redis has lost data, and the workers have not made up for it yet.
async fn went_back(operator: &Operator, store: &Store) -> Result<Option<Finding>, Trouble> {
    let found = store.went_back(&operator.queue).await;
    let found = found.map_err(|error| Trouble::Failed(error.to_string()))?;
    Ok(found.map(|WentBack { seen, lost }| {
        let fix = "none while a worker lives: all rows are compared with their pages. See \"Redis went back\" in docs/RUNBOOK.md";
        let found = format!("Redis went back, seen at {seen}: at least {lost} answered deliveries are lost; the workers repair it");
        Finding::warn("redis went back", found, fix)
    }))
}

async fn dead_letters(operator: &Operator) -> Result<Vec<Finding>, Trouble> {
    const CHECK: &str = "dead letters";
    let budget = operator.dead_letters.budget_bytes;
    let load = operator.redis.dead_load().await?;
    if load.letters == 0 {
        return Ok(vec![Finding::ok(CHECK, "none")]);
    }
    let found = format!("{} of {} in all", load.letters, mebibytes(load.bytes));
    if load.bytes > budget {
        let fix = "replay or discard them (passerelle dead list): they are never removed automatically. \
            DEAD_LETTERS_BUDGET_BYTES is the budget";
        let found = format!("{found}, above the budget of {}", mebibytes(budget));
        return Ok(vec![Finding::warn(CHECK, found, fix)]);
    }
    let fix = "passerelle dead list; fix the cause; then passerelle dead replay";
    Ok(vec![Finding::warn(CHECK, found, fix)])
}
