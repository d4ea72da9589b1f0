//! A hundred thousand dead letters: looking through them stays quick, and keeps nobody else
//! waiting.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use passerelle_model::time::Timestamp;

use crate::desk::Desk;

const LETTERS: usize = 100_000;
/// The longest that a call to Redis may take, in microseconds: nobody else is served meanwhile. A
/// busy machine may lengthen some calls of a kind, so the quickest of each kind counts.
const LONGEST_CALL: u64 = 10_000;
/// For the build that users have. The unoptimised one of the tests is many times slower, also on a
/// machine that has other things to do.
const PATIENCE: Duration = Duration::from_secs(if cfg!(debug_assertions) { 60 } else { 1 });

const ROUNDS: u32 = 3;

/// A letter as the queue stores it.
fn letter(id: &str, number: usize) -> String {
    let message = if number == 7 {
        "the needle"
    } else {
        "refused: the title is not allowed"
    };
    format!(
        r#"{{"id":"{id}","job":"t2/r{number}","reason":"permanent","failure":{{"class":"permanent","target":"docmost","message":"{message}","status":400,"body":"{}"}},"attempts":1,"died":1732280000000,"covers":{number},"last_event":"e{number}"}}"#,
        "x".repeat(300)
    )
}

fn fill(redis: &mut redis::Connection) -> anyhow::Result<()> {
    for group in (0..LETTERS).collect::<Vec<_>>().chunks(5_000) {
        let mut pipe = redis::pipe();
        for number in group {
            let id = format!("01{number:024}");
            pipe.cmd("SET")
                .arg(format!("{{bridge}}:sync:letter:{id}"))
                .arg(letter(&id, *number))
                .ignore();
            pipe.cmd("ZADD").arg("{bridge}:sync:dead").arg(0).arg(&id).ignore();
        }
        pipe.exec(redis)?;
    }
    Ok(())
}

/// The quickest call of each kind, in microseconds: a command with so many arguments.
type Calls = BTreeMap<(String, usize), u64>;

/// How long one round of looks took, and the calls to Redis in it.
struct Round {
    figures: Vec<(String, Duration)>,
    calls: Calls,
}

async fn look(desk: &Desk, redis: &mut redis::Connection) -> anyhow::Result<Round> {
    redis::cmd("SLOWLOG").arg("RESET").exec(redis)?;
    let mut figures = Vec::new();
    let narrow = [
        "dead",
        "list",
        "--table",
        "t2",
        "--reason",
        "permanent",
        "--limit",
        "1000",
    ];
    for arguments in [&["dead", "list"][..], &["dead", "list", "--text", "needle"], &narrow] {
        let began = Instant::now();
        let said = desk.passerelle(arguments).await;
        figures.push((arguments.join(" "), began.elapsed()));
        anyhow::ensure!(said.code == 0, "{}", said.err);
        anyhow::ensure!(
            !arguments.contains(&"needle") || said.out.contains("t2/r7"),
            "{}",
            said.out
        );
    }
    let queue = desk.queue()?;
    let began = Instant::now();
    let permanent = queue.letters_since(Timestamp::from_millis(0), |stored| stored.contains("permanent"));
    anyhow::ensure!(permanent.await?.len() == LETTERS);
    figures.push(("the reconciliation's look".to_owned(), began.elapsed()));
    let newer = queue.letters_since(Timestamp::now(), |_| true).await?;
    anyhow::ensure!(newer.is_empty(), "older ones are not read");
    let slow: Vec<redis::Value> = redis::cmd("SLOWLOG").arg("GET").arg(1000).query(redis)?;
    let mut calls = Calls::new();
    for (kind, took) in slow.iter().filter_map(call) {
        let quickest = calls.entry(kind).or_insert(took);
        *quickest = took.min(*quickest);
    }
    Ok(Round { figures, calls })
}

#[tokio::test]
async fn a_filter_over_a_hundred_thousand_letters_is_quick_and_no_call_to_redis_is_long() {
    let desk = Desk::new().unwrap();
    let mut redis = redis::Client::open(desk.redis.url()).unwrap().get_connection().unwrap();
    fill(&mut redis).unwrap();
    let mut slowlog = redis::cmd("CONFIG");
    slowlog.arg("SET").arg("slowlog-log-slower-than").arg(500);
    slowlog.exec(&mut redis).unwrap();

    // These are times of the wall: a machine that has other things to do may lengthen any of them,
    // but hardly three times in a row.
    for round in 1..=ROUNDS {
        let seen = look(&desk, &mut redis).await.unwrap();
        for (what, took) in &seen.figures {
            println!("{what}: {took:?}");
        }
        println!("the quickest calls of each kind, in µs: {:?}", seen.calls);
        let is_quick = seen.figures.iter().all(|(_, took)| *took < PATIENCE);
        if is_quick && seen.calls.values().all(|took| *took < LONGEST_CALL) {
            return;
        }
        assert!(round < ROUNDS, "too slow in each of {ROUNDS} rounds");
    }
}

/// An entry of the slow log: which kind of call it was, and how many microseconds it took.
fn call(entry: &redis::Value) -> Option<((String, usize), u64)> {
    let redis::Value::Array(parts) = entry else { return None };
    let [_id, _at, redis::Value::Int(took), redis::Value::Array(command), ..] = parts.as_slice() else {
        return None;
    };
    let redis::Value::BulkString(name) = command.first()? else {
        return None;
    };
    let name = String::from_utf8_lossy(name).into_owned();
    Some(((name, command.len()), u64::try_from(*took).ok()?))
}
