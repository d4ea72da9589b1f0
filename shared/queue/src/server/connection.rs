//! One connection that is always being kept alive: explicit time-outs, no delay, replaced as soon as it is suspect.
//!
//! It is the only kind of connection: caches, sessions and leases use it too. The `redis` crate's own manager retries by a schedule that
//! callers cannot see, and only after I/O errors: after a failover by address it stays with the replica. Here a call fails at once when
//! Redis is away, and the caller decides how long to go on: `accept` gives up within seconds (its sender waits), a worker never does.
//! Each new connection asks anew where the server is (`address.rs`): so a failover by Sentinel is followed too.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{
    AsyncConnectionConfig, Cmd, ErrorKind, FromRedisValue, Pipeline, RedisError, RedisFuture, RedisResult, Value,
};
use tokio::time::{Instant, timeout, timeout_at};

use crate::QueueError;
use crate::server::address::Address;
use crate::server::error::needs_new_connection;
use crate::server::question::{Question, Replicated};
use passerelle_model::config::{RedisSettings, ReplicaWait};

/// Longest wait for a connection. On a network where this is too short nothing else would work either.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// A Redis that reconnects by itself. Cheap to clone; clones share one multiplexed connection.
#[derive(Clone)]
pub struct Redis {
    inner: Arc<Inner>,
}

struct Inner {
    server: Arc<Server>,
    live: Mutex<Option<Live>>,
    /// One connection is made at a time, and all who need it wait for it.
    connecting: Mutex<Option<Connecting>>,
    connections_made: AtomicU64,
}

/// What all connections of this process have in common.
struct Server {
    address: Address,
    prefix: String,
    response_timeout: Duration,
    replicas: Option<ReplicaWait>,
    health: Health,
}

/// A connection that is being made.
type Connecting = Shared<BoxFuture<'static, RedisResult<Live>>>;

/// Whether the server answers, as all connections of this process have seen it.
struct Health {
    is_up: AtomicBool,
    /// When the last outage that this process noticed ended. At first: when this process began to look.
    up_since: Mutex<Instant>,
}

impl Health {
    fn up_since(&self) -> MutexGuard<'_, Instant> {
        self.up_since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Clone)]
struct Live {
    number: u64,
    connection: MultiplexedConnection,
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The address as it may be shown: it holds the password.
        f.debug_struct("Redis")
            .field("place", &self.place())
            .field("prefix", &self.prefix())
            .field("is_up", &self.is_up())
            .finish_non_exhaustive()
    }
}

impl Redis {
    /// Prepares the connection; the first use connects. Fails only on an unusable URL or file of certificates.
    pub fn open(settings: &RedisSettings) -> Result<Self, QueueError> {
        Ok(Self::to(Arc::new(Server {
            address: Address::of(settings)?,
            prefix: settings.prefix.clone(),
            response_timeout: settings.response_timeout,
            replicas: settings.replicas,
            health: Health {
                is_up: AtomicBool::new(true),
                up_since: Mutex::new(Instant::now()),
            },
        })))
    }

    fn to(server: Arc<Server>) -> Self {
        Self {
            inner: Arc::new(Inner {
                server,
                live: Mutex::new(None),
                connecting: Mutex::new(None),
                connections_made: AtomicU64::new(0),
            }),
        }
    }

    /// The same server by a connection of its own, which is carried by the runtime that uses it first: for threads that shall not wait for each
    /// other. Whether the server answers is known to both.
    #[must_use]
    pub fn by_another_connection(&self) -> Self {
        Self::to(Arc::clone(&self.inner.server))
    }

    /// Where Redis is, as `REDIS_URL` says it, without user, password and parameters.
    pub fn place(&self) -> &str {
        self.inner.server.address.place()
    }

    /// The prefix of every key (`bridge`).
    pub fn prefix(&self) -> &str {
        &self.inner.server.prefix
    }

    /// Whether the last call was answered. Before the first call: yes.
    pub fn is_up(&self) -> bool {
        self.inner.server.health.is_up.load(Ordering::Relaxed)
    }

    /// How long Redis has surely been answering, and its clock running evenly. What happened before this process began is unknown:
    /// an outage may have ended a moment before.
    pub(crate) fn up_for(&self) -> Duration {
        self.inner.server.health.up_since().elapsed()
    }

    /// Expiries that were in the future a moment ago may look past: as after an outage, their holders need time to renew.
    pub(crate) fn note_clock_jump(&self) {
        *self.inner.server.health.up_since() = Instant::now();
    }

    /// Writes and reads back a key that expires, in a transaction, as deliveries are written: the readiness check. Where deliveries wait for
    /// replicas, it does too.
    pub async fn check_write(&self) -> Result<(), QueueError> {
        let key = format!("{}:ready", self.prefix());
        let expected = ulid::Ulid::generate().to_string();
        let mut both = redis::pipe();
        both.atomic();
        both.cmd("SET").arg(&key).arg(&expected).arg("EX").arg(60).ignore();
        both.cmd("GET").arg(&key);
        let (found,): (Option<String>,) = self.write_within(&both, self.response_timeout()).await?;
        if found.as_ref() == Some(&expected) {
            Ok(())
        } else {
            let error = "a key that had just been written was not there";
            Err(QueueError::Protocol(error.to_owned()))
        }
    }

    /// How long an answer may usually take.
    pub(crate) fn response_timeout(&self) -> Duration {
        self.inner.server.response_timeout
    }

    /// One question, within the usual time.
    pub(crate) async fn query<T: FromRedisValue>(&self, question: &impl Question) -> Result<T, QueueError> {
        self.query_within(question, self.response_timeout()).await
    }

    /// One question, within the given time, that for connecting included. A connection that did not answer in time is not used again.
    pub(crate) async fn query_within<T: FromRedisValue>(
        &self,
        question: &impl Question,
        patience: Duration,
    ) -> Result<T, QueueError> {
        let ask = |mut connection| async move { question.ask(&mut connection).await };
        self.watched(patience, ask).await.map_err(QueueError::from)
    }

    /// The same for a write that shall be durable: where replicas are waited for, they have it when this returns. The wait has a time of its
    /// own. If they do not acknowledge, the write is in this server all the same; the connection is replaced, because the server may not be
    /// the master any more.
    pub(crate) async fn write_within<T: FromRedisValue>(
        &self,
        question: &impl Question,
        patience: Duration,
    ) -> Result<T, QueueError> {
        let Some(wait) = self.inner.server.replicas else {
            return self.query_within(question, patience).await;
        };
        let replicated = Replicated { question, wait };
        self.query_within(&replicated, patience + wait.timeout).await
    }

    /// Asks by the present connection, and notes whether Redis answered.
    async fn watched<T, F>(&self, patience: Duration, ask: impl FnOnce(MultiplexedConnection) -> F) -> RedisResult<T>
    where
        F: Future<Output = RedisResult<T>>,
    {
        let result = self.attempt(patience, ask).await;
        let trouble = result.as_ref().err().filter(|error| needs_new_connection(error));
        let is_up = trouble.is_none();
        if self.inner.server.health.is_up.swap(is_up, Ordering::Relaxed) != is_up {
            if let Some(error) = trouble {
                tracing::warn!(%error, redis = self.place(), "Redis does not answer");
            } else {
                *self.inner.server.health.up_since() = Instant::now();
                tracing::info!(redis = self.place(), "Redis answers again");
            }
            metrics::gauge!("passerelle_queue_redis_up").set(if is_up { 1.0 } else { 0.0 });
        }
        result
    }

    async fn attempt<T, F>(&self, patience: Duration, ask: impl FnOnce(MultiplexedConnection) -> F) -> RedisResult<T>
    where
        F: Future<Output = RedisResult<T>>,
    {
        let deadline = Instant::now() + patience;
        let too_late = || RedisError::from((ErrorKind::Io, "no answer in time", format!("{patience:?}")));
        let live = timeout_at(deadline, self.live()).await;
        let Live { number, connection } = live.map_err(|_elapsed| too_late())??;
        let answer = timeout_at(deadline, ask(connection)).await;
        let answer = answer.unwrap_or_else(|_elapsed| Err(too_late())).map_err(first_cause);
        if answer.as_ref().is_err_and(needs_new_connection) {
            self.abandon(number);
        }
        answer
    }

    async fn live(&self) -> RedisResult<Live> {
        if let Some(live) = self.current() {
            return Ok(live);
        }
        self.connecting().await
    }

    /// A connection goes on being made when those who wait for it have no patience left: the next one finds it farther. (Asking Sentinels and
    /// greeting by TLS may take longer than a caller waits.)
    fn connecting(&self) -> Connecting {
        let mut connecting = self.inner.connecting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(under_way) = connecting.as_ref().filter(|connecting| connecting.peek().is_none()) {
            return under_way.clone();
        }
        let redis = self.clone();
        let made = tokio::spawn(async move {
            let made = redis.connect().await;
            *redis.inner.connecting.lock().unwrap_or_else(PoisonError::into_inner) = None;
            made
        });
        let ended = |_| RedisError::from((ErrorKind::Io, "the process is stopping"));
        let new = async move { made.await.unwrap_or_else(|error| Err(ended(error))) };
        let new = new.boxed().shared();
        *connecting = Some(new.clone());
        new
    }

    async fn connect(&self) -> RedisResult<Live> {
        if let Some(live) = self.current() {
            return Ok(live);
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(None)
            .set_pipeline_buffer_size(512);
        let client = self.inner.server.address.client().await?;
        let connection = client.get_multiplexed_async_connection_with_config(&config).await?;
        let number = self.inner.connections_made.fetch_add(1, Ordering::Relaxed);
        let live = Live { number, connection };
        *self.inner.live.lock().unwrap_or_else(PoisonError::into_inner) = Some(live.clone());
        Ok(live)
    }

    fn current(&self) -> Option<Live> {
        self.inner.live.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Forgets this connection, unless somebody has already replaced it.
    fn abandon(&self, number: u64) {
        let mut live = self.inner.live.lock().unwrap_or_else(PoisonError::into_inner);
        if live.as_ref().is_some_and(|live| live.number == number) {
            *live = None;
        }
    }

    /// A connection of its own that listens to a channel.
    pub(crate) async fn listen(&self, channel: &str) -> Result<redis::aio::PubSub, QueueError> {
        let connected = async {
            let client = self.inner.server.address.client().await?;
            let mut listener = client.get_async_pubsub().await?;
            listener.subscribe(channel).await?;
            Ok(listener)
        };
        timeout(CONNECT_TIMEOUT, connected)
            .await
            .map_err(|_elapsed| QueueError::Unavailable("no subscription in time".to_owned()))?
    }
}

/// What was wrong with the first command that was refused, if it was one of several.
fn first_cause(error: RedisError) -> RedisError {
    let causes = error.clone().into_server_errors();
    let first = causes.and_then(|causes| causes.first().map(|(_, cause)| cause.clone()));
    first.map_or(error, RedisError::from)
}

/// Every other use of Redis (caches, sessions, leases) goes through the same connection: with the same time-outs, and the same errors
/// replace it. So nothing stays connected to a server that has become a replica.
impl ConnectionLike for Redis {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        let ask = move |mut connection: MultiplexedConnection| async move {
            connection.req_packed_command(command).await?.extract_error()
        };
        Box::pin(self.watched(self.response_timeout(), ask))
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        commands: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        let ask = move |mut connection: MultiplexedConnection| async move {
            let answers = connection.req_packed_commands(commands, offset, count).await?;
            answers.into_iter().map(Value::extract_error).collect()
        };
        Box::pin(self.watched(self.response_timeout(), ask))
    }

    fn get_db(&self) -> i64 {
        self.inner.server.address.database()
    }
}
