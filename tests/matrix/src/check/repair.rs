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
