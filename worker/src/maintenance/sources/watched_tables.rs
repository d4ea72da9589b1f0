//! The tables whose webhooks the rules live by, and whose pages a gap in them concerns.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use passerelle_model::id::TableId;

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

/// Those of all rules, each table once. The reconciliation reports tables that our token does not
/// see.
pub(in crate::maintenance) async fn of(context: &Context) -> Result<Vec<WatchedTable>, Failure> {
    let mut watched_tables: BTreeMap<TableId, WatchedTable> = BTreeMap::new();
    let mut journal = Journal::default();
    for rule in context.rules.iter() {
        let (tables, baserow) = (&context.tables, &context.baserow);
        let Some(own) = context.table(&mut journal, &rule.table).await? else {
            continue;
        };
        for heard in context.rules.heard(rule) {
            let table = match &heard.of {
                Owner::Row => Some(Arc::clone(&own)),
                Owner::Linked(link) => match tables.linked_table(baserow, &mut journal, own.id, link).await? {
                    Some(id) => tables.get(baserow, &mut journal, id).await?,
                    None => None,
                },
            };
            let Some(table) = table else { continue };
            let watched = watched_tables.entry(table.id).or_insert_with(|| WatchedTable {
                table,
                pages: BTreeSet::new(),
            });
            if rule.page.is_some() {
                watched.pages.insert(own.id);
            }
        }
    }
    Ok(watched_tables.into_values().collect())
}
