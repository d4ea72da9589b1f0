//! A change of links calls the webhooks of the other table.

use reqwest::Method;
use serde_json::{Value, json};

use super::world::World;

/// A project's links, and what it links to after each step.
pub(crate) const LINKS: &[(&str, &[u64])] = &[
    ("27-link-A-to-B", &[10]),
    ("27-link-B-to-AB", &[9, 10]),
    ("27-link-AB-to-A", &[9]),
    ("27-link-A-to-none", &[]),
    ("27-link-none-to-A", &[9]),
];
pub(crate) const PAGES: &str = "82-related-1200-batches";

#[tokio::test]
async fn gained_and_lost_links_call_as_recorded() -> anyhow::Result<()> {
    let world = World::start().await?;
    for id in 1..=4 {
        world.seed("client", id, json!({})).await?;
    }
    world.seed("client", 9, json!({"Name": "A"})).await?;
    world.seed("client", 10, json!({"Name": "B"})).await?;
    for id in 1..=7 {
        world.seed("projet", id, json!({})).await?;
    }
    world
        .seed("projet", 2602, json!({"Nom": "link", "Client": [9]}))
        .await?;
    world.hook("client", "/ok/cl", json!({})).await?;
    world.hook("projet", "/ok/pr", json!({})).await?;
    for (name, clients) in LINKS {
        let path = "/api/database/rows/table/2/2602/?user_field_names=true";
        world.send(Method::PATCH, path, &json!({"Client": clients})).await?;
        world.settle().await;
        assert_eq!(world.receiver.count(), if clients.is_empty() { 1 } else { 2 }, "{name}");
        world.expect(&[(*name).to_owned()]).await?;
    }
    Ok(())
}

#[tokio::test]
async fn more_than_five_pages_of_linked_rows_are_dropped() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.seed("client", 1, json!({"Name": "C"})).await?;
    let rows: Vec<Value> = (0..1200).map(|_| json!({})).collect();
    world
        .control(Method::POST, "baserow/tables/projet/rows", &json!(rows))
        .await?;
    world
        .hook(
            "projet",
            "/ok/pages",
            json!({"events": ["rows.updated"], "name": "rec"}),
        )
        .await?;
    let all: Vec<u64> = (1..=1200).collect();
    let path = "/api/database/rows/table/1/1/?user_field_names=true";
    world.send(Method::PATCH, path, &json!({"projet": all})).await?;
    world.settle().await;
    let received = world.receiver.take();
    let wanted = super::capture::load(PAGES)?;
    let wanted: Vec<&Value> = wanted.as_array().into_iter().flatten().collect();
    assert_eq!(received.len(), wanted.len());
    let first: Value = serde_json::from_str(&received[0].body)?;
    for (delivery, wanted) in received.iter().zip(wanted) {
        let body: Value = serde_json::from_str(&delivery.body)?;
        for key in [
            "table_id",
            "event_type",
            "total_count",
            "offset",
            "batch_size",
            "batch_id",
        ] {
            assert_eq!(body[key], wanted[key], "{key}");
        }
        assert_eq!(
            body["items"].as_array().map(Vec::len),
            wanted["n_items"].as_u64().and_then(|n| n.try_into().ok())
        );
        assert_eq!(body["event_id"], first["event_id"]);
    }
    Ok(())
}
