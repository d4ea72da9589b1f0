//! Redis and the SQL store: do they answer, and are they durable?

use passerelle_model::config::{Reader, RedisSettings, ReplicaWait, StoreSettings};
use passerelle_queue::{Queue, QueueError, QueueName, Redis, ServerFacts};
use passerelle_store::{Schema, Store, StoreError};

use super::{Finding, State, within};

/// The oldest Redis that has every command that the bridge uses (`EXPIRE … NX`).
const OLDEST: u32 = 7;
const NEW: &str = "the SQLite file does not exist yet";
const EMPTY: &str = "reachable, without tables yet";
/// Above this share of its memory there is a warning, in percent.
const FILLING: u64 = 75;
/// Above this share Redis will soon refuse events, in percent.
const FULL: u64 = 95;

/// What was found, and which of the two can be asked for more.
pub(super) struct Stores {
    pub(super) findings: Vec<Finding>,
    pub(super) sound: Sound,
}

/// Which of the stores answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sound {
    pub(super) redis: bool,
    pub(super) store: bool,
}

pub(super) async fn look(reader: &Reader) -> Stores {
    let (mut findings, store) = tokio::join!(within("redis", redis(reader)), within("store", store(reader)));
    let answers = |findings: &[Finding]| findings.iter().all(|finding| finding.state != State::Fail);
    let sound = Sound {
        redis: answers(&findings),
        store: answers(&store)
            && store
                .iter()
                .all(|finding| finding.found != NEW && finding.found != EMPTY),
    };
    findings.extend(store);
    Stores { findings, sound }
}

async fn redis(reader: &Reader) -> Vec<Finding> {
    const CHECK: &str = "redis";
    let mut own = reader.afresh();
    let settings = RedisSettings::read(&mut own);
    let wait = ReplicaWait::read(&mut own);
    if own.finish(()).is_err() {
        return vec![Finding::skipped(CHECK)];
    }
    let redis = match Redis::open(&settings) {
        Ok(redis) => redis,
        Err(error) => {
            let fix = "correct REDIS_URL or REDIS_CA_FILE";
            return vec![Finding::fail(CHECK, error.to_string(), fix)];
        }
    };
    let place = redis.place();
    let facts = match redis.server_facts().await {
        Ok(facts) => facts,
        Err(error) => {
            let fix = "start it, and check address and password in REDIS_URL; deliveries are spooled meanwhile";
            return vec![Finding::fail(CHECK, format!("{place}: {error}"), fix)];
        }
    };
    let mut findings = vec![
        version(&facts, place),
        persistence(&facts),
        eviction(&facts),
        memory(&facts),
    ];
    findings.extend(wait.map(|wait| replicas(&facts, wait)));
    if let Err(later @ QueueError::NewerLayout { .. }) = Queue::new(redis.clone(), QueueName::Sync).life(None).await {
        let fix = "start the programs of that version; this one changes nothing there";
        findings.push(Finding::fail("redis layout", later.to_string(), fix));
    }
    if let Err(error) = redis.check_write().await {
        let fix =
            "read the log of Redis: a full memory, a full disk, a read-only replica, or a user who may not use MULTI";
        findings.push(Finding::fail("redis writes", error.to_string(), fix));
    }
    findings
}

fn replicas(facts: &ServerFacts, wait: ReplicaWait) -> Finding {
    const CHECK: &str = "redis replicas";
    let (connected, wanted) = (facts.replicas, wait.replicas);
    let found = format!("{connected} connected, {wanted} waited for (REDIS_WAIT_REPLICAS)");
    if connected < wanted {
        let fix = "start the missing replicas, or lower REDIS_WAIT_REPLICAS: until then every delivery is spooled, and none \
            is drained";
        return Finding::fail(CHECK, found, fix);
    }
    Finding::ok(CHECK, found)
}

fn version(facts: &ServerFacts, place: &str) -> Finding {
    let major: u32 = facts
        .version
        .split('.')
        .next()
        .and_then(|major| major.parse().ok())
        .unwrap_or(0);
    let found = format!("version {}, {place}", facts.version);
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
    let found = match facts.append_fsync.as_deref() {
        Some("always") | None => "the append-only file is on",
        Some(_) => {
            "the append-only file is on; a power cut may lose the last deliveries that were answered 200 (appendfsync is not always)"
        }
    };
    Finding::ok(CHECK, found)
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

async fn store(reader: &Reader) -> Vec<Finding> {
    vec![store_finding(reader).await]
}

async fn store_finding(reader: &Reader) -> Finding {
    const CHECK: &str = "store";
    let mut own = reader.afresh();
    let settings = StoreSettings::read(&mut own);
    if own.finish(()).is_err() {
        return Finding::skipped(CHECK);
    }
    if settings.is_new() {
        let fix = "none before the first start: a worker creates it; then check DATABASE_URL and its folder";
        return Finding::warn(CHECK, NEW, fix);
    }
    let looked = async {
        let store = Store::open_as_is(&settings).await?;
        let schema = store.schema().await?;
        if schema == Schema::Current {
            store.check_write().await?;
        }
        Ok::<Schema, StoreError>(schema)
    };
    match looked.await {
        Ok(Schema::Current) => Finding::ok(CHECK, "reachable, writable, schema up to date"),
        Ok(Schema::Missing) => {
            let fix = "none before the first start: a worker creates the tables";
            Finding::warn(CHECK, EMPTY, fix)
        }
        Ok(Schema::Older) => {
            let fix = "restart a worker of this version: it updates the schema (docs/UPGRADING.md)";
            Finding::warn(CHECK, "reachable, its schema is older than this program", fix)
        }
        Ok(Schema::Foreign) => {
            let fix = "use the programs of the version that wrote it, or restore the backup";
            Finding::fail(CHECK, "another version of the programs has written its schema", fix)
        }
        Err(error) => {
            let fix = "correct DATABASE_URL or repair the database; until then ledger entries wait in Redis, and \
                syncs are held";
            Finding::fail(CHECK, error.to_string(), fix)
        }
    }
}

pub(super) fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes.div_ceil(1024 * 1024))
}
