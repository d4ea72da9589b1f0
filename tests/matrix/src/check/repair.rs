//! What an operator does once everything else is mended: the runbook's own steps, and only where a
//! fault calls for them.

use serde_json::Value;

use crate::world::World;

/// A target asked for a long rest. It is well again, and the bridge cannot know it before that time
/// is over.
pub(super) async fn release_gates(world: &World) -> anyhow::Result<()> {
    let operator = world.operator.lock().await.clone();
    let gates = operator.asks(&["gates"]).await?;
    for gate in gates["gates"].as_array().or(gates.as_array()).into_iter().flatten() {
        let Some(name) = gate["gate"].as_str().filter(|_| gate["state"] != "flowing") else {
            continue;
        };
        let why = ["--why", "it is well again", "--by", "lea"];
        operator
            .types(&[&["gates", "ramp", name], why.as_slice()].concat())
            .await?;
    }
    Ok(())
}

/// The part of the message by which the bridge tells that it leaves a webhook alone for ten minutes
/// and more.
const RESTS: &str = "il reste désactivé jusqu’au";

/// Baserow has switched a webhook off again, soon after the bridge had switched it on: the deliveries
/// still failed. The admin was told so, and need not wait.
pub(super) async fn switch_on_webhooks(world: &World) -> anyhow::Result<()> {
    let is_off = |webhook: &Value| webhook["active"] == false;
    let off: Vec<Value> = world.sandbox.webhooks().await?.into_iter().filter(is_off).collect();
    if off.is_empty() {
        return Ok(());
    }
    let mails = world.sandbox.mails().await?;
    let texts: Vec<String> = mails.iter().map(ToString::to_string).collect();
    for webhook in off.iter().filter_map(|webhook| webhook["id"].as_u64()) {
        let name = format!("Le webhook {webhook} de la table");
        if texts.iter().any(|text| text.contains(&name) && text.contains(RESTS)) {
            world.sandbox.switch_on(webhook).await?;
        }
    }
    Ok(())
}

/// The row that nobody survived is harmless now.
pub(super) async fn replay_poisoned(world: &World) -> anyhow::Result<()> {
    let poisoned = world.poisoned.lock().await.clone();
    if poisoned.is_empty() {
        return Ok(());
    }
    let operator = world.operator.lock().await.clone();
    let letters = operator.asks(&["dead", "list"]).await?;
    for letter in letters.as_array().into_iter().flatten() {
        let is_poisoned = letter["job"].as_str().is_some_and(|job| poisoned.contains(job));
        if let Some(id) = letter["id"]
            .as_str()
            .filter(|_| is_poisoned && letter["superseded"] != Value::Bool(true))
        {
            let why = ["--why", "its cause is gone", "--by", "lea"];
            operator
                .types(&[&["dead", "replay", id], why.as_slice()].concat())
                .await?;
        }
    }
    Ok(())
}
