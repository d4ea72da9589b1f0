//! The gates, as one process uses them: results of its calls go in, what it may do comes out.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::reports::Reports;
use super::status::{View, decode};
use super::{CallResult, GateName, GatePolicy, GateState, GateTarget, ProbeFinding, announce, scripts};
use crate::server::keys::Keys;
use crate::server::scripts::{Call, LuaScript};
use crate::{QueueError, QueueName, Redis};
use passerelle_model::id::ProcessName;
use passerelle_model::time::Timestamp;

/// How often the results of calls are reported while all is well.
const REPORT_EVERY: Duration = Duration::from_millis(250);
/// How often a job that waits for a decision asks what other replicas have seen.
const ASK_EVERY: Duration = Duration::from_millis(100);

/// The gates of one process. Cheap to clone; clones share one view.
#[derive(Debug, Clone)]
pub struct Gates {
    pub(super) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) redis: Redis,
    pub(super) base: String,
    /// Base, then for each queue: active, scheduled, dead, wake, records.
    keys: Vec<String>,
    process: ProcessName,
    policy: GatePolicy,
    policy_json: String,
    reports: Reports,
    pub(super) view: watch::Sender<View>,
}

impl Gates {
    /// The gates of the bridge on this Redis. `process` must be the name by which the process's
    /// backend fetches jobs.
    pub fn new(redis: Redis, process: ProcessName, policy: GatePolicy) -> Self {
        let queues = [QueueName::Sync, QueueName::Mail, QueueName::Slack].map(|name| Keys::new(redis.prefix(), name));
        let mut keys = vec![queues[0].gates.clone()];
        for queue in queues {
            keys.extend([queue.active, queue.scheduled, queue.dead, queue.wake, queue.records]);
        }
        Self {
            inner: Arc::new(Inner {
                base: keys[0].clone(),
                keys,
                redis,
                process,
                policy,
                policy_json: policy.to_json(),
                reports: Reports::default(),
                view: watch::Sender::new(View::default()),
            }),
        }
    }

    /// The name of this process.
    pub fn process(&self) -> &ProcessName {
        &self.inner.process
    }

    /// The clock of Redis, by which gates and jobs are dated.
    pub async fn clock(&self) -> Result<Timestamp, QueueError> {
        self.inner.redis.clock().await
    }

    /// The numbers that decide when a gate stops, probes and ramps.
    pub fn policy(&self) -> &GatePolicy {
        &self.inner.policy
    }

    /// Counts how a call ended. Cheap: [`Gates::report_for_ever`] sends the counts to Redis.
    pub fn report(&self, gate: GateName, result: CallResult) {
        self.inner.reports.add(gate, result, self.inner.policy.first_probe);
    }

    /// Notes how long the target took to answer a call, for a ramp to see whether it gets slower.
    /// Its result is reported too.
    pub fn answered_in(&self, gate: GateName, took: Duration) {
        self.inner.reports.add_time(gate, took);
    }

    /// How long to keep away, if this process knows the gate as stopped or probing. A ramping gate
    /// counts as flowing: its jobs were admitted.
    pub fn stopped_for(&self, gate: GateName) -> Option<Duration> {
        let view = self.inner.view.borrow();
        let status = view.not_flowing.get(&gate)?;
        matches!(status.state, GateState::Stopped | GateState::Probing).then(|| view.wait_of(status))
    }

    /// Whether a failure of this target is part of an outage, and how long to keep away then. Asked
    /// once per failed attempt, before the attempt is counted. Waits up to the policy's `decision`
    /// for the gate's decision.
    pub async fn trouble_of(&self, target: GateTarget) -> Option<Duration> {
        let deadline = Instant::now() + self.inner.policy.decision;
        loop {
            if let Some(wait) = self.inner.view.borrow().wait_for(target) {
                return Some(wait);
            }
            if Instant::now() >= deadline {
                return None;
            }
            let mut changes = self.inner.view.subscribe();
            let decided = changes.wait_for(|view| view.wait_for(target).is_some());
            if timeout(ASK_EVERY.min(self.inner.policy.decision), decided)
                .await
                .is_err()
            {
                self.flush().await;
            }
        }
    }

    /// Sends reports to Redis for as long as it is polled. Reports that cannot be sent while Redis
    /// is away are dropped.
    pub async fn report_for_ever(&self) {
        loop {
            self.inner.reports.due(REPORT_EVERY).await;
            self.flush().await;
        }
    }

    /// Sends the counts so far at once, and learns the state of the gates.
    pub async fn flush(&self) {
        let mut call = self.call(&scripts::REPORT);
        self.inner.reports.write(&mut call);
        if let Err(error) = self.send(&call).await {
            tracing::debug!(%error, "some results of calls were not reported to the gates");
        }
    }

    /// Renews and takes probe leases, ends ramps and incidents. Returns the targets whose health
    /// this process checks now.
    pub async fn tend(&self) -> Result<Vec<GateTarget>, QueueError> {
        self.send(&self.call(&scripts::TEND)).await?;
        self.show_metrics();
        Ok(self.inner.view.borrow().to_check(self.inner.process.as_str()))
    }

    /// Reports a health check. Only the probe's holder is believed.
    pub async fn checked(&self, target: GateTarget, result: Result<(), String>) -> Result<(), QueueError> {
        let (finding, why) = match result {
            Ok(()) => ("healthy", String::new()),
            Err(why) => ("ill", why),
        };
        metrics::counter!("passerelle_gate_probes_total", "target" => target.as_str(), "result" => finding)
            .increment(1);
        self.probed(target.as_str(), finding, &why).await
    }

    /// Reports how a probe job of a queue ended. It decides for the gates that jobs of its queue
    /// pass, and no others.
    pub async fn job_ended(&self, queue: QueueName, finding: ProbeFinding) -> Result<(), QueueError> {
        let spokesman = GateTarget::ALL.into_iter().find(|target| target.queue() == queue);
        let own = spokesman.map_or("", GateTarget::as_str);
        match finding {
            ProbeFinding::Done => self.probed(own, "done", "").await,
            ProbeFinding::Failed(target, why) => self.probed(target.as_str(), "failed", &why).await,
            ProbeFinding::Undecided => self.probed(own, "undecided", "").await,
        }
    }

    async fn probed(&self, target: &str, finding: &str, why: &str) -> Result<(), QueueError> {
        let mut call = self.call(&scripts::PROBED);
        call.arg(target).arg(finding).arg(why);
        self.send(&call).await
    }

    /// A job has failed for the third time: opens an incident of this cause, unless one lasts
    /// already. During an outage of the target it is part of the outage. `cause` is a short word
    /// that failures of one cause share.
    pub async fn third_failure(&self, target: GateTarget, cause: &str, why: &str) -> Result<(), QueueError> {
        let mut call = self.call(&scripts::FAILING);
        call.arg(target.as_str()).arg(cause).arg(why);
        self.send(&call).await
    }

    /// A job of a row is done that had failed before: a few of those that wait long after a failure
    /// are due at once, and their last attempt does not count.
    pub async fn recovered(&self) -> Result<(), QueueError> {
        self.send(&self.call(&scripts::RECOVERED)).await
    }

    pub(super) fn call(&self, script: &'static LuaScript) -> Call {
        self.call_as(script, self.inner.process.as_str())
    }

    pub(super) fn call_as(&self, script: &'static LuaScript, by: &str) -> Call {
        let mut call = script.call(self.inner.keys.len());
        for key in &self.inner.keys {
            call.arg(key);
        }
        call.arg(&self.inner.policy_json).arg(by).arg(rand_chance());
        call
    }

    pub(super) async fn send(&self, call: &Call) -> Result<(), QueueError> {
        let asked = Instant::now();
        let answer: Vec<String> = call.send(&self.inner.redis).await?;
        let (view, incidents) = decode(&answer, asked)?;
        self.inner.view.send_if_modified(|seen| {
            // Not by the clock of Redis: that may go back.
            let is_news = view.asked >= seen.asked;
            if is_news {
                *seen = view;
            }
            is_news
        });
        announce(&incidents);
        Ok(())
    }

    fn show_metrics(&self) {
        let view = self.inner.view.borrow();
        for gate in GateName::ALL {
            let status = view.not_flowing.get(&gate);
            let state = match status.map_or(GateState::Flowing, |status| status.state) {
                GateState::Flowing => 0.0,
                GateState::Ramping => 1.0,
                GateState::Probing => 2.0,
                GateState::Stopped => 3.0,
            };
            metrics::gauge!("passerelle_gate_state", "gate" => gate.as_str()).set(state);
            let limit = status.and_then(|status| status.limit).unwrap_or(0);
            metrics::gauge!("passerelle_gate_ramp_limit", "gate" => gate.as_str()).set(f64::from(limit));
        }
    }
}

/// A random number from 0 to 1, which spreads what many processes would do at once.
pub(super) fn rand_chance() -> f64 {
    let bits = ulid::Ulid::generate().random() & u128::from(u32::MAX);
    u32::try_from(bits).map_or(0.0, |bits| f64::from(bits) / f64::from(u32::MAX))
}
