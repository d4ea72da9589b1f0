//! When a bridge is idle: nothing is on its way, and nothing moves any more by itself. This is
//! asked of facts: the calls that Baserow has still to make, the spool, the jobs of each queue, the
//! facts of the ledger that are not in the store, the notices that are not sent, and whether the
//! wiki was looked through.
//!
//! A job that waits for its retry is work, whenever it is due. So is one that is held for a while (up
//! to [`A_WHILE`]). One that is held for longer is not, or whose rule is broken: somebody has to
//! mend it.
//!
//! No moment shows all facts, and work may pass from one place to another between two questions. So
//! the bridge is idle when two looks find no work, and the count of all facts and of all calls of
//! Baserow is the same in both.

use std::time::Duration;

use passerelle_model::id::JobKey;
use passerelle_queue::schedule::Schedule;
use passerelle_queue::{JobState, JobsOf, Queue, QueueName, Redis, SeenJob};
use passerelle_store::{NoticeState, Store};
use test_support::PATIENCE;

use crate::System;
use crate::builder::open_redis;
use crate::leftovers::spooled;

/// A job that is held for so long goes on by itself soon enough to be waited for.
const A_WHILE: Duration = Duration::from_mins(1);
/// Jobs that are looked at one by one.
const MOST_JOBS: usize = 1000;
/// What looks through the wiki: stock Docmost tells nobody of its pages.
const WIKI_TASKS: [&str; 2] = ["wiki", "shares"];

/// A job that waits for somebody to mend something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    pub job: JobKey,
    /// What is wrong with the rule of its table, if that holds it.
    pub trouble: Option<String>,
}

/// Asks a running bridge whether it is idle.
#[derive(Debug)]
pub struct Watch {
    redis: Redis,
    queues: Vec<Queue>,
    pub store: Store,
}

/// What one look has found.
#[derive(Debug, Default, PartialEq, Eq)]
struct Look {
    /// Empty: nothing is on its way.
    work: Vec<String>,
    held: Vec<Held>,
    /// Of the life of Redis: deliveries and facts.
    counted: (u64, Option<u64>),
    calls: u64,
}

/// A task of the workers that is to run once more.
#[derive(Debug)]
struct Awaited {
    task: &'static str,
    due: Option<u64>,
    /// How many more runs have to end: one that runs now has begun too early.
    runs: u8,
}

/// Looks through the wiki that have to begin from a moment on.
#[derive(Debug, Default)]
pub struct WikiLooks(Vec<Awaited>);

impl Watch {
    pub async fn of(system: &System) -> anyhow::Result<Self> {
        let redis = open_redis(system.environment())?;
        Ok(Self {
            queues: QueueName::ALL.map(|name| Queue::new(redis.clone(), name)).into(),
            redis,
            store: system.store().await?,
        })
    }

    /// The queues of rows and of notices.
    pub fn queues(&self) -> &[Queue] {
        &self.queues
    }

    /// One look through the wiki that begins from now on.
    pub async fn next_wiki_look(&self) -> anyhow::Result<WikiLooks> {
        let mut looks = WikiLooks::default();
        for task in WIKI_TASKS {
            let slot = Schedule::slot(&self.redis, task).await?;
            let runs = if slot.is_some_and(|(_, is_running)| is_running) {
                2
            } else {
                1
            };
            let due = slot.map(|(due, _)| due);
            looks.0.push(Awaited { task, due, runs });
        }
        Ok(looks)
    }

    /// Waits until the bridge is idle and these looks have ended; gives the jobs that are held.
    ///
    /// # Errors
    /// If one of its processes has ended, or it is still at work after [`PATIENCE`].
    pub async fn idle(&self, system: &mut System, mut looks: WikiLooks) -> anyhow::Result<Vec<Held>> {
        let mut ticks = tokio::time::interval(Duration::from_millis(10));
        let deadline = tokio::time::Instant::now() + PATIENCE;
        let mut before = Look::default();
        loop {
            ticks.tick().await;
            if let Some(ended) = system.ended() {
                anyhow::bail!("{ended}");
            }
            let mut work = self.look_ahead(&mut looks).await?;
            let now = self.look(system).await?;
            if work.is_empty() && now.work.is_empty() && now == before {
                return Ok(now.held);
            }
            if tokio::time::Instant::now() > deadline {
                work.extend(now.work);
                anyhow::bail!("the bridge is still at work after {PATIENCE:?}: {}", work.join("; "));
            }
            before = now;
        }
    }

    /// The looks that have not ended, in words.
    async fn look_ahead(&self, looks: &mut WikiLooks) -> anyhow::Result<Vec<String>> {
        for awaited in &mut looks.0 {
            let slot = Schedule::slot(&self.redis, awaited.task).await?;
            let due = slot.map(|(due, _)| due);
            if due > awaited.due {
                // The first time it was due is no end of a run.
                let is_end = awaited.due.is_some();
                awaited.due = due;
                awaited.runs -= u8::from(is_end);
            }
        }
        looks.0.retain(|awaited| awaited.runs > 0);
        let task = |awaited: &Awaited| format!("the task {} has not looked through the wiki", awaited.task);
        Ok(looks.0.iter().map(task).collect())
    }

    /// From the senders to the receivers, the counts last. Enough is seen with the first that has
    /// work.
    async fn look(&self, system: &System) -> anyhow::Result<Look> {
        let mut look = Look::default();
        let path = "/_sandbox/baserow/state";
        let state = system.baserow.control(reqwest::Method::GET, path, None).await?;
        if state["idle"] != true {
            look.work.push(format!("calls of Baserow: {}", state["deliveries"]));
        }
        look.calls = state["deliveries"]["made"].as_u64().unwrap_or_default();
        look.work.extend(spooled(&system.spool()));
        if !look.work.is_empty() {
            return Ok(look);
        }
        for queue in &self.queues {
            self.jobs(queue, &mut look).await?;
        }
        let waiting = self.store.latest_notices(Some(NoticeState::Waiting), 100).await?;
        let is_held = |id: &JobKey| look.held.iter().any(|held| held.job == *id);
        let waiting = waiting.iter().filter(|notice| !is_held(&notice.id)).count();
        if waiting > 0 {
            look.work.push(format!("{waiting} notices are not sent"));
        }
        let life = self.queues[0].life(None).await?;
        look.counted = (life.answered, life.entries);
        Ok(look)
    }

    async fn jobs(&self, queue: &Queue, look: &mut Look) -> anyhow::Result<()> {
        let stats = queue.stats().await?;
        let name = queue.name().as_str();
        let at_work = stats.active.saturating_sub(stats.held) + stats.running;
        if at_work > 0 {
            look.work
                .push(format!("{at_work} jobs of the queue {name} are not done"));
        }
        if stats.ledger_backlog > 0 && queue.name() == QueueName::Sync {
            look.work
                .push(format!("{} facts are not in the store", stats.ledger_backlog));
        }
        if stats.scheduled + stats.held == 0 {
            return Ok(());
        }
        let soon = queue.clock().await?.as_millis() + i64::try_from(A_WHILE.as_millis())?;
        let waiting = [JobState::Scheduled, JobState::Held, JobState::TableHeld];
        for job in queue.jobs(&JobsOf::Queue, &waiting, None, MOST_JOBS).await?.jobs {
            let SeenJob {
                job,
                state,
                until,
                table_trouble,
                ..
            } = job;
            let is_soon = until.is_some_and(|until| until.as_millis() < soon);
            match state {
                JobState::Scheduled => look.work.push(format!("{} waits for its retry", job.key)),
                JobState::Held if is_soon && table_trouble.is_none() => {
                    look.work.push(format!("{} is held for a while", job.key));
                }
                _ => look.held.push(Held {
                    job: job.key,
                    trouble: table_trouble,
                }),
            }
        }
        Ok(())
    }
}
