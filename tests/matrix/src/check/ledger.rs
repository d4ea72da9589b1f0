//! I1: every delivery that was answered 200 is in the ledger, once. I3: counting again gives what
//! `stats` says.
//!
//! The ledger is read as an operator reads it: `trace` of every row that a delivery named.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use futures::{StreamExt as _, TryStreamExt as _};
use serde_json::Value;

use super::Violation;
use crate::schedule::Schedule;
use crate::world::{Operator, TABLES, World};

/// A delivery's identity: webhook, event, page.
type Key = (u64, String, u64);
/// Deliveries of more rows are traced by their event.
const FEW: usize = 5;
/// The table into which many rows come at once: they are traced one by one only where they may have
/// events of their own.
const MANY: &str = "personne";
/// How often the operator's program runs at once.
const AT_ONCE: usize = 2;
/// An outage of some seconds may cost a job so many counted attempts: those before its gate stops,
/// and those of the probes.
const MOST_ATTEMPTS: usize = 6;

/// What a delivery was about, and whether it was answered.
#[derive(Default)]
struct Sent {
    rows: BTreeSet<(u64, u64)>,
    /// How often it was sent.
    times: usize,
    answered: bool,
}

/// An event of the ledger.
#[derive(Debug, Default)]
struct Story {
    webhook: u64,
    event: String,
    batch: u64,
    duplicates: u64,
    /// By the row, or the job, or nothing.
    items: BTreeMap<String, Value>,
}

pub(super) async fn look(world: &World, schedule: &Schedule) -> anyhow::Result<Vec<Violation>> {
    let operator = world.operator.lock().await.clone();
    let sent = sent(world).await?;
    let mut subjects: BTreeSet<String> = BTreeSet::new();
    for (name, table) in TABLES {
        let rows = world.sandbox.rows(table).await?;
        // After a loss the bridge asks for rows one by one, also for those of a large delivery.
        let rows = rows.iter().filter(|_| name != MANY || schedule.loses_data());
        subjects.extend(rows.map(|row| format!("t{table}/r{}", row["id"])));
    }
    for ((_, event, _), delivery) in &sent {
        if (1..=FEW).contains(&delivery.rows.len()) {
            subjects.extend(delivery.rows.iter().map(|(table, row)| format!("t{table}/r{row}")));
        } else {
            subjects.insert(event.clone());
        }
    }
    let stories = stories(&operator, subjects).await?;
    let stats = operator.asks(&["stats"]).await?;
    let mut violations = in_the_ledger(&sent, &stories, schedule);
    violations.extend(recounted(&stories, &stats));
    violations.extend(burnt(&stories));
    Ok(violations)
}

/// The deliveries that Baserow made.
async fn sent(world: &World) -> anyhow::Result<BTreeMap<Key, Sent>> {
    let mut sent: BTreeMap<Key, Sent> = BTreeMap::new();
    for attempt in world.sandbox.attempts().await? {
        let body: Value = serde_json::from_str(attempt["body"].as_str().unwrap_or_default()).context("a delivery")?;
        let key = (
            attempt["webhook_id"].as_u64().context("an attempt without a webhook")?,
            attempt["event_id"]
                .as_str()
                .context("an attempt without an event")?
                .to_owned(),
            attempt["batch_id"].as_u64().unwrap_or(0),
        );
        let delivery = sent.entry(key).or_default();
        delivery.times += 1;
        delivery.answered |= attempt["status"] == 200;
        let table = body["table_id"].as_u64().unwrap_or(0);
        let items = listed(&body["items"]).map(|item| &item["id"]);
        let ids = items.chain(listed(&body["row_ids"]));
        delivery.rows.extend(ids.filter_map(|id| Some((table, id.as_u64()?))));
    }
    Ok(sent)
}

/// The events that the traces of these subjects tell of, by their place in the ledger.
async fn stories(operator: &Operator, subjects: BTreeSet<String>) -> anyhow::Result<BTreeMap<(i64, i64), Story>> {
    let reports: Vec<Value> = futures::stream::iter(subjects)
        .map(async |subject| operator.asks(&["trace", &subject, "--limit", "1000"]).await)
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await?;
    let mut stories: BTreeMap<(i64, i64), Story> = BTreeMap::new();
    for event in reports.iter().flat_map(|report| listed(&report["events"])) {
        let seq = event["seq"].as_i64().context("an event without its place")?;
        let story = stories.entry((seq, event["place"].as_i64().unwrap_or(0))).or_default();
        story.webhook = event["key"]["webhook"].as_u64().unwrap_or(0);
        event["key"]["event"]
            .as_str()
            .unwrap_or_default()
            .clone_into(&mut story.event);
        story.batch = event["key"]["batch"].as_u64().unwrap_or(0);
        story.duplicates = event["duplicates"].as_u64().unwrap_or(0);
        // The trace of a row shows the items of this row alone.
        let items = listed(&event["items"]);
        story
            .items
            .extend(items.map(|item| (format!("{}{}", item["row"], item["job"]), item.clone())));
    }
    Ok(stories)
}

fn in_the_ledger(
    sent: &BTreeMap<Key, Sent>,
    stories: &BTreeMap<(i64, i64), Story>,
    schedule: &Schedule,
) -> Vec<Violation> {
    let mut found: BTreeMap<Key, usize> = BTreeMap::new();
    for story in stories.values() {
        *found
            .entry((story.webhook, story.event.clone(), story.batch))
            .or_default() += 1;
    }
    let mut violations = Vec::new();
    for (key, delivery) in sent {
        let (webhook, event, _) = key;
        let times = found.get(key).copied().unwrap_or(0);
        // With the end of its data Redis loses which deliveries it knows: one that is sent again, by
        // Baserow or by people, is new to it.
        let is_spared = schedule.loses_data() && times <= delivery.times + schedule.repeats();
        if times == 1 || (times == 0 && !delivery.answered) || is_spared {
            continue;
        }
        let rows = delivery.rows.iter().take(3);
        let rows: Vec<String> = rows.map(|(table, row)| format!("t{table}/r{row}")).collect();
        let answer = if delivery.answered {
            "was answered 200"
        } else {
            "was not answered 200"
        };
        let seen =
            format!("delivery {event} of webhook {webhook} about {rows:?} {answer} and is in the ledger {times} times");
        violations.push(Violation::new("I1", seen));
    }
    violations
}

/// What the stories add up to is what `stats` says.
fn recounted(stories: &BTreeMap<(i64, i64), Story>, stats: &Value) -> Vec<Violation> {
    let items: Vec<&Value> = stories.values().flat_map(|story| story.items.values()).collect();
    let mut outcomes: BTreeMap<&str, u64> = BTreeMap::new();
    for item in &items {
        let outcome = item["outcome"]["outcome"].as_str();
        *outcomes.entry(outcome.unwrap_or("open")).or_default() += 1;
    }
    let open = outcomes.remove("open").unwrap_or(0);
    let duplicates = stories.values().map(|story| story.duplicates).sum();
    let mut violations = Vec::new();
    let mut equal = |what: &str, counted: u64, said: &Value| {
        if said.as_u64().unwrap_or(0) != counted {
            violations.push(Violation::new(
                "I3",
                format!("{counted} {what} by counting, {said} by stats"),
            ));
        }
    };
    equal("deliveries", stories.len() as u64, &stats["deliveries"]);
    equal("items", items.len() as u64, &stats["items"]);
    equal("open items", open, &stats["open"]);
    equal("duplicates", duplicates, &stats["duplicates"]);
    for (outcome, count) in &outcomes {
        equal(outcome, *count, &stats["outcomes"][outcome]);
    }
    violations
}

/// Attempts that an outage cost.
fn burnt(stories: &BTreeMap<(i64, i64), Story>) -> Vec<Violation> {
    let mut attempts: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let items = stories.values().flat_map(|story| story.items.values());
    for attempt in items.flat_map(|item| listed(&item["attempts"])) {
        if attempt["verdict"].get("retry").is_some() {
            let job = attempt["job"].to_string();
            attempts.entry(job).or_default().insert(attempt["ended"].to_string());
        }
    }
    let burnt = attempts
        .into_iter()
        .filter(|(_, attempts)| attempts.len() > MOST_ATTEMPTS);
    let seen = burnt.map(|(job, attempts)| format!("outages of some seconds cost {job} {} attempts", attempts.len()));
    seen.map(|seen| Violation::new("I6", seen)).collect()
}

/// The elements of a list.
fn listed(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}
