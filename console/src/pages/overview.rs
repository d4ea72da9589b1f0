//! The first page: how it stands, at a glance.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web::{ServiceConfig, get, resource};
use actix_web::{Error, HttpResponse};
use minijinja::value::Serde;
use minijinja::{Value, context};
use passerelle_model::time::Timestamp;
use passerelle_queue::gate::GateState;

use super::{Pages, of_before};
use crate::entrance::visitor::Visitor;
use crate::overview::chart;
use crate::overview::history::Charts;
use crate::overview::look::{Ledger, Overview, Work};
use crate::overview::sentence::{self, call_of, target_name};
use crate::words::Tongue;

pub(crate) fn routes(config: &mut ServiceConfig) {
    config.service(resource("/").route(get().to(page)));
}

async fn page(visitor: Visitor) -> Result<HttpResponse, Error> {
    let desk = visitor.desk();
    let now = desk.pulse.html(desk, visitor.caller.tongue).await;
    let now = now.map_err(|error| visitor.refuse(StatusCode::INTERNAL_SERVER_ERROR, "refused.broken", &error))?;
    let content = context! { now => Value::from_safe_string(now.to_string()) };
    Ok(visitor.page("overview.html", content)?)
}

/// The part of the page that changes.
pub(crate) fn now_html(
    pages: &Pages,
    tongue: Tongue,
    overview: &Overview,
    depth: &[(Timestamp, u64)],
) -> Result<String, String> {
    let content = context! {
        sentence => Serde(sentence::of(overview, tongue)),
        work => overview.work.as_ref().ok().map(|work| work_of(work, overview.at, tongue)),
        no_work => overview.work.as_ref().err().map(String::as_str),
        ledger => overview.ledger.as_ref().ok().map(ledger_of),
        no_ledger => overview.ledger.as_ref().err().map(String::as_str),
        charts => charts_of(&overview.charts, overview.at),
        depth => Serde(chart::line(depth, overview.at, Duration::from_hours(1))),
    };
    pages.part(tongue, "overview_now.html", content)
}

fn work_of(work: &Work, now: Timestamp, tongue: Tongue) -> Value {
    let gates: Vec<Value> = work
        .gates
        .iter()
        .map(|gate| {
            context! {
                gate => gate.gate,
                name => target_name(gate.gate, tongue),
                call => call_of(gate.gate, tongue),
                state => Serde(gate.state),
                is_flowing => gate.state == GateState::Flowing,
                since => gate.down_since.or(gate.since).map(Timestamp::as_millis),
                why => gate.why.as_deref(),
                by => gate.by.as_deref().filter(|by| *by != "rule"),
                next => gate.next_probe.filter(|next| *next > now).map(Timestamp::as_millis),
                given => gate.given,
                limit => gate.limit.map(|limit| tongue.count("gates.limit", limit.into(), &[])),
            }
        })
        .collect();
    let workers: Vec<Value> = work
        .workers
        .iter()
        .map(|worker| {
            let name = worker.name.as_str();
            let running = work.running.iter().filter(|job| job.worker == name);
            context! {
                name => name,
                host => worker.host.as_str(),
                started => worker.started.as_millis(),
                most => worker.concurrency,
                running => running.map(|job| job.job.to_string()).collect::<Vec<_>>(),
            }
        })
        .collect();
    context! {
        waiting => work.waiting(),
        queued => work.stats.active,
        scheduled => work.stats.scheduled,
        running => work.stats.running,
        dead => work.dead,
        on_the_way => work.stats.ledger_backlog,
        oldest => work.oldest.queued.map(Timestamp::as_millis),
        all_flow => work.gates.iter().all(|gate| gate.state == GateState::Flowing),
        gates => gates,
        workers => workers,
        pauses => work.pauses.iter().map(|(queue, pause)| context! {
            queue => queue.as_str(),
            since => pause.since.as_millis(),
            by => pause.by.as_str(),
            why => pause.why.as_str(),
        }).collect::<Vec<_>>(),
        parked => work.parked.iter().map(|parked| context! {
            row => parked.row.to_string(),
            until => parked.until.as_millis(),
        }).collect::<Vec<_>>(),
    }
}

fn charts_of(charts: &Charts, now: Timestamp) -> Value {
    context! {
        hour => Serde(&charts.hour),
        day => Serde(&charts.day),
        of_before => charts.counted.and_then(|at| of_before(at, now)),
        is_whole => charts.is_whole,
        failed => charts.failed.as_deref(),
    }
}

fn ledger_of(ledger: &Ledger) -> Value {
    let counts = &ledger.counts;
    context! {
        pages => ledger.in_step.pages,
        items => counts.items,
        ended => counts.outcomes.values().sum::<i64>(),
        open => counts.open,
        missing => counts.missing(),
        duplicates => counts.duplicates,
        deliveries => ledger.deliveries.as_ref().map(Serde),
        last_change => ledger.in_step.last_change.map(Timestamp::as_millis),
        sources => ledger.sources.iter().map(|last| context! {
            source => last.source.as_str(),
            at => last.at.as_millis(),
        }).collect::<Vec<_>>(),
    }
}
