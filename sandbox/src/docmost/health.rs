//! Health routes.

use serde_json::json;

use super::envelope::{Answer, Reply};

/// The answer of a `GET` route; none if the path is not one.
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
