//! Turns over a real Redis: one holder per slot, whatever happens to it.

use std::time::Duration;

use passerelle_model::config::{Reader, RedisSettings};
use passerelle_model::id::ProcessName;
use passerelle_queue::Redis;
use passerelle_queue::schedule::{Schedule, Task, Turn};
use test_support::{TestRedis, eventually};

const HOURLY: Task = Task {
    name: "test",
    every: Some(Duration::from_hours(1)),
    begins_at_once: true,
    lease: Duration::from_mins(1),
};

struct Replicas(TestRedis);

impl Replicas {
    fn start() -> anyhow::Result<Self> {
        Ok(Self(TestRedis::start()?))
    }

    /// On a Redis whose clock is an hour ahead.
    fn ahead() -> anyhow::Result<Self> {
        let server = TestRedis::start_with_clock()?;
        server.set_clock(3_600)?;
        Ok(Self(server))
    }

    fn replica(&self) -> anyhow::Result<Schedule> {
        let settings = RedisSettings::read(&mut Reader::from_pairs([("REDIS_URL", self.0.url())]));
        Ok(Schedule::new(Redis::open(&settings)?, ProcessName::unique("worker")))
    }
}

fn is_mine(turn: &Turn) -> bool {
    matches!(turn, Turn::Mine { .. })
}

#[tokio::test]
async fn one_replica_has_the_turn_and_a_slot_that_is_done_is_not_done_again() {
    let replicas = Replicas::start().unwrap();
    let (one, two) = (replicas.replica().unwrap(), replicas.replica().unwrap());
    assert!(is_mine(&one.take(&HOURLY).await.unwrap()));
    let Turn::NotMine { holder, .. } = two.take(&HOURLY).await.unwrap() else {
        panic!("two holders");
    };
    assert!(holder.is_some_and(|holder| holder.starts_with("worker-")));
    assert!(one.done(&HOURLY).await.unwrap());
    for again in [&one, &two, &replicas.replica().unwrap()] {
        let Turn::NotMine { ask_after, holder } = again.take(&HOURLY).await.unwrap() else {
            panic!("the slot was begun twice");
        };
        assert!(ask_after > Duration::from_secs(3500) && ask_after <= Duration::from_hours(1));
        assert_eq!(holder, None);
    }
}

#[tokio::test]
async fn the_memo_of_a_holder_that_vanished_goes_to_whoever_takes_over() {
    let replicas = Replicas::start().unwrap();
    let (one, two) = (replicas.replica().unwrap(), replicas.replica().unwrap());
    let short = Task {
        lease: Duration::from_millis(50),
        ..HOURLY
    };
    // Taken with a lease of a minute; then the last that is heard of the holder, 50 ms before its
    // lease ends.
    assert!(is_mine(&one.take(&HOURLY).await.unwrap()));
    assert!(one.keep(&short, "half way").await.unwrap());
    let memo = eventually("the lease has ended", async || match two.take(&HOURLY).await {
        Ok(Turn::Mine { memo }) => Ok(memo),
        other => Err(other),
    })
    .await;
    assert_eq!(memo, "half way");
    assert!(!one.keep(&short, "late").await.unwrap(), "the first one learns of it");
    assert!(!one.done(&short).await.unwrap(), "and ends nothing");
    assert!(two.done(&HOURLY).await.unwrap());
}

#[tokio::test]
async fn a_turn_given_back_is_taken_up_with_its_memo() {
    let replicas = Replicas::start().unwrap();
    let (one, two) = (replicas.replica().unwrap(), replicas.replica().unwrap());
    assert!(is_mine(&one.take(&HOURLY).await.unwrap()));
    assert!(one.keep(&HOURLY, "half way").await.unwrap());
    assert!(one.leave(&HOURLY, Duration::ZERO).await.unwrap());
    let memo = "half way".to_owned();
    assert_eq!(two.take(&HOURLY).await.unwrap(), Turn::Mine { memo });
}

#[tokio::test]
async fn a_first_turn_may_wait_for_one_interval() {
    let replicas = Replicas::start().unwrap();
    let one = replicas.replica().unwrap();
    let later = Task {
        begins_at_once: false,
        ..HOURLY
    };
    assert!(!is_mine(&one.take(&later).await.unwrap()));
    // A shorter interval counts from now, not from the end of the longer one.
    let soon = Task {
        every: Some(Duration::from_millis(10)),
        ..later
    };
    eventually("the next slot", async || match one.take(&soon).await {
        Ok(Turn::Mine { .. }) => Ok(()),
        other => Err(other),
    })
    .await;
}

#[tokio::test]
async fn a_turn_by_hand_keeps_the_others_away_and_leaves_their_slots_alone() {
    let replicas = Replicas::start().unwrap();
    let (worker, operator) = (replicas.replica().unwrap(), replicas.replica().unwrap());
    let by_hand = Task { every: None, ..HOURLY };
    assert!(is_mine(&operator.take(&by_hand).await.unwrap()));
    assert!(!is_mine(&worker.take(&HOURLY).await.unwrap()));
    assert!(operator.done(&by_hand).await.unwrap());
    assert!(is_mine(&worker.take(&HOURLY).await.unwrap()));
}

#[tokio::test]
async fn a_turn_whose_holder_vanished_before_the_clock_went_back_is_taken_over() {
    let replicas = Replicas::ahead().unwrap();
    let (vanished, heir) = (replicas.replica().unwrap(), replicas.replica().unwrap());
    let by_hand = Task { every: None, ..HOURLY };
    assert!(is_mine(&vanished.take(&by_hand).await.unwrap()));
    replicas.0.set_clock(0).unwrap();
    eventually("the heir has the turn", async || match heir.take(&by_hand).await {
        Ok(turn) if is_mine(&turn) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
}

#[tokio::test]
async fn a_turn_that_was_given_back_before_the_clock_went_back_may_be_taken_up() {
    let replicas = Replicas::ahead().unwrap();
    let (one, two) = (replicas.replica().unwrap(), replicas.replica().unwrap());
    let by_hand = Task { every: None, ..HOURLY };
    assert!(is_mine(&one.take(&by_hand).await.unwrap()));
    assert!(one.leave(&by_hand, Duration::from_mins(1)).await.unwrap());
    assert!(!is_mine(&two.take(&by_hand).await.unwrap()));
    replicas.0.set_clock(0).unwrap();
    assert!(is_mine(&two.take(&by_hand).await.unwrap()));
}
