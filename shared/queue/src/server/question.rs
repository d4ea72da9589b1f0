//! What a connection can be asked, alone or with a wait for replicas.

use redis::aio::MultiplexedConnection;
use redis::{Cmd, FromRedisValue, Pipeline, RedisResult, Value};

use passerelle_model::config::ReplicaWait;

/// What a connection can be asked: a command, or several in one transaction.
pub(crate) trait Question: Sync {
    /// Sends it and waits for the answer.
    fn ask<T: FromRedisValue>(
        &self,
        connection: &mut MultiplexedConnection,
    ) -> impl Future<Output = RedisResult<T>> + Send;
}

impl Question for Pipeline {
    async fn ask<T: FromRedisValue>(&self, connection: &mut MultiplexedConnection) -> RedisResult<T> {
        self.query_async(connection).await
    }
}

impl Question for Cmd {
    async fn ask<T: FromRedisValue>(&self, connection: &mut MultiplexedConnection) -> RedisResult<T> {
        self.query_async(connection).await
    }
}

/// A write, and behind it on the same connection the wait for the replicas that shall have it.
pub(crate) struct Replicated<'q, Q> {
    pub(crate) question: &'q Q,
    pub(crate) wait: ReplicaWait,
}

impl<Q: Question> Question for Replicated<'_, Q> {
    async fn ask<T: FromRedisValue>(&self, connection: &mut MultiplexedConnection) -> RedisResult<T> {
        let ReplicaWait { replicas, timeout } = self.wait;
        let answer: Value = self.question.ask(connection).await?;
        let mut wait = redis::cmd("WAIT");
        wait.arg(replicas)
            .arg(u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX).max(1));
        let acknowledged: u32 = wait.query_async(connection).await?;
        if acknowledged >= replicas {
            return Ok(redis::from_redis_value(answer)?);
        }
        let why =
            format!("{acknowledged} of {replicas} replicas acknowledged within {timeout:?} (REDIS_WAIT_REPLICAS)");
        Err(redis::make_extension_error("NOREPLICAS".to_owned(), Some(why)))
    }
}
