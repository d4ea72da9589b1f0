//! Slack's incoming webhook as a caller sees it.

use std::net::TcpListener;
use std::time::Duration;

use passerelle_sandbox::faults::{Fault, FaultKind};
use passerelle_sandbox::slack::{self, Options, Server};

fn start() -> anyhow::Result<(Server, reqwest::Client)> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let options = Options {
        slack_webhook: "T1/B1/secret".to_owned(),
    };
    let server = slack::start(TcpListener::bind("127.0.0.1:0")?, options)?;
    Ok((
        server,
        reqwest::Client::builder().timeout(Duration::from_secs(10)).build()?,
    ))
}

async fn post(http: &reqwest::Client, url: &str, body: &'static str) -> anyhow::Result<(u16, String)> {
    let answer = http.post(url).body(body).send().await?;
    Ok((answer.status().as_u16(), answer.text().await?))
}

#[tokio::test]
async fn it_answers_in_slacks_words() {
    let (server, http) = start().unwrap();
    let base = server.running.url();
    let said = async |path: &str, body| {
        let (status, words) = post(&http, &format!("{base}/services/{path}"), body).await.unwrap();
        format!("{status} {words}")
    };
    assert_eq!(said("T1/B1/secret", r#"{"text":"salut"}"#).await, "200 ok");
    assert_eq!(said("T1/B1/secret", r#"{"text":""}"#).await, "400 no_text");
    assert_eq!(said("T1/B1/secret", "text").await, "400 invalid_payload");
    assert_eq!(said("T1/B1/guess", r#"{"text":"x"}"#).await, "403 invalid_token");
    assert_eq!(said("T1/B2/secret", r#"{"text":"x"}"#).await, "404 no_service");
    assert_eq!(said("T2/B1/secret", r#"{"text":"x"}"#).await, "404 no_team");
    assert_eq!(server.messages.list(), [serde_json::json!({"text": "salut"})]);
    server.running.stop().await.unwrap();
}

#[tokio::test]
async fn its_limits_and_troubles_come_from_the_switches() {
    let (server, http) = start().unwrap();
    for (status, words) in [
        (410, "channel_is_archived"),
        (429, "rate_limited"),
        (500, "rollup_error"),
    ] {
        let fault: Fault = serde_json::from_value(serde_json::json!({"kind": "status", "status": status})).unwrap();
        server.running.faults.set(vec![fault]);
        let answer = post(&http, &server.webhook_url(), r#"{"text":"x"}"#).await.unwrap();
        assert_eq!(answer, (status, words.to_owned()));
    }
    server
        .running
        .faults
        .set(vec![Fault::on("/services", FaultKind::LostAnswer)]);
    assert!(post(&http, &server.webhook_url(), r#"{"text":"kept"}"#).await.is_err());
    assert_eq!(server.messages.list().len(), 1);
    server.running.stop().await.unwrap();
}
