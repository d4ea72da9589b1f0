//! What is measured at one moment.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;

use crate::schedule::{INGRESSES, Program, WORKERS};
use crate::world::{TABLES, World};

/// The keys that are kept for a day, one for each delivery.
const CLAIMS: &str = "bridge:webhook:event:*";
/// What is kept for minutes of the last syncs of a row, and for days of what it shows.
const OF_ROWS: [&str; 2] = ["bridge:sync:*", "bridge:shown:*"];
const MIB: f64 = 1024.0 * 1024.0;

/// A sample, in the units of the figures.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    pub(super) at: Duration,
    pub(super) ingresses: [Usage; INGRESSES],
    pub(super) workers: [Usage; WORKERS],
    pub(super) redis: RedisUsage,
    /// Age in seconds; 0 where nothing waits for more than a second.
    pub(super) oldest_queued: f64,
    /// The same for open items.
    pub(super) oldest_open: f64,
}

/// What a process uses.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Usage {
    pub(super) memory_mib: f64,
    pub(super) files: f64,
}

/// What Redis uses.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct RedisUsage {
    /// Without what the claims take.
    pub(super) memory_mib: f64,
    pub(super) file_mib: f64,
    pub(super) claims: f64,
    /// Those that are kept of rows, by rows that ever were.
    pub(super) keys_per_row: f64,
    /// All others.
    pub(super) keys: f64,
}

/// Looks at everything.
pub(super) async fn take(world: &World, at: Duration) -> anyhow::Result<Sample> {
    let (mut ingresses, mut workers) = ([Usage::default(); INGRESSES], [Usage::default(); WORKERS]);
    for (number, usage) in ingresses.iter_mut().enumerate() {
        *usage = usage_of(world, Program::Ingress(number)).await?;
    }
    for (number, usage) in workers.iter_mut().enumerate() {
        *usage = usage_of(world, Program::Worker(number)).await?;
    }
    let mut operator = world.operator.lock().await.clone();
    for limit in ["STALL_QUEUED_SECONDS", "STALL_OPEN_SECONDS"] {
        operator.environment.insert(limit.to_owned(), "1".to_owned());
    }
    let findings = operator.asks(&["doctor"]).await?;
    Ok(Sample {
        at,
        ingresses,
        workers,
        redis: redis(world).await?,
        oldest_queued: age(&findings, "the oldest queued job waits since "),
        oldest_open: age(&findings, "the oldest open item waits since "),
    })
}

async fn usage_of(world: &World, program: Program) -> anyhow::Result<Usage> {
    let pid = world.place(program).lock().await.pid();
    let pid = pid.with_context(|| format!("{program} does not run"))?;
    let process = Path::new("/proc").join(pid.to_string());
    let status = std::fs::read_to_string(process.join("status"))?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: f64 = resident.context("no VmRSS")?.trim().trim_end_matches(" kB").parse()?;
    Ok(Usage {
        memory_mib: kib / 1024.0,
        files: count(std::fs::read_dir(process.join("fd"))?.count()),
    })
}

/// How many rows there ever were: ids are given in order, and none twice.
async fn rows_ever(world: &World) -> anyhow::Result<f64> {
    let mut rows = 0.0;
    for (_, table) in TABLES {
        let living = world.sandbox.rows(table).await?;
        rows += living.iter().filter_map(|row| row["id"].as_f64()).fold(0.0, f64::max);
    }
    Ok(rows)
}

async fn redis(world: &World) -> anyhow::Result<RedisUsage> {
    let rows = rows_ever(world).await?;
    let redis = world.redis.lock().await;
    let info: String = redis::from_redis_value(redis.ask(&["INFO", "everything"]).await?)?;
    let number = |name: &str| -> anyhow::Result<f64> {
        let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        Ok(line
            .with_context(|| format!("Redis does not tell {name}"))?
            .trim()
            .parse()?)
    };
    let claims: Vec<String> = redis::from_redis_value(redis.ask(&["KEYS", CLAIMS]).await?)?;
    let keys: usize = redis::from_redis_value(redis.ask(&["DBSIZE"]).await?)?;
    let mut of_rows = 0;
    for pattern in OF_ROWS {
        let found: Vec<String> = redis::from_redis_value(redis.ask(&["KEYS", pattern]).await?)?;
        of_rows += found.len();
    }
    let bytes: f64 = match claims.first() {
        Some(claim) => redis::from_redis_value(redis.ask(&["MEMORY", "USAGE", claim]).await?)?,
        None => 0.0,
    };
    let claims = claims.len();
    Ok(RedisUsage {
        memory_mib: (number("used_memory")? - bytes * count(claims)) / MIB,
        file_mib: number("aof_current_size")? / MIB,
        claims: count(claims),
        keys_per_row: count(of_rows) / rows.max(1.0),
        keys: count(keys.saturating_sub(claims + of_rows)),
    })
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn count(number: usize) -> f64 {
    number as f64
}

/// The age that a finding of `doctor` tells, in seconds; 0 if none does.
fn age(findings: &Value, words: &str) -> f64 {
    let text = findings.to_string();
    let told = text.split(words).nth(1).and_then(|rest| rest.split(['(', ')']).nth(1));
    let Some((number, unit)) = told.and_then(|told| told.split_at_checked(told.len().saturating_sub(1))) else {
        return 0.0;
    };
    let unit = match unit {
        "s" => 1.0,
        "m" => 60.0,
        _ => 3600.0,
    };
    number.parse::<f64>().map_or(0.0, |number| number * unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_read_from_what_doctor_says() {
        let words = "the oldest open item waits since ";
        let told = |age: &str| serde_json::json!([{ "found": format!("{words}2026-01-01 ({age})") }]);
        assert!((age(&told("12s"), words) - 12.0).abs() < 0.1);
        assert!((age(&told("5m"), words) - 300.0).abs() < 0.1);
        assert!(age(&serde_json::json!([]), words) < 0.1);
    }
}
