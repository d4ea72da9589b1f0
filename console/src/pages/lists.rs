//! Lists: events by how they ended, and acts of operators. The next page begins after a key.

use actix_web::web::{Query, ServiceConfig, get, resource};
use actix_web::{Error, HttpResponse};
use minijinja::{Value, context};
use passerelle_model::outcome::Outcome;
use passerelle_store::{ActLine, Line, LineKey, Listed};
use serde::Deserialize;

use super::paging::{ONE_MORE, cut};
use crate::entrance::visitor::Visitor;
use crate::words::Tongue;

/// The lists of events, by the words in their addresses.
fn lists() -> impl Iterator<Item = &'static str> {
    ["all", "open"].into_iter().chain(Outcome::NAMES)
}

pub(crate) fn routes(config: &mut ServiceConfig) {
    config
        .service(resource("/events").route(get().to(events)))
        .service(resource("/acts").route(get().to(acts)));
}

#[derive(Debug, Deserialize)]
struct Wanted {
    #[serde(default)]
    list: String,
    #[serde(default)]
    after: String,
}

async fn events(visitor: Visitor, wanted: Query<Wanted>) -> Result<HttpResponse, Error> {
    let tongue = visitor.caller.tongue;
    let list = lists().find(|list| *list == wanted.list).unwrap_or("all");
    let (store, after) = (&visitor.desk().store, key(&wanted.after));
    let found = store.lines(&listed(list), after, ONE_MORE.into()).await;
    let mut lines = found.map_err(|error| visitor.away(&error))?;
    let next = cut(&mut lines, |line| written(&line.key));
    let content = context! {
        list => list,
        lists => lists().map(|name| context! { name => name, text => list_name(name, tongue) }).collect::<Vec<_>>(),
        lines => lines.iter().map(|line| line_of(line, tongue)).collect::<Vec<_>>(),
        next => next,
        is_first => wanted.after.is_empty(),
    };
    Ok(visitor.page("events.html", content)?)
}

/// The list of this name: `all`, `open`, or an outcome.
pub(super) fn listed(name: &str) -> Listed {
    match name {
        "" | "all" => Listed::All,
        "open" => Listed::Open,
        outcome => Listed::Ended(outcome.to_owned()),
    }
}

fn list_name(name: &str, tongue: Tongue) -> String {
    match name {
        "all" => tongue.say("events.all", &[]),
        other => tongue.say(&format!("outcome.{other}"), &[]),
    }
}

/// `closed-seq-place-item`; anything else is the beginning.
pub(super) fn key(text: &str) -> Option<LineKey> {
    let numbers: Vec<i64> = text.split('-').map_while(|number| number.parse().ok()).collect();
    match numbers.as_slice() {
        [closed, seq, place, item] => Some(LineKey {
            closed: *closed,
            seq: *seq,
            place: *place,
            item: *item,
        }),
        _ => None,
    }
}

pub(super) fn written(key: &LineKey) -> String {
    format!("{}-{}-{}-{}", key.closed, key.seq, key.place, key.item)
}

fn line_of(line: &Line, tongue: Tongue) -> Value {
    let tone = match &line.outcome {
        Some(Outcome::Synced) => "done",
        Some(Outcome::Dead(_) | Outcome::Rejected(_)) => "dead",
        Some(_) => "same",
        None => "open",
    };
    let outcome = line.outcome.as_ref().map_or("open", Outcome::name);
    context! {
        event => line.event.as_str(),
        source => line.source.as_str(),
        kind => tongue.say(&format!("kind.{}", line.kind.as_str()), &[]),
        received => line.received.as_millis(),
        job => line.job.as_ref().map(ToString::to_string),
        tone => tone,
        outcome => tongue.say(&format!("outcome.{outcome}"), &[]),
        reason => line.outcome.as_ref().and_then(Outcome::reason),
        took => line.closed.map(|closed| tongue.took(closed.since(line.received))),
    }
}

async fn acts(visitor: Visitor, wanted: Query<Wanted>) -> Result<HttpResponse, Error> {
    let tongue = visitor.caller.tongue;
    let found = visitor
        .desk()
        .store
        .act_lines(act_key(&wanted.after), ONE_MORE.into())
        .await;
    let mut lines = found.map_err(|error| visitor.away(&error))?;
    let next = cut(&mut lines, written_act);
    let content = context! {
        lines => lines.iter().map(|line| act_of(line, tongue)).collect::<Vec<_>>(),
        next => next,
        is_first => wanted.after.is_empty(),
    };
    Ok(visitor.page("acts.html", content)?)
}

/// `seq-place`; anything else is the beginning.
pub(super) fn act_key(text: &str) -> Option<(i64, i64)> {
    let (seq, place) = text.split_once('-')?;
    Some((seq.parse().ok()?, place.parse().ok()?))
}

pub(super) fn written_act(line: &ActLine) -> String {
    format!("{}-{}", line.key.0, line.key.1)
}

fn act_of(ActLine { on, act, .. }: &ActLine, tongue: Tongue) -> Value {
    let key = format!("act.{}", act.act);
    let is_job = !["queue/", "gate/", "baserow/", "notice/"]
        .iter()
        .any(|kind| on.starts_with(kind));
    let on = on.strip_prefix("job/").unwrap_or(on);
    context! {
        at => act.at.as_millis(),
        by => act.by.as_str(),
        act => if tongue.knows(&key) { tongue.say(&key, &[]) } else { act.act.clone() },
        on => on,
        is_job => is_job,
        why => act.why.as_deref(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_as_it_was_written_and_anything_else_is_the_beginning() {
        let line = LineKey {
            closed: 5,
            seq: 7,
            place: 0,
            item: 2,
        };
        assert_eq!(key(&written(&line)), Some(line));
        for text in [
            "",
            "1",
            "1-2-3",
            "1-2-3-4-5",
            "x-1-2-3",
            "9999999999999999999999-1-1-1",
            "' OR 1=1 --",
        ] {
            assert_eq!(key(text), None, "{text}");
        }
    }
}
