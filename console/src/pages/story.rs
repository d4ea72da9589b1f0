//! "Why?": what became of a row, a page or an event, as a timeline, with the reason in a sentence.

use actix_web::http::StatusCode;
use actix_web::web::{Query, ServiceConfig, get, post, resource};
use actix_web::{Error, HttpResponse};
use minijinja::value::Serde;
use minijinja::{Value, context};
use passerelle_model::id::{JobKey, RowKey};
use passerelle_model::time::Timestamp;
use passerelle_store::EventStory;
use serde::Deserialize;

use super::letters::told;
use super::redacted;
use super::timeline::{item_of, tone_of};
use crate::desk::Desk;
use crate::entrance::form::Act;
use crate::entrance::visitor::Visitor;
use crate::why::search::{Found, NotFound, find};
use crate::why::why;
use crate::words::Tongue;

pub(crate) fn routes(config: &mut ServiceConfig) {
    config
        .service(resource("/why").route(get().to(page)))
        .service(resource("/act/sync").route(post().to(|act: Act| act.once(sync))))
        .service(resource("/act/replay").route(post().to(|act: Act| act.once(replay))));
}

#[derive(Debug, Deserialize)]
struct Asked {
    #[serde(default)]
    q: String,
    /// What was just done: `sync` or `replay`.
    #[serde(default)]
    did: String,
}

async fn page(visitor: Visitor, asked: Query<Asked>) -> Result<HttpResponse, Error> {
    let (desk, tongue) = (visitor.desk(), visitor.caller.tongue);
    let asked = asked.into_inner();
    let around = context! { q => asked.q.as_str(), did => did(&asked.did, tongue) };
    if asked.q.trim().is_empty() {
        return Ok(visitor.page("why.html", around)?);
    }
    let content = match find(desk, &asked.q).await {
        Ok(mut found) => {
            if !visitor.sees_contents() {
                found
                    .stories
                    .iter_mut()
                    .for_each(|story| redacted::story(story, tongue));
            }
            let story = story(&visitor, &found).await;
            story.map_err(|error| visitor.away(&error))?
        }
        Err(NotFound::Away(why)) => return Err(visitor.away(&why).into()),
        Err(NotFound::Unknown) => context! { problem => tongue.say("why.unknown", &[]) },
        Err(NotFound::Table(name, known)) => {
            let values = [("name", name.as_str()), ("known", &known.join(", "))];
            context! { problem => tongue.say("why.unknown_table", &values) }
        }
    };
    Ok(visitor.page("why.html", context! { ..content, ..around })?)
}

fn did(word: &str, tongue: Tongue) -> Option<String> {
    match word {
        "sync" => Some(tongue.say("did.sync", &[])),
        "replay" => Some(tongue.say("did.replay", &[])),
        _ => None,
    }
}

/// Everything that is known of what was found.
async fn story(visitor: &Visitor, found: &Found) -> Result<Value, String> {
    let (desk, tongue) = (visitor.desk(), visitor.caller.tongue);
    let now = match &found.job {
        Some(job) => present(visitor, job).await?,
        None => Value::from(()),
    };
    let stats = desk.queue.stats().await.ok();
    let latest = found.stories.last().and_then(|story| {
        let item = story.items.first()?;
        Some(context! { text => why(story, item, tongue), tone => tone_of(item) })
    });
    Ok(context! {
        subject => subject_of(found, tongue),
        now => now,
        latest => latest.filter(|_| found.job.is_some()),
        on_the_way => stats.as_ref().map(|stats| stats.ledger_backlog),
        no_redis => stats.is_none(),
        events => found.stories.iter().rev().map(|story| event_of(story, tongue)).collect::<Vec<_>>(),
    })
}

fn subject_of(found: &Found, tongue: Tongue) -> String {
    match (&found.job, found.stories.first()) {
        (Some(JobKey::Row(row)), _) => tongue.say("subject.row", &[("row", &row.to_string())]),
        (Some(job), _) => job.to_string(),
        (None, Some(story)) => tongue.say("subject.event", &[("event", story.key.event.as_str())]),
        (None, None) => String::new(),
    }
}

/// Where people open a page.
pub(super) fn address_of(desk: &Desk, slug: &str) -> Option<String> {
    let is_slug = !slug.is_empty() && slug.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let docmost = desk.settings.docmost_url.as_ref().filter(|_| is_slug)?;
    Some(format!("{docmost}/p/{slug}"))
}

/// The row and its pages as they are now, and what can be done.
async fn present(visitor: &Visitor, job: &JobKey) -> Result<Value, String> {
    let desk = visitor.desk();
    let text = |error: passerelle_store::StoreError| error.to_string();
    let links = match job.row() {
        Some(row) => desk.store.links(row).await.map_err(text)?,
        None => Vec::new(),
    };
    let pages: Vec<Value> = links
        .iter()
        .map(|link| {
            context! {
                slot => link.slot.as_str(),
                page => link.page.as_str(),
                space => link.space.as_str(),
                written => link.written.as_millis(),
                address => address_of(desk, &link.slug_id),
            }
        })
        .collect();
    // Without Redis the story is told all the same.
    let letter = desk.queue.letter_of(job).await.ok().flatten();
    let parked = match job.row() {
        Some(row) => desk.loops.parked(row).await.ok().flatten(),
        None => None,
    };
    let running = desk.queue.running().await.ok().unwrap_or_default();
    let running = running.into_iter().find(|run| run.job == *job);
    Ok(context! {
        job => job.to_string(),
        is_row => job.row().is_some(),
        pages => pages,
        letter => letter.filter(|letter| letter.job.can_be_requested()).map(|letter| context! {
            id => letter.id.as_str(),
            died => letter.died.as_millis(),
            deaths => letter.deaths,
            cause => told(&letter, visitor),
        }),
        parked => parked.map(|parked| parked.until.as_millis()),
        running => running.map(|run| context! { worker => run.worker, since => run.since.as_millis() }),
    })
}

fn event_of(story: &EventStory, tongue: Tongue) -> Value {
    context! {
        id => story.key.event.as_str(),
        source => story.source.as_str(),
        kind => tongue.say(&format!("kind.{}", story.kind.as_str()), &[]),
        table => story.table.map(|table| table.to_string()),
        received => story.received.as_millis(),
        recorded => story.seq.moment().as_millis(),
        trace => story.trace.as_ref().map(Serde),
        asked => story.asked.as_ref().map(Serde),
        duplicates => story.duplicates,
        last_duplicate => story.last_duplicate.map(Timestamp::as_millis),
        items => story.items.iter().map(|item| item_of(story, item, tongue)).collect::<Vec<_>>(),
        notices => story.notices.iter().map(|told| {
            let notice = &told.notice;
            context! {
                kind => notice.kind.as_str(),
                channel => notice.channel.as_str(),
                rule => notice.rule.as_str(),
                state => notice.state.as_str(),
                state_text => tongue.say(&format!("notice.{}", notice.state.as_str()), &[]),
                created => notice.created.as_millis(),
                ended => notice.ended.map(Timestamp::as_millis),
                error => notice.error.as_deref(),
            }
        }).collect::<Vec<_>>(),
    }
}

async fn sync(act: Act) -> Result<String, Error> {
    let visitor = &act.visitor;
    let Ok(row) = act.fields.text("row").parse::<RowKey>() else {
        return Err(visitor.refuse(StatusCode::BAD_REQUEST, "refused.form", "").into());
    };
    let why = given_reason(&act)?;
    let forced = visitor.desk().queue.force(row, &visitor.name, &why).await;
    forced.map_err(|error| visitor.away(&error))?;
    Ok(back_to(&row.to_string(), "sync"))
}

async fn replay(act: Act) -> Result<String, Error> {
    let (visitor, letter) = (&act.visitor, act.fields.text("letter").to_owned());
    let queue = &visitor.desk().queue;
    let why = given_reason(&act)?;
    let found = queue.dead_letter(&letter).await.map_err(|error| visitor.away(&error))?;
    let Some(found) = found else {
        return Err(visitor.refuse(StatusCode::NOT_FOUND, "refused.letter", &letter).into());
    };
    let replayed = queue.replay(&[letter], &visitor.name, &why).await;
    replayed.map_err(|error| visitor.away(&error))?;
    Ok(back_to(&found.job.to_string(), "replay"))
}

/// The reason, which the ledger keeps.
pub(super) fn given_reason(act: &Act) -> Result<String, Error> {
    const LONGEST: usize = 500;
    let why = act.fields.text("why");
    if why.is_empty() || why.chars().count() > LONGEST {
        return Err(act.visitor.refuse(StatusCode::BAD_REQUEST, "refused.reason", "").into());
    }
    Ok(why.to_owned())
}

fn back_to(job: &str, did: &str) -> String {
    format!("/why?q={}&did={did}", super::encoded(job))
}
