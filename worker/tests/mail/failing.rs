//! What each way of failing is called.

use passerelle_model::ledger::FailureClass;
use passerelle_sandbox::faults::{Fault, FaultKind};
use passerelle_sandbox::smtp::Options;
use passerelle_worker::clients::mail::Mail;
use passerelle_worker::content::notice::Audience;
use passerelle_worker::journal::Journal;

use crate::world::{NOON, code, in_words, send, settings, start, to_zoe, under};

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
