//! Notices that wait without a job.

use std::time::Duration;

use anyhow::Context as _;
use passerelle_model::config::Channel;
use passerelle_model::id::JobKey;
use passerelle_model::time::{LongAgo, Timestamp};
use passerelle_store::{NoticeState, StoredNotice};

use crate::world::World;

const NOTICE: &str = "notice/e1/0123456789abcdef";

async fn with_a_waiting_notice() -> anyhow::Result<(World, JobKey)> {
    let world = World::start().await?;
    let id = JobKey::parse(NOTICE)?;
    let notice = StoredNotice {
        id: id.clone(),
        kind: "digest".to_owned(),
        channel: Channel::Slack,
        rule: "outage".to_owned(),
        row: None,
        event: None,
        args: "{}".to_owned(),
        created: Timestamp::from_millis(1),
        state: NoticeState::Waiting,
        ended: None,
        tries: 0,
        error: None,
    };
    world.context.store.add_notice(&notice).await?;
    Ok((world, id))
}

/// The letter that the queue makes of a job whose workers vanished three times.
fn bury_as_poison(world: &World) -> anyhow::Result<()> {
    let letter = format!(
        r#"{{"id":"01KA000000000000000000000A","job":"{NOTICE}","reason":"poison","failure":{{"class":"poison","target":"bridge","message":"the worker w vanished while it ran the job"}},"attempts":0,"died":1732280000000,"covers":0,"last_event":"e1"}}"#
    );
    let mut redis = redis::Client::open(world.redis.url())?.get_connection()?;
    redis::cmd("SET")
        .arg("{bridge}:slack:letter:01KA000000000000000000000A")
        .arg(letter)
        .exec(&mut redis)?;
    redis::cmd("ZADD")
        .arg("{bridge}:slack:dead")
        .arg(0)
        .arg("01KA000000000000000000000A")
        .exec(&mut redis)?;
    Ok(())
}

async fn state(world: &World, id: &JobKey) -> anyhow::Result<(NoticeState, Option<String>)> {
    let notice = world.context.store.notice(id).await?.context("the notice is stored")?;
    Ok((notice.state, notice.error))
}

#[tokio::test]
async fn a_waiting_notice_whose_job_was_lost_is_queued_again_once() {
    let (world, id) = with_a_waiting_notice().await.unwrap();
    let outbox = &world.context.outbox;
    for _ in 0..2 {
        outbox
            .requeue(LongAgo::of_age(Duration::ZERO, Timestamp::now()))
            .await
            .unwrap();
        assert_eq!(outbox.queue(Channel::Slack).stats().await.unwrap().active, 1);
    }
    assert_eq!(state(&world, &id).await.unwrap(), (NoticeState::Waiting, None));
}

#[tokio::test]
async fn a_notice_that_broke_its_workers_has_failed_and_is_not_queued_to_break_more() {
    let (world, id) = with_a_waiting_notice().await.unwrap();
    bury_as_poison(&world).unwrap();
    let outbox = &world.context.outbox;
    outbox
        .requeue(LongAgo::of_age(Duration::ZERO, Timestamp::now()))
        .await
        .unwrap();
    assert_eq!(outbox.queue(Channel::Slack).stats().await.unwrap().active, 0);
    let (state, error) = state(&world, &id).await.unwrap();
    assert_eq!(state, NoticeState::Failed);
    assert!(error.unwrap_or_default().contains("vanished"));
}

#[tokio::test]
async fn an_old_letter_says_nothing_of_a_notice_that_is_queued_again_by_hand() {
    let (world, id) = with_a_waiting_notice().await.unwrap();
    let outbox = &world.context.outbox;
    outbox
        .requeue(LongAgo::of_age(Duration::ZERO, Timestamp::now()))
        .await
        .unwrap();
    bury_as_poison(&world).unwrap();
    outbox
        .requeue(LongAgo::of_age(Duration::ZERO, Timestamp::now()))
        .await
        .unwrap();
    assert_eq!(state(&world, &id).await.unwrap(), (NoticeState::Waiting, None));
}
