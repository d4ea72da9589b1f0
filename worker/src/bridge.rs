//! Everything that a job may touch, in one place; and the two look-ups that need more than one of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use passerelle_shared::config::CollectionAction;
use passerelle_shared::gate::Gates;
use passerelle_shared::id::{RowId, RowKey};
use passerelle_shared::ledger::FailureClass;
use passerelle_shared::loops::Loops;
use passerelle_shared::queue::Queue;
use passerelle_shared::schedule::Schedule;
use passerelle_shared::store::Store;
use passerelle_shared::time::Timestamp;
use tokio::sync::Mutex;

use crate::cache::Cache;
use crate::clients::baserow::{Baserow, Table};
use crate::clients::docmost::{Docmost, Space};
use crate::failure::{Failure, Target};
use crate::journal::Journal;
use crate::outbox::Outbox;
use crate::repeats::Repeats;
use crate::row::{LinkedRow, Row};
use crate::rules::{MOST_PARTS, PageRule, Part, Rules};
use crate::sources::SourceWatch;
use crate::tables::Tables;

/// The worker's surroundings.
#[derive(Debug)]
pub struct Bridge {
    /// The source of the rows.
    pub baserow: Baserow,
    /// The wiki.
    pub docmost: Docmost,
    /// Where the jobs of rows are woken that use a changed row.
    pub queue: Queue,
    /// Outage mode.
    pub gates: Gates,
    /// Links and intents.
    pub store: Store,
    /// Look-ups.
    pub cache: Cache,
    /// What to do for which table.
    pub rules: Rules,
    /// Which table a number means.
    pub tables: Tables,
    /// Whose turn it is to do what is due from time to time.
    pub schedule: Schedule,
    /// How long after an unknown outcome a page may still come to exist.
    pub zombie_window: Duration,
    /// Where people are told.
    pub outbox: Outbox,
    /// What was synced lately.
    pub repeats: Repeats,
    /// Which rows go in circles.
    pub loops: Loops,
    /// Who looks after Baserow's webhooks, where there is a user who may.
    pub sources: Option<SourceWatch>,
    /// Held by the one job of this process that carries the ledger into the store because it needs what is in it.
    pub ledger_turn: Mutex<()>,
}

impl Bridge {
    /// "Not found" proves nothing while an abandoned create, begun at `started`, may still make a `what`: a hold until then, which blames nobody.
    pub fn wait_out_create(&self, started: Timestamp, timeout: Duration, what: &str) -> Result<(), Failure> {
        let wait = started.plus(timeout).plus(self.zombie_window).since(Timestamp::now());
        if wait.is_zero() {
            return Ok(());
        }
        let message = format!("an earlier create has an unknown outcome: waiting until it can no longer make a {what}");
        Err(Failure::new(FailureClass::Ambiguous, Target::Bridge, message).after(wait))
    }

    /// The rows that a rule's templates need, in full: the first linked row of each of its links.
    pub async fn linked_rows(
        &self,
        journal: &mut Journal,
        (rule, links): (&str, &BTreeMap<String, String>),
        key: RowKey,
        row: &Row,
    ) -> Result<BTreeMap<String, Option<Row>>, Failure> {
        let mut rows = BTreeMap::new();
        for (name, field) in links {
            let linked = match first_link((rule, name), field, row)? {
                Some(link) => self.linked_row(journal, key, field, link).await?,
                None => None,
            };
            rows.insert(name.clone(), linked);
        }
        Ok(rows)
    }

    /// The linked rows that get sub-pages, each read anew, in the order of the links; none for a rule without a collection.
    pub async fn parts(
        &self,
        journal: &mut Journal,
        rule: &PageRule,
        key: RowKey,
        row: &Row,
    ) -> Result<Vec<Part>, Failure> {
        let Some(collection) = &rule.collection else {
            return Ok(Vec::new());
        };
        let mut parts = Vec::new();
        for link in part_links(rule, collection, row)? {
            let table = self.linked_table(journal, key, &collection.of).await?;
            let part = RowKey {
                table: table.id,
                row: link.id,
            };
            // A row that was deleted a moment ago: its own event takes its page away.
            if let Some(row) = self.baserow.row(journal, part).await? {
                let address = self.baserow.row_address(&table, part);
                parts.push(Part {
                    key: part,
                    row,
                    address,
                });
            }
        }
        Ok(parts)
    }

    async fn linked_row(
        &self,
        journal: &mut Journal,
        key: RowKey,
        field: &str,
        link: &LinkedRow,
    ) -> Result<Option<Row>, Failure> {
        let table = self.linked_table(journal, key, field).await?;
        if let Some(row) = self.cache.row(&table.name, link.id).await {
            return Ok(Some(row));
        }
        let other = RowKey {
            table: table.id,
            row: link.id,
        };
        let row = self.baserow.row(journal, other).await?;
        if let Some(row) = &row {
            self.cache.keep_row(&table.name, row).await;
        }
        Ok(row)
    }

    /// All rows that this row links to by the rule's links, with the names of their tables.
    pub async fn linked_ids(
        &self,
        journal: &mut Journal,
        rule: &PageRule,
        key: RowKey,
        row: &Row,
    ) -> Result<Vec<(String, RowId)>, Failure> {
        let mut ids = Vec::new();
        for field in rule.links.values().filter(|field| !row.links(field).is_empty()) {
            let table = self.linked_table(journal, key, field).await?;
            ids.extend(row.links(field).iter().map(|link| (table.name.clone(), link.id)));
        }
        Ok(ids)
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
            Failure::unmappable(format!(
                "the field {field:?} leads to no table that BASEROW_TOKEN may read: it must be a link field, and the token needs rights there"
            ))
        })
    }

    /// The space with this name or slug.
    pub async fn space(&self, journal: &mut Journal, name: &str) -> Result<Space, Failure> {
        if let Some(space) = self.cache.space(name).await {
            return Ok(space);
        }
        let Some(space) = self.docmost.space(journal, name).await? else {
            let message = format!("the bridge's account sees no space {name:?}: add it to the space, or mend the rule");
            return Err(Failure::new(FailureClass::Transient, Target::Docmost, message));
        };
        self.cache.keep_space(name, &space).await;
        Ok(space)
    }
}

/// The linked row that the templates know by a name; `None` if nothing is linked.
pub(crate) fn first_link<'r>(
    (rule, name): (&str, &str),
    field: &str,
    row: &'r Row,
) -> Result<Option<&'r LinkedRow>, Failure> {
    if row.cell(field).is_none() {
        return Err(Failure::unmappable(format!(
            "the link field {field:?} does not exist in the table: mend links.{name} of rule {rule:?} in bridge.toml"
        )));
    }
    Ok(row.links(field).first())
}

/// The linked rows that get sub-pages.
pub(crate) fn part_links<'r>(
    rule: &PageRule,
    collection: &CollectionAction,
    row: &'r Row,
) -> Result<&'r [LinkedRow], Failure> {
    if row.cell(&collection.of).is_none() {
        return Err(Failure::unmappable(format!(
            "the link field {:?} does not exist in the table: mend collection.of of rule {:?} in bridge.toml",
            collection.of, rule.name
        )));
    }
    let links = row.links(&collection.of);
    if links.len() > MOST_PARTS {
        return Err(Failure::unmappable(format!(
            "{} rows are linked, a page may have at most {MOST_PARTS} sub-pages",
            links.len()
        )));
    }
    Ok(links)
}
