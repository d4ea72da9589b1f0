//! A store and a queue with a lot in them.

use std::time::Duration;

use passerelle_model::id::JobKey;
use passerelle_model::ledger::{LedgerRecord, Verdict};
use passerelle_model::outcome::Outcome;
use passerelle_model::seq::Seq;
use passerelle_model::time::Timestamp;
use sqlx::AnyPool;

use super::{EVENTS, say};
use crate::house::House;
use crate::lines::{changed, row};

const ROWS: i64 = 20_000;
/// One event each.
const EVERY_MS: i64 = 100;
const LETTERS: &str = "100000";
const HELD: u64 = 10_000;
/// Events that are accepted at once.
const AT_ONCE: usize = 100;
/// Copies a letter, with one of five causes each.
const COPY: &str = r"for i = 1, tonumber(ARGV[2]) do
    local id = string.format('01J%023d', i)
    local copy = string.gsub(ARGV[1], 'title is', 'field ' .. string.char(97 + i % 5) .. ' is')
    copy = string.gsub(copy, ARGV[3], id)
    redis.call('ZADD', KEYS[1], 0, id)
    redis.call('SET', KEYS[2] .. ':' .. id, copy)
end";

const NUMBERS: &str = "WITH RECURSIVE n(i) AS (SELECT CAST(0 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < ";

/// Fills the tables: the last event has just been recorded, and the last 500 are open.
pub(super) async fn store(url: &str) -> anyhow::Result<()> {
    let pool = AnyPool::connect(url).await?;
    let start = Timestamp::now().as_millis() - EVENTS * EVERY_MS;
    let seq = |millis: i64| Seq::from_stream_id(&format!("{millis}-0")).map_or(0, Seq::as_i64);
    let (first, step) = (seq(start), (seq(start + 1) - seq(start)) * EVERY_MS);
    let done = serde_json::to_string(&Verdict::Done(Outcome::Synced))?;
    let most = EVENTS - 1;
    let open = EVENTS - 500;
    let statements = [
        format!(
            "INSERT INTO events (seq, place, delivery_key, event_id, webhook_id, batch, source, kind, table_id, received, payload) \
             {NUMBERS}{most}) SELECT {first} + i * {step}, 0, 'k' || i, 'event-' || i, 7, 0, 'projet-changed', 'updated', 2, \
             {start} + i * {EVERY_MS}, CAST('x' AS BYTEA) FROM n"
        ),
        format!(
            "INSERT INTO items (seq, place, item, table_id, row_id, outcome, closed_at) {NUMBERS}{most}) \
             SELECT {first} + i * {step}, 0, 0, 2, i % {ROWS} + 1, CASE WHEN i >= {open} THEN NULL WHEN i % 1000 = 0 THEN 'dead' \
             WHEN i % 20 = 1 THEN 'echo' WHEN i % 5 = 1 THEN 'no_change' ELSE 'synced' END, \
             CASE WHEN i >= {open} THEN NULL ELSE {start} + i * {EVERY_MS} + 500 END FROM n"
        ),
        format!(
            "INSERT INTO attempts (seq, place, job, covers, attempt, worker, started, ended, ending, verdict, steps) \
             {NUMBERS}{}) SELECT {first} + i * {step}, 1, 't2/r' || (i % {ROWS} + 1), {first} + i * {step}, 1, 'worker-1', \
             {start} + i * {EVERY_MS}, {start} + i * {EVERY_MS} + 500, 'done', '{done}', '[]' FROM n",
            open - 1
        ),
        format!(
            "INSERT INTO links (table_id, row_id, slot, page_id, slug_id, space, content_hash, written) {NUMBERS}{}) \
             SELECT 2, i + 1, 'page', 'page-' || i, 'slug' || i, 'projets', '00ff', {start} FROM n",
            ROWS - 1
        ),
        format!(
            "INSERT INTO notices (id, kind, channel, rule, args, created, state, tries, seq, place) {NUMBERS}99999) \
             SELECT 'notice/e' || i || '/a', 'trainer-assigned', 'mail', 'attribution-mail', '{{}}', {start} + i * 1000, \
             CASE WHEN i % 5000 = 0 THEN 'failed' ELSE 'sent' END, 1, CASE WHEN i % 2 = 0 THEN {first} + i * {step} END, \
             CASE WHEN i % 2 = 0 THEN 0 END FROM n"
        ),
        format!(
            "INSERT INTO operator_acts (seq, place, act, letter, job, operator, why, at) {NUMBERS}99999) \
             SELECT {first} + i * {step}, 2, 'replayed', 'l' || i, 't2/r' || (i % {ROWS} + 1), 'camille', 'mended', {start} FROM n"
        ),
        format!(
            "INSERT INTO tallies (name, amount) VALUES ('deliveries', {EVENTS}), ('items', {EVENTS}), ('outcome/synced', {open})"
        ),
    ];
    // PostgreSQL does it by itself, and nobody does it for SQLite.
    let analyze = url.starts_with("postgres").then(|| "ANALYZE".to_owned());
    for statement in statements.into_iter().chain(analyze) {
        sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&pool).await?;
    }
    pool.close().await;
    Ok(())
}

/// Fills the queue: dead letters, and the jobs of a table that is held.
pub(super) async fn queue(house: &House) -> anyhow::Result<()> {
    let letter = house.dead_rows([5].into_iter()).await?.remove(0);
    let copy = serde_json::to_string(&letter)?;
    let (dead, letters) = ("{bridge}:sync:dead", "{bridge}:sync:letter");
    house
        .redis
        .ask::<()>(&["EVAL", COPY, "2", dead, letters, &copy, LETTERS, &letter.id])?;
    let mut events = Vec::new();
    for row in 1..=HELD {
        if let LedgerRecord::Accepted(event) = changed(1, &format!("held-{row}"), row)? {
            events.push(event);
        }
    }
    for some in events.chunks(AT_ONCE) {
        let accepted = some.iter().map(|event| house.queue.accept(event.clone()));
        futures::future::try_join_all(accepted).await?;
    }
    let (job, hour) = (JobKey::Row(row(5)?), Duration::from_hours(1));
    house.queue.hold_table(&job, "no field \"Nmo\"", hour, hour).await?;
    let stats = house.queue.stats().await?;
    say(&format!(
        "{} dead letters, {} jobs of a held table",
        stats.dead, stats.active
    ));
    Ok(())
}
