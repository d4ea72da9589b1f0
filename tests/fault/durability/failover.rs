//! The master dies under load, and three Sentinels put its replica in its place.

use std::fmt;
use std::time::Duration;

use passerelle_model::id::{EventId, RowKey};
use serde_json::json;
use system_tests::System;
use test_support::{Fsync, RedisOptions, TestSentinels, eventually};

use crate::load::{Answered, Load, spool_is_empty};

/// What no sender shall wait longer for; one of twenty may, on a machine whose disk others use too.
const SOON: Duration = Duration::from_secs(1);
/// A machine that has too much to do answers all deliveries late: so many times the usual wait
/// counts as soon.
const OF_THE_USUAL: u32 = 10;
const ROWS: usize = 24;

struct World {
    /// Looked at as it is dropped: before the servers.
    system: System,
    servers: TestSentinels,
    rows: Vec<RowKey>,
}

struct Verdict {
    answered: usize,
    slowest: Duration,
    soon: Duration,
    /// Later than that.
    late: usize,
    lost: Vec<String>,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            answered,
            slowest,
            soon,
            late,
            lost,
        } = self;
        let lost = lost.len();
        write!(
            f,
            "{answered} answered, the slowest in {slowest:?}, {late} later than {soon:?}, {lost} lost"
        )
    }
}

impl World {
    async fn start(workers: usize, settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        let servers = TestSentinels::start(RedisOptions {
            fsync: Fsync::Always,
            ..RedisOptions::default()
        })?;
        let mut builder = System::builder()
            .workers(workers)
            .without_webhook()
            .variable("REDIS_URL", &servers.url(""));
        for (name, value) in settings.iter().chain(&[("LOOP_EVENTS", "0")]) {
            builder = builder.variable(name, value);
        }
        let system = builder.start().await?;
        let mut rows = Vec::new();
        for number in 0..ROWS {
            let fields = json!({"Nom": format!("Projet {number}"), "Statut": "En cours"});
            rows.push(system.baserow.create("projet", fields).await?);
        }
        Ok(Self { system, servers, rows })
    }

    /// The master is killed; with `is_behind`, its replica has been away for a while and has the
    /// last deliveries not. Then the old master comes back, as a replica.
    async fn fail_over(&mut self, load: &Load, is_behind: bool) -> anyhow::Result<()> {
        load.goes_on(200).await;
        if is_behind {
            self.servers.servers[1].kill()?;
            load.goes_on(200).await;
        }
        self.servers.servers[0].kill()?;
        load.goes_on(50).await;
        if is_behind {
            self.servers.servers[1].boot()?;
        }
        self.servers.wait_for_failover()?;
        self.servers.servers[0].boot()?;
        self.is_well().await;
        load.goes_on(100).await;
        Ok(())
    }

    async fn is_well(&self) {
        eventually("the ingress has nothing to warn of", async || {
            match self.system.get(&format!("{}/readyz", self.system.ingress_url)).await {
                Ok((200, body)) if body.contains(r#""warnings":[]"#) => Ok(()),
                other => Err(format!("{other:?}\n{}", self.system.logs())),
            }
        })
        .await;
    }

    /// Every row has its page, and no sender waited long. Returns what was answered and is not in
    /// the ledger.
    async fn judge(&self, answered: &[Answered]) -> anyhow::Result<Verdict> {
        spool_is_empty(&self.system).await;
        self.have_their_pages().await;
        self.system.drain().await;
        let (ledger, mut lost) = (self.system.store().await?, Vec::new());
        for Answered { event, .. } in answered {
            let stories = ledger.trace_event(&EventId::parse(event)?).await?;
            anyhow::ensure!(stories.len() < 2, "{event} is in the ledger {} times", stories.len());
            lost.extend(stories.is_empty().then(|| event.clone()));
        }
        let mut waits: Vec<Duration> = answered.iter().map(|answered| answered.took).collect();
        waits.sort_unstable();
        let usual = waits.get(waits.len() / 2).copied().unwrap_or_default();
        let soon = SOON.max(usual * OF_THE_USUAL);
        let verdict = Verdict {
            answered: waits.len(),
            slowest: waits.last().copied().unwrap_or_default(),
            soon,
            late: waits.iter().filter(|took| **took > soon).count(),
            lost,
        };
        anyhow::ensure!(verdict.late * 20 <= verdict.answered, "{verdict}");
        Ok(verdict)
    }

    async fn have_their_pages(&self) {
        for row in &self.rows {
            eventually(&format!("{row} has its page"), async || {
                match self.system.docmost.pages_of(*row).await {
                    Ok(pages) if pages.len() == 1 => Ok(()),
                    other => Err(format!("{other:?}\n{}", self.system.logs())),
                }
            })
            .await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_under_load_delays_no_sender_and_ends_with_every_page() {
    let mut world = World::start(1, &[]).await.unwrap();
    let load = Load::start(&world.system, ROWS);
    world.fail_over(&load, false).await.unwrap();
    let answered = load.stop().await.unwrap();
    // Whether everything was on its way to the replica is chance; what has lost its job is
    // requested within minutes.
    world.system.expect_unfinished();
    let verdict = world.judge(&answered).await.unwrap();
    println!("{verdict}");
    assert!(verdict.lost.len() * 20 < verdict.answered, "{verdict}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_replica_waited_for_a_failover_to_one_that_was_behind_loses_nothing() {
    let mut world = World::start(0, &[("REDIS_WAIT_REPLICAS", "1")]).await.unwrap();
    let load = Load::start(&world.system, ROWS);
    world.fail_over(&load, true).await.unwrap();
    let answered = load.stop().await.unwrap();
    world.system.start_worker().unwrap();
    let verdict = world.judge(&answered).await.unwrap();
    println!("{verdict}");
    assert!(verdict.lost.is_empty(), "{verdict}");
}

/// What it costs not to wait. It also shows that the replica was behind.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_wait_a_failover_to_a_replica_that_was_behind_loses_what_was_answered_meanwhile() {
    let mut world = World::start(0, &[]).await.unwrap();
    let load = Load::start(&world.system, ROWS);
    world.fail_over(&load, true).await.unwrap();
    let answered = load.stop().await.unwrap();
    world.system.start_worker().unwrap();
    let verdict = world.judge(&answered).await.unwrap();
    println!("{verdict}");
    assert!((100..verdict.answered).contains(&verdict.lost.len()), "{verdict}");
}
