//! What pages cost with a million events in the store: `make console-figures`.

use std::time::{Duration, Instant};

use passerelle_model::id::JobKey;
use passerelle_model::ledger::{LedgerRecord, Verdict};
use passerelle_model::outcome::Outcome;
use passerelle_model::seq::Seq;
use passerelle_model::time::Timestamp;
use passerelle_store::Role;
use reqwest::StatusCode;
use sqlx::AnyPool;
use test_support::{TestPostgres, eventually};

use crate::house::{Guest, House};
use crate::lines::{changed, row};

const EVENTS: i64 = 1_000_000;
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
/// A call of Redis that takes longer is too long: microseconds.
const LONG: &str = "10000";
/// How often a page is loaded.
const TIMES: usize = 60;
/// How long watchers are watched.
const WATCHED: Duration = Duration::from_secs(20);

const PAGES: [&str; 20] = [
    "/",
    "/why?q=t2%2Fr5",
    "/why?q=event-500000",
    "/events",
    "/events?list=open",
    "/events?list=synced",
    "/events?list=dead",
    "/events?list=ignored",
    "/notices",
    "/notices?state=failed",
    "/acts",
    "/letters",
    "/letters?after=01J00000000000000000050000",
    "/waiting",
    "/waiting?state=table_held",
    "/waiting?state=table_held&after=t2%2Fr5000",
    "/rows",
    "/rows?table=2&after=2~19000~page",
    "/rules",
    "/operate",
];

const NUMBERS: &str = "WITH RECURSIVE n(i) AS (SELECT CAST(0 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < ";

/// Fills the tables: the last event has just been recorded, and the last 500 are open.
async fn fill(url: &str) -> anyhow::Result<()> {
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
            "INSERT INTO notices (id, kind, channel, rule, args, created, state, tries) {NUMBERS}99999) \
             SELECT 'notice/e' || i || '/a', 'trainer-assigned', 'mail', 'attribution-mail', '{{}}', {start} + i * 1000, \
             CASE WHEN i % 5000 = 0 THEN 'failed' ELSE 'sent' END, 1 FROM n"
        ),
        format!(
            "INSERT INTO operator_acts (seq, place, act, letter, job, operator, why, at) {NUMBERS}99999) \
             SELECT {first} + i * {step}, 2, 'replayed', 'l' || i, 't2/r' || (i % {ROWS} + 1), 'camille', 'mended', {start} FROM n"
        ),
        format!(
            "INSERT INTO tallies (name, amount) VALUES ('deliveries', {EVENTS}), ('items', {EVENTS}), ('outcome/synced', {open})"
        ),
        "ANALYZE".to_owned(),
    ];
    for statement in statements {
        sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&pool).await?;
    }
    pool.close().await;
    Ok(())
}

/// Fills the queue: dead letters, and the jobs of a table that is held.
async fn fill_queue(house: &House) -> anyhow::Result<()> {
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
    house
        .redis
        .ask::<()>(&["CONFIG", "SET", "slowlog-log-slower-than", LONG])?;
    house.redis.ask::<()>(&["SLOWLOG", "RESET"])
}

/// The plan of the largest group of letters.
async fn plan(guest: &mut Guest) -> String {
    eventually("the letters are grouped", async || {
        let page = guest.get("/letters").await.map_err(|error| error.to_string())?.body;
        let plan = page.split('"').find(|part| part.starts_with("/letters/plan/"));
        plan.map(str::to_owned).ok_or(page)
    })
    .await
}

#[expect(clippy::print_stdout, reason = "figures are for people")]
fn say(line: &str) {
    println!("{line}");
}

/// Median and 95th percentile of how long a page takes, in milliseconds.
async fn measured(guest: &mut Guest, page: &str) -> anyhow::Result<(f64, f64)> {
    let mut took = Vec::new();
    for _ in 0..TIMES {
        let began = Instant::now();
        let answer = guest.get(page).await?;
        took.push(began.elapsed().as_secs_f64() * 1000.0);
        anyhow::ensure!(answer.status == StatusCode::OK, "{page}: {}", answer.body);
    }
    took.sort_by(f64::total_cmp);
    Ok((took[TIMES / 2], took[TIMES * 95 / 100]))
}

/// The processor time of this process so far, in seconds.
fn cpu() -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    let ticks: f64 = fields[11].parse::<f64>()? + fields[12].parse::<f64>()?;
    Ok(ticks / 100.0)
}

/// The share of a core that the console and its watchers take, for so many watchers.
async fn watched(guest: &Guest, watchers: usize) -> anyhow::Result<f64> {
    let cookie: Vec<String> = guest
        .cookies
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let http = reqwest::Client::builder().timeout(3 * WATCHED).build()?;
    let mut reading = Vec::new();
    for _ in 0..watchers {
        let request = http.get(format!("{}/live/overview", guest.base));
        let mut answer = request
            .header("cookie", cookie.join("; "))
            .send()
            .await?
            .error_for_status()?;
        reading.push(tokio::spawn(
            async move { while let Ok(Some(_)) = answer.chunk().await {} },
        ));
    }
    let (began, before) = (Instant::now(), cpu()?);
    tokio::time::sleep(WATCHED).await;
    let share = (cpu()? - before) / began.elapsed().as_secs_f64();
    reading.iter().for_each(tokio::task::JoinHandle::abort);
    Ok(share)
}

async fn figures(name: &str, house: &House) -> anyhow::Result<()> {
    let began = Instant::now();
    fill(&house.database).await?;
    say(&format!(
        "{name}: {EVENTS} events, filled in {:.0} s",
        began.elapsed().as_secs_f64()
    ));
    let mut guest = house.guest("camille", Role::Operator).await?;
    fill_queue(house).await?;
    let plan = plan(&mut guest).await;
    for page in PAGES.into_iter().chain([plan.as_str()]) {
        let (median, high) = measured(&mut guest, page).await?;
        say(&format!("| `{page}` | {median:.1} | {high:.1} |"));
    }
    let long: i64 = house.redis.ask(&["SLOWLOG", "LEN"])?;
    say(&format!("{long} calls of Redis took longer than {LONG} µs"));
    for watchers in [0, 1, 50] {
        let share = watched(&guest, watchers).await?;
        say(&format!("{watchers} watchers: {:.1} % of a core", share * 100.0));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "fills a store with a million events: make console-figures"]
async fn what_pages_cost_with_a_million_events_in_sqlite() {
    let house = House::build().await.unwrap();
    figures("SQLite", &house).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "fills a store with a million events: make console-figures"]
async fn what_pages_cost_with_a_million_events_in_postgresql() {
    let postgres = TestPostgres::start().unwrap();
    let url = postgres.url();
    let house = House::build_with(&[("DATABASE_URL", &url)]).await.unwrap();
    figures("PostgreSQL", &house).await.unwrap();
}
