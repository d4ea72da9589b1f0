//! Retries: their pauses and their order, and the deactivation of a webhook that keeps failing.

use reqwest::Method;
use serde_json::{Value, json};
use test_support::eventually;

use super::capture::{Delivery, Exchange, load};
use super::failures::{world, write};
use super::world::{World, same};

pub(crate) const OUT_OF_ORDER: &str = "74-retry-out-of-order";
pub(crate) const ATTEMPTS: &str = "70-deactivated-all-attempts";
pub(crate) const TIMELINE: &str = "70-deactivation-timeline";
pub(crate) const DEACTIVATED: &str = "70-deactivated-webhook-GET";
pub(crate) const REACTIVATED: &str = "70-reactivate-PATCH";
pub(crate) const FAST: &str = "75-fast-deactivation";

#[tokio::test]
async fn one_failing_event_is_tried_nine_times_and_deactivates_the_webhook() -> anyhow::Result<()> {
    let world = World::start().await?;
    let hook = world
        .hook(
            "comptes_rendus",
            "/status/500",
            json!({"events": ["rows.created"], "name": "deact"}),
        )
        .await?;
    let path = "/api/database/rows/table/8/?user_field_names=true";
    let (status, _) = world.send(Method::POST, path, &json!({"Titre": "deact"})).await?;
    assert_eq!(status, 200);
    world.expect(&[ATTEMPTS.to_owned()]).await?;
    world.replay(DEACTIVATED).await?;
    pauses_are_as_recorded(&world).await?;

    let recorded = Exchange::load(REACTIVATED)?;
    let mut change: Value = serde_json::from_str(&recorded.request.body.unwrap_or_default())?;
    change["url"] = json!(format!("http://{}/ok", world.receiver.address));
    let (status, answer) = world
        .send(Method::PATCH, &format!("/api/database/webhooks/{hook}/"), &change)
        .await?;
    assert_eq!(status, recorded.response.status);
    let text = super::capture::blank_ids;
    same(REACTIVATED, &text(&answer.to_string()), &text(&recorded.response.body))?;
    world.settle().await;
    assert_eq!(world.receiver.count(), 0, "what was missed stays missed");
    Ok(())
}

/// The pauses between the attempts, in the product's seconds: never shorter than recorded, and
/// doubling.
async fn pauses_are_as_recorded(world: &World) -> anyhow::Result<()> {
    let attempts = world.get("/_sandbox/baserow/attempts").await?;
    let at: Vec<i64> = attempts
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|attempt| attempt["at_ms"].as_i64())
        .collect();
    let timeline = load(TIMELINE)?;
    assert_eq!(Some(at.len()), timeline["rows"].as_array().map(Vec::len));
    for (index, pair) in at.windows(2).enumerate() {
        let pause = pair[1] - pair[0];
        // A second of the product is a millisecond here, and the log counts whole milliseconds.
        assert!(pause + 1 >= 1 << index, "pause {index} was {pause} ms");
    }
    Ok(())
}

#[tokio::test]
async fn a_busy_table_deactivates_its_webhook_after_nine_attempts() -> anyhow::Result<()> {
    let world = world().await?;
    let hook = world
        .hook("essai", "/held/500", json!({"events": ["rows.updated"]}))
        .await?;
    for number in 0..15 {
        write(&world, &format!("many{number}")).await?;
    }
    world.receiver.let_go();
    world.settle().await;
    let recorded = load(FAST)?;
    assert_eq!(
        Some(world.receiver.count()),
        recorded["attempts"].as_array().map(Vec::len)
    );
    let state = world.webhook(hook).await?;
    assert_eq!(state["failed_triggers"], recorded["webhook"]["failed_triggers"]);
    assert_eq!(state["active"], recorded["webhook"]["active"]);
    Ok(())
}

/// The note of the first row in a delivery's body.
fn note(delivery: &Delivery) -> Option<String> {
    let body: Value = serde_json::from_str(&delivery.body).ok()?;
    body["items"][0]["note"].as_str().map(str::to_owned)
}

#[tokio::test]
async fn a_failed_call_goes_behind_what_waits() -> anyhow::Result<()> {
    let world = world().await?;
    let hook = world
        .hook("essai", "/held/503", json!({"events": ["rows.updated"]}))
        .await?;
    write(&world, "A").await?;
    eventually("A is being delivered", async || {
        if world.receiver.count() == 1 { Ok(()) } else { Err(()) }
    })
    .await;
    // All calls go to the address that the webhook had when their event happened.
    for later in ["B", "C"] {
        write(&world, later).await?;
    }
    world.receiver.let_go();
    eventually("A is tried again", async || {
        if world.receiver.count() >= 4 {
            Ok(())
        } else {
            Err(world.receiver.count())
        }
    })
    .await;
    let seen: Vec<Option<String>> = world.receiver.take().iter().take(4).map(note).collect();
    let recorded = load(OUT_OF_ORDER)?;
    let wanted: Vec<Option<String>> = recorded["sequence"]
        .as_array()
        .into_iter()
        .flatten()
        .take(4)
        .map(|call| call["note"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(seen, wanted);
    world
        .send(Method::DELETE, &format!("/api/database/webhooks/{hook}/"), &json!({}))
        .await?;
    Ok(())
}

#[tokio::test]
async fn one_worker_keeps_the_order_and_four_do_not() -> anyhow::Result<()> {
    for (workers, is_ordered) in [(1, true), (4, false)] {
        let world = world().await?;
        world.set("export_workers", json!(workers)).await?;
        world
            .hook("essai", "/held/200", json!({"events": ["rows.updated"]}))
            .await?;
        let wanted: Vec<Option<String>> = (100..160).map(|number| Some(number.to_string())).collect();
        for number in wanted.iter().flatten() {
            write(&world, number).await?;
        }
        world.receiver.let_go();
        world.settle().await;
        let seen: Vec<Option<String>> = world.receiver.take().iter().map(note).collect();
        assert_eq!(seen == wanted, is_ordered, "{workers} workers: {seen:?}");
        let mut sorted = seen;
        sorted.sort();
        assert_eq!(sorted, wanted, "nothing is lost with {workers} workers");
    }
    Ok(())
}
