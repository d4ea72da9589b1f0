//! Deliveries that wait for replicas (`REDIS_WAIT_REPLICAS`).

use std::time::Duration;

use futures::future::join_all;
use passerelle_model::config::{RedisSettings, ReplicaWait};
use passerelle_queue::{AcceptStatus, Queue, QueueError, QueueName, Redis};
use test_support::{RedisOptions, TestRedis, eventually};

use crate::world::delivery;

struct Pair {
    master: TestRedis,
    replica: TestRedis,
    queue: Queue,
    redis: Redis,
}

impl Pair {
    async fn start() -> anyhow::Result<Self> {
        let master = TestRedis::start()?;
        let replica = TestRedis::start_as(RedisOptions {
            replica_of: Some(master.port()),
            ..RedisOptions::default()
        })?;
        let redis = Redis::open(&RedisSettings {
            replicas: Some(ReplicaWait {
                replicas: 1,
                timeout: Duration::from_millis(200),
            }),
            ..RedisSettings::at(master.url())
        })?;
        let pair = Self {
            queue: Queue::new(redis.clone(), QueueName::Sync),
            redis,
            master,
            replica,
        };
        eventually("the replica acknowledges", async || pair.redis.check_write().await).await;
        Ok(pair)
    }

    /// How often a command was called.
    fn calls(&self, command: &str) -> anyhow::Result<u64> {
        let info: String = self.master.ask(&["INFO", "commandstats"])?;
        let line = info
            .lines()
            .find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
        Ok(line.and_then(|rest| rest.split(',').next()).map_or(Ok(0), str::parse)?)
    }
}

#[tokio::test]
async fn a_delivery_counts_as_accepted_only_when_the_replica_has_it() {
    let pair = Pair::start().await.unwrap();
    pair.replica.freeze().unwrap();
    let refused = pair.queue.accept(delivery("abc", &[1]).unwrap()).await.unwrap_err();
    let QueueError::Unavailable(why) = &refused else {
        panic!("{refused}")
    };
    assert!(why.contains("0 of 1 replicas acknowledged"), "{why}");
    assert!(
        pair.redis.check_write().await.is_err(),
        "readiness waits for the replica too"
    );
    assert!(!pair.redis.is_up());

    pair.replica.thaw().unwrap();
    eventually("the replica acknowledges again", async || {
        pair.redis.check_write().await
    })
    .await;
    let again = pair.queue.accept(delivery("abc", &[1]).unwrap()).await.unwrap();
    assert_eq!(
        again.status(),
        AcceptStatus::Duplicate,
        "the master had it all the time"
    );
    let jobs: u64 = pair.replica.ask(&["LLEN", "{bridge}:sync:active"]).unwrap();
    assert_eq!(jobs, 1, "the replica has it, once");
}

#[tokio::test]
async fn deliveries_that_travel_together_share_one_wait() {
    let pair = Pair::start().await.unwrap();
    let (waits, scripts) = (pair.calls("wait").unwrap(), pair.calls("evalsha").unwrap());
    let accepted = (0..200).map(|number| {
        pair.queue
            .accept(delivery(&format!("event-{number}"), &[number + 1]).unwrap())
    });
    for accepted in join_all(accepted).await {
        assert_eq!(accepted.unwrap().status(), AcceptStatus::Queued);
    }
    let (waits, scripts) = (
        pair.calls("wait").unwrap() - waits,
        pair.calls("evalsha").unwrap() - scripts,
    );
    assert!(waits <= scripts && waits < 20, "{waits} waits for {scripts} groups");
}
