//! The Slack client against a webhook that answers as Slack does.

use std::net::TcpListener;
use std::time::Duration;

use passerelle_model::config::{Locale, SlackSettings};
use passerelle_model::id::JobKey;
use passerelle_model::ledger::FailureClass;
use passerelle_sandbox::faults::{Fault, FaultKind};
use passerelle_sandbox::slack::{self, Options, Server};
use passerelle_worker::clients::slack::Slack;
use passerelle_worker::content::notice::{Audience, Notice, NoticeKind};
use passerelle_worker::content::rendered::Rendered;
use passerelle_worker::failure::Failure;
use passerelle_worker::journal::Journal;
use passerelle_worker::outbox::templates::Templates;
use serde_json::json;

fn start() -> anyhow::Result<Server> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let options = Options {
        slack_webhook: "T1/B1/s3cret".to_owned(),
    };
    Ok(slack::start(TcpListener::bind("127.0.0.1:0")?, options)?)
}

fn words() -> anyhow::Result<Rendered> {
    let context = json!({"page": "Tarifs <2026> & été 🚀", "space": "<!channel>"});
    let notice = Notice::new(
        JobKey::parse("notice/1/share")?,
        NoticeKind::ShareCreated,
        Audience::Admin,
        context.as_object().cloned().unwrap_or_default(),
    );
    Ok(Templates::load("no-such-folder".as_ref(), &Locale::default())?.render(&notice)?)
}

async fn post(webhook: String) -> anyhow::Result<Result<(), Failure>> {
    let slack = Slack::new(&SlackSettings {
        webhook: webhook.into(),
        timeout: Duration::from_secs(2),
        authorities: None,
    })?;
    Ok(slack.post(&mut Journal::default(), &words()?).await)
}

#[tokio::test]
async fn a_notice_is_posted_and_its_marks_are_harmless() {
    let server = start().unwrap();
    post(server.webhook_url()).await.unwrap().unwrap();
    let messages = server.messages.list();
    let text = messages[0]["text"].as_str().unwrap();
    assert!(
        text.starts_with("*Page rendue publique : Tarifs &lt;2026&gt; &amp; été 🚀*\n"),
        "{text}"
    );
    assert!(text.contains("&lt;!channel&gt;") && !text.contains('<'), "{text}");
    assert_eq!(server.running.calls.list()[0].origin.as_deref(), Some("bridge"));
    server.running.stop().await.unwrap();
}

#[tokio::test]
async fn each_answer_of_slack_has_its_class() {
    use FailureClass::{Ambiguous, Auth, Permanent, Throttled, Transient};
    let server = start().unwrap();
    for (fault, class, wait) in [
        (json!({"status": 400, "body": "invalid_payload"}), Permanent, None),
        (json!({"status": 403}), Auth, None),
        (json!({"status": 404}), Auth, None),
        (json!({"status": 410}), Auth, None),
        (
            json!({"status": 429, "headers": {"retry-after": "30"}}),
            Throttled,
            Some(30),
        ),
        (json!({"status": 429}), Throttled, None),
        (
            json!({"status": 503, "headers": {"retry-after": "5"}}),
            Throttled,
            Some(5),
        ),
        (json!({"status": 500}), Ambiguous, None),
        // A proxy in its place: the notice is innocent.
        (json!({"status": 200, "body": "<html>proxy</html>"}), Ambiguous, None),
        (json!({"status": 302, "body": "Found"}), Transient, None),
        (json!({"status": 400, "body": "<h1>Bad Request</h1>"}), Transient, None),
        (json!({"status": 404, "body": "404 page not found"}), Transient, None),
    ] {
        let mut described = fault.clone();
        described["kind"] = "status".into();
        server
            .running
            .faults
            .set(vec![serde_json::from_value(described).unwrap()]);
        let failure = post(server.webhook_url()).await.unwrap().unwrap_err();
        assert_eq!(
            (failure.class, failure.retry_after.map(|wait| wait.as_secs())),
            (class, wait),
            "{fault}"
        );
        assert!(!failure.to_string().contains("s3cret"), "{failure}");
    }
    assert!(server.messages.list().is_empty());
    server.running.stop().await.unwrap();
}

#[tokio::test]
async fn whatever_a_compatible_endpoint_says_with_success_counts_as_sent() {
    let server = start().unwrap();
    for answer in [
        json!({"status": 200, "body": "{\"success\":true}"}),
        json!({"status": 201, "body": ""}),
        json!({"status": 204, "body": ""}),
    ] {
        let mut described = answer.clone();
        described["kind"] = "status".into();
        let fault = serde_json::from_value(described).unwrap();
        server.running.faults.set(vec![fault]);
        assert!(post(server.webhook_url()).await.unwrap().is_ok(), "{answer}");
    }
    server.running.stop().await.unwrap();
}

#[tokio::test]
async fn a_lost_answer_is_ambiguous_and_a_refused_connection_is_not() {
    let server = start().unwrap();
    for (kind, kept) in [(FaultKind::LostAnswer, 1), (FaultKind::Hang, 1), (FaultKind::Reset, 1)] {
        server.running.faults.set(vec![Fault::on("/services", kind.clone())]);
        let failure = post(server.webhook_url()).await.unwrap().unwrap_err();
        assert_eq!(
            (failure.class, server.messages.list().len()),
            (FailureClass::Ambiguous, kept),
            "{kind:?}"
        );
        assert!(!failure.to_string().contains("s3cret"), "{failure}");
    }
    let webhook = server.webhook_url();
    server.running.stop().await.unwrap();
    let failure = post(webhook).await.unwrap().unwrap_err();
    assert_eq!(failure.class, FailureClass::Transient);
    assert!(!failure.to_string().contains("s3cret"), "{failure}");
}

#[tokio::test]
async fn a_wrong_webhook_is_a_matter_of_the_settings() {
    let server = start().unwrap();
    let wrong = server.webhook_url().replace("s3cret", "guess");
    let failure = post(wrong).await.unwrap().unwrap_err();
    assert_eq!((failure.class, failure.status), (FailureClass::Auth, Some(403)));
    assert!(failure.message.contains("invalid_token"), "{failure}");
    server.running.stop().await.unwrap();
}
