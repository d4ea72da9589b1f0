//! The laws of the queue, as properties: random histories on a real Redis beside a small model of what ought to be.
//!
//! - Law 1: an accepted event ends exactly once, as long as workers run.
//! - Law 2: a key never runs twice at once.
//! - Law 3: a key that changed while it ran runs again.
//! - Law 4: nothing but replay or discard removes a dead letter.
//! - Law 6: a script repeated after a lost answer changes nothing more.
//!
//! Law 5, the flat cost, is measured by the bench.

#![cfg(test)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use test_support::TestRedis;
use tokio::sync::Semaphore;

use crate::accepting::accept::{AcceptCommit, Prepared, Submission};
use crate::server::keys::Keys;
use crate::working::ending::Ending;
use crate::working::fetch::FetchCall;
use crate::working::lease::{HeldLease, Leases};
use crate::working::settle::SettleCommit;
use crate::{BackendSettings, CrashPolicy, Queue, QueueName, Redis, Solo};
use passerelle_model::config::RedisSettings;
use passerelle_model::event::{EventKind, NewEvent, OwnEvent};
use passerelle_model::id::{InvalidId, JobKey, ProcessName, RowId, RowKey, TableId};
use passerelle_model::job::Job;
use passerelle_model::ledger::{FailureClass, FailureRecord, LedgerRecord, Settlement, Verdict};
use passerelle_model::outcome::Outcome;
use passerelle_model::seq::Seq;
use passerelle_model::time::Timestamp;

const ROWS: u64 = 3;
const CRASHES: CrashPolicy = CrashPolicy::of_seconds(1, 10);

#[derive(Debug, Clone)]
enum Step {
    /// Deliver event number n of a row.
    Accept {
        row: u64,
        event: u8,
        repeat: bool,
    },
    Fetch {
        most: usize,
        repeat: bool,
    },
    Settle {
        row: u64,
        end: End,
        repeat: bool,
    },
    /// The worker of this row's job vanishes.
    Vanish {
        row: u64,
    },
    /// A worker that lost its lease settles all the same.
    SettleLost,
    /// Time passes: everything that waits is due.
    Wait,
    Replay,
    Discard,
}

#[derive(Debug, Clone, Copy)]
enum End {
    Done,
    Retry,
    Hold,
    Bury,
    Return,
}

fn step() -> impl Strategy<Value = Step> {
    let row = || 1..=ROWS;
    let end = prop_oneof![
        3 => Just(End::Done), 2 => Just(End::Retry), 1 => Just(End::Hold), 1 => Just(End::Bury), 1 => Just(End::Return)
    ];
    prop_oneof![
        6 => (row(), any::<u8>(), any::<bool>()).prop_map(|(row, event, repeat)| Step::Accept { row, event, repeat }),
        4 => (1_usize..4, any::<bool>()).prop_map(|(most, repeat)| Step::Fetch { most, repeat }),
        6 => (row(), end, any::<bool>()).prop_map(|(row, end, repeat)| Step::Settle { row, end, repeat }),
        2 => row().prop_map(|row| Step::Vanish { row }),
        1 => Just(Step::SettleLost),
        2 => Just(Step::Wait),
        1 => Just(Step::Replay),
        1 => Just(Step::Discard),
    ]
}

/// Where a row's job ought to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Ready,
    Running { is_dirty: bool },
    Waiting { is_kept: bool },
}

#[derive(Debug, Default)]
struct Model {
    jobs: BTreeMap<u64, (Place, u32, u32)>,
    seen: Vec<(u64, u8)>,
    dead: usize,
}

impl Model {
    fn news(&mut self, row: u64) {
        let job = self.jobs.entry(row).or_insert((Place::Ready, 0, 0));
        job.0 = match job.0 {
            Place::Running { .. } => Place::Running { is_dirty: true },
            Place::Waiting { is_kept: true } => job.0,
            Place::Waiting { is_kept: false } | Place::Ready => Place::Ready,
        };
    }

    fn end(&mut self, row: u64, end: End) {
        let Some((Place::Running { is_dirty }, attempts, crashes)) = self.jobs.remove(&row) else {
            return;
        };
        let next = match end {
            End::Done | End::Bury => is_dirty.then_some((Place::Ready, 0, 0)),
            End::Retry if is_dirty => Some((Place::Ready, attempts + 1, 0)),
            End::Retry => Some((Place::Waiting { is_kept: false }, attempts + 1, 0)),
            End::Hold => Some((Place::Waiting { is_kept: true }, attempts, 0)),
            End::Return => Some((Place::Ready, attempts, crashes)),
        };
        self.dead += usize::from(matches!(end, End::Bury));
        self.jobs.extend(next.map(|job| (row, job)));
    }

    fn vanish(&mut self, row: u64) {
        let Some((Place::Running { is_dirty }, attempts, crashes)) = self.jobs.remove(&row) else {
            return;
        };
        let next = if crashes == 2 {
            self.dead += 1;
            is_dirty.then_some((Place::Ready, 0, 0))
        } else {
            Some((Place::Waiting { is_kept: true }, attempts, crashes + 1))
        };
        self.jobs.extend(next.map(|job| (row, job)));
    }
}

/// The real thing, driven script by script.
struct World {
    queue: Queue,
    keys: Arc<Keys>,
    acceptor: AcceptCommit,
    settler: SettleCommit,
    leases: Arc<Leases>,
    settings: BackendSettings,
    held: BTreeMap<u64, (Job, HeldLease)>,
    lost: Vec<(Job, HeldLease)>,
    model: Model,
}

type Law = Result<(), TestCaseError>;

fn broken(error: impl std::fmt::Display) -> TestCaseError {
    TestCaseError::fail(error.to_string())
}

impl World {
    fn new(server: &TestRedis, prefix: String) -> Self {
        let settings = RedisSettings {
            url: server.url().into(),
            prefix,
            response_timeout: Duration::from_secs(5),
        };
        let redis = Redis::open(&settings).unwrap();
        let keys = Arc::new(Keys::new(redis.prefix(), QueueName::Sync));
        let worker = ProcessName::unique("worker");
        Self {
            queue: Queue::new(redis.clone(), QueueName::Sync),
            acceptor: AcceptCommit::new(redis.clone(), Arc::clone(&keys)),
            settler: SettleCommit::new(redis, Arc::clone(&keys)),
            keys,
            leases: Leases::new(worker.clone(), CRASHES),
            settings: BackendSettings::new(worker, 4, CRASHES),
            held: BTreeMap::new(),
            lost: Vec::new(),
            model: Model::default(),
        }
    }

    async fn take(&mut self, step: &Step) -> Law {
        match *step {
            Step::Accept { row, event, repeat } => self.accept(row, event, repeat).await,
            Step::Fetch { most, repeat } => self.fetch(most, repeat).await,
            Step::Settle { row, end, repeat } => self.settle(row, end, repeat).await,
            Step::Vanish { row } => self.vanish(row).await,
            Step::SettleLost => self.settle_lost().await,
            Step::Wait => self.wait().await,
            Step::Replay => self.replay().await,
            Step::Discard => self.discard().await,
        }
    }

    async fn accept(&mut self, row: u64, event: u8, repeat: bool) -> Law {
        let key = RowKey {
            table: TableId::new(1).map_err(broken)?,
            row: RowId::new(row).map_err(broken)?,
        };
        let new = updated(key, &format!("r{row}e{event}")).map_err(broken)?;
        let call = self
            .acceptor
            .call(&[Submission::new(Prepared::new(&new, None).map_err(broken)?)])
            .map_err(broken)?;
        let redis = &self.queue.inner.redis;
        let answer: String = call.send(redis).await.map_err(broken)?;
        if repeat {
            let before = self.snapshot().await?;
            let again: String = call.send(redis).await.map_err(broken)?;
            prop_assert_eq!(&again, &answer);
            prop_assert_eq!(before, self.snapshot().await?, "law 6: accept");
        }
        let is_new = !self.model.seen.contains(&(row, event));
        prop_assert_eq!(answer, if is_new { "1" } else { "0" });
        if is_new {
            self.model.seen.push((row, event));
            self.model.news(row);
        }
        Ok(())
    }

    async fn fetch(&mut self, most: usize, repeat: bool) -> Law {
        let mut call = FetchCall::new();
        let mut again = call.clone();
        let mut fetched = self
            .queue
            .fetch(&mut call, &self.settings, most, false)
            .await
            .map_err(broken)?;
        let is_alone = fetched.has_suspects && self.held.is_empty();
        if is_alone {
            prop_assert!(
                fetched.jobs.is_empty(),
                "crashed jobs run alone: others began beside one that waits"
            );
            again.clone_from(&call);
            fetched = self
                .queue
                .fetch(&mut call, &self.settings, most, true)
                .await
                .map_err(broken)?;
        }
        // Without jobs there is nothing to find again, and the repeated call rightly looks for new ones.
        if repeat && !fetched.jobs.is_empty() {
            let before = self.snapshot().await?;
            again.mark_sent();
            fetched = self
                .queue
                .fetch(&mut again, &self.settings, most, is_alone)
                .await
                .map_err(broken)?;
            prop_assert_eq!(before, self.snapshot().await?, "law 6: fetch");
        }
        prop_assert!(
            !is_alone || fetched.jobs.len() == 1,
            "crashed jobs run alone: {} began",
            fetched.jobs.len()
        );
        for taken in fetched.jobs {
            let job = taken.job.map_err(|unreadable| broken(unreadable.error))?;
            let row = job.key.row().ok_or_else(|| broken("no row"))?.row.get();
            prop_assert!(!self.held.contains_key(&row), "law 2: row {} runs twice", row);
            let expected = self.model.jobs.get(&row).copied();
            prop_assert_eq!(expected, Some((Place::Ready, job.attempts, job.crashes)));
            prop_assert_eq!(
                job.crashes > 0,
                is_alone,
                "crashed jobs run alone: row {} has {} crashes",
                row,
                job.crashes
            );
            self.model
                .jobs
                .insert(row, (Place::Running { is_dirty: false }, job.attempts, job.crashes));
            let slot = Arc::new(Semaphore::new(1)).acquire_owned().await.map_err(broken)?;
            let company = Solo::default().among_others().await;
            self.held
                .insert(row, (job, self.leases.hold(taken.key, taken.token, slot, company)));
        }
        Ok(())
    }

    async fn settle(&mut self, row: u64, end: End, repeat: bool) -> Law {
        let Some((job, held)) = self.held.remove(&row) else {
            return Ok(());
        };
        let ending = Ending::of(&job, held, settlement(end)).map_err(broken)?;
        let call = self.settler.call(&[ending]);
        let answer: String = call.send(&self.queue.inner.redis).await.map_err(broken)?;
        prop_assert_eq!(&answer, "1");
        if repeat {
            let before = self.snapshot().await?;
            let again: String = call.send(&self.queue.inner.redis).await.map_err(broken)?;
            prop_assert_eq!(again, answer);
            prop_assert_eq!(before, self.snapshot().await?, "law 6: settle");
        }
        self.model.end(row, end);
        Ok(())
    }

    async fn vanish(&mut self, row: u64) -> Law {
        let Some((job, held)) = self.held.remove(&row) else {
            return Ok(());
        };
        let mut expire = redis::cmd("ZADD");
        expire.arg(&self.keys.leases).arg("XX").arg(1).arg(&held.key);
        self.queue.inner.redis.query::<()>(&expire).await.map_err(broken)?;
        prop_assert_eq!(self.queue.reclaim(CRASHES).await.map_err(broken)?, 1);
        prop_assert_eq!(self.queue.reclaim(CRASHES).await.map_err(broken)?, 0);
        self.lost.push((job, held));
        self.model.vanish(row);
        Ok(())
    }

    async fn settle_lost(&mut self) -> Law {
        let Some((job, held)) = self.lost.pop() else {
            return Ok(());
        };
        let before = self.snapshot().await?;
        let ending = Ending::of(&job, held, settlement(End::Done)).map_err(broken)?;
        let answer: String = self
            .settler
            .call(&[ending])
            .send(&self.queue.inner.redis)
            .await
            .map_err(broken)?;
        prop_assert_eq!(answer, "0");
        prop_assert_eq!(before, self.snapshot().await?, "law 2: a lost lease settles nothing");
        Ok(())
    }

    async fn wait(&mut self) -> Law {
        let redis = &self.queue.inner.redis;
        let mut all = redis::cmd("ZRANGE");
        all.arg(&self.keys.scheduled).arg(0).arg(-1);
        for job in redis.query::<Vec<String>>(&all).await.map_err(broken)? {
            let mut due = redis::cmd("ZADD");
            due.arg(&self.keys.scheduled)
                .arg("XX")
                .arg(100_000_000_000_i64)
                .arg(job);
            redis.query::<()>(&due).await.map_err(broken)?;
        }
        // The next fetch promotes them; a fetch of nothing does no more than that.
        self.queue
            .fetch(&mut FetchCall::new(), &self.settings, 0, false)
            .await
            .map_err(broken)?;
        for (place, ..) in self.model.jobs.values_mut() {
            if matches!(place, Place::Waiting { .. }) {
                *place = Place::Ready;
            }
        }
        Ok(())
    }

    async fn replay(&mut self) -> Law {
        let letters = self.queue.dead_letters(None, 1).await.map_err(broken)?;
        for letter in letters {
            let ids = [letter.id];
            prop_assert_eq!(
                self.queue
                    .replay(&ids, "test", "the law says so")
                    .await
                    .map_err(broken)?,
                1
            );
            let before = self.snapshot().await?;
            prop_assert_eq!(
                self.queue
                    .replay(&ids, "test", "the law says so")
                    .await
                    .map_err(broken)?,
                0
            );
            prop_assert_eq!(before, self.snapshot().await?, "law 6: replay");
            self.model.dead -= 1;
            self.model
                .news(letter.job.row().ok_or_else(|| broken("no row"))?.row.get());
        }
        Ok(())
    }

    async fn discard(&mut self) -> Law {
        let letters = self.queue.dead_letters(None, 1).await.map_err(broken)?;
        for letter in letters {
            prop_assert_eq!(
                self.queue.discard(&[letter.id], "test", "why").await.map_err(broken)?,
                1
            );
            self.model.dead -= 1;
        }
        Ok(())
    }

    /// Law 4, and that every job is in exactly one place: the one where the model has it.
    async fn check(&self) -> Law {
        let stats = self.queue.stats().await.map_err(broken)?;
        prop_assert_eq!(stats.dead, self.model.dead as u64, "law 4");
        let count =
            |wanted: fn(&Place) -> bool| self.model.jobs.values().filter(|(place, ..)| wanted(place)).count() as u64;
        prop_assert_eq!(stats.active, count(|place| *place == Place::Ready));
        prop_assert_eq!(stats.running, count(|place| matches!(place, Place::Running { .. })));
        prop_assert_eq!(stats.scheduled, count(|place| matches!(place, Place::Waiting { .. })));
        let records = redis::cmd("HLEN").arg(&self.keys.records).to_owned();
        let records: usize = self.queue.inner.redis.query(&records).await.map_err(broken)?;
        prop_assert_eq!(records, self.model.jobs.len());
        Ok(())
    }

    /// Everything that a job's life can change.
    async fn snapshot(&self) -> Result<Vec<String>, TestCaseError> {
        let keys = &self.keys;
        let mut commands = vec![
            redis::cmd("LRANGE").arg(&keys.active).arg(0).arg(-1).to_owned(),
            redis::cmd("LRANGE").arg(&keys.suspects).arg(0).arg(-1).to_owned(),
            redis::cmd("ZRANGE")
                .arg(&keys.scheduled)
                .arg(0)
                .arg(-1)
                .arg("WITHSCORES")
                .to_owned(),
            redis::cmd("ZRANGE")
                .arg(&keys.leases)
                .arg(0)
                .arg(-1)
                .arg("WITHSCORES")
                .to_owned(),
            redis::cmd("ZRANGE").arg(&keys.dead).arg(0).arg(-1).to_owned(),
            redis::cmd("XLEN").arg(&keys.ledger).to_owned(),
        ];
        for row in 1..=ROWS {
            commands.push(
                redis::cmd("HGET")
                    .arg(&keys.records)
                    .arg(format!("t1/r{row}"))
                    .to_owned(),
            );
        }
        let mut state = Vec::new();
        for command in &commands {
            let value: redis::Value = self.queue.inner.redis.query(command).await.map_err(broken)?;
            state.push(format!("{value:?}"));
        }
        Ok(state)
    }

    /// Laws 1 and 3: workers run until nothing is left; then the ledger alone says that every accepted event ended exactly once.
    async fn drain(&mut self) -> Law {
        for _ in 0..10 {
            for row in 1..=ROWS {
                self.settle(row, End::Done, false).await?;
            }
            self.wait().await?;
            self.fetch(10, false).await?;
        }
        prop_assert!(self.model.jobs.is_empty() && self.held.is_empty(), "{:?}", self.model);
        let mut open: Vec<(String, Seq)> = Vec::new();
        for entry in self.queue.read_ledger(None, 100_000).await.map_err(broken)? {
            for record in entry.records {
                match record.map_err(|unreadable| broken(unreadable.error))? {
                    LedgerRecord::Accepted(event) => {
                        let row = event
                            .items
                            .first()
                            .and_then(|item| item.row)
                            .ok_or_else(|| broken("no row"))?;
                        open.push((format!("t1/r{row}"), entry.seq));
                    }
                    LedgerRecord::Attempt(attempt)
                        if matches!(attempt.verdict, Verdict::Done(_) | Verdict::Bury { .. }) =>
                    {
                        let before = open.len();
                        open.retain(|(row, seq)| *row != attempt.job.to_string() || *seq > attempt.covers);
                        prop_assert!(open.len() < before, "{} ended although nothing was open", attempt.job);
                    }
                    _ => {}
                }
            }
        }
        prop_assert!(open.is_empty(), "law 1: never ended: {:?}", open);
        Ok(())
    }
}

fn updated(row: RowKey, name: &str) -> Result<NewEvent, InvalidId> {
    let (source, kind, payload) = ("test", EventKind::Updated, Vec::new());
    OwnEvent {
        source,
        name,
        kind,
        payload,
    }
    .asking_for([JobKey::Row(row)])
}

fn settlement(end: End) -> Settlement {
    let failure = FailureRecord {
        class: FailureClass::Transient,
        target: "docmost".to_owned(),
        message: "503".to_owned(),
        status: None,
        body: None,
    };
    let verdict = match end {
        End::Done => Verdict::Done(Outcome::Synced),
        End::Retry => Verdict::Retry {
            after_ms: 3_600_000,
            failure,
        },
        End::Hold => Verdict::Hold {
            after_ms: 3_600_000,
            failure,
        },
        End::Bury => Verdict::Bury {
            reason: "permanent".to_owned(),
            failure,
        },
        End::Return => Verdict::GiveBack,
    };
    Settlement {
        verdict,
        steps: Vec::new(),
        started: Timestamp::now(),
    }
}

#[test]
fn the_laws_hold_in_every_history() {
    let server = TestRedis::start().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let histories = AtomicUsize::new(0);
    let config = Config {
        cases: 40,
        max_shrink_iters: 300,
        failure_persistence: None,
        ..Config::default()
    };
    let history = prop::collection::vec(step(), 1..80);
    TestRunner::new(config)
        .run(&history, |steps| {
            let prefix = format!("history{}", histories.fetch_add(1, Ordering::Relaxed));
            runtime.block_on(async {
                let mut world = World::new(&server, prefix);
                for step in &steps {
                    world.take(step).await?;
                    world.check().await?;
                }
                world.drain().await
            })
        })
        .unwrap();
}

/// Law 6 for calls that lay in a socket for a while: a newer call has replaced the answer that was kept.
#[tokio::test]
async fn a_call_that_is_carried_out_once_more_after_a_newer_one_changes_nothing() {
    let server = TestRedis::start().unwrap();
    let world = World::new(&server, "late".to_owned());
    let redis = &world.queue.inner.redis;
    let submission = |row: u64| {
        let key = RowKey {
            table: TableId::new(1).unwrap(),
            row: RowId::new(row).unwrap(),
        };
        let event = updated(key, &format!("e{row}")).unwrap();
        Submission::new(Prepared::new(&event, None).unwrap())
    };
    let early = world
        .acceptor
        .call(&[submission(1), submission(2), submission(1)])
        .unwrap();
    let newer = world.acceptor.call(&[submission(3)]).unwrap();
    assert_eq!(early.send::<String>(redis).await.unwrap(), "110");
    assert_eq!(newer.send::<String>(redis).await.unwrap(), "1");
    let before = world.snapshot().await.unwrap();
    assert_eq!(early.send::<String>(redis).await.unwrap(), "110");
    assert_eq!(world.snapshot().await.unwrap(), before);
    let ledger = world.queue.read_ledger(None, 10).await.unwrap();
    let facts: Vec<usize> = ledger.iter().map(|entry| entry.records.len()).collect();
    assert_eq!(facts, [3, 1]);
}
