//! What `check --live` and `doctor` say, on the page of the rules. For operators: it may tell of
//! settings and of values of a row.

use actix_web::Error;
use actix_web::http::StatusCode;
use actix_web::web::{ServiceConfig, post, resource};
use minijinja::value::Serde;
use minijinja::{Value, context};

use super::rules::problems;
use crate::desk::Desk;
use crate::diagnosis::{Examined, State};
use crate::entrance::form::Act;
use crate::examination::{Examination, Over};
use crate::latest::Work as _;
use crate::words::Tongue;

pub(crate) fn routes(config: &mut ServiceConfig) {
    config.service(resource("/act/examine").route(post().to(|act: Act| act.once(begin))));
}

async fn begin(act: Act) -> Result<String, Error> {
    let visitor = &act.visitor;
    if !Examination::start(&visitor.caller.desk, visitor.name.clone()) {
        return Err(visitor.refuse(StatusCode::CONFLICT, "refused.examination", "").into());
    }
    Ok("/rules#examination".to_owned())
}

/// Whether one goes on.
pub(super) fn goes_on(desk: &Desk) -> bool {
    desk.examinations.last().is_some_and(|last| last.over().is_none())
}

/// The part of the page that changes.
pub(crate) fn examination_html(desk: &Desk, tongue: Tongue) -> Result<String, String> {
    let last = desk.examinations.last();
    let content = context! { last => last.map(|last| shown(&last, tongue)) };
    desk.pages.part(tongue, "examination_now.html", content)
}

fn shown(examination: &Examination, tongue: Tongue) -> Value {
    let over = examination.over();
    let (at, examined, failed) = match &over {
        None => (examination.began, None, None),
        Some(Over::Done(at, examined)) => (*at, Some(examined), None),
        Some(Over::Failed(why)) => (examination.began, None, Some(why.as_str())),
    };
    context! {
        by => examination.by.as_str(),
        at => at.as_millis(),
        failed => failed,
        is_over => over.is_some(),
        ..examined.map_or_else(|| context! {}, |examined| result(examined, tongue))
    }
}

fn result(examined: &Examined, tongue: Tongue) -> Value {
    let in_state = |state: State| {
        let of_state = examined.findings.iter().filter(|finding| finding.state == state);
        of_state.map(|finding| Value::from(Serde(finding))).collect::<Vec<_>>()
    };
    let (failures, warnings, well) = (in_state(State::Fail), in_state(State::Warn), in_state(State::Ok));
    let rules = examined.rules.as_ref();
    let wrong = failures.len() + warnings.len() + rules.map_or(1, Vec::len);
    context! {
        text => if wrong == 0 {
            tongue.say("examination.well", &[])
        } else {
            tongue.count("examination.wrong", u64::try_from(wrong).unwrap_or(u64::MAX), &[])
        },
        tone => if !failures.is_empty() || rules.is_err() { "dead" } else if wrong > 0 { "open" } else { "done" },
        rules => rules.ok().map(|found| problems(found)),
        unasked => rules.err(),
        groups => [("fail", failures), ("warn", warnings)].map(|(state, found)| context! {
            state => tongue.say(&format!("state.{state}"), &[]),
            tone => if state == "fail" { "dead" } else { "open" },
            found => found,
        }).to_vec(),
        well => well,
    }
}
