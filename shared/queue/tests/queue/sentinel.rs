//! A master that Sentinels watch: whoever loses it asks them anew.

use std::time::Duration;

use passerelle_model::config::RedisSettings;
use passerelle_queue::{Queue, QueueName, Redis};
use test_support::{RedisOptions, TestCertificate, TestSentinels, eventually};
use tokio::time::{Instant, timeout};

use crate::world::delivery;

fn queue_at(settings: &RedisSettings) -> anyhow::Result<Queue> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Ok(Queue::new(Redis::open(settings)?, QueueName::Sync))
}

async fn is_accepted_again(queue: &Queue) -> anyhow::Result<()> {
    let after = delivery("after", &[2])?;
    eventually("the new master accepts", async || {
        queue.accept(&after).await.map(|_durable| ())
    })
    .await;
    anyhow::ensure!(queue.stats().await?.active == 2, "the replica had the first delivery");
    Ok(())
}

#[tokio::test]
async fn a_queue_by_sentinel_follows_the_failover_of_a_killed_master() {
    let mut servers = TestSentinels::start(RedisOptions::default()).unwrap();
    let queue = queue_at(&RedisSettings::at(servers.url(""))).unwrap();
    let _durable = queue.accept(delivery("before", &[1]).unwrap()).await.unwrap();
    servers.servers[0].kill().unwrap();
    is_accepted_again(&queue).await.unwrap();
}

#[tokio::test]
async fn a_master_that_becomes_a_replica_is_left_for_the_new_one() {
    let servers = TestSentinels::start(RedisOptions::default()).unwrap();
    let queue = queue_at(&RedisSettings::at(servers.url(""))).unwrap();
    let _durable = queue.accept(delivery("before", &[1]).unwrap()).await.unwrap();
    servers.fail_over().unwrap();
    servers.wait_for_failover().unwrap();
    is_accepted_again(&queue).await.unwrap();
}

#[tokio::test]
async fn a_sentinel_that_hangs_costs_no_time() {
    let servers = TestSentinels::start(RedisOptions::default()).unwrap();
    servers.freeze_sentinel(0).unwrap();
    let began = Instant::now();
    let queue = queue_at(&RedisSettings::at(servers.url(""))).unwrap();
    let _durable = queue.accept(delivery("before", &[1]).unwrap()).await.unwrap();
    assert!(began.elapsed() < Duration::from_millis(900), "{:?}", began.elapsed());
}

/// Asking takes longer than this caller waits: the connection is made all the same.
#[tokio::test]
async fn a_connection_goes_on_being_made_when_nobody_waits_for_it_any_more() {
    let servers = TestSentinels::start(RedisOptions::default()).unwrap();
    let queue = queue_at(&RedisSettings::at(servers.url(""))).unwrap();
    eventually("an impatient caller is served", async || {
        let impatient = timeout(Duration::from_micros(500), queue.stats()).await;
        impatient
            .map_err(|_| "no answer in time")
            .and_then(|stats| stats.map_err(|_| "no Redis"))
    })
    .await;
}

#[tokio::test]
async fn sentinels_and_servers_with_tls_users_and_passwords_are_followed_too() {
    let certificate = TestCertificate::make().unwrap();
    let mut servers = TestSentinels::start(RedisOptions {
        tls: Some(certificate.clone()),
        ..RedisOptions::default()
    })
    .unwrap();
    for server in &servers.servers {
        let _: String = server
            .ask(&["ACL", "SETUSER", "bridge", "on", ">p@ss", "~*", "&*", "+@all"])
            .unwrap();
    }
    let queue = queue_at(&RedisSettings {
        ca_file: Some(certificate.path()),
        ..RedisSettings::at(servers.url("bridge:p%40ss@"))
    })
    .unwrap();
    let _durable = queue.accept(delivery("before", &[1]).unwrap()).await.unwrap();
    servers.servers[0].kill().unwrap();
    is_accepted_again(&queue).await.unwrap();
}

#[tokio::test]
async fn a_master_that_no_sentinel_knows_is_told_by_its_name() {
    let servers = TestSentinels::start(RedisOptions::default()).unwrap();
    let queue = queue_at(&RedisSettings::at(servers.url("").replace("mymaster", "theirs"))).unwrap();
    let told = queue.stats().await.unwrap_err().to_string();
    assert!(
        told.contains("no Sentinel names a master that answers") && told.contains("theirs"),
        "{told}"
    );
}
