//! Taking jobs, and taking back those of workers that have vanished.

use redis::Value;
use tokio::time::Instant;

use crate::gate::GateName;
use crate::server::scripts::{EXPIRED, FETCH};
use crate::working::crash::CrashPolicy;
use crate::working::ending::{Crash, Ending, Holder};
use crate::working::record;
use crate::{BackendSettings, Queue, QueueError, short_id};
use passerelle_model::id::ProcessName;
use passerelle_model::job::Job;
use passerelle_model::seq::Seq;
use passerelle_model::time::Timestamp;

/// Most jobs that one call takes.
pub(crate) const BATCH: usize = 64;
/// Most expired leases that one call looks at.
const EXPIRED_BATCH: usize = 100;
/// Values before the jobs in the answer: now, when to look again, expired leases?, stock tasks?, is
/// the job a probe?, suspects?
const HEAD: usize = 6;

/// What a call took, and what it saw on the way.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each flag is one independent fact of the script's answer"
)]
pub(crate) struct Fetched {
    /// When the call was first sent.
    pub(crate) sent: Instant,
    pub(crate) now: Timestamp,
    /// When the next waiting job is due or the next lease expires.
    pub(crate) look_again: Option<Timestamp>,
    pub(crate) has_expired: bool,
    pub(crate) has_stock: bool,
    /// Its one job was let through to see whether a target works again.
    pub(crate) is_probe: bool,
    /// A job that crashed before waits for a process that runs nothing else.
    pub(crate) has_suspects: bool,
    pub(crate) jobs: Vec<Taken>,
}

/// A leased job.
pub(crate) struct Taken {
    pub(crate) key: Vec<u8>,
    pub(crate) token: String,
    pub(crate) job: Result<Job, Unreadable>,
}

/// A record that is not one of ours.
pub(crate) struct Unreadable {
    pub(crate) key: Vec<u8>,
    pub(crate) covers: Seq,
    pub(crate) error: String,
    pub(crate) bytes: String,
}

/// A call whose answer may get lost: it keeps its name until it is answered, so that the jobs it
/// took are found again.
#[derive(Clone)]
pub(crate) struct FetchCall {
    name: String,
    is_repeated: bool,
    /// When it was first sent: leases that it takes count from then.
    sent: Instant,
}

impl FetchCall {
    pub(crate) fn new() -> Self {
        Self {
            name: short_id(),
            is_repeated: false,
            sent: Instant::now(),
        }
    }

    /// It is about to be sent; if it is sent again, its first answer may have been lost.
    pub(crate) fn mark_sent(&mut self) {
        if !self.is_repeated {
            self.sent = Instant::now();
        }
        self.is_repeated = true;
    }
}

impl Queue {
    /// Takes up to `most` jobs; or, for a process that runs nothing, one that crashed before. After
    /// an error the same call should be made again.
    pub(crate) async fn fetch(
        &self,
        call: &mut FetchCall,
        settings: &BackendSettings,
        most: usize,
        is_alone: bool,
    ) -> Result<Fetched, QueueError> {
        let keys = &self.inner.keys;
        let mut script = FETCH.call(8);
        for key in [&keys.active, &keys.scheduled, &keys.leases, &keys.records, &keys.paused] {
            script.arg(key);
        }
        script.arg(&keys.gates).arg(&keys.suspects).arg(&keys.waits);
        script
            .arg(most)
            .arg(crate::working::lease::millis(settings.lease))
            .arg(&call.name);
        script.arg(settings.worker.as_str()).arg(u8::from(call.is_repeated));
        script.arg(u8::from(is_alone));
        for gate in GateName::passed_by(keys.name) {
            script.arg(gate.as_str());
        }
        call.mark_sent();
        let answer: Vec<Value> = script.send(&self.inner.redis).await?;
        let fetched = decode_fetched(&answer, call.sent)?;
        *call = FetchCall::new();
        Ok(fetched)
    }

    /// Sees to jobs whose leases had expired when a fetch saw some, by the clock of Redis; returns
    /// how many there were.
    pub(crate) async fn reclaim(&self, policy: CrashPolicy, seen: Timestamp) -> Result<usize, QueueError> {
        let mut script = EXPIRED.call(2);
        script
            .arg(&self.inner.keys.leases)
            .arg(&self.inner.keys.records)
            .arg(EXPIRED_BATCH)
            .arg(seen.as_millis());
        let answer: Vec<(Vec<u8>, Vec<u8>)> = script.send(&self.inner.redis).await?;
        let mut settling = Vec::with_capacity(answer.len());
        for (key, record) in answer {
            let Some(lease) = record::lease(&record) else {
                return Err(QueueError::Protocol("an expired job without a lease".to_owned()));
            };
            let worker = ProcessName::parse(&lease.owner).unwrap_or_else(|_| ProcessName::unique("unknown"));
            let why = format!("the worker {worker} vanished while it ran the job");
            tracing::warn!(job = %key.escape_ascii(), %worker, "a lease expired: the job is taken back");
            let job = decode_job(&key, &record);
            let token = lease.token;
            let holder = Holder::Nobody { key, token, worker };
            let ending = match &job {
                Ok(job) => {
                    let (why, began) = (&*why, lease.began);
                    Ending::crash(job, holder, &Crash { why, began, policy })?
                }
                Err(unreadable) => Ending::unreadable(unreadable, holder)?,
            };
            settling.push(self.end(ending));
        }
        Ok(futures::future::join_all(settling).await.len())
    }
}

fn decode_fetched(answer: &[Value], sent: Instant) -> Result<Fetched, QueueError> {
    let unexpected = || QueueError::Protocol("fetch answered something else than jobs".to_owned());
    let (head, jobs) = answer.split_at_checked(HEAD).ok_or_else(unexpected)?;
    let [
        Value::Int(now),
        Value::Int(look_again),
        Value::Int(expired),
        Value::Int(stock),
        Value::Int(probe),
        Value::Int(suspects),
    ] = head
    else {
        return Err(unexpected());
    };
    let (jobs, rest) = jobs.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(unexpected());
    }
    let jobs = jobs.iter().map(decode_taken).collect::<Option<_>>();
    Ok(Fetched {
        sent,
        now: Timestamp::from_millis(*now),
        look_again: (*look_again >= 0).then(|| Timestamp::from_millis(*look_again)),
        has_expired: *expired == 1,
        has_stock: *stock == 1,
        is_probe: *probe == 1,
        has_suspects: *suspects == 1,
        jobs: jobs.ok_or_else(unexpected)?,
    })
}

/// `None` if the script did not answer with the record of a leased job.
fn decode_taken(pair: &[Value; 2]) -> Option<Taken> {
    let [Value::BulkString(key), Value::BulkString(record)] = pair else {
        return None;
    };
    Some(Taken {
        key: key.clone(),
        token: record::lease(record)?.token,
        job: decode_job(key, record),
    })
}

fn decode_job(key: &[u8], record: &[u8]) -> Result<Job, Unreadable> {
    record::decode(key, record).map_err(|error| Unreadable {
        key: key.to_vec(),
        covers: record::covers(record),
        error,
        bytes: record::describe(record),
    })
}
