//! The sandbox's mail server as a bare client sees it, byte for byte. `worker/tests/mail/` tests
//! the product's own client against it.

use std::net::TcpListener;
use std::time::Duration;

use passerelle_sandbox::faults::{Fault, FaultKind};
use passerelle_sandbox::smtp::{self, Encryption, Options, Server};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

const PATIENCE: Duration = Duration::from_mins(1);

fn start(options: Options) -> anyhow::Result<Server> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let control = TcpListener::bind("127.0.0.1:0")?;
    Ok(smtp::start(listener, control, options)?)
}

struct Client(BufReader<TcpStream>);

impl Client {
    async fn connect(server: &Server) -> anyhow::Result<Self> {
        Ok(Self(BufReader::new(TcpStream::connect(server.address).await?)))
    }

    /// The next answer, its lines joined; empty when the connection is cut.
    async fn answer(&mut self) -> anyhow::Result<String> {
        let mut answer = String::new();
        loop {
            let mut line = String::new();
            let read = tokio::time::timeout(PATIENCE, self.0.read_line(&mut line)).await?;
            answer.push_str(&line);
            if read.unwrap_or(0) == 0 || line.as_bytes().get(3) != Some(&b'-') {
                return Ok(answer);
            }
        }
    }

    async fn say(&mut self, line: &str) -> anyhow::Result<String> {
        self.0.get_mut().write_all(format!("{line}\r\n").as_bytes()).await?;
        self.answer().await
    }

    /// The codes of the answers to these lines.
    async fn codes(&mut self, lines: &[&str]) -> anyhow::Result<Vec<String>> {
        let mut codes = Vec::new();
        for line in lines {
            codes.push(self.say(line).await?.chars().take(3).collect());
        }
        Ok(codes)
    }
}

#[tokio::test]
async fn a_mail_is_kept_without_its_stuffed_dots() {
    let server = start(Options::default()).unwrap();
    let mut client = Client::connect(&server).await.unwrap();
    assert!(client.answer().await.unwrap().starts_with("220 "));
    let lines = ["EHLO x", "MAIL FROM:<a@b.test>", "RCPT TO:<c@d.test>", "DATA"];
    assert_eq!(client.codes(&lines).await.unwrap(), ["250", "250", "250", "354"]);
    let codes = client
        .codes(&["Subject: dots\r\n\r\n..one\r\n...\r\n.", "NOOP", "QUIT"])
        .await
        .unwrap();
    assert_eq!(codes, ["250", "250", "221"]);
    let mails = server.mails.list();
    assert_eq!(mails[0].raw, "Subject: dots\r\n\r\n.one\r\n..\r\n");
    assert_eq!(
        (mails[0].envelope.from.as_str(), mails[0].envelope.to.as_slice()),
        ("a@b.test", &["c@d.test".to_owned()][..])
    );
    server.stop().await.unwrap();
}

#[tokio::test]
async fn commands_out_of_order_are_refused_and_change_nothing() {
    let server = start(Options::default()).unwrap();
    let mut client = Client::connect(&server).await.unwrap();
    client.answer().await.unwrap();
    let lines = [
        "MAIL FROM:<a@b.test>",
        "EHLO x",
        "RCPT TO:<c@d.test>",
        "DATA",
        "MAIL FROM:nobody",
        "MAIL FROM:<a@b.test> SIZE=99999999",
        "MAIL FROM:<a@b.test>",
        "RCPT TO:<nowhere>",
        "RSET",
        "RCPT TO:<c@d.test>",
        "EXPN list",
        "AUTH PLAIN AGEAYg==",
    ];
    let codes = client.codes(&lines).await.unwrap();
    assert_eq!(
        codes,
        [
            "503", "250", "503", "503", "501", "552", "250", "501", "250", "503", "500", "503"
        ]
    );
    server.stop().await.unwrap();
}

#[tokio::test]
async fn who_must_sign_in_can_do_so_in_both_ways_and_not_otherwise() {
    let server = start(Options {
        smtp_username: Some("bridge".to_owned()),
        smtp_password: Some("s3cret".to_owned()),
        smtp_tls: Encryption::None,
    })
    .unwrap();
    let mut client = Client::connect(&server).await.unwrap();
    client.answer().await.unwrap();
    let offer = client.say("EHLO x").await.unwrap();
    assert!(
        offer.contains("AUTH PLAIN LOGIN") && !offer.contains("STARTTLS"),
        "{offer}"
    );
    let lines = [
        "MAIL FROM:<a@b.test>",
        "AUTH PLAIN AGJyaWRnZQB3cm9uZw==",
        "AUTH PLAIN AGJyaWRnZQBzM2NyZXQ=",
        "AUTH LOGIN",
        "YnJpZGdl",
        "czNjcmV0",
        "AUTH CRAM-MD5",
        "MAIL FROM:<a@b.test>",
    ];
    let codes = client.codes(&lines).await.unwrap();
    assert_eq!(codes, ["530", "535", "235", "334", "334", "235", "504", "250"]);
    server.stop().await.unwrap();
}

#[tokio::test]
async fn faults_meet_commands_by_their_verb_and_their_line() {
    let server = start(Options::default()).unwrap();
    let refusal = FaultKind::Status {
        status: 550,
        headers: std::collections::BTreeMap::new(),
        body: Some("5.1.1 no such user".into()),
    };
    server.faults().set(vec![
        Fault {
            body_contains: Some("amina@".to_owned()),
            ..Fault::on("/rcpt", refusal)
        },
        Fault::on("/message", FaultKind::LostAnswer),
    ]);
    let mut client = Client::connect(&server).await.unwrap();
    client.answer().await.unwrap();
    client.codes(&["EHLO x", "MAIL FROM:<a@b.test>"]).await.unwrap();
    assert_eq!(
        client.say("RCPT TO:<amina@d.test>").await.unwrap(),
        "550 5.1.1 no such user\r\n"
    );
    assert_eq!(
        client.codes(&["RCPT TO:<c@d.test>", "DATA"]).await.unwrap(),
        ["250", "354"]
    );
    assert_eq!(client.say("Subject: x\r\n\r\nhello\r\n.").await.unwrap(), "");
    assert_eq!(server.mails.list()[0].envelope.to, ["c@d.test"]);
    let log: Vec<_> = server
        .control
        .calls
        .list()
        .into_iter()
        .map(|call| (call.method, call.status))
        .collect();
    assert_eq!(log.last(), Some(&("MESSAGE".to_owned(), None)));
    assert_eq!(log[3], ("RCPT".to_owned(), Some(550)));
    server.stop().await.unwrap();
}

#[tokio::test]
async fn the_mails_can_be_read_and_forgotten_over_http() {
    let server = start(Options::default()).unwrap();
    let mut client = Client::connect(&server).await.unwrap();
    client.answer().await.unwrap();
    let lines = [
        "EHLO x",
        "MAIL FROM:<>",
        "RCPT TO:<c@d.test>",
        "DATA",
        "Subject: =?utf-8?b?w6k=?=\r\n\r\nhello\r\n.",
    ];
    client.codes(&lines).await.unwrap();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::builder().timeout(PATIENCE).build().unwrap();
    let url = format!("{}/_sandbox/mails", server.control.url());
    let mails: serde_json::Value = http.get(&url).send().await.unwrap().json().await.unwrap();
    assert_eq!(
        (mails[0]["subject"].as_str(), mails[0]["text"].as_str()),
        (Some("é"), Some("hello\r\n"))
    );
    assert!(http.delete(&url).send().await.unwrap().status().is_success());
    assert!(server.mails.list().is_empty());
    let certificate = http
        .get(format!("{}/_sandbox/certificate", server.control.url()))
        .send()
        .await
        .unwrap();
    assert!(
        certificate
            .text()
            .await
            .unwrap()
            .starts_with("-----BEGIN CERTIFICATE-----")
    );
    server.stop().await.unwrap();
}
