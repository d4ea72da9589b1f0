//! A mail server, a notice, and the client between them.

use std::net::TcpListener;
use std::time::Duration;

use passerelle_model::config::{Locale, MailSettings, SmtpTls};
use passerelle_model::id::JobKey;
use passerelle_model::ledger::FailureClass;
use passerelle_model::time::Timestamp;
use passerelle_sandbox::faults::{Fault, FaultKind};
use passerelle_sandbox::smtp::{self, Options, Server};
use passerelle_worker::clients::mail::Mail;
use passerelle_worker::content::notice::{Audience, Notice, NoticeKind, Recipient};
use passerelle_worker::content::rendered::Rendered;
use passerelle_worker::failure::Failure;
use passerelle_worker::journal::Journal;
use passerelle_worker::outbox::templates::Templates;
use serde_json::json;

pub(crate) const NOON: Timestamp = Timestamp::from_millis(1_732_280_000_000);

pub(crate) fn start(options: Options) -> anyhow::Result<Server> {
    Ok(smtp::start(
        TcpListener::bind("127.0.0.1:0")?,
        TcpListener::bind("127.0.0.1:0")?,
        options,
    )?)
}

pub(crate) fn settings(server: &Server) -> MailSettings {
    settings_at(server.address.port())
}

pub(crate) fn settings_at(port: u16) -> MailSettings {
    MailSettings {
        host: "127.0.0.1".to_owned(),
        port,
        tls: SmtpTls::None,
        ca_file: None,
        login: None,
        from: "Passerelle <passerelle@example.org>".to_owned(),
        admin: vec!["admin@example.org".to_owned(), "Chef <chef@example.org>".to_owned()],
        timeout: Duration::from_secs(10),
    }
}

pub(crate) fn to_zoe(course: &str) -> anyhow::Result<Notice> {
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

pub(crate) fn in_words(notice: &Notice) -> Result<Rendered, anyhow::Error> {
    Ok(Templates::load("no-such-folder".as_ref(), &Locale::default())?.render(notice)?)
}

pub(crate) async fn send(settings: &MailSettings, notice: &Notice) -> anyhow::Result<Result<(), Failure>> {
    let mail = Mail::new(settings)?;
    Ok(mail
        .send(&mut Journal::default(), notice, &in_words(notice)?, NOON)
        .await)
}

/// The class and the SMTP code of the failure under this fault, and how many mails were kept.
pub(crate) async fn under(path: &str, kind: FaultKind) -> anyhow::Result<(FailureClass, Option<u16>, usize)> {
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

pub(crate) fn code(status: u16) -> FaultKind {
    FaultKind::Status {
        status,
        headers: std::collections::BTreeMap::new(),
        body: None,
    }
}
