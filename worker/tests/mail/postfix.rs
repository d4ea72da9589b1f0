//! A real Postfix: its answers have the classes that they should have.

use passerelle_model::config::{MailSettings, SmtpLogin, SmtpTls};
use passerelle_model::ledger::FailureClass;
use passerelle_worker::clients::mail::Mail;
use passerelle_worker::content::notice::{Audience, Notice, Recipient};
use passerelle_worker::journal::Journal;
use test_support::{PostfixOptions, TestCertificate, TestPostfix, eventually};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::world::{NOON, in_words, send, settings_at, to_zoe};

/// The notice of a course, to these people.
fn notice_to(users: &[&str]) -> anyhow::Result<Notice> {
    // For other domains it relays nothing.
    let domain = |user: &str| {
        if user == "elsewhere" {
            "example.net"
        } else {
            "example.org"
        }
    };
    let person = |user: &&str| Recipient {
        name: None,
        address: format!("{user}@{}", domain(user)),
    };
    Ok(Notice {
        to: Audience::People(users.iter().map(person).collect()),
        ..to_zoe("Rust")?
    })
}

/// The mails that Zoe has, once there are so many.
async fn has_got(server: &TestPostfix, count: usize) -> Vec<String> {
    eventually("the mails lie in the box", async || match server.mails() {
        Ok(mails) if mails.len() == count => Ok(mails),
        other => Err(format!("{other:?}: {}", server.log())),
    })
    .await
}

#[tokio::test]
async fn postfix_takes_a_mail_once_by_starttls_with_the_operators_own_authority() {
    let certificate = TestCertificate::signed().unwrap();
    let options = PostfixOptions {
        certificate: Some(&certificate),
        ..PostfixOptions::default()
    };
    let Some(server) = TestPostfix::start(&options).unwrap() else {
        return;
    };
    let trusted = MailSettings {
        tls: SmtpTls::Starttls,
        ca_file: Some(certificate.authority()),
        ..settings_at(server.port())
    };
    send(&trusted, &to_zoe("Rust").unwrap()).await.unwrap().unwrap();
    let mails = has_got(&server, 1).await;
    assert!(
        mails[0].contains("Subject: Nouvelle attribution : Rust"),
        "{}",
        mails[0]
    );

    let strangers = MailSettings {
        ca_file: None,
        ..trusted.clone()
    };
    let failure = send(&strangers, &to_zoe("Rust").unwrap()).await.unwrap().unwrap_err();
    assert_eq!(
        failure.class,
        FailureClass::Auth,
        "the settings are to be mended: {failure}"
    );
    assert!(failure.message.contains("SMTP_CA_FILE"), "{failure}");
    let plain = MailSettings {
        tls: SmtpTls::None,
        ..trusted
    };
    let failure = send(&plain, &to_zoe("Rust").unwrap()).await.unwrap().unwrap_err();
    assert_eq!(
        (failure.class, failure.status),
        (FailureClass::Auth, Some(530)),
        "{failure}"
    );
}

#[tokio::test]
async fn each_answer_of_postfix_to_a_recipient_has_its_class() {
    let options = PostfixOptions {
        recipients: &[
            ("gris@example.org", "450 4.7.1 Greylisted, try again in five minutes"),
            ("plein@example.org", "452 4.2.2 The mailbox is over its quota"),
        ],
        ..PostfixOptions::default()
    };
    let Some(server) = TestPostfix::start(&options).unwrap() else {
        return;
    };
    let settings = settings_at(server.port());
    for (user, class, status) in [
        ("gris", FailureClass::Transient, 450),
        ("plein", FailureClass::Transient, 452),
        ("parti", FailureClass::Permanent, 550),
        ("elsewhere", FailureClass::Auth, 554),
    ] {
        let failure = send(&settings, &notice_to(&[user]).unwrap())
            .await
            .unwrap()
            .unwrap_err();
        assert_eq!(
            (failure.class, failure.status),
            (class, Some(status)),
            "{user}: {failure}"
        );
        assert!(failure.message.contains(user), "{failure}");
    }
    // One who is refused for good does not keep the mail from the others; one who may be served
    // later does, for a moment.
    let later = send(&settings, &notice_to(&["zoe", "gris"]).unwrap()).await.unwrap();
    assert_eq!(later.unwrap_err().class, FailureClass::Transient);
    let mut journal = Journal::default();
    let notice = notice_to(&["parti", "zoe"]).unwrap();
    let mail = Mail::new(&settings).unwrap();
    mail.send(&mut journal, &notice, &in_words(&notice).unwrap(), NOON)
        .await
        .unwrap();
    has_got(&server, 1).await;
    let steps = journal.into_steps();
    let refused = steps.iter().find(|step| step.name == "recipient_refused");
    let note = refused.and_then(|step| step.note.clone()).unwrap_or_default();
    assert!(
        note.contains("parti@example.org") && note.contains("User unknown"),
        "{steps:?}"
    );
}

#[tokio::test]
async fn a_sign_in_that_postfix_refuses_is_our_own_fault() {
    let options = PostfixOptions {
        wants_login: true,
        ..PostfixOptions::default()
    };
    let Some(server) = TestPostfix::start(&options).unwrap() else {
        return;
    };
    let settings = MailSettings {
        login: Some(SmtpLogin {
            username: "bridge".to_owned(),
            password: "guess".to_owned().into(),
        }),
        ..settings_at(server.port())
    };
    let failure = send(&settings, &to_zoe("Rust").unwrap()).await.unwrap().unwrap_err();
    assert_eq!(
        (failure.class, failure.status),
        (FailureClass::Auth, Some(535)),
        "{failure}"
    );
    assert!(!failure.message.contains("guess"), "{failure}");
}

#[tokio::test]
async fn a_mail_whose_last_answer_was_lost_is_sent_again_under_the_same_message_id() {
    let Some(server) = TestPostfix::start(&PostfixOptions::default()).unwrap() else {
        return;
    };
    let settings = settings_at(losing_the_last_answer_once(server.port()).await.unwrap());
    let notice = to_zoe("Rust").unwrap();
    let failure = send(&settings, &notice).await.unwrap().unwrap_err();
    assert_eq!(failure.class, FailureClass::Ambiguous, "{failure}");
    has_got(&server, 1).await;
    send(&settings, &notice).await.unwrap().unwrap();
    let mails = has_got(&server, 2).await;
    let id = |mail: &str| {
        mail.lines()
            .find(|line| line.starts_with("Message-ID:"))
            .map(str::to_owned)
    };
    assert!(id(&mails[0]).is_some());
    assert_eq!(id(&mails[0]), id(&mails[1]));
}

/// A line to a mail server that breaks once, after the message and before its answer; its port.
async fn losing_the_last_answer_once(port: u16) -> anyhow::Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let own_port = listener.local_addr()?.port();
    tokio::spawn(async move {
        let (client, _) = listener.accept().await?;
        lose_the_last_answer(client, TcpStream::connect(("127.0.0.1", port)).await?).await?;
        loop {
            let (mut client, _) = listener.accept().await?;
            let mut server = TcpStream::connect(("127.0.0.1", port)).await?;
            tokio::io::copy_bidirectional(&mut client, &mut server).await?;
        }
        #[expect(unreachable_code, reason = "says what the block fails with")]
        Ok::<(), std::io::Error>(())
    });
    Ok(own_port)
}

async fn lose_the_last_answer(mut client: TcpStream, mut server: TcpStream) -> std::io::Result<()> {
    let (mut from_client, mut from_server) = ([0; 4096], [0; 4096]);
    let mut sent = Vec::new();
    loop {
        tokio::select! {
            read = client.read(&mut from_client) => {
                let chunk = from_client.get(..read?).unwrap_or_default();
                sent.extend_from_slice(chunk);
                server.write_all(chunk).await?;
            }
            read = server.read(&mut from_server) => {
                if sent.ends_with(b"\r\n.\r\n") {
                    return Ok(());
                }
                client.write_all(from_server.get(..read?).unwrap_or_default()).await?;
            }
        }
    }
}
