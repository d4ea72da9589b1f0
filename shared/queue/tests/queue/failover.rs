//! A failover by address: the old master becomes a replica, its connections stay open, and new ones
//! lead to the new master.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use passerelle_model::config::RedisSettings;
use passerelle_queue::{AcceptStatus, Queue, QueueName, Redis};
use redis::AsyncCommands as _;
use test_support::{TestRedis, eventually};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

use crate::world::delivery;

/// An address that leads new connections to whatever port it is given; those that it has stay where
/// they are.
async fn movable_address(target: Arc<AtomicU16>) -> anyhow::Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let port = listener.local_addr()?.port();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let port = target.load(Ordering::SeqCst);
            tokio::spawn(async move {
                if let Ok(mut server) = TcpStream::connect(("127.0.0.1", port)).await {
                    let _ = copy_bidirectional(&mut client, &mut server).await;
                }
            });
        }
    });
    Ok(port)
}

fn port_of(server: &TestRedis) -> u16 {
    let url = server.url();
    let port = url.rsplit(':').next().and_then(|rest| rest.split('/').next());
    port.and_then(|port| port.parse().ok()).unwrap_or_default()
}

#[tokio::test]
async fn every_use_of_redis_follows_a_failover_by_address() {
    let (old, new) = (TestRedis::start().unwrap(), TestRedis::start().unwrap());
    let target = Arc::new(AtomicU16::new(port_of(&old)));
    let address = movable_address(Arc::clone(&target)).await.unwrap();
    let redis = Redis::open(&RedisSettings {
        response_timeout: Duration::from_secs(1),
        ..RedisSettings::at(format!("redis://127.0.0.1:{address}/0"))
    })
    .unwrap();
    let queue = Queue::new(redis.clone(), QueueName::Sync);
    let _durable = queue.accept(delivery("before", &[1]).unwrap()).await.unwrap();
    let _: () = redis.clone().set("session", "old").await.unwrap();

    target.store(port_of(&new), Ordering::SeqCst);
    let mut aside = redis::Client::open(old.url()).unwrap().get_connection().unwrap();
    redis::cmd("REPLICAOF")
        .arg("127.0.0.1")
        .arg(port_of(&new))
        .exec(&mut aside)
        .unwrap();

    eventually("a cached value is written to the new master", async || {
        redis.clone().set::<_, _, ()>("session", "new").await
    })
    .await;
    let accepted = queue.accept(delivery("after", &[2]).unwrap()).await.unwrap();
    assert_eq!(accepted.status(), AcceptStatus::Queued);
    let mut aside = redis::Client::open(new.url()).unwrap().get_connection().unwrap();
    let session: String = redis::cmd("GET").arg("session").query(&mut aside).unwrap();
    assert_eq!(session, "new");
}
