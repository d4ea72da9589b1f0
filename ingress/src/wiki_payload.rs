//! What a push from the wiki means (`POST /api/webhooks/docmost`). Stock Docmost sends none; this
//! is for a fork, or a proxy, that does.
//!
//! ```json
//! {"event_id": "…", "event_type": "page.updated", "page_id": "<uuid>"}
//! {"event_id": "…", "event_type": "share.created", "share_id": "<uuid>", "page_id": "<uuid>"}
//! ```
//!
//! A push only says where to look: the worker reads the page or the share itself. `pageId` and
//! `shareId` are understood too, unknown fields are tolerated, unknown kinds are recorded and
//! ignored.

use passerelle_model::event::{DeliveryKey, EventKind, Item, NewEvent};
use passerelle_model::id::{EventId, JobKey, PageId};
use passerelle_model::outcome::IgnoredReason;
use passerelle_model::time::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::body::Body;
use crate::echo::QuietFields;
use crate::items::{ignored, job};
use crate::payload::{Understood, object, text};
use crate::proof::ProvenBody;
use crate::rejection::Rejection;

/// The body; values stay raw, so that a wrong one is refused by its name. A field that occurs under
/// both of its names is refused too.
#[derive(Deserialize)]
struct WirePush<'a> {
    #[serde(borrow)]
    event_id: Option<&'a RawValue>,
    #[serde(borrow)]
    event_type: Option<&'a RawValue>,
    #[serde(borrow, alias = "pageId")]
    page_id: Option<&'a RawValue>,
    #[serde(borrow, alias = "shareId")]
    share_id: Option<&'a RawValue>,
}

/// Reads a proven body. `received` is when the request arrived.
pub(crate) fn parse(body: ProvenBody, _: &QuietFields, received: Timestamp) -> Result<Understood, Rejection> {
    let (source, Body { bytes, .. }) = body.into_parts();
    let push: WirePush<'_> = object(std::str::from_utf8(&bytes).map_err(|_| Rejection::NotJson)?)?;
    let event = EventId::of_sender(&text("event_id", push.event_id)?).map_err(|_| Rejection::InvalidId("event_id"))?;
    let (kind, item) = match text("event_type", push.event_type)?.as_ref() {
        "page.created" => (EventKind::Created, page(&push)?),
        "page.updated" | "page.restored" | "page.labelled" => (EventKind::Updated, page(&push)?),
        "share.created" => (EventKind::Created, share(&push)?),
        _ => (EventKind::Other, ignored(IgnoredReason::UnknownEvent)),
    };
    let event = NewEvent {
        key: DeliveryKey {
            webhook: None,
            event,
            batch: 0,
        },
        source,
        kind,
        table: None,
        received,
        trace: None,
        items: vec![item],
        payload: bytes,
    };
    // The loop guard counts rows; a push names a page or a share.
    let contents = Vec::new();
    Ok(Understood { event, contents })
}

fn page(push: &WirePush<'_>) -> Result<Item, Rejection> {
    uuid("page_id", push.page_id).map(|page| job(JobKey::Page(page)))
}

fn share(push: &WirePush<'_>) -> Result<Item, Rejection> {
    uuid("share_id", push.share_id).map(|share| job(JobKey::Share(share)))
}

/// The one spelling of an id. Docmost takes short ids too, but two names of one page would be two
/// jobs.
fn uuid(field: &'static str, value: Option<&RawValue>) -> Result<PageId, Rejection> {
    let text = text(field, value)?.to_ascii_lowercase();
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    let is_hex = text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit());
    let id = PageId::parse(&text)
        .ok()
        .filter(|_| is_hex && lengths == [8, 4, 4, 4, 12]);
    id.ok_or(Rejection::InvalidId(field))
}

#[cfg(test)]
mod tests {
    use passerelle_model::event::Disposition;
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;
    use crate::proof::tests::proven;

    const ID: &str = "0199a1f0-0000-7000-8000-0000000000aA";

    fn read(body: &str) -> Result<NewEvent, &'static str> {
        let received = Timestamp::from_millis(7);
        let understood = parse(proven(body.as_bytes()), &QuietFields::default(), received);
        understood
            .map(|understood| understood.event)
            .map_err(|rejection| rejection.reason())
    }

    fn push(kind: &str, rest: &str) -> String {
        format!(r#"{{"event_id": "e-1", "event_type": "{kind}", {rest}}}"#)
    }

    #[rstest]
    #[case::page("page.updated", "page_id", "page/")]
    #[case::page_in_camel_case("page.created", "pageId", "page/")]
    #[case::share("share.created", "share_id", "share/")]
    fn a_push_becomes_the_job_of_what_it_names(#[case] kind: &str, #[case] field: &str, #[case] start: &str) {
        let event = read(&push(kind, &format!(r#""{field}": "{ID}", "more": 1"#))).unwrap();
        let Disposition::Job(job) = &event.items[0].disposition else {
            panic!("{event:?}");
        };
        assert_eq!(job.to_string(), format!("{start}{}", ID.to_lowercase()));
    }

    #[test]
    fn an_unknown_kind_is_accepted_and_ignored() {
        let event = read(&push("comment.created", r#""page_id": 7"#)).unwrap();
        assert_eq!(event.items, [ignored(IgnoredReason::UnknownEvent)]);
    }

    #[rstest]
    #[case::no_json("{", "not_json")]
    #[case::no_object("[]", "not_an_object")]
    #[case::no_event(r#"{"event_type": "page.updated"}"#, "missing_field")]
    #[case::no_page(r#"{"event_id": "e", "event_type": "page.updated"}"#, "missing_field")]
    #[case::short_id(
        r#"{"event_id": "e", "event_type": "page.updated", "page_id": "aB3xYz"}"#,
        "invalid_id"
    )]
    #[case::number(r#"{"event_id": "e", "event_type": "page.updated", "page_id": 7}"#, "not_a_text")]
    #[case::both_names(
        r#"{"event_id": "e", "event_type": "x", "page_id": "a", "pageId": "b"}"#,
        "repeated_field"
    )]
    fn what_cannot_be_understood_is_refused_with_a_reason(#[case] body: &str, #[case] reason: &str) {
        assert_eq!(read(body).unwrap_err(), reason);
    }

    proptest! {
        #[test]
        fn no_body_makes_the_reader_panic(body in ".*") {
            let _ = read(&body);
        }
    }
}
