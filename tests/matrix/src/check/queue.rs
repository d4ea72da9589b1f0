//! I2: nothing is open, no record is left, no spool, no lease. I6: no dead letter.

use serde_json::Value;

use super::Violation;
use crate::schedule::Program;
use crate::world::World;

/// What `stats` counts, and what must be 0 when all is done.
const EMPTY: [(&str, &str); 7] = [
    ("/queue/queued", "queued jobs"),
    ("/queue/running", "running jobs"),
    ("/queue/scheduled", "scheduled jobs"),
    ("/queue/ledger_backlog", "facts on the way"),
    ("/open", "open items"),
    ("/missing", "missing items"),
    ("/unreadable_records", "unreadable records"),
];

pub(super) async fn look(world: &World) -> anyhow::Result<Vec<Violation>> {
    let operator = world.operator.lock().await.clone();
    let mut violations = Vec::new();
    let stats = operator.asks(&["stats"]).await?;
    for (pointer, what) in EMPTY {
        if stats.pointer(pointer) != Some(&Value::from(0)) {
            let found = stats
                .pointer(pointer)
                .map_or("nobody knows how many".to_owned(), Value::to_string);
            violations.push(Violation::new("I2", format!("{found} {what}; stats says {stats}")));
        }
    }
    let workers = operator.asks(&["workers"]).await?;
    let orphaned = workers["orphaned"].as_array().map_or(0, Vec::len);
    if orphaned > 0 {
        violations.push(Violation::new(
            "I2",
            format!("leases of nobody: {}", workers["orphaned"]),
        ));
    }
    violations.extend(spools(world).await?);
    let letters = operator.asks(&["dead", "list"]).await?;
    let list = letters.as_array().or(letters["letters"].as_array());
    let poisoned = world.poisoned.lock().await;
    let innocent = |letter: &&Value| !letter["job"].as_str().is_some_and(|job| poisoned.contains(job));
    for letter in list.into_iter().flatten().filter(innocent) {
        violations.push(Violation::new(
            "I6",
            format!("a dead letter without a cause of its own: {letter}"),
        ));
    }
    Ok(violations)
}

async fn spools(world: &World) -> anyhow::Result<Vec<Violation>> {
    let mut violations = Vec::new();
    for (program, port) in world.ports() {
        if !matches!(program, Program::Ingress(_)) {
            continue;
        }
        let seen = match world.sandbox.get(*port, "/metrics").await {
            // The number is there once something was spooled.
            Ok((200, metrics)) => spooled(&metrics)
                .filter(|bytes| bytes != "0")
                .map(|bytes| format!("has {bytes} bytes")),
            other => Some(format!("cannot be seen: {other:?}")),
        };
        violations.extend(seen.map(|seen| Violation::new("I2", format!("the spool of {program} {seen}"))));
    }
    Ok(violations)
}

fn spooled(metrics: &str) -> Option<String> {
    let mut bytes = metrics
        .lines()
        .filter_map(|line| line.strip_prefix("passerelle_ingress_spool_bytes "));
    bytes.next().map(str::to_owned)
}
