//! What an operator switches: the queues and the connections; and notices that are sent again.

use actix_web::http::StatusCode;
use actix_web::web::{Query, ServiceConfig, get, post, resource};
use actix_web::{Error, HttpResponse};
use minijinja::{Value, context};
use passerelle_model::id::{EventId, JobKey};
use passerelle_model::time::Timestamp;
use passerelle_queue::gate::{GateName, GateState, Operation};
use passerelle_queue::{ByHand, QueueName};
use passerelle_store::{NoticeState, StoredNotice};
use serde::Deserialize;

use super::paging::{ONE_MORE, cut};
use super::redacted;
use super::story::given_reason;
use crate::entrance::form::Act;
use crate::entrance::refusal::Refusal;
use crate::entrance::visitor::Visitor;
use crate::overview::sentence::{call_of, target_name};

/// The latest incidents that are told.
const INCIDENTS: usize = 20;

pub(crate) fn routes(config: &mut ServiceConfig) {
    config
        .service(resource("/operate").route(get().to(page)))
        .service(resource("/notices").route(get().to(notices)))
        .service(resource("/act/queue").route(post().to(|act: Act| act.once(switch_queue))))
        .service(resource("/act/gate").route(post().to(|act: Act| act.once(switch_gate))))
        .service(resource("/act/notice").route(post().to(|act: Act| act.once(send_again))));
}

async fn page(visitor: Visitor) -> Result<HttpResponse, Error> {
    let (desk, tongue) = (visitor.desk(), visitor.caller.tongue);
    let mut queues = Vec::new();
    for name in QueueName::ALL {
        let stats = desk
            .queue_of(name)
            .stats()
            .await
            .map_err(|error| visitor.away(&error))?;
        queues.push(context! {
            queue => name.as_str(),
            text => tongue.say(&format!("queue.{}", name.as_str()), &[]),
            waiting => stats.active + stats.scheduled,
            paused => stats.paused.map(|pause| context! {
                by => pause.by, why => pause.why, since => pause.since.as_millis(),
            }),
        });
    }
    let gates = desk.gates.list().await.map_err(|error| visitor.away(&error))?;
    let incidents = desk
        .gates
        .incidents(INCIDENTS)
        .await
        .map_err(|error| visitor.away(&error))?;
    let content = context! {
        queues => queues,
        gates => gates.iter().map(|gate| context! {
            gate => gate.gate,
            name => target_name(gate.gate, tongue),
            call => call_of(gate.gate, tongue),
            is_flowing => gate.state == GateState::Flowing,
            state => tongue.say(match gate.state {
                GateState::Flowing => "gates.flowing",
                GateState::Ramping => "gates.ramping",
                GateState::Probing => "gates.probing",
                GateState::Stopped => "gates.stopped",
            }, &[]),
            why => if redacted::is_by_rule(gate) { told(gate.why.as_deref(), &visitor) } else { gate.why.clone() },
        }).collect::<Vec<_>>(),
        incidents => incidents.iter().map(|incident| context! {
            at => incident.at.as_millis(), text => told(Some(&incident.sentence()), &visitor),
        }).collect::<Vec<_>>(),
    };
    Ok(visitor.page("operate.html", content)?)
}

fn unreadable(visitor: &Visitor) -> Refusal {
    visitor.refuse(StatusCode::BAD_REQUEST, "refused.form", "")
}

async fn switch_queue(act: Act) -> Result<String, Error> {
    let visitor = &act.visitor;
    let name = QueueName::parse(act.fields.text("queue"));
    let name = name.ok_or_else(|| unreadable(visitor))?;
    let why = given_reason(&act)?;
    let queue = visitor.desk().queue_of(name);
    let switched = match act.fields.text("do") {
        "pause" => queue.pause(&visitor.name, &why).await,
        "resume" => queue.resume(&visitor.name, &why).await,
        _ => return Err(unreadable(visitor).into()),
    };
    switched.map_err(|error| visitor.away(&error))?;
    Ok("/operate".to_owned())
}

async fn switch_gate(act: Act) -> Result<String, Error> {
    let visitor = &act.visitor;
    let (gate, operation) = (
        GateName::parse(act.fields.text("gate")),
        Operation::parse(act.fields.text("do")),
    );
    let (Some(gate), Some(operation)) = (gate, operation) else {
        return Err(unreadable(visitor).into());
    };
    let (desk, why) = (visitor.desk(), given_reason(&act)?);
    let act = ByHand {
        operation,
        by: &visitor.name,
        why: &why,
    };
    let operated = desk.queue.operate_gate(&desk.gates, gate, act).await;
    operated.map_err(|error| visitor.away(&error))?;
    Ok("/operate".to_owned())
}

#[derive(Debug, Deserialize)]
struct Wanted {
    #[serde(default)]
    state: String,
    #[serde(default)]
    after: String,
}

async fn notices(visitor: Visitor, wanted: Query<Wanted>) -> Result<HttpResponse, Error> {
    let tongue = visitor.caller.tongue;
    let state = NoticeState::parse(&wanted.state);
    let after = notice_key(&wanted.after);
    let found = visitor
        .desk()
        .store
        .notice_lines(state, after.as_ref(), ONE_MORE.into())
        .await;
    let mut lines = found.map_err(|error| visitor.away(&error))?;
    let next = cut(&mut lines, written_notice);
    let content = context! {
        state => state.map_or("all", NoticeState::as_str),
        states => NoticeState::ALL.map(|state| context! {
            name => state.as_str(), text => tongue.say(&format!("notice.{}", state.as_str()), &[]),
        }).to_vec(),
        lines => lines.iter().map(|notice| notice_of(notice, &visitor)).collect::<Vec<_>>(),
        next => next,
        is_first => wanted.after.is_empty(),
    };
    Ok(visitor.page("notices.html", content)?)
}

/// `created~id`; anything else is the beginning.
pub(super) fn notice_key(text: &str) -> Option<(i64, String)> {
    let (created, id) = text.split_once('~')?;
    Some((created.parse().ok()?, id.to_owned()))
}

pub(super) fn written_notice(notice: &StoredNotice) -> String {
    format!("{}~{}", notice.created.as_millis(), notice.id)
}

/// What the other system said, for those who may see values of rows.
pub(super) fn told(said: Option<&str>, visitor: &Visitor) -> Option<String> {
    let hidden = || visitor.caller.tongue.say("contents.hidden", &[]);
    said.map(|said| {
        if visitor.sees_contents() {
            said.to_owned()
        } else {
            hidden()
        }
    })
}

fn notice_of(notice: &StoredNotice, visitor: &Visitor) -> Value {
    let tongue = visitor.caller.tongue;
    let state = notice.state.as_str();
    context! {
        id => notice.id.to_string(),
        kind => notice.kind.as_str(),
        channel => notice.channel.as_str(),
        rule => notice.rule.as_str(),
        row => notice.row.map(|row| row.to_string()),
        created => notice.created.as_millis(),
        ended => notice.ended.map(Timestamp::as_millis),
        state => state,
        state_text => tongue.say(&format!("notice.{state}"), &[]),
        tries => notice.tries,
        error => told(notice.error.as_deref(), visitor),
        can_be_sent => matches!(notice.state, NoticeState::Failed | NoticeState::Off),
    }
}

/// As `passerelle notices retry` does.
async fn send_again(act: Act) -> Result<String, Error> {
    let visitor = &act.visitor;
    let desk = visitor.desk();
    let why = given_reason(&act)?;
    let (Ok(id), Ok(event)) = (JobKey::parse(act.fields.text("notice")), EventId::parse("retry")) else {
        return Err(unreadable(visitor).into());
    };
    let found = desk.store.notice(&id).await.map_err(|error| visitor.away(&error))?;
    let Some(notice) = found.filter(|notice| notice.state != NoticeState::Sent) else {
        return Err(visitor
            .refuse(StatusCode::NOT_FOUND, "refused.notice", &id.to_string())
            .into());
    };
    let noted = desk
        .queue
        .note_act(&id.to_string(), "retried", &visitor.name, &why)
        .await;
    noted.map_err(|error| visitor.away(&error))?;
    let ended = desk
        .store
        .end_notice(&id, NoticeState::Waiting, None, Timestamp::now())
        .await;
    ended.map_err(|error| visitor.away(&error))?;
    let queued = desk.queue_of(notice.channel.into()).enqueue(&id, &event).await;
    queued.map_err(|error| visitor.away(&error))?;
    Ok("/notices".to_owned())
}
