//! What a webhook's own headers and its method do to the call.

use reqwest::Method;
use serde_json::{Value, json};

use super::capture::{Delivery, beginning, headers_of, load};
use super::world::World;

pub(crate) const HEADERS: &str = "62-custom-header-";
pub(crate) const WRITE: &str = "62-custom-headers-call";
pub(crate) const METHODS: &str = "65-methods";

#[tokio::test]
async fn custom_headers_take_their_recorded_places() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.seed("essai", 1, json!({})).await?;
    world.seed("essai", 2, json!({"Intitulé de l'étape": "sem"})).await?;
    for name in beginning(HEADERS)? {
        let record = load(&name)?;
        let hook = world
            .hook(
                "essai",
                "/ok/hdr",
                json!({"events": ["rows.updated"], "headers": record["configured"]}),
            )
            .await?;
        world.replay(WRITE).await?;
        // A call that is refused before it is sent is retried like a failed one, so only the first
        // attempt counts.
        world.settle().await;
        let received = world.receiver.take();
        let wanted = &record["delivered_headers"];
        assert_eq!(received.is_empty(), wanted.is_null(), "{name}");
        if let Some(delivery) = received.first() {
            let seen: Vec<(String, String)> = delivery.blanked().headers;
            let recorded = Delivery {
                headers: headers_of(wanted),
                ..delivery.clone()
            };
            let wanted: Vec<(String, String)> = recorded.blanked().headers;
            let names = |headers: &[(String, String)]| headers.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
            assert_eq!(names(&seen), names(&wanted), "{name}");
            let differs =
                |(left, right): &(&(String, String), &(String, String))| left.0 != "Content-Length" && left != right;
            assert_eq!(seen.iter().zip(&wanted).find(differs), None, "{name}");
        }
        let calls = world.webhook(hook).await?["calls"].clone();
        let logged = calls
            .as_array()
            .into_iter()
            .flatten()
            .map(|call| json!([call["response_status"], call["error"]]));
        assert_eq!(Value::Array(logged.collect()), record["calls"], "{name}");
        world
            .send(Method::DELETE, &format!("/api/database/webhooks/{hook}/"), &json!({}))
            .await?;
    }
    Ok(())
}

#[tokio::test]
async fn every_method_carries_the_body() -> anyhow::Result<()> {
    let world = World::start().await?;
    let row = json!({
        "Intitulé de l'étape": "É2", "Date de début": "2026-02-01", "Chargé d’étude / référent": "Léa", "note": "h2",
    });
    world.seed("essai", 1, row).await?;
    for method in ["GET", "PUT", "PATCH", "DELETE"] {
        let more = json!({"events": ["rows.updated"], "request_method": method});
        world.hook("essai", &format!("/ok/m{method}"), more).await?;
    }
    world
        .send(
            Method::PATCH,
            "/api/database/rows/table/9/1/?user_field_names=true",
            &json!({"note": "mm"}),
        )
        .await?;
    world.expect(&[METHODS.to_owned()]).await?;
    Ok(())
}
