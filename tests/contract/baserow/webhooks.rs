//! How a user manages webhooks: the recorded exchanges.

use reqwest::Method;
use serde_json::json;

use super::capture::beginning;
use super::world::World;

pub(crate) const MANAGED: &[&str] = &[
    "01-create-webhook",
    "62-create-webhook-custom-headers",
    "63-bad-header-331",
    "63-bad-header-555",
    "64-create-webhook-with-db-token",
];
pub(crate) const PRIVATE: &str = "92-";
pub(crate) const TOO_MANY: &str = "97-max-webhooks";

#[tokio::test]
async fn webhooks_are_managed_as_recorded() -> anyhow::Result<()> {
    let world = World::start().await?;
    for name in MANAGED {
        world.replay(name).await?;
    }
    Ok(())
}

#[tokio::test]
async fn private_addresses_are_refused_where_they_are_blocked() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.set("blocks_private_addresses", json!(true)).await?;
    for name in beginning(PRIVATE)? {
        world.replay(&name).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_table_has_twenty_webhooks_at_most() -> anyhow::Result<()> {
    let world = World::start().await?;
    for number in 0..20 {
        world.hook("bloc", &format!("/ok/{number}"), json!({})).await?;
    }
    world.replay(TOO_MANY).await
}

#[tokio::test]
async fn a_deleted_webhook_is_called_no_more() -> anyhow::Result<()> {
    let world = World::start().await?;
    let hook = world.hook("projet", "/ok/gone", json!({})).await?;
    let (status, _) = world
        .send(Method::DELETE, &format!("/api/database/webhooks/{hook}/"), &json!({}))
        .await?;
    assert_eq!(status, 204);
    world
        .send(Method::POST, "/api/database/rows/table/2/", &json!({}))
        .await?;
    world.settle().await;
    assert_eq!(world.receiver.count(), 0);
    Ok(())
}
