//! One connection that is always being kept alive: explicit time-outs, no delay, replaced as soon as it is suspect.
//!
//! The `redis` crate's own manager retries by a schedule that callers cannot see. Here a call fails at once when Redis is away, and whoever
//! called decides how long to go on: `accept` gives up within seconds (its sender waits), a worker never does.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig, MultiplexedConnection};
use redis::io::tcp::TcpSettings;
use redis::{
    AsyncConnectionConfig, Client, Cmd, FromRedisValue, IntoConnectionInfo as _, Pipeline, RedisError, RedisResult,
};
use secrecy::ExposeSecret as _;
use tokio::time::{Instant, timeout, timeout_at};

use crate::QueueError;
use passerelle_model::config::RedisSettings;

/// Longest wait for a connection. On a network where this is too short nothing else would work either.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// A Redis that reconnects by itself. Cheap to clone; clones share one multiplexed connection.
#[derive(Clone)]
pub struct Redis {
    inner: Arc<Inner>,
}

struct Inner {
    client: Client,
    prefix: String,
    response_timeout: Duration,
    live: Mutex<Option<Live>>,
    /// Only one caller connects; the others wait for it.
    connecting: tokio::sync::Mutex<()>,
    connections_made: AtomicU64,
    health: Arc<Health>,
    manager: OnceLock<ConnectionManager>,
}

/// Whether the server answers, as all connections of this process have seen it.
struct Health {
    is_up: AtomicBool,
    /// When the last outage that this process noticed ended.
    up_since: Mutex<Option<Instant>>,
}

impl Health {
    fn up_since(&self) -> MutexGuard<'_, Option<Instant>> {
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
        // The client is left out: it holds the password.
        f.debug_struct("Redis")
            .field("prefix", &self.inner.prefix)
            .field("is_up", &self.is_up())
            .finish_non_exhaustive()
    }
}

impl Redis {
    /// Prepares the connection; the first use connects. Fails only on an unusable URL.
    pub fn open(settings: &RedisSettings) -> Result<Self, QueueError> {
        let unusable = |error: redis::RedisError| QueueError::Url(error.to_string());
        let info = settings
            .url
            .expose_secret()
            .into_connection_info()
            .map_err(unusable)?
            .set_tcp_settings(TcpSettings::default().set_nodelay(true));
        let client = Client::open(info).map_err(unusable)?;
        let health = Arc::new(Health {
            is_up: AtomicBool::new(true),
            up_since: Mutex::new(None),
        });
        Ok(Self::new(client, (&settings.prefix, settings.response_timeout), health))
    }

    fn new(client: Client, (prefix, response_timeout): (&str, Duration), health: Arc<Health>) -> Self {
        Self {
            inner: Arc::new(Inner {
                client,
                prefix: prefix.to_owned(),
                response_timeout,
                live: Mutex::new(None),
                connecting: tokio::sync::Mutex::new(()),
                connections_made: AtomicU64::new(0),
                health,
                manager: OnceLock::new(),
            }),
        }
    }

    /// The same server by a connection of its own, which is carried by the runtime that uses it first: for threads that shall not wait for each
    /// other. Whether the server answers is known to both.
    #[must_use]
    pub fn by_another_connection(&self) -> Self {
        let Inner {
            client,
            prefix,
            response_timeout,
            health,
            ..
        } = &*self.inner;
        Self::new(client.clone(), (prefix, *response_timeout), Arc::clone(health))
    }

    /// A connection for other uses (caches, leases, sessions): explicit time-outs, reconnects by itself.
    #[expect(
        clippy::unused_async,
        reason = "callers must be inside a runtime: the connection's driver is started there"
    )]
    pub async fn connection(&self) -> Result<ConnectionManager, QueueError> {
        if let Some(manager) = self.inner.manager.get() {
            return Ok(manager.clone());
        }
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(self.inner.response_timeout))
            .set_number_of_retries(1)
            .set_max_delay(Duration::from_secs(1));
        let manager = self.inner.client.get_connection_manager_lazy(config)?;
        Ok(self.inner.manager.get_or_init(|| manager).clone())
    }

    /// The prefix of every key (`bridge`).
    pub fn prefix(&self) -> &str {
        &self.inner.prefix
    }

    /// Whether the last call was answered. Before the first call: yes.
    pub fn is_up(&self) -> bool {
        self.inner.health.is_up.load(Ordering::Relaxed)
    }

    /// How long Redis has been answering without an outage that this process noticed; very long if there was none.
    pub(crate) fn up_for(&self) -> Duration {
        let since = *self.inner.health.up_since();
        since.map_or(Duration::MAX, |since| since.elapsed())
    }

    /// Writes and reads back a key that expires, in a transaction, as deliveries are written: the readiness check.
    pub async fn check_write(&self) -> Result<(), QueueError> {
        let key = format!("{}:ready", self.inner.prefix);
        let expected = ulid::Ulid::generate().to_string();
        let mut both = redis::pipe();
        both.atomic();
        both.cmd("SET").arg(&key).arg(&expected).arg("EX").arg(60).ignore();
        both.cmd("GET").arg(&key);
        let (found,): (Option<String>,) = self.query(&both).await?;
        if found.as_ref() == Some(&expected) {
            Ok(())
        } else {
            let error = "a key that had just been written was not there";
            Err(QueueError::Protocol(error.to_owned()))
        }
    }

    /// What an operator should know about this server's settings.
    pub async fn durability(&self) -> Result<Durability, QueueError> {
        Ok(Durability {
            append_only: self.server_setting("appendonly").await? == "yes",
            eviction_policy: self.server_setting("maxmemory-policy").await?,
            max_memory: self.server_setting("maxmemory").await?.parse().unwrap_or(0),
        })
    }

    async fn server_setting(&self, name: &str) -> Result<String, QueueError> {
        let pair: Vec<String> = self.query(redis::cmd("CONFIG").arg("GET").arg(name)).await?;
        pair.into_iter()
            .nth(1)
            .ok_or_else(|| QueueError::Protocol(format!("CONFIG GET {name} named no value")))
    }

    /// How long an answer may usually take.
    pub(crate) fn response_timeout(&self) -> Duration {
        self.inner.response_timeout
    }

    /// One question, within the usual time.
    pub(crate) async fn query<T: FromRedisValue>(&self, question: &impl Question) -> Result<T, QueueError> {
        self.query_within(question, self.response_timeout()).await
    }

    /// One question, within the given time, that for connecting included. A connection that kept somebody waiting is not used again.
    pub(crate) async fn query_within<T: FromRedisValue>(
        &self,
        question: &impl Question,
        patience: Duration,
    ) -> Result<T, QueueError> {
        let result = self.attempt(question, patience).await;
        let is_up = !matches!(result, Err(QueueError::Unavailable(_)));
        if self.inner.health.is_up.swap(is_up, Ordering::Relaxed) != is_up {
            if is_up {
                *self.inner.health.up_since() = Some(Instant::now());
                tracing::info!("Redis answers again");
            } else if let Err(error) = &result {
                tracing::warn!(%error, "Redis does not answer");
            }
            metrics::gauge!("passerelle_queue_redis_up").set(if is_up { 1.0 } else { 0.0 });
        }
        result
    }

    async fn attempt<T: FromRedisValue>(&self, question: &impl Question, patience: Duration) -> Result<T, QueueError> {
        let deadline = Instant::now() + patience;
        let too_late = || QueueError::Unavailable(format!("no answer within {patience:?}"));
        let live = timeout_at(deadline, self.live()).await;
        let Live { number, mut connection } = live.map_err(|_elapsed| too_late())??;
        match timeout_at(deadline, question.ask(&mut connection)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => {
                let error = first_cause(error);
                let is_no_script = error.kind() == redis::ErrorKind::Server(redis::ServerErrorKind::NoScript);
                let error = match QueueError::from(error) {
                    QueueError::Refused(_) if is_no_script => QueueError::Refused(NO_SCRIPT.to_owned()),
                    other => other,
                };
                if matches!(error, QueueError::Unavailable(_)) {
                    self.abandon(number);
                }
                Err(error)
            }
            Err(_elapsed) => {
                self.abandon(number);
                Err(too_late())
            }
        }
    }

    async fn live(&self) -> Result<Live, QueueError> {
        if let Some(live) = self.current() {
            return Ok(live);
        }
        let _only_one = self.inner.connecting.lock().await;
        if let Some(live) = self.current() {
            return Ok(live);
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(None)
            .set_pipeline_buffer_size(512);
        let connection = self
            .inner
            .client
            .get_multiplexed_async_connection_with_config(&config)
            .await?;
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
            let mut listener = self.inner.client.get_async_pubsub().await?;
            listener.subscribe(channel).await?;
            Ok(listener)
        };
        timeout(CONNECT_TIMEOUT, connected)
            .await
            .map_err(|_elapsed| QueueError::Unavailable("no subscription in time".to_owned()))?
    }
}

/// What a connection can be asked: a command, or several in one transaction.
pub(crate) trait Question {
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

/// What was wrong with the first command that was refused, if it was one of several.
fn first_cause(error: RedisError) -> RedisError {
    let causes = error.clone().into_server_errors();
    let first = causes.and_then(|causes| causes.first().map(|(_, cause)| cause.clone()));
    first.map_or(error, RedisError::from)
}

/// How an unknown script is reported between [`Redis::query_within`] and `scripts.rs`.
pub(crate) const NO_SCRIPT: &str = "NOSCRIPT";

/// Whether this Redis keeps what it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Durability {
    /// `appendonly yes`.
    pub append_only: bool,
    /// `maxmemory-policy`; anything but `noeviction` may drop jobs.
    pub eviction_policy: String,
    /// `maxmemory` in bytes; 0 = no limit.
    pub max_memory: u64,
}
