//! A server in trouble: the recorded outages, made by the fault switches.

use reqwest::Method;
use serde_json::json;

use super::capture::Exchange;
use super::world::{World, same};

pub(crate) const WHILE_DOWN: &[&str] = &[
    "B1-pg-stopped-health",
    "B1-pg-stopped-get-row",
    "B1-pg-stopped-bad-token",
    "B1-pg-stopped-patch",
    "B1-pg-stopped-again",
    "B3-redis-stopped-health",
    "B3-redis-stopped-get-row",
    "B3-redis-stopped-patch",
];
pub(crate) const AFTERWARDS: &[&str] = &[
    "B2-pg-back-get-row",
    "B2-pg-back-get-row-2",
    "B2-pg-back-get-row-3",
    "B2-pg-back-patch",
    "B4-redis-back-get-row",
    "B4-redis-back-patch",
];
pub(crate) const THROTTLED: &str = "93-throttled-429";

#[tokio::test]
async fn an_outage_behind_the_server_looks_as_recorded() -> anyhow::Result<()> {
    let world = World::start().await?;
    for id in 1..=7 {
        world.seed("essai", id, json!({})).await?;
    }
    world.seed("essai", 8, json!({"note": "pg"})).await?;
    let broken = |path: &str| json!({"path": path, "kind": "status", "status": 500});
    world
        .control(Method::PUT, "faults", &json!([broken("/api/database/")]))
        .await?;
    for name in WHILE_DOWN {
        world.replay(name).await?;
    }
    world.control(Method::DELETE, "faults", &json!({})).await?;
    for name in AFTERWARDS {
        world.replay(name).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_throttled_call_is_answered_as_recorded() -> anyhow::Result<()> {
    let world = World::start().await?;
    let fault = json!({
        "path": "/api/database/rows/", "kind": "status", "status": 429, "headers": {"retry-after": "29"}, "times": 1,
    });
    world.control(Method::POST, "faults", &fault).await?;
    let recorded = Exchange::load(THROTTLED)?;
    let response = reqwest::get(format!("{}{}", world.url, recorded.request.path)).await?;
    assert_eq!(response.status().as_u16(), recorded.response.status);
    let retry_after = response.headers()["retry-after"].to_str()?.to_owned();
    assert_eq!(Some(&retry_after), recorded.response.headers.get("retry-after"));
    same(THROTTLED, &response.text().await?, &recorded.response.body)
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_has_happened() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.hook("projet", "/ok/lost", json!({})).await?;
    let fault = json!({"path": "/api/database/rows/", "method": "POST", "kind": "lost_answer", "times": 1});
    world.control(Method::POST, "faults", &fault).await?;
    let answer = world
        .send(Method::POST, "/api/database/rows/table/2/", &json!({}))
        .await;
    assert!(answer.is_err(), "the answer came: {answer:?}");
    world.settle().await;
    let rows = world.get("/api/database/rows/table/2/").await?;
    assert_eq!(rows["count"], json!(1));
    assert_eq!(world.receiver.count(), 1);
    Ok(())
}
