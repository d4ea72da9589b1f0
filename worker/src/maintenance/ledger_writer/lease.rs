//! Whose turn it is to write the ledger: a key in Redis with the name of the process, which expires
//! when its holder says nothing.

use std::time::Duration;

use passerelle_model::id::ProcessName;
use passerelle_queue::{QueueError, Redis};
use redis::Script;

/// How long a writer that says nothing keeps the others waiting.
pub(super) const LEASE: Duration = Duration::from_secs(10);

/// Takes the lease, or renews one's own; answers 1 if it is ours now.
const TAKE: &str = "local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1";

/// Lets one's own lease go.
const LET_GO: &str = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0";

/// The lease, as one process sees it.
#[derive(Debug)]
pub(super) struct Lease {
    redis: Redis,
    key: String,
    name: ProcessName,
}

impl Lease {
    pub(super) fn new(redis: Redis, name: ProcessName) -> Self {
        Self {
            key: format!("{}:ledger-writer", redis.prefix()),
            redis,
            name,
        }
    }

    /// Whether it is this process' turn, from now on for [`LEASE`].
    pub(super) async fn take(&self) -> Result<bool, QueueError> {
        let millis = u64::try_from(LEASE.as_millis()).unwrap_or(u64::MAX);
        Ok(self
            .call(Script::new(TAKE).key(&self.key).arg(self.name.as_str()).arg(millis))
            .await?
            == 1)
    }

    /// Lets the others have it, if it is ours.
    pub(super) async fn let_go(&self) -> Result<(), QueueError> {
        self.call(Script::new(LET_GO).key(&self.key).arg(self.name.as_str()))
            .await?;
        Ok(())
    }

    async fn call(&self, invocation: &redis::ScriptInvocation<'_>) -> Result<u8, QueueError> {
        let answer = invocation.invoke_async(&mut self.redis.clone()).await;
        answer.map_err(|error: redis::RedisError| QueueError::Unavailable(error.to_string()))
    }
}
