//! What waits or runs, why, and until when; and having a waiting job run now.

use actix_web::http::StatusCode;
use actix_web::web::{Query, ServiceConfig, get, post, resource};
use actix_web::{Error, HttpResponse};
use minijinja::{Value, context};
use passerelle_model::id::JobKey;
use passerelle_model::ledger::Verdict;
use passerelle_model::time::Timestamp;
use passerelle_queue::gate::{GateName, GateState};
use passerelle_queue::{JobState, JobsOf, QueueName, RunNow, SeenJob, SeenJobs};
use serde::Deserialize;

use super::paging::LINES;
use super::redacted;
use super::story::given_reason;
use crate::entrance::form::Act;
use crate::entrance::visitor::Visitor;
use crate::overview::look::Work;
use crate::overview::sentence::target_name;
use crate::why::cause;
use crate::words::Tongue;

pub(crate) fn routes(config: &mut ServiceConfig) {
    config
        .service(resource("/waiting").route(get().to(page)))
        .service(resource("/act/run-now").route(post().to(|act: Act| act.once(run_now))));
}

#[derive(Debug, Deserialize)]
struct Wanted {
    #[serde(default)]
    queue: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    after: String,
    /// What became of the job that was to run now.
    #[serde(default)]
    did: String,
}

async fn page(visitor: Visitor, wanted: Query<Wanted>) -> Result<HttpResponse, Error> {
    let (desk, tongue) = (visitor.desk(), visitor.caller.tongue);
    let name = QueueName::parse(&wanted.queue).unwrap_or(QueueName::Sync);
    let state = JobState::ALL.into_iter().find(|state| state.as_str() == wanted.state);
    let after = JobKey::parse(&wanted.after).ok();
    let queue = desk.queue_of(name);
    let found = queue
        .jobs(&JobsOf::Queue, state.as_slice(), after.as_ref(), LINES.into())
        .await;
    let found = found.map_err(|error| visitor.away(&error))?;
    let overview = desk.pulse.fresh(desk).await;
    let work = overview.work.as_ref().map_err(|why| visitor.away(why))?;
    let standstill = standstill(work, name, tongue);
    let mut lines = Vec::new();
    for seen in &found.jobs {
        let failed = last_failure(&visitor, seen)
            .await
            .map_err(|error| visitor.away(&error))?;
        let why = reason(seen, work, standstill.as_deref(), &visitor);
        lines.push(line_of(seen, &why, failed, tongue));
    }
    let content = context! {
        queue => name.as_str(),
        state => state.map_or("all", JobState::as_str),
        states => states(&found, state, tongue),
        queues => QueueName::ALL.map(|name| context! {
            name => name.as_str(), text => tongue.say(&format!("queue.{}", name.as_str()), &[]),
        }).to_vec(),
        did => became(&wanted.did).map(|key| tongue.say(key, &[])),
        standstill => standstill,
        lines => lines,
        next => found.jobs.last().filter(|_| found.has_more).map(|seen| seen.job.key.to_string()),
        is_first => after.is_none(),
    };
    Ok(visitor.page("waiting.html", content)?)
}

/// The states to choose from, with their numbers where all were counted.
fn states(found: &SeenJobs, chosen: Option<JobState>, tongue: Tongue) -> Vec<Value> {
    let choice = |state: JobState| {
        let count = chosen
            .is_none()
            .then(|| found.counts.get(&state).copied().unwrap_or_default());
        context! {
            name => state.as_str(),
            text => tongue.say(&format!("job.{}", state.as_str()), &[]),
            count => count,
        }
    };
    JobState::ALL.map(choice).to_vec()
}

/// Why no job of the queue is taken at present, or few are.
fn standstill(work: &Work, queue: QueueName, tongue: Tongue) -> Option<String> {
    if let Some((_, pause)) = work.pauses.iter().find(|(name, _)| *name == queue) {
        return Some(tongue.say("waiting.paused", &[("by", &pause.by), ("why", &pause.why)]));
    }
    let passed: Vec<&str> = GateName::passed_by(queue).map(GateName::as_str).collect();
    let mut gates = work.gates.iter();
    let gate = gates.find(|gate| passed.contains(&gate.gate) && gate.state != GateState::Flowing);
    if let Some(gate) = gate {
        let key = match gate.state {
            GateState::Ramping => "waiting.ramping",
            GateState::Probing | GateState::Stopped | GateState::Flowing => "waiting.stopped",
        };
        return Some(tongue.say(key, &[("system", &target_name(gate.gate, tongue))]));
    }
    work.workers.is_empty().then(|| tongue.say("waiting.nobody", &[]))
}

/// Why the job is not done yet.
fn reason(seen: &SeenJob, work: &Work, standstill: Option<&str>, visitor: &Visitor) -> String {
    let tongue = visitor.caller.tongue;
    let is_due = seen.until.is_some_and(|until| until <= Timestamp::now());
    let is_parked = work.parked.iter().any(|parked| Some(parked.row) == seen.job.key.row());
    let crashes = u64::from(seen.job.crashes);
    match (seen.state, standstill) {
        (JobState::Running, _) => tongue.say("waiting.running", &[]),
        (JobState::TableHeld, _) => {
            let hidden = tongue.say("contents.hidden", &[]);
            let why = seen.table_trouble.as_deref().unwrap_or_default();
            let why = if visitor.sees_contents() { why } else { &hidden };
            tongue.say("waiting.table", &[("why", why)])
        }
        (JobState::Queued, Some(standstill)) => standstill.to_owned(),
        (_, Some(standstill)) if is_due => standstill.to_owned(),
        (JobState::Queued | JobState::Held, _) if crashes > 0 => tongue.count("waiting.vanished", crashes, &[]),
        (JobState::Queued, None) => tongue.say("waiting.queued", &[]),
        (JobState::Scheduled, _) => tongue.say("waiting.scheduled", &[]),
        (JobState::Held, _) if is_parked => tongue.say("waiting.parked", &[]),
        (JobState::Held, _) => tongue.say("waiting.held", &[]),
    }
}

/// Why the last attempt failed, where that is what the job waits for.
async fn last_failure(visitor: &Visitor, seen: &SeenJob) -> Result<Option<String>, passerelle_store::StoreError> {
    if !matches!(seen.state, JobState::Scheduled | JobState::Held) {
        return Ok(None);
    }
    let tongue = visitor.caller.tongue;
    let attempt = visitor.desk().store.last_attempt(&seen.job.key).await?;
    Ok(match attempt.map(|attempt| attempt.verdict) {
        Some(Verdict::Retry { mut failure, .. } | Verdict::Hold { mut failure, .. }) => {
            if !visitor.sees_contents() {
                redacted::failure(&mut failure, tongue);
            }
            Some(cause(&failure, tongue))
        }
        // It was about an earlier change of the row.
        _ => None,
    })
}

fn line_of(seen: &SeenJob, why: &str, failed: Option<String>, tongue: Tongue) -> Value {
    context! {
        job => seen.job.key.to_string(),
        state => tongue.say(&format!("job.{}", seen.state.as_str()), &[]),
        tone => if seen.state == JobState::Running { "done" } else { "open" },
        why => why,
        failed => failed,
        since => seen.since.as_millis(),
        until => seen.until.map(Timestamp::as_millis),
        attempts => seen.job.attempts,
        can_run => matches!(seen.state, JobState::Scheduled | JobState::Held) && seen.table_trouble.is_none(),
    }
}

/// What is told of a job that was to run now.
fn became(word: &str) -> Option<&'static str> {
    match word {
        "ready" => Some("did.ready"),
        "was_ready" => Some("did.was_ready"),
        "running" => Some("did.running"),
        "table_held" => Some("did.table_held"),
        "gone" => Some("did.gone"),
        _ => None,
    }
}

async fn run_now(act: Act) -> Result<String, Error> {
    let visitor = &act.visitor;
    let (queue, job) = (
        QueueName::parse(act.fields.text("queue")),
        JobKey::parse(act.fields.text("job")),
    );
    let (Some(queue), Ok(job)) = (queue, job) else {
        return Err(visitor.refuse(StatusCode::BAD_REQUEST, "refused.form", "").into());
    };
    let why = given_reason(&act)?;
    let became = visitor
        .desk()
        .queue_of(queue)
        .run_now(&[job], &visitor.name, &why)
        .await;
    let became = became.map_err(|error| visitor.away(&error))?;
    let did = match became.first() {
        Some(RunNow::Ready) => "ready",
        Some(RunNow::WasReady) => "was_ready",
        Some(RunNow::Running) => "running",
        Some(RunNow::TableHeld) => "table_held",
        Some(RunNow::Gone) | None => "gone",
    };
    Ok(format!("/waiting?queue={}&did={did}", queue.as_str()))
}
