//! Redis and the store, as an operator needs them: opened, and the store brought up to date with the ledger stream before looking.

use std::time::Duration;

use passerelle_model::config::{Reader, RedisSettings, StoreSettings};
use passerelle_queue::loops::{LoopPolicy, Loops};
use passerelle_queue::{Queue, QueueName, Redis};
use passerelle_store::{Intake, IntakeError, Store, take_ledger};
use serde::Serialize;
use tokio::time::timeout;

use crate::trouble::Trouble;

/// Entries per transaction while catching up.
const BATCH: usize = 500;
/// How long a verb may spend on catching up before it answers with what there is.
const CATCH_UP: Duration = Duration::from_secs(10);

/// The open bridge.
#[derive(Debug)]
pub struct Bridge {
    /// Redis, for what is not of one queue.
    pub redis: Redis,
    /// The sync queue.
    pub queue: Queue,
    /// The ledger.
    pub store: Store,
    /// Which rows are left alone.
    pub loops: Loops,
}

/// How true the ledger is at this moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "ledger", rename_all = "snake_case")]
pub enum Freshness {
    /// It has every fact.
    Complete,
    /// Facts are still on the way.
    Behind {
        /// Why, in words.
        because: String,
    },
}

impl Bridge {
    /// The queue of this name; that of rows is [`Bridge::queue`].
    pub fn queue_of(&self, name: QueueName) -> Queue {
        match name {
            QueueName::Sync => self.queue.clone(),
            QueueName::Mail | QueueName::Slack => Queue::new(self.redis.clone(), name),
        }
    }

    /// Reads the settings of both.
    pub fn settings(reader: &mut Reader) -> (RedisSettings, StoreSettings) {
        (RedisSettings::read(reader), StoreSettings::read(reader))
    }

    /// Opens both, if nothing was wrong with any setting.
    pub async fn open((redis, store): (RedisSettings, StoreSettings), reader: Reader) -> Result<Self, Trouble> {
        reader.finish(())?;
        let redis = Redis::open(&redis)?;
        Ok(Self {
            queue: Queue::new(redis.clone(), QueueName::Sync),
            loops: Loops::new(
                redis.clone(),
                LoopPolicy::read(&mut Reader::from_pairs::<String, String>([])),
            ),
            redis,
            store: Store::open(&store).await?,
        })
    }

    /// Takes what the ledger stream still holds into the store, as a worker would: then what is shown is true at this moment.
    /// An unreachable Redis is no reason to show nothing; the answer says so instead.
    pub async fn catch_up(&self) -> Freshness {
        let because = match timeout(CATCH_UP, self.take_everything()).await {
            Ok(Ok(())) => return Freshness::Complete,
            Ok(Err(error)) => error.to_string(),
            Err(_) => match self.queue.stats().await {
                Ok(stats) => format!("still {} ledger entries on the way", stats.ledger_backlog),
                Err(error) => error.to_string(),
            },
        };
        Freshness::Behind { because }
    }

    async fn take_everything(&self) -> Result<(), IntakeError> {
        while take_ledger(&self.queue, &self.store, BATCH).await? != Intake::Empty {}
        Ok(())
    }
}

impl Freshness {
    /// A line of warning, where one is due.
    pub fn warning(&self) -> Option<String> {
        match self {
            Self::Complete => None,
            Self::Behind { because } => Some(format!("Note: the newest facts may be missing here ({because}).")),
        }
    }
}
