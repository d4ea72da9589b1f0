//! Which table a number means, and where its links lead. Asked of Baserow when first needed, kept
//! in memory, asked again for an unknown number.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use passerelle_model::config::TableRef;
use passerelle_model::id::TableId;
use tokio::sync::Mutex;

use crate::clients::baserow::{Baserow, Field, Table};
use crate::failure::Failure;
use crate::journal::Journal;

/// Fields and names change rarely; a renamed table or a new link is seen after this time at the
/// latest.
const KEPT_FOR: Duration = Duration::from_mins(5);
/// Events of a table that our token cannot see must not ask Baserow each time.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(10);

/// What is known of the tables.
#[derive(Debug, Default)]
pub struct Tables {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    asked: Option<Instant>,
    tables: HashMap<TableId, Arc<Table>>,
    fields: HashMap<TableId, (Instant, Arc<Vec<Field>>)>,
}

impl Tables {
    /// The table with this number; `None` if our token sees no such table.
    pub async fn get(
        &self,
        baserow: &Baserow,
        journal: &mut Journal,
        id: TableId,
    ) -> Result<Option<Arc<Table>>, Failure> {
        let mut known = self.known.lock().await;
        let is_known = known.tables.contains_key(&id);
        known.refresh(baserow, journal, is_known).await?;
        Ok(known.tables.get(&id).cloned())
    }

    /// The table that a rule means; `None` if our token sees no such table.
    pub async fn find(
        &self,
        baserow: &Baserow,
        journal: &mut Journal,
        reference: &TableRef,
    ) -> Result<Option<Arc<Table>>, Failure> {
        let mut known = self.known.lock().await;
        let is_known = known.tables.values().any(|table| is_table(reference, table));
        known.refresh(baserow, journal, is_known).await?;
        let mut tables = known.tables.values();
        Ok(tables.find(|table| is_table(reference, table)).cloned())
    }

    /// The table that a rule means, of those seen when [`Tables::get`] last asked; `None` if our
    /// token sees no such table.
    pub async fn known(&self, reference: &TableRef) -> Option<Arc<Table>> {
        let known = self.known.lock().await;
        known.tables.values().find(|table| is_table(reference, table)).cloned()
    }

    /// The table that a link field leads to; `None` if the field is no link.
    pub async fn linked_table(
        &self,
        baserow: &Baserow,
        journal: &mut Journal,
        table: TableId,
        field: &str,
    ) -> Result<Option<TableId>, Failure> {
        let fields = self.fields(baserow, journal, table).await?;
        let named = fields.iter().find(|known| known.name == field);
        Ok(named.and_then(|field| field.link_row_table_id))
    }

    /// The number of a field, by which a webhook names it that does not use names.
    pub async fn field_number(
        &self,
        baserow: &Baserow,
        journal: &mut Journal,
        table: TableId,
        field: &str,
    ) -> Result<Option<u64>, Failure> {
        let fields = self.fields(baserow, journal, table).await?;
        Ok(fields
            .iter()
            .find(|known| known.name == field)
            .and_then(|field| field.id))
    }

    async fn fields(
        &self,
        baserow: &Baserow,
        journal: &mut Journal,
        table: TableId,
    ) -> Result<Arc<Vec<Field>>, Failure> {
        let mut known = self.known.lock().await;
        let fresh = known.fields.get(&table).filter(|(asked, _)| asked.elapsed() < KEPT_FOR);
        if let Some((_, fields)) = fresh {
            return Ok(Arc::clone(fields));
        }
        let fields = Arc::new(baserow.fields(journal, table).await?);
        known.fields.insert(table, (Instant::now(), Arc::clone(&fields)));
        Ok(fields)
    }
}

impl Known {
    /// Asks for all tables again, if what is known is too old for the question.
    async fn refresh(&mut self, baserow: &Baserow, journal: &mut Journal, is_known: bool) -> Result<(), Failure> {
        let limit = if is_known { KEPT_FOR } else { ASK_AGAIN_AFTER };
        if self.asked.is_some_and(|asked| asked.elapsed() <= limit) {
            return Ok(());
        }
        match baserow.tables(journal).await {
            Ok(listed) => {
                self.tables = listed.into_iter().map(|table| (table.id, Arc::new(table))).collect();
                self.asked = Some(Instant::now());
                Ok(())
            }
            // What was known a moment ago is good enough while Baserow is away.
            Err(_) if is_known => Ok(()),
            Err(failure) => Err(failure),
        }
    }
}

/// Whether a rule's table is this one.
pub fn is_table(reference: &TableRef, table: &Table) -> bool {
    match reference {
        TableRef::Id(id) => table.id.get() == *id,
        TableRef::Name(name) => table.name == *name,
    }
}
