//! I7: each notice comes once; once more for each process that was killed at most.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Violation;
use crate::play::Deeds;
use crate::schedule::Schedule;
use crate::world::World;

const ASSIGNMENTS: u64 = 6;

pub(super) async fn look(world: &World, schedule: &Schedule, deeds: &Deeds) -> anyhow::Result<Vec<Violation>> {
    let mails = world.sandbox.mails().await?;
    let most = 1 + schedule.kills();
    let mut copies: BTreeMap<String, (usize, &Value)> = BTreeMap::new();
    for mail in &mails {
        let copy = copies.entry(message_id(mail)).or_insert((0, &mail["subject"]));
        copy.0 += 1;
    }
    let mut violations: Vec<Violation> = copies
        .into_values()
        .filter(|(count, _)| *count > most)
        .map(|(count, subject)| Violation::new("I7", format!("the mail {subject} came {count} times")))
        .collect();
    if schedule.loses_data() {
        return Ok(violations);
    }
    let announced = announced(world).await?;
    for (row, course) in deeds.assignments.iter().filter(|(row, _)| announced.contains(row)) {
        let of_it = mails
            .iter()
            .filter(|mail| mail["subject"].as_str().is_some_and(|subject| subject.contains(course)));
        let count = of_it.count();
        if count == 0 {
            violations.push(Violation::new(
                "I7",
                format!("no mail tells of attribution/{row} ({course})"),
            ));
        } else if count > most {
            violations.push(Violation::new(
                "I7",
                format!("{count} mails tell of attribution/{row} ({course})"),
            ));
        }
    }
    Ok(violations)
}

/// The assignments whose creation was answered 200.
async fn announced(world: &World) -> anyhow::Result<BTreeSet<u64>> {
    let attempts = world.sandbox.attempts().await?;
    let created = attempts
        .iter()
        .filter(|attempt| attempt["status"] == 200 && attempt["event_type"] == "rows.created");
    let bodies = created.filter_map(|attempt| serde_json::from_str::<Value>(attempt["body"].as_str()?).ok());
    let of_assignments = bodies.filter(|body| body["table_id"] == ASSIGNMENTS);
    let ids = of_assignments.filter_map(|body| body["items"][0]["id"].as_u64());
    Ok(ids.collect())
}

fn message_id(mail: &Value) -> String {
    let headers = mail["headers"].as_array().into_iter().flatten();
    let mut named = headers.filter(|header| {
        header[0]
            .as_str()
            .is_some_and(|name| name.eq_ignore_ascii_case("message-id"))
    });
    named.next().map_or_else(String::new, |header| header[1].to_string())
}
