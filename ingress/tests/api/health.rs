//! Alive, ready, measured; and everything that is not there.

use rstest::rstest;
use serde_json::json;

use crate::harness::Ingress;

#[tokio::test]
async fn a_path_that_is_not_there_is_told_as_json() {
    let ingress = Ingress::start().unwrap();
    for path in [
        "/",
        "/api/webhooks/baserow",
        "/api/webhooks/baserow/a/b",
        "/api/webhooks/docmost/a",
    ] {
        let answer = ingress.get(path).await.unwrap();
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(
            answer.body,
            json!({ "accepted": false, "reason": "not_found" }),
            "{path}"
        );
    }
}

#[rstest]
#[case("GET", "/api/webhooks/baserow/projet-changed")]
#[case("PUT", "/api/webhooks/baserow/projet-changed")]
#[case("POST", "/healthz")]
#[case("DELETE", "/metrics")]
#[tokio::test]
async fn a_wrong_method_is_told_as_json(#[case] method: &str, #[case] path: &str) {
    let ingress = Ingress::start().unwrap();
    let method = method.parse().unwrap();
    let response = ingress.http.request(method, ingress.url(path)).send().await.unwrap();
    assert_eq!(response.status(), 405);
    let body: serde_json::Value = response.json().await.unwrap();
    assert_eq!(body, json!({ "accepted": false, "reason": "method_not_allowed" }));
}

#[tokio::test]
async fn a_living_process_says_so_whatever_redis_does() {
    let mut ingress = Ingress::start().unwrap();
    ingress.redis.kill().unwrap();
    assert_eq!(ingress.get("/healthz").await.unwrap().status, 200);
}

#[tokio::test]
async fn without_a_spool_readiness_follows_redis() {
    let mut ingress = Ingress::start_with(&[("INGRESS_SPOOL_BYTES", "0")]).unwrap();
    let answer = ingress.get("/readyz").await.unwrap();
    assert_eq!(
        (answer.status, answer.body),
        (200, json!({ "ready": true, "warnings": [] }))
    );
    ingress.redis.kill().unwrap();
    let answer = ingress.get("/readyz").await.unwrap();
    assert_eq!(answer.status, 503);
    assert_eq!(answer.body["reason"], "queue_unavailable");
    ingress.redis.boot().unwrap();
    test_support::eventually("ready again", async || match ingress.get("/readyz").await {
        Ok(answer) if answer.status == 200 => Ok(()),
        other => Err(other),
    })
    .await;
}

#[tokio::test]
async fn an_ingress_that_is_asked_to_stop_stops() {
    let ingress = Ingress::start().unwrap();
    assert_eq!(ingress.get("/healthz").await.unwrap().status, 200);
    ingress.stop().await.unwrap();
}

#[tokio::test]
async fn with_an_address_of_their_own_health_and_metrics_are_not_at_that_of_the_deliveries() {
    let own = format!("127.0.0.1:{}", test_support::free_port().unwrap());
    let ingress = Ingress::start_with(&[("INGRESS_HEALTH_BIND", own.as_str())]).unwrap();
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(ingress.get(path).await.unwrap().status, 404, "{path}");
        let answer = ingress.http.get(format!("http://{own}{path}")).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
    }
    let forged = ingress
        .http
        .post(format!("http://{own}/api/webhooks/baserow/x"))
        .send()
        .await
        .unwrap();
    assert_eq!(forged.status(), 404);
    ingress.stop().await.unwrap();
}
