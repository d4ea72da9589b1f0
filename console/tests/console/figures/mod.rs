//! What pages cost with a million events in the store: `make console-figures`.

mod cpu;
mod fill;
mod watchers;

use std::time::{Duration, Instant};

use passerelle_store::Role;
use reqwest::StatusCode;
use test_support::{TestPostgres, eventually};

use crate::house::{Guest, House};

const EVENTS: i64 = 1_000_000;
/// A call of Redis that takes longer is too long.
const LONG: Duration = Duration::from_millis(10);
/// Calls of Redis that take longer are seen at all: microseconds.
const SEEN: &str = "500";
/// How often a page is loaded.
const TIMES: u32 = 60;

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

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// How long a page takes, what of it is processor time, and its longest call of Redis.
async fn measured(house: &House, guest: &mut Guest, page: &str) -> anyhow::Result<()> {
    house.redis.ask::<()>(&["SLOWLOG", "RESET"])?;
    let (mut took, before) = (Vec::new(), cpu::used(&[std::process::id()])?);
    for _ in 0..TIMES {
        let began = Instant::now();
        let answer = guest.get(page).await?;
        took.push(began.elapsed().as_secs_f64() * 1000.0);
        anyhow::ensure!(answer.status == StatusCode::OK, "{page}: {}", answer.body);
    }
    let used = cpu::used(&[std::process::id()])?.saturating_sub(before) / TIMES;
    took.sort_by(f64::total_cmp);
    let (middle, high, most) = (took[took.len() / 2], took[took.len() * 95 / 100], took[took.len() - 1]);
    let (longest, call) = longest_call(house)?;
    let cpu_millis = used.as_secs_f64() * 1000.0;
    say(&format!(
        "| `{page}` | {middle:.1} | {high:.1} | {most:.1} | {cpu_millis:.1} | {:.1} |",
        longest.as_secs_f64() * 1000.0
    ));
    if longest > LONG {
        say(&format!("a call of Redis took {longest:?}: {call}"));
    }
    Ok(())
}

/// What the log of long calls says: number, moment, microseconds, words, client and its name.
type LongCall = (i64, i64, u64, Vec<Vec<u8>>, String, String);

/// The longest call of Redis since the log was emptied, as far as it keeps calls.
fn longest_call(house: &House) -> anyhow::Result<(Duration, String)> {
    let calls: Vec<LongCall> = house.redis.ask(&["SLOWLOG", "GET", "-1"])?;
    let longest = calls.into_iter().max_by_key(|call| call.2);
    Ok(longest.map_or_else(Default::default, |call| {
        let words: Vec<_> = call.3.iter().map(|word| String::from_utf8_lossy(word)).collect();
        (
            Duration::from_micros(call.2),
            words.join(" ").chars().take(300).collect(),
        )
    }))
}

async fn figures(name: &str, house: &House) -> anyhow::Result<()> {
    let began = Instant::now();
    fill::store(&house.database).await?;
    say(&format!(
        "{name}: {EVENTS} events, filled in {:.0} s",
        began.elapsed().as_secs_f64()
    ));
    let mut guest = house.guest("camille", Role::Operator).await?;
    fill::queue(house).await?;
    for (setting, value) in [("slowlog-log-slower-than", SEEN), ("slowlog-max-len", "10000")] {
        house.redis.ask::<()>(&["CONFIG", "SET", setting, value])?;
    }
    let began = Instant::now();
    let plan = plan(&mut guest).await;
    say(&format!(
        "the causes of all letters: {:.1} s",
        began.elapsed().as_secs_f64()
    ));
    say("| page | median | 95th percentile | longest | CPU of the console and its client | longest call of Redis |");
    say("|---|---|---|---|---|---|");
    for page in PAGES.into_iter().chain([plan.as_str()]) {
        measured(house, &mut guest, page).await?;
    }
    watchers::alone(house, &guest).await?;
    watchers::beside_work(house, &guest).await
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
