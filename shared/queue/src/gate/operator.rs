//! What operators see of the gates, and what they do with them.

use std::collections::HashMap;
use std::time::Duration;

use super::{GateName, GateState, GateStatus, GateTarget, Gates, Incident, Operation, scripts};
use crate::QueueError;
use passerelle_model::time::Timestamp;

impl Gates {
    /// Stops, ramps or releases a gate by hand. `by` and `why` are kept in the list of incidents.
    pub async fn operate(&self, gate: GateName, operation: Operation, by: &str, why: &str) -> Result<(), QueueError> {
        let mut call = self.call_as(&scripts::OPERATE, by);
        call.arg(gate.as_str()).arg(operation.as_str()).arg(why);
        self.send(&call).await
    }

    /// All gates, flowing ones included, as they are now.
    pub async fn list(&self) -> Result<Vec<GateStatus>, QueueError> {
        self.send(&self.call(&scripts::REPORT)).await?;
        let mut view = self.inner.view.borrow().clone();
        let status = |gate: GateName| {
            view.not_flowing
                .remove(&gate)
                .unwrap_or_else(|| GateStatus::flowing(gate))
        };
        Ok(GateName::ALL.map(status).into())
    }

    /// The last incidents, newest first. Unreadable ones are left out.
    pub async fn incidents(&self, count: usize) -> Result<Vec<Incident>, QueueError> {
        let mut range = redis::cmd("LRANGE");
        range
            .arg(format!("{}:incidents", self.inner.base))
            .arg(0)
            .arg(count.max(1) - 1);
        let facts: Vec<String> = self.inner.redis.query(&range).await?;
        Ok(facts
            .iter()
            .filter_map(|fact| serde_json::from_str(fact).ok())
            .collect())
    }

    /// How long, since `since`, some gate of the target has been stopped. Exact to the hour at the
    /// edge; looks back for a month.
    pub async fn stopped_since(&self, target: GateTarget, since: Timestamp) -> Result<Duration, QueueError> {
        let gates = GateName::ALL.into_iter().filter(|gate| gate.target() == target);
        let mut longest = Duration::ZERO;
        for status in self
            .list()
            .await?
            .iter()
            .filter(|status| status.state != GateState::Ramping)
        {
            if let (Some(gate), Some(down)) = (GateName::parse(status.gate), status.down_since)
                && gate.target() == target
            {
                longest = longest.max(self.inner.view.borrow().at.since(down.max(since)));
            }
        }
        let mut before = Duration::ZERO;
        for gate in gates {
            let key = format!("{}:{gate}:hours", self.inner.base);
            let hours: HashMap<i64, u64> = self.inner.redis.query(redis::cmd("HGETALL").arg(key)).await?;
            before = before.max(hours_since(&hours, since));
        }
        Ok(before + longest)
    }
}

fn hours_since(hours: &HashMap<i64, u64>, since: Timestamp) -> Duration {
    const HOUR: i64 = 3_600_000;
    let stopped = hours.iter().map(|(hour, stopped)| {
        let left = (hour + 1)
            .saturating_mul(HOUR)
            .saturating_sub(since.as_millis())
            .clamp(0, HOUR);
        (*stopped).min(u64::try_from(left).unwrap_or(0))
    });
    Duration::from_millis(stopped.sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_part_of_an_hour_after_the_first_failure_is_stopped_time_of_a_job() {
        let hours = HashMap::from([(0, 3_600_000), (1, 60_000), (2, 3_600_000)]);
        let since = |minutes: i64| hours_since(&hours, Timestamp::from_millis(minutes * 60_000));
        assert_eq!(since(0), Duration::from_mins(121));
        assert_eq!(since(30), Duration::from_mins(91));
        assert_eq!(since(61), Duration::from_mins(61));
        assert_eq!(since(200), Duration::ZERO);
    }
}
