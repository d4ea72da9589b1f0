//! The tables whose webhooks the rules live by, and whose pages a gap in them concerns.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use passerelle_model::config::Rule;
use passerelle_model::id::TableId;
use passerelle_model::ledger::FailureClass;

use crate::clients::baserow::Table;
use crate::context::Context;
use crate::failure::Failure;
use crate::journal::Journal;
use crate::rules::Owner;

/// A table whose webhooks are looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::maintenance) struct WatchedTable {
    pub(in crate::maintenance) table: Arc<Table>,
    /// The tables whose rows have pages that show rows of this one; none if only notices hang on
    /// it.
    pub(in crate::maintenance) pages: BTreeSet<TableId>,
}

/// Those of all rules, each table once.
#[derive(Debug, Default)]
pub(in crate::maintenance) struct WatchedTables {
    pub(in crate::maintenance) tables: BTreeMap<TableId, WatchedTable>,
    /// Why the tables of a rule are not known, or not all.
    pub(in crate::maintenance) unknown: Option<Failure>,
}

impl WatchedTables {
    /// A table, if a rule watches it. Fails where a rule may, whose tables are not known.
    pub(in crate::maintenance) fn get(&self, table: TableId) -> Result<Option<&WatchedTable>, Failure> {
        match (self.tables.get(&table), &self.unknown) {
            (None, Some(failure)) => Err(failure.clone()),
            (watched, _) => Ok(watched),
        }
    }
}

/// The reconciliation reports tables that our token does not see. A rule that is broken does not
/// keep the tables of others from being watched.
pub(in crate::maintenance) async fn of(context: &Context) -> Result<WatchedTables, Failure> {
    let mut watched = WatchedTables::default();
    let mut journal = Journal::default();
    for rule in context.rules.iter() {
        let added = watched.add(context, rule, &mut journal).await;
        match added {
            // All rules would meet the refusal of our account.
            Err(failure) if failure.class == FailureClass::Permanent => watched.unknown = Some(failure),
            Err(failure) => return Err(failure),
            Ok(()) => {}
        }
    }
    Ok(watched)
}

impl WatchedTables {
    async fn add(&mut self, context: &Context, rule: &Rule, journal: &mut Journal) -> Result<(), Failure> {
        let (tables, baserow) = (&context.tables, &context.baserow);
        let Some(own) = context.table(journal, &rule.table).await? else {
            return Ok(());
        };
        for heard in context.rules.heard(rule) {
            let table = match &heard.of {
                Owner::Row => Some(Arc::clone(&own)),
                Owner::Linked(link) => match tables.linked_table(baserow, journal, own.id, link).await? {
                    Some(id) => tables.get(baserow, journal, id).await?,
                    None => None,
                },
            };
            let Some(table) = table else { continue };
            let watched = self.tables.entry(table.id).or_insert_with(|| WatchedTable {
                table,
                pages: BTreeSet::new(),
            });
            if rule.page.is_some() {
                watched.pages.insert(own.id);
            }
        }
        Ok(())
    }
}
