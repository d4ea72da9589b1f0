//! The faults that were observed on real servers happen when their switch is set.

use std::net::TcpListener;
use std::time::Duration;

use passerelle_sandbox::docmost::{self, BRIDGE_EMAIL, BRIDGE_PASSWORD, Options};
use passerelle_sandbox::faults::{Fault, FaultKind};
use passerelle_sandbox::server::Running;
use reqwest::header::HeaderValue;
use serde_json::{Value, json};
use test_support::eventually;

/// A server, and a client of it that is logged in as the bridge.
struct Client {
    server: Running,
    http: reqwest::Client,
    token: String,
    space: String,
}

const CREATE: &str = "/api/pages/create";
/// How long an impatient client waits for an answer.
const IMPATIENT: Duration = Duration::from_millis(300);

impl Client {
    async fn start() -> anyhow::Result<Self> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let server = docmost::start(TcpListener::bind("127.0.0.1:0")?, Options::default())?;
        let mut client = Self {
            server,
            http: reqwest::Client::builder().timeout(Duration::from_secs(20)).build()?,
            token: String::new(),
            space: String::new(),
        };
        let body = json!({"email": BRIDGE_EMAIL, "password": BRIDGE_PASSWORD});
        let answer = client.post("/api/auth/login", &body).send().await?;
        client.token = super::replay::cookie(answer.headers())?;
        let space = client
            .post("/api/spaces/info", &json!({"spaceId": "agence"}))
            .send()
            .await?;
        let space: Value = space.json().await?;
        space["data"]["id"]
            .as_str()
            .unwrap_or_default()
            .clone_into(&mut client.space);
        Ok(client)
    }

    fn post(&self, path: &str, body: &Value) -> reqwest::RequestBuilder {
        let url = format!("{}{path}", self.server.url());
        self.http.post(url).bearer_auth(&self.token).json(body)
    }

    fn create(&self) -> reqwest::RequestBuilder {
        self.post(CREATE, &json!({"spaceId": self.space, "title": "Projet"}))
    }

    async fn pages(&self) -> anyhow::Result<usize> {
        let url = format!("{}/_sandbox/pages", self.server.url());
        let pages: Vec<Value> = self.http.get(url).send().await?.json().await?;
        Ok(pages.len())
    }

    async fn has_pages(&self, count: usize) {
        eventually("the page is there", async || match self.pages().await {
            Ok(pages) if pages == count => Ok(()),
            other => Err(other.map_err(|error| error.to_string())),
        })
        .await;
    }
}

#[tokio::test]
async fn a_create_that_was_given_up_appears_when_the_server_is_whole_again() {
    let client = Client::start().await.unwrap();
    let later = FaultKind::ZombieWrite {
        after_ms: None,
        after_release_ms: 20,
    };
    client.server.faults.set(vec![Fault::on(CREATE, later)]);
    let gave_up = client.create().timeout(IMPATIENT).send().await.unwrap_err();
    assert!(gave_up.is_timeout(), "{gave_up:?}");
    assert_eq!(client.pages().await.unwrap(), 0);
    client.server.faults.clear();
    client.has_pages(1).await;
}

#[tokio::test]
async fn a_create_that_was_given_up_can_appear_by_itself() {
    let client = Client::start().await.unwrap();
    let later = FaultKind::ZombieWrite {
        after_ms: Some(400),
        after_release_ms: 0,
    };
    client.server.faults.set(vec![Fault::on(CREATE, later)]);
    assert!(client.create().timeout(IMPATIENT).send().await.is_err());
    client.has_pages(1).await;
}

#[tokio::test]
async fn a_lost_answer_leaves_one_page_and_no_byte() {
    let client = Client::start().await.unwrap();
    client
        .server
        .faults
        .set(vec![Fault::on(CREATE, FaultKind::LostAnswer).times(1)]);
    let lost = client.create().send().await.unwrap_err();
    assert!(lost.is_request() && !lost.is_timeout(), "{lost:?}");
    assert_eq!(client.pages().await.unwrap(), 1);
    assert_eq!(client.create().send().await.unwrap().status(), 200);
    assert_eq!(client.pages().await.unwrap(), 2);
}

#[tokio::test]
async fn a_failure_after_the_write_leaves_one_page() {
    let client = Client::start().await.unwrap();
    let kind = FaultKind::FailedButDone { status: 500 };
    client.server.faults.set(vec![Fault::on(CREATE, kind).times(1)]);
    let answer = client.create().send().await.unwrap();
    assert_eq!(answer.status(), 500);
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body, json!({"statusCode": 500, "message": "Internal server error"}));
    assert_eq!(client.pages().await.unwrap(), 1);
}

#[tokio::test]
async fn a_reset_connection_leaves_nothing() {
    let client = Client::start().await.unwrap();
    client
        .server
        .faults
        .set(vec![Fault::on("*", FaultKind::Reset).times(1)]);
    assert!(client.create().send().await.is_err());
    assert_eq!(client.pages().await.unwrap(), 0);
    assert_eq!(client.create().send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_hanging_call_is_cut_when_the_switch_is_cleared_and_never_carried_out() {
    let client = Client::start().await.unwrap();
    client.server.faults.set(vec![Fault::on(CREATE, FaultKind::Hang)]);
    let calls = client.server.calls.clone();
    let hanging = tokio::spawn(client.create().send());
    eventually("the call hangs", async || match calls.count(CREATE) {
        1 => Ok(()),
        count => Err(count),
    })
    .await;
    client.server.faults.clear();
    assert!(hanging.await.unwrap().is_err());
    assert_eq!(client.pages().await.unwrap(), 0);
}

#[tokio::test]
async fn a_wedged_server_says_that_it_lives_and_answers_nothing_else() {
    let client = Client::start().await.unwrap();
    client.server.faults.set(vec![Fault::on("*", FaultKind::Wedge)]);
    let get = |path: &str| client.http.get(format!("{}{path}", client.server.url()));
    assert_eq!(get("/api/health/live").send().await.unwrap().status(), 200);
    assert!(
        get("/api/health")
            .timeout(IMPATIENT)
            .send()
            .await
            .unwrap_err()
            .is_timeout()
    );
    assert!(
        client
            .create()
            .timeout(IMPATIENT)
            .send()
            .await
            .unwrap_err()
            .is_timeout()
    );
    client.server.faults.clear();
    assert_eq!(get("/api/health").send().await.unwrap().status(), 200);
    assert_eq!(client.create().send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn lost_content_is_answered_as_a_success_that_shows_the_old_content() {
    let client = Client::start().await.unwrap();
    let page = json!({"spaceId": client.space, "content": "old", "format": "markdown"});
    let page: Value = client.post(CREATE, &page).send().await.unwrap().json().await.unwrap();
    client
        .server
        .faults
        .set(vec![Fault::on("/api/pages/update", FaultKind::ContentLost).times(1)]);
    let update = json!({
        "pageId": page["data"]["id"], "title": "new title", "content": "new", "format": "markdown",
        "operation": "replace",
    });
    let answer = client.post("/api/pages/update", &update).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let answer: Value = answer.json().await.unwrap();
    assert_eq!(
        (&answer["data"]["title"], &answer["data"]["content"]),
        (&json!("new title"), &json!("old"))
    );
    let answer: Value = client
        .post("/api/pages/update", &update)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(answer["data"]["content"], "new");
}

#[tokio::test]
async fn switches_can_be_thrown_and_calls_be_counted_over_http() {
    let client = Client::start().await.unwrap();
    let control = |path: &str| format!("{}/_sandbox/{path}", client.server.url());
    let fault =
        json!([{"path": CREATE, "kind": "status", "status": 429, "headers": {"retry-after-auth": "7"}, "times": 1}]);
    let set = client.http.put(control("faults")).json(&fault).send().await.unwrap();
    assert_eq!(set.status(), 200);
    client.http.delete(control("log")).send().await.unwrap();
    let answer = client
        .create()
        .header("X-Bridge-Origin", "bridge")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 429);
    assert_eq!(
        answer.headers().get("retry-after-auth"),
        Some(&HeaderValue::from_static("7"))
    );
    assert_eq!(client.create().send().await.unwrap().status(), 200);
    let calls: Vec<Value> = client
        .http
        .get(control("log"))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let seen: Vec<_> = calls
        .iter()
        .map(|call| (&call["path"], &call["status"], &call["fault"], &call["origin"]))
        .collect();
    let (path, none) = (json!(CREATE), Value::Null);
    let expected = [
        (&path, &json!(429), &json!("status"), &json!("bridge")),
        (&path, &json!(200), &none, &none),
    ];
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn ending_all_sessions_makes_every_token_worthless_and_a_new_login_works() {
    let mut client = Client::start().await.unwrap();
    let sessions = format!("{}/_sandbox/sessions", client.server.url());
    client.http.delete(sessions).send().await.unwrap();
    assert_eq!(client.create().send().await.unwrap().status(), 401);
    let body = json!({"email": BRIDGE_EMAIL, "password": BRIDGE_PASSWORD});
    let answer = client.post("/api/auth/login", &body).send().await.unwrap();
    client.token = super::replay::cookie(answer.headers()).unwrap();
    assert_eq!(client.create().send().await.unwrap().status(), 200);
}
