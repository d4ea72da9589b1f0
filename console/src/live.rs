//! Pages that change by themselves: server-sent events, each the new content of a part of the page.
//!
//! A stream holds one text at most: a slow reader misses what was between, and costs no more. It
//! ends when its reader's session does.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web::{Bytes, ServiceConfig, get, resource};
use actix_web::{Error, HttpResponse};
use futures::stream::{Stream, unfold};
use passerelle_store::Role;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Interval, MissedTickBehavior};

use crate::entrance::visitor::Visitor;
use crate::pages::examination::examination_html;
use crate::pages::letters::run_html;
use crate::pages::reconcile::reconcile_html;

/// How often a live page may change.
const TICK: Duration = Duration::from_secs(1);
/// After how many ticks a reader's session is looked at again, and silence is broken.
const CHECKED_EVERY: u32 = 10;

pub(crate) fn routes(config: &mut ServiceConfig) {
    config
        .service(resource("/live/overview").route(get().to(overview)))
        .service(resource("/live/run").route(get().to(run)))
        .service(resource("/live/reconcile").route(get().to(reconcile)))
        .service(resource("/live/examination").route(get().to(examination)));
}

async fn overview(visitor: Visitor) -> Result<HttpResponse, Error> {
    follow(visitor, Part::Overview)
}

async fn run(visitor: Visitor) -> Result<HttpResponse, Error> {
    follow(visitor, Part::Run)
}

async fn reconcile(visitor: Visitor) -> Result<HttpResponse, Error> {
    follow(visitor, Part::Reconcile)
}

async fn examination(visitor: Visitor) -> Result<HttpResponse, Error> {
    if visitor.role != Role::Operator {
        return Err(visitor.refuse(StatusCode::FORBIDDEN, "refused.reader", "").into());
    }
    follow(visitor, Part::Examination)
}

fn follow(visitor: Visitor, part: Part) -> Result<HttpResponse, Error> {
    let Ok(place) = Arc::clone(&visitor.desk().live).try_acquire_owned() else {
        return Err(visitor
            .refuse(StatusCode::SERVICE_UNAVAILABLE, "refused.full", "")
            .into());
    };
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let watch = Watch {
        visitor,
        part,
        ticks,
        passed: 0,
        shown: None,
        _place: place,
    };
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream; charset=utf-8")
        .streaming(watch.events()))
}

/// The part of a page that changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Overview,
    /// How far the letters are that are replayed or discarded together.
    Run,
    /// How far a reconciliation is.
    Reconcile,
    /// What the latest examination found.
    Examination,
}

/// One reader's stream.
struct Watch {
    visitor: Visitor,
    part: Part,
    ticks: Interval,
    passed: u32,
    shown: Option<Arc<str>>,
    _place: OwnedSemaphorePermit,
}

impl Watch {
    fn events(self) -> impl Stream<Item = Result<Bytes, Infallible>> {
        unfold(self, |mut watch| async move {
            let event = watch.next().await?;
            Some((Ok(Bytes::from(event)), watch))
        })
    }

    /// The next event; nothing once the reader is no longer welcome.
    async fn next(&mut self) -> Option<String> {
        loop {
            self.ticks.tick().await;
            self.passed = self.passed.wrapping_add(1);
            let is_due = self.passed.is_multiple_of(CHECKED_EVERY);
            if is_due && !self.visitor.is_still_welcome().await {
                return None;
            }
            let desk = self.visitor.desk();
            let tongue = self.visitor.caller.tongue;
            let html = match self.part {
                Part::Overview => desk.pulse.html(desk, tongue).await.ok()?,
                Part::Run => run_html(desk, tongue).ok()?.into(),
                Part::Reconcile => reconcile_html(desk, tongue).ok()?.into(),
                Part::Examination => examination_html(desk, tongue).ok()?.into(),
            };
            if self.shown.as_ref() != Some(&html) {
                self.shown = Some(Arc::clone(&html));
                return Some(event(&html));
            }
            if is_due {
                return Some(": still here\n\n".to_owned());
            }
        }
    }
}

fn event(html: &str) -> String {
    let mut event = String::with_capacity(html.len() + html.len() / 16 + 32);
    event.push_str("event: page\n");
    for line in html.lines() {
        event.push_str("data: ");
        event.push_str(line);
        event.push('\n');
    }
    event.push('\n');
    event
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_each_line_of_its_page() {
        assert_eq!(event("<p>\na</p>"), "event: page\ndata: <p>\ndata: a</p>\n\n");
    }
}
