//! What all pages work with.

use std::sync::Arc;

use passerelle_model::config::Reader;
use passerelle_model::id::ProcessName;
use passerelle_queue::gate::Gates;
use passerelle_queue::loops::{LoopPolicy, Loops};
use passerelle_queue::{Queue, QueueName, Redis};
use passerelle_store::Store;
use tokio::sync::Semaphore;

use crate::entrance::attempts::Attempts;
use crate::entrance::once::Once;
use crate::examination::Examination;
use crate::latest::Latest;
use crate::letters::groups::Groups;
use crate::letters::run::Run;
use crate::overview::pulse::Pulse;
use crate::pages::Pages;
use crate::pages::rules::Known;
use crate::reconcile::Course;
use crate::rulebook::ReadsRules;
use crate::settings::ConsoleSettings;

/// Most passwords that are checked at once: each takes 19 MiB and a core.
const HASHED_AT_ONCE: usize = 2;
/// Most pages that are kept live at once.
const LIVE_PAGES: usize = 256;

/// Most lists that are sent as files at once.
const EXPORTED_AT_ONCE: usize = 2;

/// The bridge as the console reaches it, and what the console keeps in mind.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) settings: ConsoleSettings,
    pub(crate) store: Store,
    pub(crate) redis: Redis,
    pub(crate) queue: Queue,
    pub(crate) gates: Gates,
    pub(crate) loops: Loops,
    pub(crate) pages: Pages,
    pub(crate) attempts: Attempts,
    pub(crate) once: Once,
    pub(crate) pulse: Pulse,
    pub(crate) groups: Groups,
    pub(crate) rules: Known,
    pub(crate) runs: Latest<Run>,
    pub(crate) courses: Latest<Course>,
    pub(crate) examinations: Latest<Examination>,
    pub(crate) hashing: Semaphore,
    pub(crate) live: Arc<Semaphore>,
    pub(crate) exports: Arc<Semaphore>,
}

impl Desk {
    pub(crate) fn new(
        settings: ConsoleSettings,
        store: Store,
        redis: Redis,
        pages: Pages,
        rules: Arc<dyn ReadsRules>,
    ) -> Self {
        // Rows are parked by the ingress; the console only looks.
        let no_limits = LoopPolicy::read(&mut Reader::from_pairs::<String, String>([]));
        Self {
            queue: Queue::new(redis.clone(), QueueName::Sync),
            gates: Gates::new(redis.clone(), ProcessName::unique("console"), settings.gates),
            loops: Loops::new(redis.clone(), no_limits),
            redis,
            store,
            pages,
            attempts: Attempts::default(),
            once: Once::default(),
            pulse: Pulse::default(),
            groups: Groups::default(),
            rules: Known::new(rules),
            runs: Latest::default(),
            courses: Latest::default(),
            examinations: Latest::default(),
            hashing: Semaphore::new(HASHED_AT_ONCE),
            live: Arc::new(Semaphore::new(LIVE_PAGES)),
            exports: Arc::new(Semaphore::new(EXPORTED_AT_ONCE)),
            settings,
        }
    }

    /// The queue of this name.
    pub(crate) fn queue_of(&self, name: QueueName) -> Queue {
        Queue::new(self.redis.clone(), name)
    }
}
