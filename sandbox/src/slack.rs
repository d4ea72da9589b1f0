//! The stand-in for Slack's incoming webhooks: `POST /services/<team>/<webhook>/<token>`.
//!
//! It answers as Slack does (200 `ok`; 400 `invalid_payload` or `no_text`; 403 `invalid_token`; 404
//! `no_team` or `no_service`) and keeps the messages: `GET /_sandbox/messages`, `DELETE
//! /_sandbox/messages`. Other failures come from the fault switches, in Slack's words: status 410
//! is `channel_is_archived`, 429 `rate_limited`, 500 `rollup_error`.

use std::io;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actix_web::http::StatusCode;
use actix_web::web::{self, Bytes, Data, Json, Path};
use actix_web::{HttpResponse, Responder};
use serde_json::Value;

use crate::faults::LoseContent;
use crate::server::{Manners, Running, serve};

const MANNERS: Manners = Manners {
    name: "Slack",
    sign_of_life: &[],
    socket: None,
    body_limit: 1024 * 1024,
    failure,
};

/// How the sandbox's Slack is set up.
#[derive(Debug, Clone, clap::Args)]
#[group(id = "slack")]
pub struct Options {
    /// The webhook that Slack knows, as in its address: team, webhook and token.
    #[arg(long, default_value = "T00000001/B00000001/sandboxsandboxsandboxsan")]
    pub slack_webhook: String,
}

/// The messages that came in. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Messages {
    kept: Arc<Mutex<Vec<Value>>>,
}

impl Messages {
    /// The payloads, oldest first.
    pub fn list(&self) -> Vec<Value> {
        self.locked().clone()
    }

    /// Removes all messages.
    pub fn clear(&self) {
        self.locked().clear();
    }

    fn locked(&self) -> MutexGuard<'_, Vec<Value>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A server that listens, and its messages.
#[derive(Debug)]
pub struct Server {
    /// The address, the fault switches and the log of calls.
    pub running: Running,
    /// The messages that came in.
    pub messages: Messages,
    webhook: String,
}

impl Server {
    /// The URL of the webhook.
    pub fn webhook_url(&self) -> String {
        format!("{}/services/{}", self.running.url(), self.webhook)
    }
}

/// Starts the server on `listener`. Must be called inside a tokio runtime.
pub fn start(listener: TcpListener, options: Options) -> io::Result<Server> {
    let messages = Messages::default();
    let (kept, webhook) = (messages.clone(), options.slack_webhook.clone());
    let running = serve(listener, MANNERS, move |routes| {
        routes
            .app_data(Data::new(kept))
            .app_data(Data::new(Webhook(webhook)))
            .route("/services/{team}/{webhook}/{token}", web::post().to(receive))
            .service(
                web::resource("/_sandbox/messages")
                    .route(web::get().to(list_messages))
                    .route(web::delete().to(clear_messages)),
            );
    })?;
    Ok(Server {
        running,
        messages,
        webhook: options.slack_webhook,
    })
}

#[derive(Debug)]
struct Webhook(String);

impl Webhook {
    /// Slack's answer to a wrong address; none for the right one.
    fn refusal(&self, asked: &(String, String, String)) -> Option<(StatusCode, &'static str)> {
        let mut known = self.0.split('/');
        if known.next() != Some(asked.0.as_str()) {
            return Some((StatusCode::NOT_FOUND, "no_team"));
        }
        if known.next() != Some(asked.1.as_str()) {
            return Some((StatusCode::NOT_FOUND, "no_service"));
        }
        (known.next() != Some(asked.2.as_str())).then_some((StatusCode::FORBIDDEN, "invalid_token"))
    }
}

async fn receive(
    address: Path<(String, String, String)>,
    webhook: Data<Webhook>,
    messages: Data<Messages>,
    lose: Option<web::ReqData<LoseContent>>,
    body: Bytes,
) -> HttpResponse {
    if let Some((status, word)) = webhook.refusal(&address) {
        return words(status, word);
    }
    let Ok(payload @ Value::Object(_)) = serde_json::from_slice::<Value>(&body) else {
        return words(StatusCode::BAD_REQUEST, "invalid_payload");
    };
    let filled = |key: &str| match payload.get(key) {
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Array(list)) => !list.is_empty(),
        _ => false,
    };
    if !["text", "blocks", "attachments"].into_iter().any(filled) {
        return words(StatusCode::BAD_REQUEST, "no_text");
    }
    if lose.is_none() {
        messages.locked().push(payload);
    }
    words(StatusCode::OK, "ok")
}

async fn list_messages(messages: Data<Messages>) -> impl Responder {
    Json(messages.list())
}

async fn clear_messages(messages: Data<Messages>) -> impl Responder {
    messages.clear();
    HttpResponse::NoContent()
}

fn words(status: StatusCode, text: &'static str) -> HttpResponse {
    HttpResponse::build(status).content_type("text/html").body(text)
}

/// A failure in Slack's words.
fn failure(status: StatusCode) -> HttpResponse {
    words(
        status,
        match status {
            StatusCode::FORBIDDEN => "action_prohibited",
            StatusCode::NOT_FOUND => "channel_not_found",
            StatusCode::GONE => "channel_is_archived",
            StatusCode::TOO_MANY_REQUESTS => "rate_limited",
            StatusCode::INTERNAL_SERVER_ERROR => "rollup_error",
            other => other.canonical_reason().unwrap_or("failure"),
        },
    )
}
