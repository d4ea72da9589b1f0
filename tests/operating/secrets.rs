//! No secret leaves the bridge, also where a foreign system echoes it.

use redis::FromRedisValue as _;
use serde_json::json;
use system_tests::{Process, System};

use crate::project;

/// Everything that Redis holds, as it is printed.
async fn contents_of_redis(system: &System) -> anyhow::Result<String> {
    let client = redis::Client::open(system.redis.url())?;
    let mut connection = client.get_multiplexed_async_connection().await?;
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut connection).await?;
    let mut contents = String::new();
    for key in keys {
        let kind: String = redis::cmd("TYPE").arg(&key).query_async(&mut connection).await?;
        let mut read = match kind.as_str() {
            "string" => redis::cmd("GET"),
            "hash" => redis::cmd("HGETALL"),
            "set" => redis::cmd("SMEMBERS"),
            "list" => redis::cmd("LRANGE"),
            "zset" => redis::cmd("ZRANGE"),
            _ => redis::cmd("XRANGE"),
        };
        read.arg(&key);
        match kind.as_str() {
            "list" | "zset" => drop(read.arg(0).arg(-1)),
            "stream" => drop(read.arg("-").arg("+")),
            _ => {}
        }
        let value: redis::Value = read.query_async(&mut connection).await?;
        let text = Vec::<u8>::from_redis_value(value.clone());
        let text = text.map_or_else(
            |_| format!("{value:?}"),
            |bytes| String::from_utf8_lossy(&bytes).into_owned(),
        );
        contents.extend([key.as_str(), ": ", text.as_str(), "\n"]);
    }
    Ok(contents)
}

/// Everything that anybody may see of a bridge, by where it was seen.
async fn everything(system: &System, row: &str) -> anyhow::Result<Vec<(String, String)>> {
    let mut seen = vec![("Redis".to_owned(), contents_of_redis(system).await?)];
    let processes = [&system.ingress].into_iter().chain(&system.workers);
    seen.extend(processes.map(|process| ("a log".to_owned(), Process::output(process))));
    let (_, metrics) = system.get(&format!("{}/metrics", system.ingress_url)).await?;
    seen.push(("the metrics".to_owned(), metrics));
    for arguments in [
        &["trace", row][..],
        &["trace", row, "--json"],
        &["dead", "list"],
        &["dead", "list", "--json"],
        &["dead", "export"],
        &["stats", "--json"],
        &["workers", "--json"],
        &["gates"],
    ] {
        seen.push((format!("{arguments:?}"), system.operator(arguments).await?));
    }
    let database = system.environment()["DATABASE_URL"].clone();
    let file = database
        .trim_start_matches("sqlite:")
        .trim_start_matches("//")
        .to_owned();
    for end in ["", "-wal"] {
        if let Ok(bytes) = std::fs::read(format!("{file}{end}")) {
            seen.push((format!("SQL{end}"), String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
    Ok(seen)
}

#[tokio::test]
async fn an_echoed_secret_is_nowhere_to_be_seen_and_nothing_commands_the_terminal() {
    let system = System::builder().variable("LOG_LEVEL", "debug").start().await.unwrap();
    let secrets =
        ["BASEROW_TOKEN", "DOCMOST_PASSWORD", "BASEROW_WEBHOOK_SECRET"].map(|name| system.environment()[name].clone());
    let echo = format!("\u{1b}[31mno: {} and {}", secrets[0], secrets[1]);
    let refusal = json!({"message": echo, "error": echo, "statusCode": 400});
    let fault = json!({"path": "/api/pages/create", "kind": "status", "status": 400, "body": refusal});
    system.break_docmost(&[fault]).await.unwrap();
    system.expect_dead(1);
    let row = project(&system, "Écho").await.unwrap();
    system.drain().await;
    system.break_docmost(&[]).await.unwrap();

    let seen = everything(&system, &row.to_string()).await.unwrap();
    for (place, text) in &seen {
        for secret in &secrets {
            assert!(!text.contains(secret), "{place} shows {secret}");
        }
        let is_for_a_terminal = place.starts_with('[') || place == "a log";
        assert!(
            !(is_for_a_terminal && text.contains('\u{1b}')),
            "{place} commands the terminal"
        );
    }
    let trace = seen.iter().find(|(place, _)| place.contains("trace")).unwrap();
    assert!(trace.1.contains("[redacted]"), "the echo was read:\n{}", trace.1);
}
