//! What an operator sees of the spool, and of a Redis that a later version has written.

use test_support::eventually;

use crate::harness::Ingress;
use crate::spool::{are_accepted_once, deliver, is_empty};

/// The value of a metric without labels; `None` where it is absent.
async fn measured(ingress: &Ingress, name: &str) -> Option<f64> {
    let metrics = ingress.get("/metrics").await.ok()?.body;
    let mut lines = metrics
        .as_str()?
        .lines()
        .map(str::to_owned)
        .collect::<Vec<_>>()
        .into_iter();
    lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
}

#[tokio::test]
async fn the_spool_is_measured_from_the_start_and_what_waits_in_it_too_long_is_named_until_it_is_drained() {
    let mut ingress = Ingress::start_with(&[("STALL_SPOOLED_SECONDS", "1")]).unwrap();
    for name in ["bytes", "deliveries", "oldest_seconds"] {
        let name = format!("passerelle_ingress_spool_{name}");
        assert_eq!(measured(&ingress, &name).await, Some(0.0), "{name}");
    }
    ingress.redis.kill().unwrap();
    for answer in deliver(&ingress, 0..3).await.unwrap() {
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    assert_eq!(
        measured(&ingress, "passerelle_ingress_spool_deliveries").await,
        Some(3.0)
    );
    let warnings = async || {
        ingress
            .get("/readyz")
            .await
            .unwrap_or_else(|error| panic!("{error}"))
            .body["warnings"]
            .to_string()
    };
    eventually("the oldest delivery is too old", async || match warnings().await {
        warnings if warnings.contains("the oldest of 3 deliveries in the spool waits for") => Ok(()),
        other => Err(other),
    })
    .await;
    ingress.redis.boot().unwrap();
    are_accepted_once(&ingress, 3).await;
    is_empty(ingress.spool.path()).await;
    eventually("nothing waits", async || {
        match measured(&ingress, "passerelle_ingress_spool_deliveries").await {
            Some(0.0) => Ok(()),
            other => Err(other),
        }
    })
    .await;
    let found = ingress.get("/readyz").await.unwrap().body["warnings"].to_string();
    assert!(!found.contains("the oldest of"), "{found}");
}

#[tokio::test]
async fn an_ingress_ends_where_a_later_version_has_written_redis() {
    let ingress = Ingress::start().unwrap();
    let mut redis = redis::Client::open(ingress.redis.url())
        .unwrap()
        .get_connection()
        .unwrap();
    redis::cmd("HSET")
        .arg("{bridge}:life")
        .arg("layout")
        .arg(99)
        .exec(&mut redis)
        .unwrap();
    let ended = ingress.ended().await.unwrap_err();
    assert!(ended.to_string().contains("docs/UPGRADING.md"), "{ended}");
}
