//! Reconciliation: a plan of what differs, then its start, how far it is, and its stop.

use actix_web::http::StatusCode;
use actix_web::web::{ServiceConfig, get, post, resource};
use actix_web::{Error, HttpResponse};
use minijinja::value::Serde;
use minijinja::{Value, context};
use passerelle_model::id::TableId;
use passerelle_model::time::Timestamp;

use super::story::given_reason;
use crate::desk::Desk;
use crate::entrance::form::Act;
use crate::entrance::visitor::Visitor;
use crate::latest::Work as _;
use crate::reconcile::{Course, Over, Wanted};
use crate::rulebook::Does;
use crate::words::Tongue;

/// Where the latest one is shown.
const PAGE: &str = "/reconcile";

pub(crate) fn routes(config: &mut ServiceConfig) {
    config
        .service(resource(PAGE).route(get().to(page)))
        .service(resource("/act/reconcile").route(post().to(|act: Act| act.once(begin))))
        .service(resource("/act/reconcile/stop").route(post().to(|act: Act| act.once(stop))));
}

async fn page(visitor: Visitor) -> Result<HttpResponse, Error> {
    let (desk, tongue) = (visitor.desk(), visitor.caller.tongue);
    let rules = desk.rules.rules().await;
    let now = reconcile_html(desk, tongue)
        .map_err(|error| visitor.refuse(StatusCode::INTERNAL_SERVER_ERROR, "refused.broken", &error))?;
    let tables = rules.iter().flat_map(|(_, book)| &book.rules);
    let tables = tables.filter(|rule| rule.does == Does::Page);
    let last = desk.courses.last();
    let goes_on = last.as_ref().is_some_and(|last| last.over().is_none());
    let content = context! {
        now => Value::from_safe_string(now),
        goes_on => goes_on,
        tables => tables.filter_map(|rule| Some(context! {
            id => rule.table_id?.get(),
            name => rule.table.to_string(),
        })).collect::<Vec<_>>(),
        no_tables => rules.as_ref().err().map(String::as_str),
    };
    Ok(visitor.page("reconcile.html", content)?)
}

async fn begin(act: Act) -> Result<String, Error> {
    let visitor = &act.visitor;
    let (table, is_plan) = (act.fields.text("table"), act.fields.text("do") == "plan");
    let table: Option<TableId> = match table {
        "" => None,
        number => match number.parse() {
            Ok(table) => Some(table),
            Err(_) => return Err(visitor.refuse(StatusCode::BAD_REQUEST, "refused.form", "").into()),
        },
    };
    let wanted = Wanted {
        table,
        with_dead: !act.fields.text("with_dead").is_empty(),
        is_plan,
        by: visitor.name.clone(),
        why: if is_plan { None } else { Some(given_reason(&act)?) },
    };
    if !Course::start(&visitor.caller.desk, wanted) {
        return Err(visitor.refuse(StatusCode::CONFLICT, "refused.run", "").into());
    }
    Ok(PAGE.to_owned())
}

async fn stop(act: Act) -> Result<String, Error> {
    if let Some(course) = act.visitor.desk().courses.last() {
        course.stop();
    }
    Ok(PAGE.to_owned())
}

/// The part of the page that changes.
pub(crate) fn reconcile_html(desk: &Desk, tongue: Tongue) -> Result<String, String> {
    let last = desk.courses.last();
    let content = context! { run => last.map(|course| course_of(&course, tongue)) };
    desk.pages.part(tongue, "reconcile_now.html", content)
}

fn course_of(course: &Course, tongue: Tongue) -> Value {
    let (progress, over, wanted) = (course.progress(), course.over(), &course.wanted);
    let text = match &over {
        None => tongue.say("reconcile.goes_on", &[("table", &progress.table)]),
        Some(Over::Stopped) => tongue.say("reconcile.stopped", &[]),
        Some(Over::Failed(why)) => tongue.say("run.failed", &[("why", why)]),
        Some(Over::Done) if progress.differ == 0 => tongue.say("reconcile.nothing", &[]),
        Some(Over::Done) if wanted.is_plan => tongue.count("reconcile.planned", progress.differ, &[]),
        Some(Over::Done) => tongue.count("reconcile.done", progress.asked, &[]),
    };
    let reason = |reason: &str| tongue.say(&format!("differs.{reason}"), &[]);
    context! {
        is_plan => wanted.is_plan,
        text => text,
        tone => match over {
            None => "open",
            Some(Over::Done) => "done",
            Some(Over::Stopped) => "same",
            Some(Over::Failed(_)) => "dead",
        },
        progress => Serde(&progress),
        named => progress.named.iter().map(|row| context! {
            row => row.row.as_str(), rule => row.rule.as_str(), why => reason(&row.reason),
        }).collect::<Vec<_>>(),
        more => progress.differ.saturating_sub(u64::try_from(progress.named.len()).unwrap_or(u64::MAX)),
        by => wanted.by.as_str(),
        why => wanted.why.as_deref(),
        began => Timestamp::as_millis(course.began),
        is_over => over.is_some(),
    }
}
