//! What every job may use, in one place.

use std::sync::Arc;
use std::time::Duration;

use passerelle_model::config::WikiRule;
use passerelle_model::id::RowKey;
use passerelle_model::ledger::FailureClass;
use passerelle_model::time::Timestamp;
use passerelle_queue::gate::Gates;
use passerelle_queue::loops::Loops;
use passerelle_queue::{Queue, Solo};
use passerelle_store::{Bridge, Named, Store};
use tokio::sync::{Mutex, OnceCell, watch};

use crate::clients::baserow::{Baserow, Table};
use crate::clients::docmost::{Docmost, PageSpace, Space};
use crate::failure::{Failure, Target};
use crate::journal::Journal;
use crate::lookups::cache::Cache;
use crate::lookups::linked_reads::LinkedReads;
use crate::lookups::names::Names;
use crate::lookups::repeats::Repeats;
use crate::lookups::row_reads::RowReads;
use crate::lookups::shown::Shown;
use crate::lookups::tables::Tables;
use crate::notify::mail_cap::MailCap;
use crate::outbox::Outbox;
use crate::outbox::templates::Templates;
use crate::rule_files::Loaded;
use crate::rules::Rules;

/// What new work begins with. A reload replaces the rules in it; work in hand keeps the context that
/// it began with.
#[derive(Debug, Clone)]
pub struct CurrentContext(Arc<watch::Sender<Arc<Context>>>);

impl CurrentContext {
    pub fn new(context: Context) -> Self {
        Self(Arc::new(watch::Sender::new(Arc::new(context))))
    }

    /// The one that work should begin with now.
    pub fn get(&self) -> Arc<Context> {
        Arc::clone(&self.0.borrow())
    }

    /// From now on work begins with these rules.
    pub(crate) fn take(&self, loaded: Loaded) {
        self.0.send_modify(|context| {
            *context = Arc::new(Context {
                rules: Arc::new(loaded.rules),
                templates: Arc::new(loaded.templates),
                ..Context::clone(context)
            });
        });
    }
}

#[derive(Debug, Clone)]
pub struct Context {
    /// The source of the rows.
    pub baserow: Baserow,
    pub docmost: Arc<Docmost>,
    /// The queue of rows: a changed row requests a sync of the rows whose pages show it.
    pub queue: Queue,
    /// Hold the calls to a system that is down.
    pub gates: Gates,
    /// The ledger, links and intents.
    pub store: Store,
    /// Linked rows and spaces, up to five minutes old.
    pub cache: Cache,
    /// The rows of leased jobs that were read together.
    pub(crate) row_reads: Arc<RowReads>,
    /// The linked rows that leased jobs read once for all of them.
    pub(crate) linked_reads: Arc<LinkedReads>,
    /// What to do for which table.
    pub rules: Arc<Rules>,
    /// What notices say.
    pub templates: Arc<Templates>,
    /// The tables that the token sees.
    pub(crate) tables: Arc<Tables>,
    /// Which bridge this is, once it was asked; and the word that it would have if it were new.
    pub(crate) bridge: Arc<OnceCell<Bridge>>,
    pub(crate) new_bridge: String,
    /// What names in `bridge.toml` meant when they were first looked up.
    pub(crate) names: Arc<Names>,
    /// How long after an unknown outcome a page may still come to exist.
    pub zombie_window: Duration,
    /// Where notices go out.
    pub outbox: Arc<Outbox>,
    /// How many mails may go to people within an hour.
    pub(crate) mail_cap: Arc<MailCap>,
    /// The states that were written lately.
    pub(crate) repeats: Repeats,
    /// What the pages of other rows were last told of a row.
    pub(crate) shown: Shown,
    pub(crate) loops: Loops,
    /// Held by the one job of this process that writes the ledger to the store because it needs its
    /// events.
    pub(crate) ledger_turn: Arc<Mutex<()>>,
    /// A job that crashed before runs alone in this process, whatever queue it is of.
    pub(crate) solo: Solo,
}

impl Context {
    /// Which bridge this is. Its word is made once, and kept in the store.
    pub(crate) async fn bridge(&self) -> Result<&Bridge, Failure> {
        let bridge = self
            .bridge
            .get_or_try_init(|| self.store.bridge(&self.new_bridge))
            .await?;
        Ok(bridge)
    }

    /// Holds the job (no attempt counted) while an earlier create, begun at `started`, may still
    /// make a `what`: until then "not found" proves nothing.
    pub fn wait_out_create(&self, started: Timestamp, timeout: Duration, what: &str) -> Result<(), Failure> {
        let wait = started.plus(timeout).plus(self.zombie_window).since(Timestamp::now());
        if wait.is_zero() {
            return Ok(());
        }
        let message = format!("an earlier create has an unknown outcome: waiting until it can no longer make a {what}");
        Err(Failure::new(FailureClass::Ambiguous, Target::Bridge, message).after(wait))
    }

    /// The table that a link field of a row leads to.
    pub(crate) async fn linked_table(
        &self,
        journal: &mut Journal,
        key: RowKey,
        field: &str,
    ) -> Result<Arc<Table>, Failure> {
        let id = self
            .tables
            .linked_table(&self.baserow, journal, key.table, field)
            .await?;
        let table = match id {
            Some(id) => self.tables.get(&self.baserow, journal, id).await?,
            None => None,
        };
        table.ok_or_else(|| {
            Failure::broken_rule(format!(
                "the field {field:?} leads to no table that BASEROW_TOKEN may read: it must be a link field, and the token needs rights there"
            ))
        })
    }

    /// The space that a rule means.
    pub async fn space(&self, journal: &mut Journal, name: &str) -> Result<Space, Failure> {
        if let Some(space) = self.cache.space(name).await {
            return Ok(space);
        }
        let spaces = self.docmost.spaces(journal).await?;
        let Some(space) = self.find_named(Named::Space, name, &spaces).await? else {
            let message = format!("the bridge's account sees no space {name:?}: add it to the space, or mend the rule");
            return Err(Failure::new(FailureClass::Transient, Target::Docmost, message).of_the_rule());
        };
        self.cache.keep_space(name, space).await;
        Ok(space.clone())
    }

    /// Whether a rule of the wiki concerns this space; one that names no space concerns all.
    pub(crate) async fn is_space_of(
        &self,
        journal: &mut Journal,
        rule: &WikiRule,
        space: Option<&PageSpace>,
    ) -> Result<bool, Failure> {
        let Some(wanted) = &rule.space else { return Ok(true) };
        let Some(space) = space else { return Ok(false) };
        Ok(self.space(journal, wanted).await?.id == space.id)
    }
}
