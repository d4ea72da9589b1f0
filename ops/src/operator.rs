//! What a verb works with: Redis, the store, the settings, and who acts.

use std::time::Duration;

use passerelle_model::config::{DeadLetterSettings, Reader, RedisSettings, StoreSettings, TraceSettings};
use passerelle_model::id::ProcessName;
use passerelle_queue::gate::{GatePolicy, Gates};
use passerelle_queue::loops::{LoopPolicy, Loops};
use passerelle_queue::{Queue, QueueError, QueueName, Redis};
use passerelle_store::{Intake, Schema, Store, take_ledger};
use passerelle_traces::Traces;
use serde::Serialize;
use tokio::sync::OnceCell;
use tokio::time::timeout;

use crate::arguments::By;
use crate::rows::Source;
use crate::trouble::Trouble;

/// How long Redis may take to say which version has written it.
const FIRST_LOOK: Duration = Duration::from_secs(2);
/// Entries per transaction while catching up.
const BATCH: usize = 500;
/// How long a verb may spend on catching up before it answers with what there is.
const CATCH_UP: Duration = Duration::from_secs(10);

/// How long a verb waits for the collector of traces.
const LAST_SPANS: Duration = Duration::from_secs(2);

/// The bridge as an operator reaches it. Nothing is connected until a verb needs it, so that a verb
/// works without what it does not need.
#[derive(Debug)]
pub struct Operator {
    /// Redis, for what concerns no single queue.
    pub redis: Redis,
    pub queue: Queue,
    /// Rows that are parked.
    pub loops: Loops,
    /// Baserow, for tables that are named.
    pub source: Source,
    /// What dead letters may cost.
    pub dead_letters: DeadLetterSettings,
    policy: GatePolicy,
    user: Option<String>,
    settings: Reader,
    store_settings: StoreSettings,
    traces: Option<TraceSettings>,
    store: OnceCell<(Store, Traces)>,
}

/// Whether the ledger has every fact at this moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "ledger", rename_all = "snake_case")]
pub enum Freshness {
    Complete,
    /// Some are still on the way.
    Behind {
        because: String,
    },
}

impl Operator {
    /// Reads the settings; reports all that is wrong with them.
    pub fn new(mut reader: Reader) -> Result<Self, Trouble> {
        let settings = reader.clone();
        let redis = RedisSettings::read(&mut reader);
        let store_settings = StoreSettings::read(&mut reader);
        let policy = GatePolicy::read(&mut reader);
        let source = Source::read(&mut reader);
        let dead_letters = DeadLetterSettings::read(&mut reader);
        let traces = TraceSettings::read(&mut reader);
        let user = reader.optional("USER");
        reader.finish(())?;
        let redis = Redis::open(&redis)?;
        let no_limits = LoopPolicy::read(&mut Reader::from_pairs::<String, String>([]));
        Ok(Self {
            queue: Queue::new(redis.clone(), QueueName::Sync),
            loops: Loops::new(redis.clone(), no_limits),
            redis,
            source,
            dead_letters,
            policy,
            user,
            settings,
            store_settings,
            traces,
            store: OnceCell::new(),
        })
    }

    /// Carries out a verb, and sends the spans of what it has taken into the store.
    pub async fn during(reader: Reader, verb: impl AsyncFnOnce(&Self) -> Result<(), Trouble>) -> Result<(), Trouble> {
        let operator = Self::new(reader)?;
        let done = Box::pin(verb(&operator)).await;
        if let Some((_, traces)) = operator.store.into_inner() {
            traces.finish(LAST_SPANS).await;
        }
        done
    }

    /// A Redis that a later version has written is left alone. One that does not answer is the
    /// verb's affair.
    pub async fn refuse_later_layout(&self) -> Result<(), Trouble> {
        match timeout(FIRST_LOOK, self.queue.life(None)).await {
            Ok(Err(later @ QueueError::NewerLayout { .. })) => Err(Trouble::found(
                "later_version",
                later.to_string(),
                "use the program of that version",
            )),
            _ => Ok(()),
        }
    }

    /// The ledger as it is; connects at the first call. It is neither created nor migrated, and may
    /// be read-only: what it cannot answer is an error of that call alone.
    pub async fn store(&self) -> Result<&Store, Trouble> {
        let open = async || {
            let store = Store::open_as_is(&self.store_settings).await?;
            let followed = Traces::follow(self.traces.clone(), store);
            followed.map_err(|error| Trouble::Failed(format!("the HTTP client for traces: {error}")))
        };
        let (store, _) = self.store.get_or_try_init(open).await?;
        Ok(store)
    }

    /// The queue with this name; that of rows is also [`Operator::queue`].
    pub fn queue_of(&self, name: QueueName) -> Queue {
        Queue::new(self.redis.clone(), name)
    }

    /// The gates, as a process of this operator.
    pub fn gates(&self) -> Gates {
        Gates::new(self.redis.clone(), ProcessName::unique("operator"), self.policy)
    }

    /// The environment, for groups of settings that only one verb needs.
    pub fn settings(&self) -> Reader {
        self.settings.afresh()
    }

    /// The name that the ledger keeps: that of `--by`, else the session's user.
    pub fn acting(&self, by: By) -> Result<String, Trouble> {
        who(by, self.user.clone())
    }

    /// The same for a verb that a dry run keeps from leaving any trace: then it needs no name.
    pub fn acting_unless(&self, is_dry: bool, by: By) -> Result<String, Trouble> {
        match self.acting(by) {
            Err(_) if is_dry => Ok("a dry run".to_owned()),
            acting => acting,
        }
    }

    /// Takes what the ledger stream still holds into the store, as a worker does: then the answer
    /// is true at this moment. Without Redis, or where the store cannot be written or has another
    /// schema, the answer is what the store has, and says so.
    pub async fn catch_up(&self, store: &Store) -> Freshness {
        let because = match timeout(CATCH_UP, self.take_everything(store)).await {
            Ok(Ok(())) => return Freshness::Complete,
            Ok(Err(trouble)) => trouble.to_string(),
            Err(_) => match self.queue.stats().await {
                Ok(stats) => format!("{} ledger entries are still on the way", stats.ledger_backlog),
                Err(error) => error.to_string(),
            },
        };
        Freshness::Behind { because }
    }

    /// The store, if its tables are those that this program knows.
    pub async fn current_store(&self) -> Result<&Store, Trouble> {
        let store = self.store().await?;
        refuse_other_schema(store).await?;
        Ok(store)
    }

    async fn take_everything(&self, store: &Store) -> Result<(), Trouble> {
        refuse_other_schema(store).await?;
        while self.take_ledger(store).await? != Intake::Empty {}
        Ok(())
    }

    async fn take_ledger(&self, store: &Store) -> Result<Intake, Trouble> {
        let taken = take_ledger(&self.queue, store, BATCH).await;
        taken.map_err(|error| Trouble::Failed(error.to_string()))
    }
}

async fn refuse_other_schema(store: &Store) -> Result<(), Trouble> {
    let because = match store.schema().await? {
        Schema::Current => return Ok(()),
        Schema::Missing => "the database is empty: a worker creates its tables when it starts",
        Schema::Older => "the database has an older schema: a worker updates it when it starts",
        Schema::Foreign => "another version of the programs has written the database's schema",
    };
    Err(Trouble::Failed(because.to_owned()))
}

/// The name that the ledger keeps; `user` is that of the session.
pub(crate) fn who(by: By, user: Option<String>) -> Result<String, Trouble> {
    let name = by.by.or(user).map(|name| name.trim().to_owned()).unwrap_or_default();
    if name.is_empty() {
        return Err(Trouble::Usage(
            "say who you are with --by: the ledger keeps it".to_owned(),
        ));
    }
    Ok(name)
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

/// What a verb could not read, each with the reason. The answer is what it could read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct NotRead(Vec<String>);

impl NotRead {
    /// The result, or nothing and a note about `what`.
    pub fn noting<T>(&mut self, what: &str, result: Result<T, Trouble>) -> Option<T> {
        result.map_err(|trouble| self.0.push(format!("{what}: {trouble}"))).ok()
    }

    /// Lines of warning, where some are due.
    pub fn warning(&self) -> Option<String> {
        let lines: Vec<String> = self.0.iter().map(|what| format!("Not read: {what}")).collect();
        (!lines.is_empty()).then(|| lines.join("\n"))
    }

    /// The exit of a verb that has answered as far as it could: 1 where something is missing.
    pub fn verdict(&self) -> Result<(), Trouble> {
        if self.0.is_empty() {
            return Ok(());
        }
        Err(incomplete())
    }
}

/// The answer says what it lacks.
pub(crate) fn incomplete() -> Trouble {
    Trouble::found("incomplete", "the answer is not complete", "see \"Not read\"")
}
