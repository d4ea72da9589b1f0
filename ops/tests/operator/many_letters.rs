//! A hundred thousand dead letters: looking through them stays quick, and keeps nobody else waiting.

use std::time::{Duration, Instant};

use passerelle_shared::time::Timestamp;

use crate::desk::Desk;

const LETTERS: usize = 100_000;
/// The longest that one call to Redis may take, in microseconds: nobody else is served meanwhile.
const LONGEST_CALL: u64 = 10_000;
/// For the build that users have. The unoptimised one of the tests is many times slower, also on a machine that has other things to do.
const PATIENCE: Duration = Duration::from_secs(if cfg!(debug_assertions) { 20 } else { 1 });

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

#[tokio::test]
async fn a_filter_over_a_hundred_thousand_letters_is_quick_and_no_call_to_redis_is_long() {
    let desk = Desk::new().unwrap();
    let mut redis = redis::Client::open(desk.redis.url()).unwrap().get_connection().unwrap();
    fill(&mut redis).unwrap();
    redis::cmd("CONFIG")
        .arg("SET")
        .arg("slowlog-log-slower-than")
        .arg(500)
        .exec(&mut redis)
        .unwrap();
    redis::cmd("SLOWLOG").arg("RESET").exec(&mut redis).unwrap();

    let mut figures = Vec::new();
    for arguments in [
        &["dead", "list"][..],
        &["dead", "list", "--text", "needle"],
        &[
            "dead",
            "list",
            "--table",
            "t2",
            "--reason",
            "permanent",
            "--limit",
            "1000",
        ],
    ] {
        let began = Instant::now();
        let said = desk.passerelle(arguments).await;
        let took = began.elapsed();
        assert_eq!(said.code, 0, "{}", said.err);
        assert!(took < PATIENCE, "{arguments:?} took {took:?}");
        figures.push(format!("{} answered in {took:?}", arguments.join(" ")));
        assert!(
            !arguments.contains(&"needle") || said.out.contains("t2/r7"),
            "{}",
            said.out
        );
    }
    let queue = desk.queue().unwrap();
    let began = Instant::now();
    let latest = queue.letters_since(Timestamp::from_millis(0), |stored| stored.contains("permanent"));
    assert_eq!(latest.await.unwrap().len(), LETTERS);
    assert!(
        began.elapsed() < PATIENCE,
        "the reconciliation's look: {:?}",
        began.elapsed()
    );
    figures.push(format!(
        "the reconciliation's look at all letters took {:?}",
        began.elapsed()
    ));
    assert_eq!(
        queue.letters_since(Timestamp::now(), |_| true).await.unwrap(),
        [],
        "older ones are not read"
    );
    let slow: Vec<redis::Value> = redis::cmd("SLOWLOG").arg("GET").arg(1000).query(&mut redis).unwrap();
    let longest = slow.iter().filter_map(duration_of).max().unwrap_or(0);
    figures.push(format!("{} calls above 500 µs, the longest {longest} µs", slow.len()));
    println!("{}", figures.join("\n"));
    assert!(longest < LONGEST_CALL, "{figures:?}");
}

/// The microseconds of an entry: its third part.
fn duration_of(entry: &redis::Value) -> Option<u64> {
    let redis::Value::Array(parts) = entry else { return None };
    match parts.get(2) {
        Some(redis::Value::Int(micros)) => u64::try_from(*micros).ok(),
        _ => None,
    }
}
