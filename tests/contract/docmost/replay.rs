//! Replays captured exchanges, and finds where an answer differs from the captured one.
//!
//! Ids, slugIds, cursors, keys and positions differ between servers. When a captured one appears in
//! an answer for the first time, the replay learns ours at the same place; from then on the two
//! must correspond, in requests and in answers. Times must be times. What is computed differently
//! (ranks, excerpts) must be present.

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use passerelle_sandbox::docmost::{self, OWNER_EMAIL, OWNER_PASSWORD, Options};
use passerelle_sandbox::server::Running;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use super::compare::Known;

/// Whose token a call carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Who {
    Admin,
    Bridge,
    Expired,
    ApiKey,
    Collab,
    Tampered,
}

/// How long a client waits for a call that should hang.
const GIVES_UP_AFTER: Duration = Duration::from_millis(300);

/// A sandbox, and the strings of the captured server that correspond to its own.
#[derive(Debug)]
pub(crate) struct Replay {
    pub(crate) server: Running,
    pub(crate) http: reqwest::Client,
    pub(crate) known: Known,
    pub(crate) tokens: BTreeMap<Who, String>,
    /// The captures that were played.
    pub(crate) played: BTreeSet<String>,
    pub(crate) differences: Vec<String>,
}

/// What a server answered.
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

/// The folder of the captures.
pub(crate) fn captures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("contract/captures/docmost")
}

impl Replay {
    /// A new sandbox with one space, as the captured server was.
    pub(crate) fn start() -> anyhow::Result<Self> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let options = Options {
            docmost_spaces: vec!["General".to_owned()],
            ..Options::default()
        };
        let mut known = Known::default();
        for (captured, ours) in [
            ("admin@bridge.test", OWNER_EMAIL),
            ("Throwaway-Pass-1", OWNER_PASSWORD),
            ("Bridge Admin", "Owner"),
            ("Bridge Test", "Sandbox"),
        ] {
            known.learn(captured, ours);
        }
        Ok(Self {
            server: docmost::start(TcpListener::bind("127.0.0.1:0")?, options)?,
            http: reqwest::Client::builder().timeout(Duration::from_secs(20)).build()?,
            known,
            tokens: BTreeMap::new(),
            played: BTreeSet::new(),
            differences: Vec::new(),
        })
    }

    /// Replays captures, one after the other.
    pub(crate) async fn play(&mut self, who: Who, names: &[&str]) -> anyhow::Result<()> {
        for name in names {
            self.play_body(who, name, None)
                .await
                .with_context(|| (*name).to_owned())?;
        }
        Ok(())
    }

    /// Replays a capture whose body was too long to keep.
    pub(crate) async fn play_body(&mut self, who: Who, name: &str, body: Option<String>) -> anyhow::Result<()> {
        let capture = self.capture(name)?;
        let request = self.request(who, &capture["request"], body)?;
        let answer = read(request.send().await?).await?;
        let expected = &capture["response"];
        if expected["status"] != answer.status {
            let (status, body) = (answer.status, &answer.body);
            self.differences.push(format!(
                "{name}: {} was captured, not {status} {body}",
                expected["status"]
            ));
            return Ok(());
        }
        let headers = headers_differ(&expected["headers"], &answer.headers);
        self.differences
            .extend(headers.into_iter().map(|what| format!("{name}: {what}")));
        let found = self.known.compare(&expected["body"], &answer.body);
        self.differences
            .extend(found.into_iter().map(|what| format!("{name}: {what}")));
        Ok(())
    }

    /// Replays captures that had no answer: the client must give up.
    pub(crate) async fn play_unanswered(&mut self, who: Who, names: &[&str]) -> anyhow::Result<()> {
        for name in names {
            let capture = self.capture(name)?;
            let request = self.request(who, &capture["request"], None)?.timeout(GIVES_UP_AFTER);
            match request.send().await {
                Err(error) if error.is_timeout() => {}
                other => self
                    .differences
                    .push(format!("{name}: no answer was captured, not {other:?}")),
            }
        }
        Ok(())
    }

    /// Makes a call that is not among the captures; gives `data`.
    pub(crate) async fn call(&mut self, who: Who, path: &str, body: Value) -> anyhow::Result<Value> {
        let body = self.known.translated(&body);
        let url = format!("{}/api/{path}", self.server.url());
        let token = self.tokens.get(&who).context("no token yet")?;
        let answer = read(self.http.post(url).bearer_auth(token).json(&body).send().await?).await?;
        anyhow::ensure!(answer.status == 200, "{path}: {} {}", answer.status, answer.body);
        Ok(answer.body["data"].clone())
    }

    /// Creates a page that the captured server had, but whose creation was not captured. Learns its
    /// ids.
    pub(crate) async fn page(&mut self, id: &str, slug_id: &str, body: Value) -> anyhow::Result<()> {
        let page = self.call(Who::Admin, "pages/create", body).await?;
        self.known.learn(id, page["id"].as_str().context("an id")?);
        self.known.learn(slug_id, page["slugId"].as_str().context("a slugId")?);
        Ok(())
    }

    /// Logs in, and keeps the token.
    pub(crate) async fn log_in(&mut self, who: Who, email: &str, password: &str) -> anyhow::Result<()> {
        let url = format!("{}/api/auth/login", self.server.url());
        let body = json!({"email": email, "password": password});
        let answer = read(self.http.post(url).json(&body).send().await?).await?;
        self.tokens.insert(who, cookie(&answer.headers)?);
        Ok(())
    }

    /// Calls a control route of the sandbox.
    pub(crate) async fn control(&self, method: reqwest::Method, path: &str, body: Value) -> anyhow::Result<Value> {
        let url = format!("{}/_sandbox/{path}", self.server.url());
        let answer = read(self.http.request(method, url).json(&body).send().await?).await?;
        anyhow::ensure!(answer.status < 300, "{path}: {} {}", answer.status, answer.body);
        Ok(answer.body)
    }

    fn capture(&mut self, name: &str) -> anyhow::Result<Value> {
        self.played.insert(name.to_owned());
        let text = std::fs::read_to_string(captures().join(format!("{name}.json")))?;
        Ok(serde_json::from_str(&text)?)
    }

    fn request(&self, who: Who, captured: &Value, body: Option<String>) -> anyhow::Result<reqwest::RequestBuilder> {
        let method = captured["method"].as_str().context("a method")?.parse()?;
        let path = captured["path"].as_str().context("a path")?;
        let mut request = self.http.request(method, format!("{}{path}", self.server.url()));
        for (name, value) in captured["headers"].as_object().into_iter().flatten() {
            let value = value.as_str().context("a header")?;
            let token = || self.tokens.get(&who).context("no token yet");
            let value = if value.contains("<jwt>") {
                value.replace("<jwt>", token()?)
            } else {
                value.to_owned()
            };
            request = request.header(name, value);
        }
        Ok(match (body, &captured["body"]) {
            (Some(body), _) => request.body(body),
            (None, Value::Null) => request,
            (None, Value::String(raw)) => request.body(self.known.translated_text(raw)),
            (None, json) => request.body(serde_json::to_vec(&self.known.translated(json))?),
        })
    }
}

async fn read(response: reqwest::Response) -> anyhow::Result<Answer> {
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await?;
    Ok(Answer {
        status,
        headers,
        body: serde_json::from_str(&text).unwrap_or(Value::String(text)),
    })
}

/// The token in the cookie of an answer.
pub(crate) fn cookie(headers: &HeaderMap) -> anyhow::Result<String> {
    let cookie = headers.get("set-cookie").context("no cookie")?.to_str()?;
    let token = cookie
        .strip_prefix("authToken=")
        .and_then(|rest| rest.split(';').next());
    Ok(token.context("another cookie")?.to_owned())
}

/// The differences in the headers that a client may read.
fn headers_differ(expected: &Value, ours: &HeaderMap) -> Vec<String> {
    let own = |name: &str| ours.get(name).and_then(|value| value.to_str().ok()).unwrap_or("(none)");
    let mut found = Vec::new();
    for name in ["content-type", "cache-control", "x-ratelimit-limit-auth"] {
        if let Some(expected) = expected[name].as_str()
            && expected != own(name)
        {
            found.push(format!("header {name}: {expected} was captured, not {}", own(name)));
        }
    }
    for name in [
        "x-ratelimit-remaining-auth",
        "x-ratelimit-reset-auth",
        "retry-after-auth",
    ] {
        if expected[name].is_string() && own(name).parse::<u32>().map_or(true, |number| number > 60) {
            found.push(format!(
                "header {name}: a number up to 60 was captured, not {}",
                own(name)
            ));
        }
    }
    if let Some(expected) = expected["set-cookie"].as_str() {
        let shape = |cookie: &str| -> Vec<String> {
            let parts = cookie
                .split("; ")
                .map(|part| part.split('=').next().unwrap_or_default().to_owned());
            parts.collect()
        };
        if shape(expected) != shape(own("set-cookie")) {
            found.push(format!("cookie: {expected} was captured, not {}", own("set-cookie")));
        }
    }
    found
}
