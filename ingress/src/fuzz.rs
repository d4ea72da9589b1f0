//! What readers of foreign bytes must stand: `make fuzz TARGET=payload`, `push`, `shortener`,
//! `proof`.

use actix_web::http::header::HeaderValue;
use passerelle_model::event::NewEvent;
use passerelle_model::time::Timestamp;
use serde_json::Value;
use test_support::fuzz;

use crate::body::Shortener;
use crate::echo::QuietFields;
use crate::proof::tests::{claims_forged, proven};
use crate::{payload, wiki_payload};

const CAPTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/contract/captures/baserow");

/// The bodies that a real Baserow was seen to send.
fn deliveries() -> Vec<Vec<u8>> {
    let files = std::fs::read_dir(CAPTURES).unwrap().map(|entry| entry.unwrap().path());
    let bodies = files.filter_map(|file| {
        let capture: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).ok()?;
        Some(capture.get("delivery")?.get("body")?.as_str()?.as_bytes().to_vec())
    });
    bodies.collect()
}

#[test]
fn fuzz_payload() {
    let quiet = QuietFields {
        owned: vec!["field_5".to_owned()],
        ..QuietFields::default()
    };
    let read = |body: &[u8]| {
        if let Ok(understood) = payload::parse(proven(body), &quiet, Timestamp::from_millis(1)) {
            let event = understood.event;
            assert!(!event.items.is_empty(), "each delivery has an item");
            assert_eq!(NewEvent::decode(&event.encode().unwrap()), Ok(event));
        }
    };
    fuzz("payload", deliveries(), read).unwrap();
}

#[test]
fn fuzz_push() {
    let seed =
        br#"{"event_id": "e", "event_type": "share.created", "share_id": "0199a1f0-0000-7000-8000-0000000000aa"}"#;
    let read = |body: &[u8]| {
        let _ = wiki_payload::parse(proven(body), &QuietFields::default(), Timestamp::from_millis(1));
    };
    fuzz("push", vec![seed.to_vec()], read).unwrap();
}

#[test]
fn fuzz_shortener() {
    let read = |body: &[u8]| {
        let mut shortener = Shortener::new(700);
        body.chunks(13).for_each(|chunk| shortener.take(chunk));
        let kept = shortener.finish();
        let is_object = serde_json::from_slice::<Value>(body).is_ok_and(|value| value.is_object());
        let kept_is_json = kept
            .as_ref()
            .map(|(kept, _)| serde_json::from_slice::<Value>(kept).is_ok());
        assert!(!is_object || kept_is_json == Some(true), "an object stays one");
        assert!(kept.is_none_or(|(kept, _)| kept.len() <= 700));
    };
    fuzz("shortener", deliveries(), read).unwrap();
}

#[test]
fn fuzz_proof() {
    let seeds = [format!("sha256={}", "a".repeat(64)), "old-secret-012345678".to_owned()];
    let read = |shown: &[u8]| {
        if let Ok(shown) = HeaderValue::from_bytes(shown) {
            assert!(!claims_forged(&shown), "a forged proof was accepted");
        }
    };
    fuzz("proof", seeds.map(String::into_bytes).to_vec(), read).unwrap();
}
