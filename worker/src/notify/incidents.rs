//! Notifies the admin of outages: once when one begins, once an hour while it lasts, once with the
//! counts when it is over.
//!
//! The gates write every fact down once, in the step that makes it true (see [`Incident`]). Every
//! worker reads that list and posts a notice for each fact that is a message. The fact's moment is
//! the notice's idempotency key, so that all workers post the same one. No lease can be lost, and
//! the next worker that starts reports a fact that was written while none lived.

use std::time::Duration;

use passerelle_model::id::EventId;
use passerelle_queue::gate::{Incident, IncidentKind};
use serde_json::{Map, Value, json};
use tokio::time::{MissedTickBehavior, interval};

use crate::content::notice::NoticeKind;
use crate::context::Context;
use crate::failure::Failure;

/// How often the list is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Facts that one look reads; an outage makes a handful.
const FACTS: usize = 100;
/// Older news are no news: what a starting worker finds of last week is not posted.
const NEWS_FOR: Duration = Duration::from_hours(24);

/// Runs until it is dropped.
pub async fn run(context: &Context) {
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = None;
    loop {
        looks.tick().await;
        match post_new(context, last.as_ref()).await {
            Ok(Some(newest)) => last = Some(newest),
            Ok(None) => {}
            Err(failure) => tracing::debug!(%failure, "an outage could not be reported yet; the next look tries again"),
        }
    }
}

/// Posts what is newer than the last look saw; returns the newest fact.
async fn post_new(context: &Context, last: Option<&Incident>) -> Result<Option<Incident>, Failure> {
    let incidents = context.gates.incidents(FACTS).await;
    let incidents = incidents.map_err(|error| Failure::unmappable(error.to_string()))?;
    let Some(newest) = incidents.first().cloned() else {
        return Ok(None);
    };
    // By the clock that dated them.
    let now = context.queue.clock().await;
    let now = now.map_err(|error| Failure::unmappable(error.to_string()))?;
    let oldest = now.minus(NEWS_FOR);
    let news = incidents
        .iter()
        .take_while(|incident| Some(*incident) != last && incident.at >= oldest);
    let mut messages: Vec<&Incident> = news.filter(|incident| incident.is_message()).collect();
    messages.reverse();
    for incident in messages {
        post(context, incident).await?;
    }
    Ok(Some(newest))
}

/// One notice for each channel to the admin.
async fn post(context: &Context, incident: &Incident) -> Result<(), Failure> {
    let Some((kind, values)) = in_words(incident) else {
        return Ok(());
    };
    let target = &incident.target;
    let of = incident
        .cause
        .as_deref()
        .map_or_else(|| target.clone(), |cause| format!("{target}-{cause}"));
    let event = EventId::parse(&format!("incident-{of}-{}", incident.at.as_millis()));
    context
        .outbox
        .notify_admin_of_own(kind, &values, "outage", event)
        .await?;
    Ok(())
}

fn in_words(incident: &Incident) -> Option<(NoticeKind, Map<String, Value>)> {
    let target = &incident.target;
    let (kind, values) = match &incident.what {
        IncidentKind::Opened { why, held, .. } => {
            let values = json!({"target": target, "since": incident.at.to_string(), "reason": why, "waiting": held});
            (NoticeKind::OutageOpened, values)
        }
        IncidentKind::Lasting { why, lasted_ms, held } => {
            let minutes = minutes(*lasted_ms);
            let values = json!({"target": target, "minutes": minutes, "reason": why, "waiting": held,
                "title": format!("{target}: incident for {minutes} min"),
                "lines": [{"label": "Reason", "value": why}, {"label": "Waiting", "value": held}]});
            (NoticeKind::Digest, values)
        }
        IncidentKind::Over {
            lasted_ms,
            drained,
            dead,
            ..
        } => {
            // Negative if letters were replayed or discarded meanwhile: then none is new.
            let dead = (*dead).max(0);
            let values = json!({"target": target, "minutes": minutes(*lasted_ms), "drained": drained, "dead": dead});
            (NoticeKind::OutageOver, values)
        }
        IncidentKind::Stopped { .. }
        | IncidentKind::Ramping { .. }
        | IncidentKind::Flowing { .. }
        | IncidentKind::Operated { .. } => return None,
    };
    let Value::Object(values) = values else { return None };
    Some((kind, values))
}

/// Rounded up, and never 0.
fn minutes(millis: u64) -> u64 {
    millis.div_ceil(60_000).max(1)
}

#[cfg(test)]
mod tests {
    use passerelle_model::config::Locale;
    use passerelle_model::time::Timestamp;

    use super::*;
    use crate::content::notice::{Audience, Notice};
    use crate::outbox::templates::Templates;

    fn rendered(what: IncidentKind) -> Option<String> {
        let incident = Incident {
            at: Timestamp::from_millis(1_763_800_000_000),
            target: "docmost".to_owned(),
            cause: None,
            what,
        };
        let (kind, values) = in_words(&incident)?;
        let key = passerelle_model::id::JobKey::parse("notice/1/x").unwrap();
        let templates = Templates::load("no-such-folder".as_ref(), &Locale::default()).unwrap();
        Some(
            templates
                .render(&Notice::new(key, kind, Audience::Admin, values))
                .unwrap()
                .text,
        )
    }

    #[test]
    fn the_beginning_the_hours_and_the_end_of_an_outage_have_their_words_and_the_rest_is_no_message() {
        let why = "5 calls failed".to_owned();
        let opened = rendered(IncidentKind::Opened {
            gate: None,
            why: why.clone(),
            held: 3,
        })
        .unwrap();
        assert!(
            opened.contains("5 calls failed") && opened.contains("En attente : 3"),
            "{opened}"
        );
        let lasting = rendered(IncidentKind::Lasting {
            why: why.clone(),
            lasted_ms: 3_600_000,
            held: 9,
        })
        .unwrap();
        assert!(
            lasting.contains("60 min") && lasting.contains("En attente : 9"),
            "{lasting}"
        );
        let over = IncidentKind::Over {
            why: why.clone(),
            lasted_ms: 840_500,
            drained: 812,
            dead: -2,
        };
        let over = rendered(over).unwrap();
        assert!(
            over.contains("après 15 min") && over.contains("812") && over.contains("Abandonnés : 0"),
            "{over}"
        );
        assert_eq!(
            rendered(IncidentKind::Ramping {
                gate: "docmost:read".to_owned(),
                why
            }),
            None
        );
    }
}
