//! Where the queue lives, and how many replicas must have a delivery.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use super::reader::Reader;

const PREFIX: &str = "bridge";
const RESPONSE_SECONDS: u64 = 5;

/// Where the queue lives.
#[derive(Debug, Clone)]
pub struct RedisSettings {
    /// `REDIS_URL`, e.g. `redis://127.0.0.1:6379/0`, `rediss://…`, or by Sentinel
    /// `redis+sentinel://a:26379,b:26379,c:26379/mymaster`.
    pub url: SecretString,
    /// `REDIS_CA_FILE`: the certificates (PEM) that may sign the server's, instead of this
    /// machine's.
    pub ca_file: Option<PathBuf>,
    /// `REDIS_KEY_PREFIX`: every key begins with it, so that several bridges can share one Redis.
    pub prefix: String,
    /// `REDIS_RESPONSE_SECONDS`: how long an answer may take.
    pub response_timeout: Duration,
    /// The replicas that a delivery must reach; see [`ReplicaWait`].
    pub replicas: Option<ReplicaWait>,
}

impl RedisSettings {
    /// The server at this URL, with the usual prefix and limit of time.
    pub fn at(url: impl Into<SecretString>) -> Self {
        Self {
            url: url.into(),
            ca_file: None,
            prefix: PREFIX.to_owned(),
            response_timeout: Duration::from_secs(RESPONSE_SECONDS),
            replicas: None,
        }
    }

    /// Reads `REDIS_*`, all but what only the ingress does ([`ReplicaWait::read`]).
    pub fn read(reader: &mut Reader) -> Self {
        let prefix = reader.text("REDIS_KEY_PREFIX", PREFIX);
        if !prefix
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | ':'))
        {
            reader.problem(
                "REDIS_KEY_PREFIX",
                "may only have letters, digits and - _ :",
                "leave it out for \"bridge\"",
            );
        }
        Self {
            url: SecretString::from(reader.text("REDIS_URL", "redis://127.0.0.1:6379/0")),
            ca_file: reader.optional("REDIS_CA_FILE").map(PathBuf::from),
            prefix,
            response_timeout: reader.seconds("REDIS_RESPONSE_SECONDS", RESPONSE_SECONDS),
            replicas: None,
        }
    }
}

/// How many replicas must have a delivery before it counts as accepted (`WAIT`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplicaWait {
    /// `REDIS_WAIT_REPLICAS`, at least 1.
    pub replicas: u32,
    /// `REDIS_WAIT_SECONDS`: how long they may take.
    pub timeout: Duration,
}

impl ReplicaWait {
    /// Reads `REDIS_WAIT_REPLICAS` and `REDIS_WAIT_SECONDS`; `None` if no replica is waited for.
    pub fn read(reader: &mut Reader) -> Option<Self> {
        let replicas = reader.parsed("REDIS_WAIT_REPLICAS", 0);
        let timeout = reader.decimal_seconds("REDIS_WAIT_SECONDS", Duration::from_millis(500));
        (replicas > 0).then_some(Self { replicas, timeout })
    }
}
