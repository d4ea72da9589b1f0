//! Dead letters: by cause, one by one, and many at once with a plan first.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::web::{Path, Query, ServiceConfig, get, post, resource};
use actix_web::{Error, HttpResponse};
use minijinja::{Value, context};
use passerelle_model::time::Timestamp;
use passerelle_queue::{DeadLetter, QueueName};
use serde::Deserialize;

use super::paging::{ONE_MORE, cut};
use super::story::given_reason;
use super::{of_before, redacted};
use crate::desk::Desk;
use crate::entrance::form::Act;
use crate::entrance::refusal::Refusal;
use crate::entrance::visitor::Visitor;
use crate::latest::Work as _;
use crate::letters::groups::{Counted, Group};
use crate::letters::run::{Doing, Over, RATE, Run, Who};
use crate::why::cause;
use crate::words::Tongue;

/// Where the latest run is shown.
const RUN: &str = "/letters/run";
/// Letters that a plan names.
const NAMED: usize = 20;

pub(crate) fn routes(config: &mut ServiceConfig) {
    config
        .service(resource("/letters").route(get().to(page)))
        .service(resource(RUN).route(get().to(progress)))
        .service(resource("/letters/plan/{group}").route(get().to(plan)))
        .service(resource("/act/letters").route(post().to(|act: Act| act.once(begin))))
        .service(resource("/act/cancel").route(post().to(|act: Act| act.once(cancel))));
}

async fn groups(desk: &Desk) -> Option<Arc<Counted>> {
    let queues = QueueName::ALL.map(|name| desk.queue_of(name)).to_vec();
    desk.groups.now(queues).await
}

#[derive(Debug, Deserialize)]
struct Wanted {
    #[serde(default)]
    queue: String,
    #[serde(default)]
    after: String,
}

async fn page(visitor: Visitor, wanted: Query<Wanted>) -> Result<HttpResponse, Error> {
    let (desk, tongue) = (visitor.desk(), visitor.caller.tongue);
    let name = QueueName::parse(&wanted.queue).unwrap_or(QueueName::Sync);
    let after = Some(wanted.after.as_str()).filter(|after| !after.is_empty());
    let found = desk.queue_of(name).dead_letters(after, ONE_MORE.into()).await;
    let mut letters = found.map_err(|error| visitor.away(&error))?;
    let loads = desk.redis.dead_loads().await.map_err(|error| visitor.away(&error))?;
    let next = cut(&mut letters, |letter| letter.id.clone());
    let counted = groups(desk).await;
    let content = context! {
        queue => name.as_str(),
        queues => loads.iter().map(|(name, load)| context! {
            name => name.as_str(),
            text => tongue.say(&format!("queue.{}", name.as_str()), &[]),
            letters => load.letters,
        }).collect::<Vec<_>>(),
        is_counting => counted.is_none(),
        of_before => counted.as_ref().and_then(|counted| of_before(counted.at, Timestamp::now())),
        groups => counted.iter().flat_map(|counted| &counted.groups).map(|group| group_of(group, &visitor)).collect::<Vec<_>>(),
        letters => letters.iter().map(|letter| letter_of(letter, &visitor)).collect::<Vec<_>>(),
        next => next,
        is_first => after.is_none(),
        run => desk.runs.last().filter(|run| run.over().is_none()).map(|run| run_of(&run, tongue)),
    };
    Ok(visitor.page("letters.html", content)?)
}

fn group_of(group: &Group, visitor: &Visitor) -> Value {
    let tongue = visitor.caller.tongue;
    context! {
        name => group.name.as_str(),
        letters => group.ids.len(),
        queue => tongue.say(&format!("queue.{}", group.queue.as_str()), &[]),
        reason => group.newest.reason.as_str(),
        cause => told(&group.newest, visitor),
        newest => group.newest.died.as_millis(),
        can_be_replayed => group.newest.job.can_be_requested(),
    }
}

/// The cause, as far as this visitor may see it.
pub(super) fn told(letter: &DeadLetter, visitor: &Visitor) -> String {
    let (mut failure, tongue) = (letter.failure.clone(), visitor.caller.tongue);
    if !visitor.sees_contents() {
        redacted::failure(&mut failure, tongue);
    }
    cause(&failure, tongue)
}

fn letter_of(letter: &DeadLetter, visitor: &Visitor) -> Value {
    context! {
        id => letter.id.as_str(),
        job => letter.job.to_string(),
        reason => letter.reason.as_str(),
        cause => told(letter, visitor),
        attempts => letter.attempts,
        deaths => letter.deaths,
        died => letter.died.as_millis(),
    }
}

/// The group, as it is now.
async fn group(visitor: &Visitor, name: &str) -> Result<Group, Refusal> {
    let counted = groups(visitor.desk()).await;
    let mut groups = counted.iter().flat_map(|counted| &counted.groups);
    let found = groups.find(|group| group.name == name).cloned();
    found.ok_or_else(|| visitor.refuse(StatusCode::NOT_FOUND, "refused.group", ""))
}

#[derive(Debug, Deserialize)]
struct Planned {
    #[serde(default, rename = "do")]
    what: String,
}

async fn plan(visitor: Visitor, name: Path<String>, planned: Query<Planned>) -> Result<HttpResponse, Error> {
    let (desk, tongue) = (visitor.desk(), visitor.caller.tongue);
    let group = group(&visitor, &name).await?;
    let queue = desk.queue_of(group.queue);
    let mut named = Vec::new();
    for id in group.ids.iter().take(NAMED) {
        let letter = queue.dead_letter(id).await.map_err(|error| visitor.away(&error))?;
        named.extend(letter.map(|letter| letter_of(&letter, &visitor)));
    }
    let letters = number(group.ids.len());
    let is_replay = planned.what != "discard";
    let content = context! {
        group => group_of(&group, &visitor),
        newest => group.ids.first(),
        is_replay => is_replay,
        letters => letters,
        named => named,
        rate => RATE,
        takes => tongue.span(std::time::Duration::from_secs(letters.div_ceil(u64::from(RATE)))),
    };
    Ok(visitor.page("plan.html", content)?)
}

async fn begin(act: Act) -> Result<String, Error> {
    let visitor = &act.visitor;
    let why = given_reason(&act)?;
    let doing = match act.fields.text("do") {
        "replay" => Doing::Replay,
        "discard" => Doing::Discard,
        _ => return Err(visitor.refuse(StatusCode::BAD_REQUEST, "refused.form", "").into()),
    };
    let mut group = group(visitor, act.fields.text("group")).await?;
    // What has died since the plan was shown is not part of it. The ids are in the order of time.
    group.ids.retain(|id| id.as_str() <= act.fields.text("newest"));
    if doing == Doing::Replay && !group.newest.job.can_be_requested() {
        return Err(visitor.refuse(StatusCode::BAD_REQUEST, "refused.form", "").into());
    }
    let run = Run::new(
        doing,
        group.queue,
        group.ids,
        Who {
            by: visitor.name.clone(),
            why,
        },
    );
    if !run.start(&visitor.caller.desk) {
        return Err(visitor.refuse(StatusCode::CONFLICT, "refused.run", "").into());
    }
    Ok(RUN.to_owned())
}

async fn cancel(act: Act) -> Result<String, Error> {
    if let Some(run) = act.visitor.desk().runs.last() {
        run.cancel();
    }
    Ok(RUN.to_owned())
}

async fn progress(visitor: Visitor) -> Result<HttpResponse, Error> {
    let now = run_html(visitor.desk(), visitor.caller.tongue);
    let now = now.map_err(|error| visitor.refuse(StatusCode::INTERNAL_SERVER_ERROR, "refused.broken", &error))?;
    let goes_on = visitor.desk().runs.last().is_some_and(|run| run.over().is_none());
    let content = context! { now => Value::from_safe_string(now), goes_on => goes_on };
    Ok(visitor.page("run.html", content)?)
}

/// The part of the page that changes.
pub(crate) fn run_html(desk: &Desk, tongue: Tongue) -> Result<String, String> {
    let run = desk.runs.last();
    desk.pages.part(
        tongue,
        "run_now.html",
        context! { run => run.map(|run| run_of(&run, tongue)) },
    )
}

fn number(letters: usize) -> u64 {
    u64::try_from(letters).unwrap_or(u64::MAX)
}

fn run_of(run: &Run, tongue: Tongue) -> Value {
    let over = run.over();
    let text = match &over {
        None if run.is_waiting() => tongue.say("run.waiting", &[]),
        None => tongue.say("run.goes_on", &[]),
        Some(Over::Done) => tongue.say("run.done", &[]),
        Some(Over::Cancelled) => tongue.count("run.cancelled", number(run.done()), &[]),
        Some(Over::DiedAgain(job)) => tongue.say("run.died_again", &[("job", job)]),
        Some(Over::Failed(why)) => tongue.say("run.failed", &[("why", why)]),
    };
    let title = match run.doing {
        Doing::Replay => tongue.say("run.replay", &[]),
        Doing::Discard => tongue.say("run.discard", &[]),
    };
    context! {
        title => title,
        done => run.done(),
        all => run.ids.len(),
        gone => run.gone(),
        by => run.who.by.as_str(),
        why => run.who.why.as_str(),
        began => Timestamp::as_millis(run.began),
        text => text,
        tone => match over {
            None => "open",
            Some(Over::Done) => "done",
            Some(Over::Cancelled) => "same",
            Some(_) => "dead",
        },
        is_over => over.is_some(),
    }
}
