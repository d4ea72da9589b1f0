//! Failing receivers: what counts as a failure, retries, order, and the end of a webhook that keeps failing.

use reqwest::Method;
use serde_json::{Value, json};
use test_support::eventually;

use super::capture::{Delivery, Exchange, blank, load};
use super::world::{World, same};

pub(crate) const STATUSES: &str = "71-status-matrix";
pub(crate) const CALL_LOGS: &[(&str, &str)] = &[("71-call-log-200", "200"), ("71-call-log-401", "401")];
pub(crate) const REDIRECTS: &[&str] = &["301", "302", "303", "307", "308"];
pub(crate) const REDIRECT_MATRIX: &str = "72-redirect-matrix";
pub(crate) const REFUSED: &str = "73-connection-refused";
pub(crate) const TIMEOUT: &str = "73-timeout";
pub(crate) const OUT_OF_ORDER: &str = "74-retry-out-of-order";
pub(crate) const ATTEMPTS: &str = "70-deactivated-all-attempts";
pub(crate) const TIMELINE: &str = "70-deactivation-timeline";
pub(crate) const DEACTIVATED: &str = "70-deactivated-webhook-GET";
pub(crate) const REACTIVATED: &str = "70-reactivate-PATCH";
pub(crate) const FAST: &str = "75-fast-deactivation";
pub(crate) const LOGGED: &str = "98-webhook-get-with-calls";

/// A world with one row of `essai` to be changed.
async fn world() -> anyhow::Result<World> {
    let world = World::start().await?;
    world.seed("essai", 1, json!({})).await?;
    world
        .seed("essai", 2, json!({"Intitulé de l'étape": "sem", "note": "before"}))
        .await?;
    Ok(world)
}

async fn write(world: &World, note: &str) -> anyhow::Result<()> {
    let path = "/api/database/rows/table/9/2/?user_field_names=true";
    let (status, answer) = world.send(Method::PATCH, path, &json!({"note": note})).await?;
    anyhow::ensure!(status == 200, "{answer}");
    Ok(())
}

/// Slows the stand-in down so far that no retry comes while a test looks.
async fn never_retry(world: &World) -> anyhow::Result<()> {
    world
        .control(Method::PUT, "baserow/time-scale", &json!({"scale": 0.001}))
        .await?;
    Ok(())
}

/// Waits until the webhook's log tells of a call.
async fn logged(world: &World, hook: u64) -> Value {
    eventually("the call is logged", async || {
        let hook = world.webhook(hook).await.map_err(|error| format!("{error:#}"))?;
        if hook["calls"][0].is_null() {
            Err(hook.to_string())
        } else {
            Ok(hook)
        }
    })
    .await
}

#[tokio::test]
async fn a_status_counts_as_recorded() -> anyhow::Result<()> {
    let world = world().await?;
    never_retry(&world).await?;
    for (status, wanted) in load(STATUSES)?.as_object().into_iter().flatten() {
        let hook = world
            .hook(
                "essai",
                &format!("/status/{status}"),
                json!({"events": ["rows.updated"]}),
            )
            .await?;
        write(&world, &format!("s{status}")).await?;
        let seen = logged(&world, hook).await;
        let call = &seen["calls"][0];
        let seen = json!({"failed_triggers": seen["failed_triggers"], "logged_status": call["response_status"], "error": call["error"]});
        assert_eq!(seen, *wanted, "{status}");
        world
            .send(Method::DELETE, &format!("/api/database/webhooks/{hook}/"), &json!({}))
            .await?;
    }
    Ok(())
}

#[tokio::test]
async fn the_call_log_shows_what_was_recorded() -> anyhow::Result<()> {
    let world = world().await?;
    never_retry(&world).await?;
    for (name, status) in CALL_LOGS {
        let recorded = load(name)?["calls"][0].clone();
        let before = if *status == "200" { "h" } else { "s400" };
        write(&world, before).await?;
        let hook = world
            .hook(
                "essai",
                &format!("/status/{status}"),
                json!({"events": ["rows.updated"]}),
            )
            .await?;
        write(&world, &format!("s{status}")).await?;
        let seen = logged(&world, hook).await["calls"][0].clone();
        let text = |json: &Value| super::capture::blank_ids(&json.to_string());
        same(name, &text(&seen), &text(&recorded))?;
        world
            .send(Method::DELETE, &format!("/api/database/webhooks/{hook}/"), &json!({}))
            .await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_webhook_shows_its_calls_and_secrets() -> anyhow::Result<()> {
    let world = world().await?;
    never_retry(&world).await?;
    for id in 3..=6 {
        world.seed("essai", id, json!({})).await?;
    }
    let hook = world
        .hook(
            "essai",
            "/status/401",
            json!({"events": ["rows.created"], "name": "rec"}),
        )
        .await?;
    let path = "/api/database/rows/table/9/?user_field_names=true";
    world.send(Method::POST, path, &json!({"note": "cl"})).await?;
    let seen = logged(&world, hook).await;
    let recorded = Exchange::load(LOGGED)?.response.body;
    let text = |text: &str| super::capture::blank_ids(text);
    same(LOGGED, &text(&seen.to_string()), &text(&recorded))
}

#[tokio::test]
async fn redirects_are_followed_as_recorded() -> anyhow::Result<()> {
    let world = world().await?;
    let matrix = load(REDIRECT_MATRIX)?;
    let headers = json!({"X-Bridge-Secret": "s3cr3t-Value", "Authorization": "Bearer abc"});
    let mut before = "before".to_owned();
    for status in REDIRECTS {
        let wanted: Vec<Delivery> = Delivery::load(&format!("72-redirect-{status}"))?;
        let body: Value = serde_json::from_str(&wanted[0].body)?;
        let (old, new) = (&body["old_items"][0]["note"], &body["items"][0]["note"]);
        if old.as_str() != Some(before.as_str()) {
            write(&world, old.as_str().unwrap_or_default()).await?;
        }
        let hook = world
            .hook(
                "essai",
                &format!("/redir/{status}"),
                json!({"events": ["rows.updated"], "headers": headers}),
            )
            .await?;
        new.as_str().unwrap_or_default().clone_into(&mut before);
        write(&world, &before).await?;
        world.settle().await;
        let seen: Vec<Delivery> = world.receiver.take().iter().map(Delivery::blanked).collect();
        let wanted: Vec<Delivery> = wanted.iter().map(Delivery::blanked).collect();
        same(status, &format!("{seen:#?}"), &format!("{wanted:#?}"))?;
        let state = world.webhook(hook).await?;
        assert_eq!(state["failed_triggers"], matrix[*status]["failed_triggers"], "{status}");
        assert_eq!(
            state["calls"][0]["response_status"], matrix[*status]["logged_status"],
            "{status}"
        );
        world
            .send(Method::DELETE, &format!("/api/database/webhooks/{hook}/"), &json!({}))
            .await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_receiver_that_is_away_is_logged_in_the_recorded_words() -> anyhow::Result<()> {
    let world = world().await?;
    never_retry(&world).await?;
    let hook = json!({"table": "essai", "url": "http://127.0.0.1:9/x", "events": ["rows.updated"]});
    let hook = world.control(Method::POST, "baserow/webhooks", &hook).await?["id"]
        .as_u64()
        .expect("an id");
    write(&world, "cr").await?;
    let seen = logged(&world, hook).await;
    let text = |json: &Value| blank(&json["calls"][0]["error"].to_string());
    same(REFUSED, &text(&seen), &text(&load(REFUSED)?))
}

#[tokio::test]
async fn a_receiver_that_is_too_slow_has_failed() -> anyhow::Result<()> {
    let world = world().await?;
    never_retry(&world).await?;
    world.set("request_timeout_ms", json!(50)).await?;
    let hook = world
        .hook("essai", "/slow/20", json!({"events": ["rows.updated"]}))
        .await?;
    write(&world, "slow").await?;
    let seen = logged(&world, hook).await;
    let recorded = &load(TIMEOUT)?["webhook"];
    assert_eq!(seen["failed_triggers"], recorded["failed_triggers"]);
    assert_eq!(seen["calls"][0]["response_status"], Value::Null);
    let words = |json: &Value| blank(&json["calls"][0]["error"].to_string()).replace("timeout=0.05)", "timeout=5)");
    same(TIMEOUT, &words(&seen), &words(recorded))
}

#[tokio::test]
async fn one_failing_event_is_tried_nine_times_and_ends_the_webhook() -> anyhow::Result<()> {
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

/// The pauses between the attempts, in the product's seconds: never shorter than recorded, and doubling.
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
        // A second of the product is a millisecond here; the clock of the log counts whole ones.
        assert!(pause + 1 >= 1 << index, "pause {index} was {pause} ms");
    }
    Ok(())
}

#[tokio::test]
async fn a_busy_table_ends_its_webhook_after_nine_attempts() -> anyhow::Result<()> {
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

/// The notes of the updates in a delivery's body.
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
    // The first call fails at the old address; everything later, and the retries of A as well, would go there too.
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
