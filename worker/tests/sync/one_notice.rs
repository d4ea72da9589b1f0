//! A notice goes once, whatever our own store does.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use passerelle_model::config::{Channel, SlackSettings};
use passerelle_model::event::EventKind;
use passerelle_model::id::{EventId, JobKey};
use passerelle_model::job::{EventKinds, Job};
use passerelle_model::ledger::Verdict;
use passerelle_model::outcome::Outcome;
use passerelle_model::seq::Seq;
use passerelle_model::time::Timestamp;
use passerelle_sandbox::slack::{self, Options, Server};
use passerelle_store::{NoticeState, StoredNotice};
use passerelle_worker::clients::slack::Slack;
use passerelle_worker::content::notice::{Audience, Notice, NoticeKind};
use passerelle_worker::notify::deliver::deliver;
use serde_json::json;
use test_support::eventually;

use crate::world::World;

const NOTICE: &str = "notice/1/share";

/// A world with a Slack, and a notice for it that waits.
async fn with_a_waiting_notice() -> anyhow::Result<(World, Server)> {
    let mut world = World::start().await?;
    let options = Options {
        slack_webhook: "T1/B1/s3cret".to_owned(),
    };
    let slack = slack::start(TcpListener::bind("127.0.0.1:0")?, options)?;
    let outbox = Arc::get_mut(&mut world.context.outbox).context("the outbox is in use")?;
    outbox.channels.slack = Some(Slack::new(&SlackSettings {
        authorities: None,
        webhook: slack.webhook_url().into(),
        timeout: Duration::from_secs(10),
    })?);
    let context = json!({"page": "Tarifs", "space": "agence"});
    let notice = Notice::new(
        JobKey::parse(NOTICE)?,
        NoticeKind::ShareCreated,
        Audience::Admin,
        context.as_object().cloned().unwrap_or_default(),
    );
    let stored = StoredNotice {
        id: JobKey::parse(NOTICE)?,
        kind: "share-created".to_owned(),
        channel: Channel::Slack,
        rule: "shares".to_owned(),
        row: None,
        event: None,
        args: notice.to_args()?,
        created: Timestamp::now(),
        state: NoticeState::Waiting,
        ended: None,
        tries: 0,
        error: None,
    };
    world.context.store.add_notice(&stored).await?;
    Ok((world, slack))
}

fn job() -> anyhow::Result<Job> {
    Ok(Job {
        key: JobKey::parse(NOTICE)?,
        attempts: 0,
        crashes: 0,
        covers: Seq::ZERO,
        kinds: EventKinds::of(EventKind::Updated),
        last_event: EventId::parse("test")?,
        waiting_since: Timestamp::now(),
        failing_since: None,
    })
}

async fn attempt(world: &World) -> anyhow::Result<Verdict> {
    Ok(deliver(&world.context, &job()?, Channel::Slack, 0.5).await.verdict)
}

/// Lets every write of these columns of a notice fail, until [`mend`].
async fn break_writes(world: &World, of: &str) -> anyhow::Result<()> {
    let statement = format!(
        "CREATE TRIGGER broken BEFORE UPDATE {of} ON notices BEGIN SELECT RAISE(FAIL, 'attempt to write a readonly database'); END"
    );
    on_the_store(world, statement).await
}

async fn mend(world: &World) -> anyhow::Result<()> {
    on_the_store(world, "DROP TRIGGER broken".to_owned()).await
}

async fn on_the_store(world: &World, statement: String) -> anyhow::Result<()> {
    let pool = sqlx::AnyPool::connect(&world.store_url()).await?;
    sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&pool).await?;
    pool.close().await;
    Ok(())
}

#[tokio::test]
async fn a_store_that_cannot_be_written_keeps_a_notice_from_being_sent() {
    let (world, slack) = with_a_waiting_notice().await.unwrap();
    break_writes(&world, "").await.unwrap();
    for _try in 0..3 {
        let verdict = attempt(&world).await.unwrap();
        assert!(!matches!(verdict, Verdict::Done(_)), "{verdict:?}");
    }
    assert_eq!(slack.messages.list().len(), 0);
    mend(&world).await.unwrap();
    assert_eq!(attempt(&world).await.unwrap(), Verdict::Done(Outcome::Synced));
    assert_eq!(slack.messages.list().len(), 1);
}

#[tokio::test]
async fn a_notice_that_was_sent_is_not_sent_again_because_the_store_could_not_be_told() {
    let (world, slack) = with_a_waiting_notice().await.unwrap();
    break_writes(&world, "OF state").await.unwrap();
    let mended_once_sent = async {
        eventually("the message is there", async || match slack.messages.list().len() {
            1 => Ok(()),
            other => Err(other),
        })
        .await;
        mend(&world).await
    };
    let (verdict, mended) = tokio::join!(attempt(&world), mended_once_sent);
    mended.context("the store is mended").unwrap();
    assert_eq!(verdict.unwrap(), Verdict::Done(Outcome::Synced));
    assert_eq!(attempt(&world).await.unwrap(), Verdict::Done(Outcome::NoChange));
    assert_eq!(slack.messages.list().len(), 1);
}
