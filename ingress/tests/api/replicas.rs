//! Deliveries that replicas must have before they are answered 200 (`REDIS_WAIT_REPLICAS`), or else
//! the spool.

use test_support::{RedisOptions, TestRedis, eventually};

use crate::harness::Ingress;
use crate::spool::{are_accepted_once, created, deliver, is_empty};

async fn warns(ingress: &Ingress, words: &str) {
    eventually(&format!("readiness warns of {words:?}"), async || {
        match ingress.get("/readyz").await {
            Ok(ready) if ready.status == 200 && ready.body["warnings"].to_string().contains(words) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
}

#[tokio::test]
async fn deliveries_that_no_replica_has_are_spooled_and_count_once_when_one_has_them() {
    let ingress = Ingress::start_with(&[("REDIS_WAIT_REPLICAS", "1"), ("REDIS_WAIT_SECONDS", "0.2")]).unwrap();
    let replica = TestRedis::start_as(RedisOptions {
        replica_of: Some(ingress.redis.port()),
        ..RedisOptions::default()
    })
    .unwrap();
    warns(&ingress, "[]").await;
    assert_eq!(ingress.deliver(created(0)).await.unwrap().status, 200);
    is_empty(ingress.spool.path()).await;

    replica.freeze().unwrap();
    for answer in deliver(&ingress, 0..60).await.unwrap() {
        assert_eq!(answer.status, 200);
    }
    warns(&ingress, "0 of 1 replicas acknowledged").await;
    let spooled = std::fs::read_dir(ingress.spool.path()).unwrap().count();
    assert!(spooled > 0, "they are nowhere but in a master without a replica");

    replica.thaw().unwrap();
    are_accepted_once(&ingress, 60).await;
    is_empty(ingress.spool.path()).await;
    warns(&ingress, "[]").await;
    let jobs: u64 = replica.ask(&["LLEN", "{bridge}:sync:active"]).unwrap();
    assert_eq!(jobs, 60, "the replica has every job once");
}
