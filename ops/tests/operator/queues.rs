//! Dead letters of every queue: those of notices are seen as those of rows are.

use passerelle_model::config::Channel;
use passerelle_model::event::Disposition::Sync;
use passerelle_model::id::{EventId, JobKey};
use passerelle_model::ledger::{FailureClass, Verdict};
use passerelle_model::time::Timestamp;
use passerelle_queue::{Queue, QueueName};
use passerelle_store::{NoticeState, StoredNotice};
use serde_json::{Value, json};
use test_support::eventually;

use crate::desk::{Desk, at, delivery, failure};

const NOTICE: &str = "notice/e1/trainer";

fn give_up(reason: &str) -> Verdict {
    Verdict::Bury {
        reason: reason.to_owned(),
        failure: failure(FailureClass::Poison),
    }
}

async fn until_dead(queue: &Queue) {
    eventually("the job is given up", async || match queue.stats().await {
        Ok(stats) if stats.dead == 1 => Ok(()),
        other => Err(other),
    })
    .await;
}

/// A desk with a dead letter of a row, and one of a mail that waits in the store.
async fn with_letters() -> anyhow::Result<(Desk, String)> {
    let desk = Desk::new()?;
    let (rows, mails) = (desk.queue()?, desk.queue_of(QueueName::Mail)?);
    let _ = rows.accept(delivery("e1", at(0), &[(1, Sync)])?).await?;
    let store = desk.remember(Vec::new()).await?;
    let notice = StoredNotice {
        id: JobKey::parse(NOTICE)?,
        kind: "event".to_owned(),
        channel: Channel::Mail,
        rule: "attribution-mail".to_owned(),
        row: None,
        event: None,
        args: "{}".to_owned(),
        created: Timestamp::now(),
        state: NoticeState::Waiting,
        ended: None,
        tries: 0,
        error: None,
    };
    store.add_notice(&notice).await?;
    mails.enqueue(&notice.id, &EventId::parse("e1")?).await?;
    let workers = [
        desk.worker(|_| give_up("permanent"))?,
        desk.worker_of(QueueName::Mail, |_| give_up("poison"))?,
    ];
    until_dead(&rows).await;
    until_dead(&mails).await;
    for worker in workers {
        worker.abort();
    }
    let mail = mails.dead_letters(None, 1).await?.remove(0).id;
    Ok((desk, mail))
}

fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}

#[tokio::test]
async fn the_dead_letters_of_every_queue_are_counted_and_listed() {
    let (desk, mail) = with_letters().await.unwrap();
    let stats = desk.passerelle(&["stats"]).await;
    for line in [
        "dead              2",
        "    sync            1",
        "    mail            1",
        "    slack           0",
    ] {
        assert!(stats.out.contains(line), "{line}: {}", stats.out);
    }
    let queue = read(&desk.passerelle(&["stats", "--json"]).await.out)["queue"].take();
    assert_eq!(
        (&queue["dead"], &queue["dead_by_queue"]["mail"]["letters"]),
        (&json!(2), &json!(1))
    );

    let all = desk.passerelle(&["dead", "list"]).await;
    assert!(
        all.out.contains("2 of 2 dead letters") && all.out.contains(NOTICE),
        "{}",
        all.out
    );
    let only = desk.passerelle(&["dead", "list", "--queue", "mail", "--json"]).await;
    let only = read(&only.out);
    assert_eq!(only.as_array().map(Vec::len), Some(1), "{only}");
    assert_eq!((&only[0]["id"], &only[0]["queue"]), (&json!(mail), &json!("mail")));
    let rows = desk.passerelle(&["dead", "list", "--queue", "sync"]).await;
    assert!(
        rows.out.contains("1 of 1") && !rows.out.contains(NOTICE),
        "{}",
        rows.out
    );
    let exported = desk.passerelle(&["dead", "export"]).await;
    let queues: Vec<Value> = exported.out.lines().map(|line| read(line)["queue"].take()).collect();
    assert_eq!(queues, ["sync", "mail"]);
}

#[tokio::test]
async fn the_letter_of_a_notice_is_not_replayed_and_both_answers_say_how_it_is_sent_again() {
    let (desk, mail) = with_letters().await.unwrap();
    let again = format!("passerelle notices retry {NOTICE}");
    let shown = desk.passerelle(&["dead", "show", &mail]).await;
    assert!(
        shown.out.contains(&again) && shown.out.contains("(queue mail)"),
        "{}",
        shown.out
    );
    let said = desk.passerelle(&["dead", "replay", "--all", "--why", "mended"]).await;
    assert_eq!((said.code, said.out.trim()), (1, "1 of 1 dead letters replayed."));
    assert!(said.err.contains(&again), "{}", said.err);
    assert_eq!(desk.queue_of(QueueName::Mail).unwrap().stats().await.unwrap().dead, 1);

    let retried = desk
        .passerelle(&["notices", "retry", NOTICE, "--why", "the address is right now"])
        .await;
    assert_eq!(retried.code, 0, "{}", retried.err);
    let mails = desk.queue_of(QueueName::Mail).unwrap();
    assert_eq!(mails.stats().await.unwrap().active, 1, "it is queued again");
    let listed = desk.passerelle(&["dead", "list", "--queue", "mail"]).await;
    assert!(!listed.out.contains("superseded"), "not sent yet: {}", listed.out);
    let store = desk.remember(Vec::new()).await.unwrap();
    let id = JobKey::parse(NOTICE).unwrap();
    store
        .end_notice(&id, NoticeState::Sent, None, Timestamp::now())
        .await
        .unwrap();
    let listed = desk.passerelle(&["dead", "list", "--queue", "mail"]).await;
    assert!(listed.out.contains("superseded"), "sent: {}", listed.out);
}

#[tokio::test]
async fn letters_of_several_queues_are_discarded_together_and_each_is_kept_in_the_ledger() {
    let (desk, _) = with_letters().await.unwrap();
    let said = desk
        .passerelle(&["dead", "discard", "--all", "--why", "a test of last year"])
        .await;
    assert_eq!(
        (said.code, said.out.trim()),
        (0, "2 of 2 dead letters discarded."),
        "{}",
        said.err
    );
    assert_eq!(desk.passerelle(&["dead", "list"]).await.out.trim(), "No dead letters.");
    let stats = desk.passerelle(&["stats"]).await;
    assert!(stats.code == 0 && !stats.out.contains("    mail"), "{}", stats.out);
}
