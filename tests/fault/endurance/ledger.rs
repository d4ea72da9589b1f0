//! The ledger, and the jobs that need the store, through outages and kills.

use passerelle_model::config::{Reader, RedisSettings};
use passerelle_model::id::ProcessName;
use passerelle_queue::Redis;
use passerelle_queue::gate::{GatePolicy, GateState, GateTarget, Gates};
use serde_json::json;
use system_tests::System;
use system_tests::system::STOPS_WITHIN;
use test_support::{TestPostgres, eventually};

use crate::world::{adds_up, have_one_page_each, project, start_worker};

/// Entries that a worker has written to the store.
async fn written(system: &System, worker: &str) -> anyhow::Result<u64> {
    let (_, metrics) = system.get(&format!("{worker}/metrics")).await?;
    let counted = metrics
        .lines()
        .find_map(|line| line.strip_prefix("passerelle_ledger_entries_written_total "));
    Ok(counted.map(str::parse).transpose()?.unwrap_or(0))
}

#[tokio::test]
async fn one_of_two_workers_writes_the_ledger_and_the_other_takes_over_when_it_is_killed() {
    let mut system = System::builder().workers(0).start().await.unwrap();
    let workers = [
        start_worker(&mut system, &[]).unwrap(),
        start_worker(&mut system, &[]).unwrap(),
    ];
    let mut rows = Vec::new();
    for number in 0..10 {
        rows.push(project(&system, &format!("Projet {number}")).await.unwrap());
    }
    system.drain().await;
    let by_each = [
        written(&system, &workers[0]).await.unwrap(),
        written(&system, &workers[1]).await.unwrap(),
    ];
    let writer = by_each.iter().position(|count| *count > 0).unwrap();
    assert_eq!(by_each[1 - writer], 0, "{by_each:?}");

    system.workers[writer].kill().unwrap();
    for number in 10..20 {
        rows.push(project(&system, &format!("Projet {number}")).await.unwrap());
    }
    system.drain().await;
    assert!(written(&system, &workers[1 - writer]).await.unwrap() > 0);
    have_one_page_each(&system, &rows).await;
    adds_up(&system).await.unwrap();
}

#[tokio::test]
async fn what_was_settled_in_the_last_second_before_a_stop_is_in_the_store() {
    let mut system = System::builder().start().await.unwrap();
    for number in 0..5 {
        let row = project(&system, &format!("Projet {number}")).await.unwrap();
        eventually("the row knows its page", async || {
            match system.baserow.read(row).await {
                Ok(row) if row["docmost_page_id"].is_string() => Ok(()),
                other => Err(format!("{other:?}\n{}", system.logs())),
            }
        })
        .await;
        let ended = system.workers[number].stop(STOPS_WITHIN).await.unwrap();
        assert!(ended.success(), "{ended}\n{}", system.logs());
        adds_up(&system).await.unwrap();
        assert_eq!(system.queue.stats().await.unwrap().ledger_backlog, 0);
        system.start_worker().unwrap();
    }
}

/// How often attempts ended in each way.
async fn endings(postgres: &TestPostgres, ending: &str) -> anyhow::Result<i64> {
    let pool = sqlx::AnyPool::connect(&postgres.url()).await?;
    let count = sqlx::query_scalar("SELECT count(*) FROM attempts WHERE ending = $1").bind(ending.to_owned());
    Ok(count.fetch_one(&pool).await?)
}

/// By default a kill may cost what Redis has accepted in the last second or two.
async fn sync_redis_always(system: &System) -> anyhow::Result<()> {
    let client = redis::Client::open(system.redis.url())?;
    let mut connection = client.get_multiplexed_async_connection().await?;
    let mut setting = redis::cmd("CONFIG");
    setting.arg("SET").arg("appendfsync").arg("always");
    Ok(setting.exec_async(&mut connection).await?)
}

/// The gates of a minute's policy, in seconds.
const SWIFT_GATES: [(&str, &str); 4] = [
    ("GATE_PROBE_SECONDS", "0.1"),
    ("GATE_PROBE_LONGEST_SECONDS", "0.5"),
    ("GATE_STEP_SECONDS", "0.1"),
    ("GATE_TICK_SECONDS", "0.05"),
];

#[tokio::test]
async fn a_database_that_goes_down_while_jobs_run_holds_them_and_costs_no_attempt_and_no_fact() {
    survives(TestPostgres::kill, TestPostgres::boot).await.unwrap();
}

#[tokio::test]
async fn a_database_that_hangs_while_jobs_run_holds_them_and_costs_no_attempt_and_no_fact() {
    survives(TestPostgres::freeze, TestPostgres::thaw).await.unwrap();
}

async fn the_gate_of_the_store_stops(gates: &Gates, system: &System) {
    eventually("the store's gate stops", async || match gates.list().await {
        Ok(gates) => {
            let stopped = gates
                .iter()
                .any(|gate| gate.gate == "store" && gate.state != GateState::Flowing);
            if stopped {
                Ok(())
            } else {
                Err(format!("{gates:?}\n{}", system.logs()))
            }
        }
        Err(error) => Err(error.to_string()),
    })
    .await;
}

/// An outage of the database, and its end.
async fn survives(
    breaks: fn(&TestPostgres) -> anyhow::Result<()>,
    mends: fn(&TestPostgres) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let postgres = TestPostgres::start()?;
    let builder = System::builder()
        .workers(2)
        .database(&postgres.url())
        .worker_variable("DATABASE_TIMEOUT_SECONDS", "1");
    let builder = SWIFT_GATES
        .into_iter()
        .fold(builder, |builder, (name, value)| builder.worker_variable(name, value));
    let mut system = builder.start().await?;
    system.expect_errors("store is in trouble");
    sync_redis_always(&system).await?;
    let settings = RedisSettings::read(&mut Reader::from_pairs([("REDIS_URL", system.redis.url())]));
    let observer = ProcessName::unique("observer");
    let gates = Gates::new(Redis::open(&settings)?, observer, GatePolicy::default());
    let mut rows = vec![project(&system, "Before").await?];
    system.drain().await;

    breaks(&postgres)?;
    for number in 0..15 {
        rows.push(project(&system, &format!("Projet {number}")).await?);
    }
    the_gate_of_the_store_stops(&gates, &system).await;
    let incidents = gates.incidents(100).await?;
    assert!(
        incidents
            .iter()
            .any(|incident| incident.target() == Some(GateTarget::Store)),
        "{incidents:?}"
    );
    // More events of the same rows while nothing can be written down, and a restart of Redis with
    // all of it.
    for row in &rows {
        system.baserow.update(*row, json!({"Statut": "Terminé"})).await?;
    }
    system.drained_webhooks().await;
    system.redis.kill()?;
    system.redis.boot()?;
    eventually("facts wait in Redis", async || match system.queue.stats().await {
        Ok(stats) if stats.ledger_backlog > 0 => Ok(()),
        other => Err(other),
    })
    .await;

    mends(&postgres)?;
    let stats = system.drain().await;
    assert_eq!(stats.dead, 0, "{}", system.logs());
    have_one_page_each(&system, &rows).await;
    adds_up(&system).await?;
    assert!(endings(&postgres, "hold").await? > 0);
    assert_eq!(endings(&postgres, "retry").await?, 0, "{}", system.logs());
    Ok(())
}
