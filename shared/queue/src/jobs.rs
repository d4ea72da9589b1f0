//! What operators see of jobs one by one, and taking a waiting one now.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use crate::ledger_stream::encode_fact;
use crate::server::scripts::RUN_NOW;
use crate::working::record;
use crate::{HeldTable, Queue, QueueError};
use passerelle_model::id::{JobKey, Subject, TableId};
use passerelle_model::job::Job;
use passerelle_model::ledger::LedgerRecord;
use passerelle_model::time::Timestamp;

/// Records that one step of a walk looks at.
const AT_ONCE: usize = 1000;
/// Jobs that one call makes ready.
const READY_AT_ONCE: usize = 200;

/// Which jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobsOf {
    /// All of the queue.
    Queue,
    /// Those of this table's rows.
    Table(TableId),
    /// These, as far as there are such jobs.
    Jobs(Vec<JobKey>),
}

/// What a job is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// In a worker's hands.
    Running,
    /// Ready: it waits for a worker.
    Queued,
    /// It failed, and waits for its next attempt.
    Scheduled,
    /// It waits for its time through no fault of its own: for an outage to end, or after a crash of
    /// its worker.
    Held,
    /// It is ready, and the rule of its table is broken: it waits until the rule is mended.
    TableHeld,
}

impl JobState {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Running,
        Self::Queued,
        Self::Scheduled,
        Self::Held,
        Self::TableHeld,
    ];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Queued => "queued",
            Self::Scheduled => "scheduled",
            Self::Held => "held",
            Self::TableHeld => "table_held",
        }
    }

    /// Of a record, without regard to its table.
    fn of(record: &[u8]) -> Self {
        match record.split(|byte| *byte == b'\n').next().unwrap_or_default() {
            state if state.starts_with(b"w held") => Self::Held,
            state if state.starts_with(b"w") => Self::Scheduled,
            state if state.starts_with(b"r ") => Self::Running,
            _ => Self::Queued,
        }
    }
}

/// A job as it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenJob {
    /// The job.
    pub job: Job,
    /// What it is doing.
    pub state: JobState,
    /// Since when: since its first event was accepted, it was taken, its last attempt ended, or its
    /// table is held.
    pub since: Timestamp,
    /// When it is due, or its table's next probe is.
    pub until: Option<Timestamp>,
    /// Who runs it.
    pub worker: Option<String>,
    /// What is wrong with the rule of its table: until that is mended, the job does not run, also
    /// if its time comes.
    pub table_trouble: Option<String>,
}

/// Some jobs of a queue, and how many there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SeenJobs {
    /// In the order of their keys.
    pub jobs: Vec<SeenJob>,
    /// Of all that were asked for, by state. A job that the walk met twice, because the queue grew
    /// meanwhile, may count twice.
    pub counts: BTreeMap<JobState, u64>,
    /// Whether there are more behind the last one.
    pub has_more: bool,
}

/// What became of the wish to run a job now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunNow {
    /// It waited for its time, and is queued now.
    Ready,
    /// It was queued already; nothing was changed.
    WasReady,
    /// It runs at this moment; nothing was changed.
    Running,
    /// The rule of its table is broken; nothing was changed.
    TableHeld,
    /// There is no such job.
    Gone,
}

/// The lanes whose tables are held.
struct HeldLanes(HashMap<String, HeldTable>);

impl HeldLanes {
    /// What holds the lane of a job, as the script `lanes.lua` names lanes. One that crashed waits
    /// beside the lanes.
    fn of(&self, job: &Job) -> Option<&HeldTable> {
        let lane = match &job.key {
            JobKey::Row(row) => format!("t{}", row.table),
            JobKey::Page(_) => "page".to_owned(),
            JobKey::Share(_) => "share".to_owned(),
            JobKey::Table(_) => "table".to_owned(),
            JobKey::Notice(_) => "notice".to_owned(),
            JobKey::Foreign(_) => "other".to_owned(),
        };
        self.0.get(&lane).filter(|_| job.crashes == 0)
    }

    fn state(&self, record: &[u8], job: &Job) -> JobState {
        match JobState::of(record) {
            JobState::Queued if self.of(job).is_some() => JobState::TableHeld,
            state => state,
        }
    }
}

impl Queue {
    /// Walks over the jobs without holding Redis up: one that comes, goes or changes meanwhile may
    /// be seen as before or after. Returns those of these states (none given: of all), behind the
    /// key `after`, at most `most`. What cannot be read is left out, until a worker buries it.
    pub async fn jobs(
        &self,
        of: &JobsOf,
        states: &[JobState],
        after: Option<&JobKey>,
        most: usize,
    ) -> Result<SeenJobs, QueueError> {
        let held = self.held_tables().await?.into_iter();
        let held = HeldLanes(held.map(|held| (held.table.clone(), held)).collect());
        let mut found = SeenJobs::default();
        let mut kept = BTreeMap::new();
        let mut cursor = Some(0);
        while let Some(at) = cursor {
            let (next, records) = self.some_records(of, at).await?;
            cursor = (next != 0).then_some(next);
            for (key, stored) in records {
                let Ok(job) = record::decode(key.as_bytes(), &stored) else {
                    continue;
                };
                let state = held.state(&stored, &job);
                if !states.is_empty() && !states.contains(&state) || kept.contains_key(&job.key) {
                    continue;
                }
                *found.counts.entry(state).or_default() += 1;
                if after.is_none_or(|after| job.key > *after) {
                    kept.insert(job.key.clone(), (job, stored));
                }
                if kept.len() > most {
                    kept.pop_last();
                    found.has_more = true;
                }
            }
        }
        let kept: Vec<(Job, Vec<u8>)> = kept.into_values().collect();
        for some in kept.chunks(AT_ONCE) {
            found.jobs.extend(self.seen(some, &held).await?);
        }
        Ok(found)
    }

    /// The next records of a walk, and where it goes on; 0 is its end.
    async fn some_records(&self, of: &JobsOf, cursor: u64) -> Result<(u64, Vec<(String, Vec<u8>)>), QueueError> {
        let (keys, redis) = (&self.inner.keys, &self.inner.redis);
        if let JobsOf::Jobs(jobs) = of {
            let jobs: Vec<String> = jobs.iter().map(ToString::to_string).collect();
            if jobs.is_empty() {
                return Ok((0, Vec::new()));
            }
            let mut ask = redis::cmd("HMGET");
            ask.arg(&keys.records).arg(&jobs);
            let records: Vec<Option<Vec<u8>>> = redis.query(&ask).await?;
            let there = jobs.into_iter().zip(records);
            return Ok((0, there.filter_map(|(key, record)| Some((key, record?))).collect()));
        }
        let mut ask = redis::cmd("HSCAN");
        ask.arg(&keys.records).arg(cursor);
        if let JobsOf::Table(table) = of {
            ask.arg("MATCH").arg(format!("t{table}/*"));
        }
        ask.arg("COUNT").arg(AT_ONCE);
        redis.query(&ask).await
    }

    async fn seen(&self, some: &[(Job, Vec<u8>)], held: &HeldLanes) -> Result<Vec<SeenJob>, QueueError> {
        let keys = &self.inner.keys;
        let waits =
            |(job, stored): &&(Job, Vec<u8>)| matches!(held.state(stored, job), JobState::Scheduled | JobState::Held);
        let waiting: Vec<String> = some.iter().filter(waits).map(|(job, _)| job.key.to_string()).collect();
        let due = self.moments(&keys.scheduled, &waiting).await?;
        let since = self.moments(&keys.waits, &waiting).await?;
        let seen = |(job, stored): &(Job, Vec<u8>)| {
            let (key, state, lease) = (job.key.to_string(), held.state(stored, job), record::lease(stored));
            let table = held.of(job).filter(|_| state != JobState::Running);
            let (until, since) = match state {
                JobState::Running | JobState::Queued => (None, lease.as_ref().map(|lease| lease.began)),
                JobState::TableHeld => (table.map(|held| held.next_probe), table.map(|held| held.since)),
                JobState::Scheduled | JobState::Held => (due.get(&key).copied(), since.get(&key).copied()),
            };
            SeenJob {
                state,
                since: since.unwrap_or(job.waiting_since),
                until,
                worker: lease.map(|lease| lease.owner),
                table_trouble: table.map(|held| held.why.clone()),
                job: job.clone(),
            }
        };
        Ok(some.iter().map(seen).collect())
    }

    /// The moments that a sorted set keeps of jobs.
    async fn moments(&self, set: &str, jobs: &[String]) -> Result<HashMap<String, Timestamp>, QueueError> {
        if jobs.is_empty() {
            return Ok(HashMap::new());
        }
        let mut ask = redis::cmd("ZMSCORE");
        ask.arg(set).arg(jobs);
        let scores: Vec<Option<f64>> = self.inner.redis.query(&ask).await?;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a float cast saturates, and this is a moment"
        )]
        let moment = |score: f64| Timestamp::from_millis(score as i64);
        let known = jobs.iter().zip(scores);
        Ok(known
            .filter_map(|(job, score)| Some((job.clone(), moment(score?))))
            .collect())
    }

    /// Makes jobs that wait for their time ready; each change and its fact in the ledger are one
    /// step. A stopped gate and a pause still hold them back. Returns what became of each, in
    /// order.
    pub async fn run_now(&self, jobs: &[JobKey], by: &str, why: &str) -> Result<Vec<RunNow>, QueueError> {
        let mut became = Vec::with_capacity(jobs.len());
        for some in jobs.chunks(READY_AT_ONCE) {
            became.extend(self.make_ready(some, by, why).await?);
        }
        Ok(became)
    }

    async fn make_ready(&self, jobs: &[JobKey], by: &str, why: &str) -> Result<Vec<RunNow>, QueueError> {
        let keys = &self.inner.keys;
        let mut call = RUN_NOW.call(8);
        call.arg(&keys.active)
            .arg(&keys.scheduled)
            .arg(&keys.records)
            .arg(&keys.waits)
            .arg(&keys.suspects)
            .arg(&keys.ledger)
            .arg(&keys.gates)
            .arg(&keys.life)
            .arg(&keys.wake);
        for job in jobs {
            let on = Subject::parse(&format!("job/{job}"));
            let fact = encode_fact(&LedgerRecord::Switched {
                on: on.map_err(|error| QueueError::Protocol(error.to_string()))?,
                act: "run_now".to_owned(),
                by: by.to_owned(),
                why: why.to_owned(),
                at: Timestamp::now(),
            })?;
            call.arg(job.to_string()).arg(fact);
        }
        let was: Vec<String> = call.send(&self.inner.redis).await?;
        let became = |was: &String| match was.as_str() {
            "w" => RunNow::Ready,
            "r" => RunNow::Running,
            "held" => RunNow::TableHeld,
            "" => RunNow::Gone,
            _ => RunNow::WasReady,
        };
        Ok(was.iter().map(became).collect())
    }
}
