//! The mail client against a real SMTP server: what arrives, and what each way of failing is called.

use std::net::TcpListener;
use std::time::Duration;

use passerelle_model::config::{MailSettings, SmtpLogin, SmtpTls};
use passerelle_model::id::JobKey;
use passerelle_model::ledger::FailureClass;
use passerelle_model::time::Timestamp;
use passerelle_sandbox::faults::{Fault, FaultKind};
use passerelle_sandbox::smtp::{self, Encryption, Options, Server};
use passerelle_worker::clients::mail::Mail;
use passerelle_worker::content::notice::{Audience, Notice, NoticeKind, Recipient};
use passerelle_worker::content::rendered::Rendered;
use passerelle_worker::failure::Failure;
use passerelle_worker::journal::Journal;
use passerelle_worker::outbox::templates::Templates;
use serde_json::json;

const NOON: Timestamp = Timestamp::from_millis(1_732_280_000_000);

fn start(options: Options) -> anyhow::Result<Server> {
    Ok(smtp::start(
        TcpListener::bind("127.0.0.1:0")?,
        TcpListener::bind("127.0.0.1:0")?,
        options,
    )?)
}

fn settings(server: &Server) -> MailSettings {
    MailSettings {
        host: "127.0.0.1".to_owned(),
        port: server.address.port(),
        tls: SmtpTls::None,
        ca_file: None,
        login: None,
        from: "Passerelle <passerelle@example.org>".to_owned(),
        admin: vec!["admin@example.org".to_owned(), "Chef <chef@example.org>".to_owned()],
        timeout: Duration::from_secs(10),
    }
}

fn to_zoe(course: &str) -> anyhow::Result<Notice> {
    let context = json!({"trainer": "Zoé 🦀", "course": course, "row_url": "https://baserow.test/r/1?a=1&b=2"});
    let people = vec![Recipient {
        name: Some("Zoé Lefèvre".to_owned()),
        address: "zoe@example.org".to_owned(),
    }];
    Ok(Notice::new(
        JobKey::parse("notice/0b1f/attribution-mail")?,
        NoticeKind::TrainerAssigned,
        Audience::People(people),
        context.as_object().cloned().unwrap_or_default(),
    ))
}

fn in_words(notice: &Notice) -> Result<Rendered, anyhow::Error> {
    Ok(Templates::load("no-such-folder".as_ref())?.render(notice)?)
}

async fn send(settings: &MailSettings, notice: &Notice) -> anyhow::Result<Result<(), Failure>> {
    let mail = Mail::new(settings)?;
    Ok(mail
        .send(&mut Journal::default(), notice, &in_words(notice)?, NOON)
        .await)
}

/// The class and the SMTP code of the failure under this fault, and how many mails were kept.
async fn under(path: &str, kind: FaultKind) -> anyhow::Result<(FailureClass, Option<u16>, usize)> {
    let server = start(Options::default())?;
    server.faults().set(vec![Fault::on(path, kind)]);
    let settings = MailSettings {
        timeout: Duration::from_secs(2),
        ..settings(&server)
    };
    let failure = send(&settings, &to_zoe("Rust")?).await?.err();
    let kept = server.mails.list().len();
    server.stop().await?;
    let failure = failure.ok_or_else(|| anyhow::anyhow!("it was sent"))?;
    assert_eq!(failure.target.as_str(), "smtp");
    Ok((failure.class, failure.status, kept))
}

fn code(status: u16) -> FaultKind {
    FaultKind::Status {
        status,
        headers: std::collections::BTreeMap::new(),
        body: None,
    }
}

#[tokio::test]
async fn a_notice_arrives_as_it_was_meant_accents_emoji_and_all() {
    let server = start(Options::default()).unwrap();
    let notice = to_zoe("Systèmes répartis 🚀 & <Rust>").unwrap();
    send(&settings(&server), &notice).await.unwrap().unwrap();
    let mails = server.mails.list();
    let mail = &mails[0];
    assert_eq!(
        mail.subject.as_deref(),
        Some("Nouvelle attribution : Systèmes répartis 🚀 & <Rust>")
    );
    assert_eq!(
        (mail.envelope.from.as_str(), mail.envelope.to.as_slice()),
        ("passerelle@example.org", &["zoe@example.org".to_owned()][..])
    );
    let text = mail.text.as_deref().unwrap();
    assert!(
        text.contains("Bonjour Zoé 🦀,") && text.contains("Systèmes répartis 🚀 & <Rust>"),
        "{text}"
    );
    let html = mail.html.as_deref().unwrap();
    assert!(
        html.contains("Systèmes répartis 🚀 &amp; &lt;Rust&gt;") && html.contains("lang=\"fr\""),
        "{html}"
    );
    assert_eq!(mail.header("Auto-Submitted"), Some("auto-generated"));
    assert_eq!(mail.header("X-Bridge-Origin"), Some("bridge"));
    assert_eq!(mail.header("Date"), Some("Fri, 22 Nov 2024 12:53:20 +0000"));
    assert!(mail.raw.is_ascii() && mail.raw.lines().all(|line| line.len() <= 998));
    server.stop().await.unwrap();
}

#[tokio::test]
async fn long_lines_and_lone_dots_arrive_whole() {
    let server = start(Options::default()).unwrap();
    let course = format!("{}\r\n.\r\nQUIT\r\n..fin", "abcdefghij".repeat(1_000));
    send(&settings(&server), &to_zoe(&course).unwrap())
        .await
        .unwrap()
        .unwrap();
    let mails = server.mails.list();
    assert_eq!(mails.len(), 1);
    assert!(
        mails[0].text.as_deref().unwrap().contains(&course),
        "{:?}",
        mails[0].text
    );
    assert!(mails[0].raw.lines().all(|line| line.len() <= 998));
    server.stop().await.unwrap();
}

#[tokio::test]
async fn what_stands_in_a_row_can_add_no_header_and_no_recipient() {
    let server = start(Options::default()).unwrap();
    let mut notice = to_zoe("Rust\r\nBcc: evil@example.org\r\nX-Evil: 1\r\n\r\nbody").unwrap();
    notice.to = Audience::People(vec![Recipient {
        name: Some("Zoé\r\nX-Evil: 1".to_owned()),
        address: "zoe@example.org".to_owned(),
    }]);
    send(&settings(&server), &notice).await.unwrap().unwrap();
    let mail = server.mails.list().remove(0);
    assert_eq!(mail.envelope.to, ["zoe@example.org"]);
    assert!(
        mail.header("Bcc").is_none() && mail.header("X-Evil").is_none(),
        "{:?}",
        mail.headers
    );
    assert!(mail.header("MIME-Version").is_some());
    server.stop().await.unwrap();
}

#[tokio::test]
async fn an_invalid_address_is_permanent_and_reaches_no_server() {
    let server = start(Options::default()).unwrap();
    let mut notice = to_zoe("Rust").unwrap();
    notice.to = Audience::People(vec![Recipient {
        name: None,
        address: "zoe@example.org>\r\nRCPT TO:<evil@example.org".to_owned(),
    }]);
    let failure = send(&settings(&server), &notice).await.unwrap().unwrap_err();
    assert_eq!(failure.class, FailureClass::Permanent);
    assert!(failure.message.contains("is no e-mail address"), "{failure}");
    assert!(server.control.calls.list().is_empty());
    server.stop().await.unwrap();
}

#[tokio::test]
async fn trouble_goes_to_every_admin_of_the_settings() {
    let server = start(Options::default()).unwrap();
    let mut notice = to_zoe("Rust").unwrap();
    notice.to = Audience::Admin;
    send(&settings(&server), &notice).await.unwrap().unwrap();
    assert_eq!(
        server.mails.list()[0].envelope.to,
        ["admin@example.org", "chef@example.org"]
    );
    server.stop().await.unwrap();
}

#[tokio::test]
async fn one_refused_recipient_does_not_keep_the_mail_from_the_others() {
    let server = start(Options::default()).unwrap();
    let refuse = |status| Fault {
        body_contains: Some("admin@".to_owned()),
        ..Fault::on("/rcpt", code(status))
    };
    let mut notice = to_zoe("Rust").unwrap();
    notice.to = Audience::Admin;
    server.faults().set(vec![refuse(450)]);
    let later = send(&settings(&server), &notice).await.unwrap().unwrap_err();
    assert_eq!((later.class, server.mails.list().len()), (FailureClass::Transient, 0));
    server.faults().set(vec![refuse(550)]);
    let mut journal = Journal::default();
    let mail = Mail::new(&settings(&server)).unwrap();
    mail.send(&mut journal, &notice, &in_words(&notice).unwrap(), NOON)
        .await
        .unwrap();
    assert_eq!(server.mails.list()[0].envelope.to, ["chef@example.org"]);
    let steps = journal.into_steps();
    let note = steps
        .iter()
        .find(|step| step.name == "recipient_refused")
        .and_then(|step| step.note.clone());
    assert!(
        note.is_some_and(|note| note.contains("admin@example.org") && note.contains("550")),
        "{steps:?}"
    );
    server.stop().await.unwrap();
}

#[tokio::test]
async fn each_way_of_failing_has_its_class() {
    use FailureClass::{Ambiguous, Auth, Permanent, Transient};
    for (path, kind, expected) in [
        ("/connect", FaultKind::Reset, (Transient, None, 0)),
        ("/connect", FaultKind::Hang, (Transient, None, 0)),
        ("/connect", code(421), (Transient, Some(421), 0)),
        ("/connect", code(554), (Auth, Some(554), 0)),
        ("/ehlo", FaultKind::Hang, (Transient, None, 0)),
        ("/mail", code(550), (Auth, Some(550), 0)),
        ("/rcpt", code(451), (Transient, Some(451), 0)),
        ("/rcpt", code(550), (Permanent, Some(550), 0)),
        ("/rcpt", FaultKind::Reset, (Transient, None, 0)),
        ("/data", code(452), (Transient, Some(452), 0)),
        ("/data", code(554), (Permanent, Some(554), 0)),
        ("/data", FaultKind::Hang, (Transient, None, 0)),
        ("/message", code(451), (Transient, Some(451), 0)),
        ("/message", code(554), (Permanent, Some(554), 0)),
        ("/message", FaultKind::Hang, (Ambiguous, None, 0)),
        ("/message", FaultKind::LostAnswer, (Ambiguous, None, 1)),
    ] {
        let seen = under(path, kind.clone()).await.unwrap();
        assert_eq!(seen, expected, "{path} {kind:?}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_transient() {
    let server = start(Options::default()).unwrap();
    let settings = settings(&server);
    server.stop().await.unwrap();
    let failure = send(&settings, &to_zoe("Rust").unwrap()).await.unwrap().unwrap_err();
    assert_eq!(failure.class, FailureClass::Transient);
}

#[tokio::test]
async fn a_repeated_mail_is_recognised_by_its_message_id() {
    let server = start(Options::default()).unwrap();
    server
        .faults()
        .set(vec![Fault::on("/message", FaultKind::LostAnswer).times(1)]);
    let notice = to_zoe("Rust").unwrap();
    send(&settings(&server), &notice).await.unwrap().unwrap_err();
    send(&settings(&server), &notice).await.unwrap().unwrap();
    let ids: Vec<_> = server
        .mails
        .list()
        .iter()
        .map(|mail| mail.header("Message-ID").map(str::to_owned))
        .collect();
    assert_eq!(ids.len(), 2);
    assert!(ids[0].is_some() && ids[0] == ids[1], "{ids:?}");
    server.stop().await.unwrap();
}

#[tokio::test]
async fn it_signs_in_over_an_encrypted_connection_and_trusts_only_whom_it_was_told_to() {
    let folder = tempfile::tempdir().unwrap();
    for (offered, wanted) in [
        (Encryption::Starttls, SmtpTls::Starttls),
        (Encryption::Tls, SmtpTls::Tls),
    ] {
        let server = start(Options {
            smtp_username: Some("bridge".to_owned()),
            smtp_password: Some("s3cret".to_owned()),
            smtp_tls: offered,
        })
        .unwrap();
        let ca_file = folder.path().join("ca.pem");
        std::fs::write(&ca_file, &server.certificate).unwrap();
        let login = |password: &str| {
            Some(SmtpLogin {
                username: "bridge".to_owned(),
                password: password.to_owned().into(),
            })
        };
        let trusted = MailSettings {
            tls: wanted,
            ca_file: Some(ca_file),
            login: login("s3cret"),
            ..settings(&server)
        };
        Mail::new(&trusted).unwrap().check().await.unwrap();
        send(&trusted, &to_zoe("Rust").unwrap()).await.unwrap().unwrap();
        let mail = server.mails.list().remove(0);
        assert_eq!((mail.encrypted, mail.user.as_deref()), (true, Some("bridge")));
        let wrong = MailSettings {
            login: login("guess"),
            ..trusted.clone()
        };
        let failure = send(&wrong, &to_zoe("Rust").unwrap()).await.unwrap().unwrap_err();
        assert_eq!((failure.class, failure.status), (FailureClass::Auth, Some(535)));
        assert!(!failure.message.contains("guess"), "{failure}");
        let strangers = MailSettings {
            ca_file: None,
            ..trusted
        };
        let failure = send(&strangers, &to_zoe("Rust").unwrap()).await.unwrap().unwrap_err();
        assert_eq!(failure.class, FailureClass::Transient);
        assert!(failure.message.contains("certificate"), "{failure}");
        assert_eq!(server.mails.list().len(), 1);
        server.stop().await.unwrap();
    }
}

#[tokio::test]
async fn a_server_without_starttls_gets_neither_the_mail_nor_the_password() {
    let server = start(Options {
        smtp_tls: Encryption::None,
        ..Options::default()
    })
    .unwrap();
    let settings = MailSettings {
        tls: SmtpTls::Starttls,
        login: Some(SmtpLogin {
            username: "bridge".to_owned(),
            password: "s3cret".to_owned().into(),
        }),
        ..settings(&server)
    };
    let failure = send(&settings, &to_zoe("Rust").unwrap()).await.unwrap().unwrap_err();
    assert_eq!(failure.class, FailureClass::Auth);
    assert!(failure.message.contains("STARTTLS"), "{failure}");
    assert_eq!(
        server.control.calls.count("/auth") + server.control.calls.count("/mail"),
        0
    );
    server.stop().await.unwrap();
}

#[test]
fn all_that_is_wrong_with_the_settings_is_said_at_once() {
    let settings = MailSettings {
        host: "mail.test".to_owned(),
        port: 587,
        tls: SmtpTls::Starttls,
        ca_file: Some("no-such-file.pem".into()),
        login: None,
        from: "x@y@z".to_owned(),
        admin: vec!["zoé@example.org".to_owned()],
        timeout: Duration::from_secs(1),
    };
    let problems = Mail::new(&settings).unwrap_err().to_string();
    for place in ["MAIL_FROM", "ADMIN_EMAIL", "SMTP_CA_FILE"] {
        assert!(problems.contains(place), "{problems}");
    }
}
