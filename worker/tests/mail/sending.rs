//! What arrives.

use passerelle_model::ledger::FailureClass;
use passerelle_sandbox::faults::{Fault, FaultKind};
use passerelle_sandbox::smtp::Options;
use passerelle_worker::content::notice::{Audience, Recipient};

use crate::world::{send, settings, start, to_zoe};

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
