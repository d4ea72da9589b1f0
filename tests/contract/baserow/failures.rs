//! Failing receivers: what counts as a failure, and what the log of calls shows.

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
pub(crate) const LOGGED: &str = "98-webhook-get-with-calls";

/// A world with a row of `essai` to change.
pub(super) async fn world() -> anyhow::Result<World> {
    let world = World::start().await?;
    world.seed("essai", 1, json!({})).await?;
    world
        .seed("essai", 2, json!({"Intitulé de l'étape": "sem", "note": "before"}))
        .await?;
    Ok(world)
}

pub(super) async fn write(world: &World, note: &str) -> anyhow::Result<()> {
    let path = "/api/database/rows/table/9/2/?user_field_names=true";
    let (status, answer) = world.send(Method::PATCH, path, &json!({"note": note})).await?;
    anyhow::ensure!(status == 200, "{answer}");
    Ok(())
}

/// Slows retries down so far that none comes during a test.
async fn never_retry(world: &World) -> anyhow::Result<()> {
    world
        .control(Method::PUT, "baserow/time-scale", &json!({"scale": 0.001}))
        .await?;
    Ok(())
}

/// Waits until the webhook's log has a call.
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
        let seen = json!({
            "failed_triggers": seen["failed_triggers"], "logged_status": call["response_status"],
            "error": call["error"],
        });
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
