//! The real thing, driven script by script.

use crate::accepting::accept::{AcceptCommit, Prepared};
use crate::accepting::answer::{Taken, parse_answer};
use crate::accepting::submission::Submission;
use crate::server::keys::Keys;
use crate::working::ending::Ending;
use crate::working::fetch::FetchCall;
use crate::working::lease::{HeldLease, Leases};
use crate::working::settle::SettleCommit;
use crate::{BackendSettings, Queue, QueueName, Redis, Solo};
use passerelle_model::config::RedisSettings;
use passerelle_model::id::ProcessName;
use passerelle_model::job::Job;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;
use test_support::TestRedis;
use tokio::sync::Semaphore;

use super::model::{Again, CRASHES, End, Model, Place, Step, row_of, settlement, updated};
use super::power_cut::Disk;

/// The real thing, driven script by script.
pub(super) struct World {
    pub(super) queue: Queue,
    pub(super) keys: Arc<Keys>,
    pub(super) acceptor: AcceptCommit,
    pub(super) settler: SettleCommit,
    pub(super) leases: Arc<Leases>,
    pub(super) settings: BackendSettings,
    pub(super) held: BTreeMap<u64, (Job, HeldLease)>,
    pub(super) lost: Vec<(Job, HeldLease)>,
    pub(super) model: Model,
    /// What a power cut leaves.
    pub(super) disk: Disk,
    pub(super) redis: RedisSettings,
}

pub(super) type Law = Result<(), TestCaseError>;

pub(super) fn broken(error: impl std::fmt::Display) -> TestCaseError {
    TestCaseError::fail(error.to_string())
}

impl World {
    pub(super) fn new(server: &TestRedis, prefix: String) -> Self {
        Self::at(RedisSettings {
            prefix,
            ..RedisSettings::at(server.url())
        })
    }

    pub(super) fn at(settings: RedisSettings) -> Self {
        let redis = Redis::open(&settings).unwrap();
        let keys = Arc::new(Keys::new(redis.prefix(), QueueName::Sync));
        let worker = ProcessName::unique("worker");
        Self {
            queue: Queue::new(redis.clone(), QueueName::Sync),
            acceptor: AcceptCommit::new(redis.clone(), Arc::clone(&keys), Arc::default()),
            settler: SettleCommit::new(redis, Arc::clone(&keys)),
            keys,
            leases: Leases::new(worker.clone(), CRASHES),
            settings: BackendSettings::new(worker, 4, CRASHES),
            held: BTreeMap::new(),
            lost: Vec::new(),
            model: Model::default(),
            disk: Disk::default(),
            redis: settings,
        }
    }

    pub(super) async fn take(&mut self, step: &Step) -> Law {
        match step {
            Step::Accept { events, repeat } => self.accept(events, *repeat).await,
            Step::Fetch { most, repeat } => self.fetch(*most, *repeat).await,
            Step::Settle { ends, again } => self.settle(ends, *again).await,
            Step::Vanish { row } => self.vanish(*row).await,
            Step::SettleLost => self.settle_lost().await,
            Step::Wait => self.wait().await,
            Step::Replay => self.replay().await,
            Step::Discard => self.discard().await,
            Step::RunNow { row, repeat } => self.run_now(*row, *repeat).await,
            Step::Sync => self.sync_to_disk().await,
            Step::PowerCut => self.power_cut().await,
        }
    }

    pub(super) async fn accept(&mut self, events: &[(u64, u8)], repeat: bool) -> Law {
        let mut group = Vec::new();
        for (row, event) in events {
            let new = updated(row_of(*row).map_err(broken)?, &format!("r{row}e{event}")).map_err(broken)?;
            group.push(Submission::new(Prepared::new(&new, None).map_err(broken)?));
        }
        let call = self.acceptor.call(&group).map_err(broken)?;
        let redis = &self.queue.inner.redis;
        let answer: String = call.send(redis).await.map_err(broken)?;
        if repeat {
            let before = self.snapshot().await?;
            let again: String = call.send(redis).await.map_err(broken)?;
            prop_assert_eq!(&again, &answer);
            prop_assert_eq!(before, self.snapshot().await?, "law 6: accept");
        }
        let (taken, seen) = parse_answer(&answer, events.len()).map_err(broken)?;
        for (delivery, taken) in events.iter().zip(taken) {
            let is_new = !self.model.seen.contains(delivery);
            prop_assert_eq!(taken, if is_new { Taken::New } else { Taken::Duplicate });
            self.model.answered += 1;
            if is_new {
                self.model.seen.push(*delivery);
                self.model.news(delivery.0);
            }
        }
        prop_assert_eq!(seen.answered, Some(self.model.answered));
        Ok(())
    }

    pub(super) async fn fetch(&mut self, most: usize, repeat: bool) -> Law {
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
        // Without jobs there is nothing to find again, and the repeated call rightly looks for new
        // ones.
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
            let held = self.hold(taken.key, taken.token).await?;
            self.held.insert(row, (job, held));
        }
        Ok(())
    }

    pub(super) async fn settle(&mut self, ends: &[(u64, End)], again: Again) -> Law {
        let (mut endings, mut of_another, mut ended) = (Vec::new(), Vec::new(), Vec::new());
        for (row, end) in ends {
            let Some((job, held)) = self.held.remove(row) else {
                continue;
            };
            let claimed = self.hold(held.key.clone(), held.token.clone()).await?;
            of_another.push(Ending::of(&job, claimed, settlement(End::Bury)).map_err(broken)?);
            endings.push(Ending::of(&job, held, settlement(*end)).map_err(broken)?);
            ended.push((*row, *end));
        }
        if endings.is_empty() {
            return Ok(());
        }
        let (redis, all) = (&self.queue.inner.redis, "1".repeat(ended.len()));
        let call = self.settler.call(&endings);
        let answer: String = call.send(redis).await.map_err(broken)?;
        prop_assert_eq!(&answer, &all);
        let before = self.snapshot().await?;
        match again {
            Again::Nobody => {}
            Again::SameCall => {
                let again: String = call.send(redis).await.map_err(broken)?;
                prop_assert_eq!(again, all, "law 6: settle");
            }
            Again::OtherCaller => {
                let other = SettleCommit::new(redis.clone(), Arc::clone(&self.keys));
                let again: String = other.call(&of_another).send(redis).await.map_err(broken)?;
                prop_assert_eq!(again, "0".repeat(ended.len()), "law 1: a job ended twice");
            }
        }
        prop_assert_eq!(before, self.snapshot().await?, "law 6: settle");
        for (row, end) in ended {
            self.model.end(row, end);
        }
        Ok(())
    }

    pub(super) async fn hold(&self, key: Vec<u8>, token: String) -> Result<HeldLease, TestCaseError> {
        let slot = Arc::new(Semaphore::new(1)).acquire_owned().await.map_err(broken)?;
        let company = Solo::default().among_others().await;
        Ok(self.leases.hold(key, token, slot, company))
    }

    pub(super) async fn vanish(&mut self, row: u64) -> Law {
        let Some((job, held)) = self.held.remove(&row) else {
            return Ok(());
        };
        let mut expire = redis::cmd("ZADD");
        expire.arg(&self.keys.leases).arg("XX").arg(1).arg(&held.key);
        self.queue.inner.redis.query::<()>(&expire).await.map_err(broken)?;
        let now = self.queue.clock().await.map_err(broken)?;
        prop_assert_eq!(self.queue.reclaim(CRASHES, now).await.map_err(broken)?, 1);
        prop_assert_eq!(self.queue.reclaim(CRASHES, now).await.map_err(broken)?, 0);
        self.lost.push((job, held));
        self.model.vanish(row);
        Ok(())
    }

    pub(super) async fn settle_lost(&mut self) -> Law {
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

    pub(super) async fn wait(&mut self) -> Law {
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
}
