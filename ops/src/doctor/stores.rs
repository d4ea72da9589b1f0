//! Redis and the SQL store: do they answer, and are they durable?

use passerelle_model::config::{Reader, RedisSettings, StoreSettings};
use passerelle_queue::{Redis, ServerFacts};
use passerelle_store::Store;

use super::Finding;

/// The oldest Redis that has every command that the bridge uses (`EXPIRE … NX`).
const OLDEST: u32 = 7;
/// Above this share of its memory there is a warning, in percent.
const FILLING: u64 = 75;
/// Above this share Redis will soon refuse events, in percent.
const FULL: u64 = 95;

pub(super) async fn look(reader: &Reader) -> Vec<Finding> {
    let (mut redis, store) = tokio::join!(redis(reader), store(reader));
    redis.push(store);
    redis
}

async fn redis(reader: &Reader) -> Vec<Finding> {
    const CHECK: &str = "redis";
    let mut own = reader.afresh();
    let settings = RedisSettings::read(&mut own);
    if own.finish(()).is_err() {
        return vec![Finding::skipped(CHECK)];
    }
    let redis = match Redis::open(&settings) {
        Ok(redis) => redis,
        Err(error) => return vec![Finding::fail(CHECK, error.to_string(), "correct REDIS_URL")],
    };
    let facts = match redis.server_facts().await {
        Ok(facts) => facts,
        Err(error) => {
            let fix = "start it, and check address and password in REDIS_URL; deliveries are spooled meanwhile";
            return vec![Finding::fail(CHECK, error.to_string(), fix)];
        }
    };
    let mut findings = vec![version(&facts), persistence(&facts), eviction(&facts), memory(&facts)];
    if let Err(error) = redis.check_write().await {
        let fix =
            "read the log of Redis: a full memory, a full disk, a read-only replica, or a user who may not use MULTI";
        findings.push(Finding::fail("redis writes", error.to_string(), fix));
    }
    findings
}

fn version(facts: &ServerFacts) -> Finding {
    let major: u32 = facts
        .version
        .split('.')
        .next()
        .and_then(|major| major.parse().ok())
        .unwrap_or(0);
    let found = format!("version {}", facts.version);
    if major < OLDEST {
        return Finding::fail("redis", found, format!("use Redis {OLDEST} or later, or Valkey"));
    }
    Finding::ok("redis", found)
}

fn persistence(facts: &ServerFacts) -> Finding {
    const CHECK: &str = "redis persistence";
    if !facts.append_only {
        let fix = "set `appendonly yes` (redis-cli config set appendonly yes, and in its configuration): otherwise \
            deliveries that were answered 200 are lost when it restarts";
        return Finding::fail(CHECK, "the append-only file is off", fix);
    }
    if !facts.append_only_works {
        let fix = "free space on its disk, and read the log of Redis";
        return Finding::fail(CHECK, "the last write of the append-only file failed", fix);
    }
    Finding::ok(CHECK, "the append-only file is on")
}

fn eviction(facts: &ServerFacts) -> Finding {
    const CHECK: &str = "redis eviction";
    let policy = &facts.eviction_policy;
    if policy == "noeviction" {
        return Finding::ok(CHECK, "noeviction");
    }
    let fix = "set `maxmemory-policy noeviction`: any other policy drops jobs silently when memory is full";
    Finding::fail(CHECK, format!("maxmemory-policy is {policy}"), fix)
}

fn memory(facts: &ServerFacts) -> Finding {
    const CHECK: &str = "redis memory";
    let (used, most) = (mebibytes(facts.used_memory), mebibytes(facts.max_memory));
    if facts.max_memory == 0 {
        return Finding::ok(CHECK, format!("{used} in use, no limit set"));
    }
    let percent = facts.used_memory.saturating_mul(100) / facts.max_memory;
    let found = format!("{used} of {most} in use, {percent} %");
    let fix =
        "give it more, or find out what grows: passerelle stats (ledger entries on the way), passerelle dead list";
    match percent {
        0..=FILLING => Finding::ok(CHECK, found),
        percent if percent <= FULL => Finding::warn(CHECK, found, fix),
        _ => Finding::fail(CHECK, found, fix),
    }
}

async fn store(reader: &Reader) -> Finding {
    const CHECK: &str = "store";
    let mut own = reader.afresh();
    let settings = StoreSettings::read(&mut own);
    if own.finish(()).is_err() {
        return Finding::skipped(CHECK);
    }
    let written = async {
        let store = Store::open(&settings).await?;
        store.check_write().await
    };
    match written.await {
        Ok(()) => Finding::ok(CHECK, "reachable, writable, schema up to date"),
        Err(error) => {
            let fix = "correct DATABASE_URL or repair the database; until then ledger entries wait in Redis, and \
                syncs are held";
            Finding::fail(CHECK, error.to_string(), fix)
        }
    }
}

/// Bytes for people.
pub(super) fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes.div_ceil(1024 * 1024))
}
