//! The server at its limits, and without its databases.

use passerelle_sandbox::faults::{Fault, FaultKind};
use reqwest::Method;
use serde_json::{Value, json};
use test_support::eventually;

use super::GENERAL;
use super::replay::{self, Replay, Who};

pub(crate) async fn limits(replay: &mut Replay) -> anyhow::Result<()> {
    let space = replay.known.ours(GENERAL).cloned().unwrap_or_default();
    let with_text =
        |text: String| json!({"spaceId": space, "title": "big 0.9", "content": text, "format": "markdown"}).to_string();
    let titled = |length: usize| {
        let title: String = "word ".chars().cycle().take(length).collect();
        json!({"spaceId": space, "title": title}).to_string()
    };
    let bodies = [
        ("07e-body-0.9MiB", with_text("lorem ".repeat(157_000))),
        ("07e-body-1.1MiB", with_text("lorem ".repeat(190_000))),
        ("07f-title-100000", titled(100_000)),
        ("07f-title-900000", titled(900_000)),
    ];
    for (name, body) in bodies {
        replay.play_body(Who::Admin, name, Some(body)).await?;
    }
    replay.control(Method::DELETE, "logins", Value::Null).await?;
    for _ in 0..10 {
        replay.play(Who::Admin, &["01g-login-wrong-password"]).await?;
    }
    let names = [
        "07h-login-429",
        "07i-login-429-valid-credentials",
        "07j-login-other-xff",
        "07k-users-me-not-throttled",
    ];
    replay.play(Who::Admin, &names).await?;
    replay.control(Method::DELETE, "logins", Value::Null).await?;
    Ok(())
}

/// Without PostgreSQL everything fails at once; when it is back, everything works at once.
pub(crate) async fn postgres_down(replay: &mut Replay) -> anyhow::Result<()> {
    let health = replay::captures().join("08a-pg-down-health.json");
    let health: Value = serde_json::from_str(&std::fs::read_to_string(health)?)?;
    let live = Fault::on("/api/health/live", FaultKind::Delay { ms: 0 });
    let status = |status: u16, body: Option<Value>| FaultKind::Status {
        status,
        headers: [("content-type".to_owned(), "application/json; charset=utf-8".to_owned())].into(),
        body,
    };
    let mut unwell = Fault::on("/api/health", status(503, Some(health["response"]["body"].clone())));
    if let FaultKind::Status { headers, .. } = &mut unwell.kind {
        let caching = "no-cache, no-store, must-revalidate";
        headers.insert("cache-control".to_owned(), caching.to_owned());
    }
    replay
        .server
        .faults
        .set(vec![live, unwell, Fault::on("*", status(500, None))]);
    let down = [
        "08a-pg-down-create",
        "08a-pg-down-health",
        "08a-pg-down-health-live",
        "08a-pg-down-info",
        "08a-pg-down-labels-add",
        "08a-pg-down-login",
        "08a-pg-down-me",
        "08a-pg-down-no-token",
        "08a-pg-down-search",
        "08a-pg-down-update-content",
        "08a-pg-down-update-title",
    ];
    replay.play(Who::Admin, &down).await?;
    replay.server.faults.clear();
    let back = [
        "08b-pg-back-create",
        "08b-pg-back-info",
        "08b-pg-back-update-content",
        "08b-pg-back-health",
    ];
    replay.play(Who::Admin, &back).await
}

/// Without Redis many calls hang. They are carried out later, although the client has given up.
pub(crate) async fn redis_down(replay: &mut Replay) -> anyhow::Result<()> {
    let later = FaultKind::ZombieWrite {
        after_ms: None,
        after_release_ms: 0,
    };
    let hanging = ["/api/auth", "/api/pages"].map(|path| Fault::on(path, later.clone()));
    replay.server.faults.set(hanging.to_vec());
    let up = [
        "08c-redis-down-me",
        "08c-redis-down-search",
        "08c-redis-down-health-live",
        "08c-redis-down-no-token",
    ];
    replay.play(Who::Admin, &up).await?;
    let unanswered = [
        "08c-redis-down-create",
        "08c-redis-down-login",
        "08c-redis-down-info",
        "08c-redis-down-labels-add",
        "08c-redis-down-update-title",
        "08c-redis-down-update-content",
    ];
    replay.play_unanswered(Who::Admin, &unanswered).await?;
    replay.server.faults.clear();
    let calls = replay.server.calls.clone();
    eventually("the abandoned calls are carried out", async || {
        let waiting = calls.list().into_iter().filter(|call| call.status.is_none()).count();
        if waiting == 0 { Ok(()) } else { Err(waiting) }
    })
    .await;
    let back = [
        "08d-redis-back-info",
        "08d-redis-back-create",
        "08d-redis-back-update-content",
        "08d-redis-back-login",
        "08d-redis-back-health",
    ];
    replay.play(Who::Admin, &back).await?;
    replay
        .page(
            "01a202e8-900d-77cf-bb61-18968b7aacca",
            "(moved)",
            json!({"spaceId": GENERAL, "title": "dup source"}),
        )
        .await?;
    replay.play(Who::Admin, &["04A9-move-to-space"]).await
}
