//! Routes that say how the server is, and which one it is.

use serde_json::json;

use super::envelope::{Answer, Reply};
use super::state::{Call, World};

/// `GET` routes; none if there is no such route.
pub(super) fn route(path: &str) -> Option<Answer> {
    let up = json!({"database": {"status": "up"}, "redis": {"status": "up"}});
    match path {
        "/api" => Some(Ok(Reply::data(json!("Hello World!")))),
        "/api/health" => Some(Ok(Reply::bare(
            json!({"status": "ok", "info": up, "error": {}, "details": up}),
        ))),
        "/api/health/live" => Some(Ok(Reply::data(json!("ok")))),
        _ => None,
    }
}

/// `version`.
#[expect(clippy::unnecessary_wraps, reason = "all routes have one shape")]
pub(super) fn version(_world: &mut World, _call: &Call) -> Answer {
    Ok(Reply::data(json!({
        "currentVersion": "0.95.0", "latestVersion": 0,
        "releaseUrl": "https://github.com/docmost/docmost/releases",
    })))
}
