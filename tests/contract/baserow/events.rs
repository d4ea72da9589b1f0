//! The webhook calls after a write: the recorded writes, and the recorded calls that followed.

use reqwest::Method;
use serde_json::{Value, json};

use super::capture::beginning;
use super::world::World;

/// Clients and their projects.
pub(crate) const PROJECTS: &[&str] = &[
    "10-", "11-", "12-", "13-", "14-", "15-", "16-", "17-", "18-", "19-", "20-", "21-", "22-", "23-", "24-", "25-",
    "26-",
];
/// People and their hours.
pub(crate) const HOURS: &[&str] = &["30-", "31-", "32-", "33-", "34-"];
/// A webhook for everything.
pub(crate) const EVERYTHING: &[&str] = &["40-", "41-", "42-", "46-", "47-", "48-"];
/// A webhook that watches two fields.
pub(crate) const WATCHED: &[&str] = &["51-", "52-", "53-"];
pub(crate) const WATCH: &str = "50-create-webhook-event_config-fields";
pub(crate) const NO_CHANGE: &[(&str, &str)] = &[
    ("94-noop-patch-empty", "{}"),
    ("94-noop-patch-unknown", r#"{"inconnu":"x"}"#),
    ("94-noop-patch-same", r#"{"note":"thr"}"#),
];
pub(crate) const BY_THE_BOT: &str = "95-writeback-with-last_modified_by-field";
pub(crate) const OPTION_RENAMED: &str = "96-select-option-renamed";
pub(crate) const BATCH: &str = "80-batch-created-200";

/// Writes without calls: one asked for silence, one touched no watched field.
const SILENT: &[&str] = &["16-", "53-"];

/// Plays the write that is recorded under this prefix, and compares the calls.
async fn step(world: &World, prefix: &str, token: &str) -> anyhow::Result<()> {
    let records = beginning(prefix)?;
    let is_write = |name: &&String| name.ends_with("-call") || name.contains("send_webhook_events");
    let reads = ["32-personne-after-recalc"];
    for name in records.iter().filter(is_write) {
        world.replay_as(name, token).await?;
    }
    let deliveries: Vec<String> = records
        .iter()
        .filter(|name| !is_write(name) && !reads.contains(&name.as_str()))
        .cloned()
        .collect();
    let came = world.expect(&deliveries).await?;
    anyhow::ensure!((came == 0) == SILENT.contains(&prefix), "{prefix} made {came} calls");
    for name in records.iter().filter(|name| reads.contains(&name.as_str())) {
        world.replay(name).await?;
    }
    Ok(())
}

async fn silently(world: &World, path: &str, body: Value) -> anyhow::Result<()> {
    let path = format!("/api/database/rows/table/{path}/?user_field_names=true&send_webhook_events=false");
    let (status, answer) = world.send(Method::PATCH, &path, &body).await?;
    anyhow::ensure!(status == 200, "{answer}");
    Ok(())
}

#[tokio::test]
async fn writes_to_linked_tables_call_as_recorded() -> anyhow::Result<()> {
    let world = World::start().await?;
    let events = json!(["rows.created", "rows.updated", "rows.deleted"]);
    let secret = json!({"X-Bridge-Secret": "s3cr3t-Value"});
    world
        .hook(
            "projet",
            "/ok/projet-names",
            json!({"events": events, "headers": secret}),
        )
        .await?;
    world
        .hook(
            "projet",
            "/ok/projet-ids",
            json!({"events": events, "use_user_field_names": false}),
        )
        .await?;
    world.hook("client", "/ok/client", json!({"events": events})).await?;
    for prefix in PROJECTS {
        step(&world, prefix, "database-token").await?;
        match *prefix {
            "18-" => silently(&world, "2/1", json!({"docmost_page_id": "silent-"})).await?,
            "19-" => silently(&world, "2/1", json!({"Client": [1]})).await?,
            "23-" => world.seed("client", 2, json!({"Name": "Inverse"})).await?,
            _ => {}
        }
    }
    world.stop().await
}

#[tokio::test]
async fn a_silent_write_makes_no_call_except_on_an_old_server() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.seed("projet", 1, json!({"Nom": "P"})).await?;
    world.hook("projet", "/ok/p", json!({})).await?;
    silently(&world, "2/1", json!({"Nom": "a"})).await?;
    world.settle().await;
    assert_eq!(world.receiver.count(), 0);
    world.set("ignores_send_webhook_events", json!(true)).await?;
    silently(&world, "2/1", json!({"Nom": "b"})).await?;
    world.settle().await;
    assert_eq!(world.receiver.count(), 1);
    Ok(())
}

#[tokio::test]
async fn recalculated_hours_call_as_recorded() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.hook("personne", "/ok/personne", json!({})).await?;
    world.hook("attribution", "/ok/attribution", json!({})).await?;
    for prefix in HOURS {
        step(&world, prefix, "database-token").await?;
    }
    Ok(())
}

#[tokio::test]
async fn fields_and_users_call_as_recorded() -> anyhow::Result<()> {
    let world = World::start().await?;
    world
        .control(Method::POST, "baserow/tokens", &json!({"key": "bot-token", "user": 2}))
        .await?;
    world
        .hook("essai", "/ok/all", json!({"include_all_events": true}))
        .await?;
    for prefix in EVERYTHING {
        let token = if *prefix == "48-" {
            "bot-token"
        } else {
            "database-token"
        };
        step(&world, prefix, token).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_webhook_is_called_once_per_watched_field() -> anyhow::Result<()> {
    let world = World::start().await?;
    let row = json!({
        "Intitulé de l'étape": "É1", "Date de début": "2026-01-31", "Chargé d’étude / référent": "Léa", "note": "b",
    });
    world.seed("essai", 1, row).await?;
    world.replay(WATCH).await?;
    for prefix in WATCHED {
        step(&world, prefix, "database-token").await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_write_that_changes_nothing_calls_as_recorded() -> anyhow::Result<()> {
    let world = World::start().await?;
    for id in 1..=4 {
        world.seed("essai", id, json!({})).await?;
    }
    world
        .control(Method::POST, "baserow/tokens", &json!({"key": "bot-token", "user": 2}))
        .await?;
    let bot = reqwest::Client::builder().build()?;
    let path = format!("{}/api/database/rows/table/9/", world.url);
    let create = bot
        .post(format!("{path}?user_field_names=true"))
        .header("Authorization", "Token bot-token");
    create.json(&json!({"note": "thr"})).send().await?.error_for_status()?;
    let hook = world
        .hook("essai", "/ok/noop", json!({"events": ["rows.updated"]}))
        .await?;
    for (name, body) in NO_CHANGE {
        world
            .send(
                Method::PATCH,
                "/api/database/rows/table/9/5/?user_field_names=true",
                &serde_json::from_str(body)?,
            )
            .await?;
        world.expect(&[(*name).to_owned()]).await?;
    }
    world
        .send(Method::DELETE, &format!("/api/database/webhooks/{hook}/"), &json!({}))
        .await?;
    world
        .hook("essai", "/ok/who", json!({"events": ["rows.updated"]}))
        .await?;
    let write = bot
        .patch(format!("{path}5/?user_field_names=true"))
        .header("Authorization", "Token bot-token");
    write
        .json(&json!({"note": "who-bot"}))
        .send()
        .await?
        .error_for_status()?;
    world.expect(&[BY_THE_BOT.to_owned()]).await?;
    Ok(())
}

#[tokio::test]
async fn a_renamed_option_calls_about_the_field_only() -> anyhow::Result<()> {
    let world = World::start().await?;
    world
        .seed("projet", 1, json!({"Nom": "P", "Statut": "En cours"}))
        .await?;
    world
        .hook("projet", "/ok/opt", json!({"include_all_events": true}))
        .await?;
    let options = json!([
        {"id": 1, "value": "Brouillon", "color": "light-gray"},
        {"id": 2, "value": "En cours ✎", "color": "blue"},
        {"id": 3, "value": "Terminé", "color": "green"},
    ]);
    world
        .send(
            Method::PATCH,
            "/api/database/fields/3/",
            &json!({"select_options": options}),
        )
        .await?;
    world.expect(&[OPTION_RENAMED.to_owned()]).await?;
    let row = world.get("/api/database/rows/table/2/1/?user_field_names=true").await?;
    assert_eq!(row["Statut"]["value"], json!("En cours ✎"));
    Ok(())
}

#[tokio::test]
async fn two_hundred_rows_are_one_call() -> anyhow::Result<()> {
    let world = World::start().await?;
    for id in [1, 2, 4] {
        world.seed("projet", id, json!({})).await?;
    }
    world
        .send(Method::DELETE, "/api/database/rows/table/2/4/", &json!({}))
        .await?;
    world
        .hook("projet", "/ok/b200", json!({"events": ["rows.created"]}))
        .await?;
    let items: Vec<Value> = (0..200)
        .map(|number| json!({"Nom": format!("R{number}"), "Statut": "Brouillon"}))
        .collect();
    let path = "/api/database/rows/table/2/batch/?user_field_names=true";
    let (status, _) = world.send(Method::POST, path, &json!({"items": items})).await?;
    assert_eq!(status, 200);
    world.expect(&[BATCH.to_owned()]).await?;
    Ok(())
}

#[tokio::test]
async fn a_signed_call_carries_the_hmac_of_its_bytes() -> anyhow::Result<()> {
    use hmac::{Hmac, KeyInit as _, Mac as _};
    let world = World::start().await?;
    world
        .hook("projet", "/ok/signed", json!({"sign_with": "s3cr3t"}))
        .await?;
    let path = "/api/database/rows/table/2/?user_field_names=true";
    world.send(Method::POST, path, &json!({"Nom": "Été"})).await?;
    world.settle().await;
    let delivery = world.receiver.take().pop().expect("one call");
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(b"s3cr3t")?;
    mac.update(delivery.body.as_bytes());
    let wanted = hex::encode(mac.finalize().into_bytes());
    assert_eq!(delivery.header("X-Baserow-Signature"), Some(wanted.as_str()));
    Ok(())
}

#[tokio::test]
async fn a_call_can_come_before_the_answer_of_the_write() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.set("echo_before_answer", json!(true)).await?;
    world.hook("projet", "/ok/early", json!({})).await?;
    for count in 1..=20 {
        world
            .send(Method::POST, "/api/database/rows/table/2/", &json!({}))
            .await?;
        assert_eq!(world.receiver.count(), count);
    }
    Ok(())
}
