//! The one transaction that writes a batch of facts exactly once.
//!
//! It begins by moving the ledger's position from where the caller read it to the batch's end. Two
//! writers cannot both succeed in that (the loser gets [`StoreError::LedgerMoved`]), and a crash
//! undoes the move with the rest. So the lease among ledger writers is only a matter of thrift:
//! whatever crashes or competes, each fact is in the store once.

use std::collections::HashSet;

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row as _};

use super::bulk::{Bulk, ROWS_PER_STATEMENT};
use super::column::{self, signed};
use super::fold::{ItemId, Place, fold, jobs_to_close};
use super::known::unknown;
use super::{Store, StoreError, lives, write};
use passerelle_model::id::{JobKey, RowKey};
use passerelle_model::ledger::LedgerEntry;
use passerelle_model::seq::Seq;
use passerelle_model::time::Timestamp;

impl Store {
    /// The stream id of the last ledger entry in the store.
    pub async fn ledger_position(&self) -> Result<Option<String>, StoreError> {
        let position: String = sqlx::query_scalar("SELECT position FROM ledger_position WHERE id = 1")
            .fetch_one(&self.pool)
            .await?;
        Ok(Some(position).filter(|position| !position.is_empty()))
    }

    /// Writes ledger entries in one transaction, if the position is still `after`; else
    /// [`StoreError::LedgerMoved`] and nothing is written. Entries that the store has already are
    /// skipped.
    pub async fn record(&self, entries: &[LedgerEntry], after: Option<&str>) -> Result<(), StoreError> {
        let Some(last) = entries.last() else { return Ok(()) };
        let began = Timestamp::now();
        let write = async {
            let mut transaction = self.pool.begin().await?;
            move_position(&mut transaction, after, &last.id).await?;
            lives::count(&mut transaction, entries).await?;
            let placed = unknown(&mut transaction, entries).await?;
            let open = open_items(&mut transaction, &jobs_to_close(&placed)).await?;
            let mut changes = fold(&placed, open);
            // A store that is an older copy does not know what is repeated.
            let known = known_deliveries(&mut transaction, changes.again.keys()).await?;
            changes.again.retain(|delivery, _| known.contains(delivery));
            write::changes(&mut transaction, &changes).await?;
            transaction.commit().await?;
            self.tell_follower(entries, began);
            Ok(())
        };
        self.pool.within(write).await
    }
}

async fn move_position(connection: &mut AnyConnection, after: Option<&str>, to: &str) -> Result<(), StoreError> {
    let update = "UPDATE ledger_position SET position = $1, entries_at = $1, \
                  entries = CASE WHEN entries_at = position THEN entries END WHERE id = 1 AND position = $2";
    let moved = sqlx::query(update)
        .bind(to.to_owned())
        .bind(after.unwrap_or_default().to_owned())
        .execute(connection)
        .await?
        .rows_affected();
    if moved == 1 {
        Ok(())
    } else {
        Err(StoreError::LedgerMoved)
    }
}

const OPEN_ITEMS: Bulk = Bulk {
    before: "SELECT table_id, row_id, seq, place, item FROM items WHERE outcome IS NULL AND (table_id, row_id) IN (VALUES ",
    after: ")",
    columns: 2,
};

const OPEN_ITEMS_OF_JOBS: Bulk = Bulk {
    before: "SELECT job, seq, place, item FROM items WHERE outcome IS NULL AND job IN (VALUES ",
    after: ")",
    columns: 1,
};

/// The open items of these jobs: a row's are found by the row, all others by the job's key.
async fn open_items(connection: &mut AnyConnection, jobs: &[JobKey]) -> Result<Vec<(JobKey, ItemId)>, StoreError> {
    let (rows, others): (Vec<_>, Vec<_>) = jobs.iter().partition(|job| job.row().is_some());
    let rows: Vec<RowKey> = rows.into_iter().filter_map(JobKey::row).collect();
    let mut open = Vec::new();
    for chunk in rows.chunks(ROWS_PER_STATEMENT) {
        let query =
            sqlx::query(AssertSqlSafe(OPEN_ITEMS.sql(chunk.len()))).persistent(chunk.len() == ROWS_PER_STATEMENT);
        let query = chunk.iter().fold(query, |query, row| {
            query.bind(signed(row.table.get())).bind(signed(row.row.get()))
        });
        for found in query.fetch_all(&mut *connection).await? {
            let row = RowKey {
                table: column::table(found.try_get("table_id")?)?,
                row: column::row(found.try_get("row_id")?)?,
            };
            open.push((JobKey::Row(row), item_id(&found)?));
        }
    }
    for chunk in others.chunks(ROWS_PER_STATEMENT) {
        let query = sqlx::query(AssertSqlSafe(OPEN_ITEMS_OF_JOBS.sql(chunk.len())));
        let query = chunk.iter().fold(query, |query, job| query.bind(job.to_string()));
        for found in query.fetch_all(&mut *connection).await? {
            let job = column::parsed("items.job", found.try_get("job")?, JobKey::parse)?;
            open.push((job, item_id(&found)?));
        }
    }
    Ok(open)
}

const KNOWN_DELIVERIES: Bulk = Bulk {
    before: "SELECT delivery_key FROM events WHERE delivery_key IN (VALUES ",
    after: ")",
    columns: 1,
};

/// Which of these deliveries have an event.
async fn known_deliveries(
    connection: &mut AnyConnection,
    deliveries: impl Iterator<Item = &String>,
) -> Result<HashSet<String>, StoreError> {
    let (deliveries, mut known): (Vec<&String>, _) = (deliveries.collect(), HashSet::new());
    for chunk in deliveries.chunks(ROWS_PER_STATEMENT) {
        let query = sqlx::query(AssertSqlSafe(KNOWN_DELIVERIES.sql(chunk.len())));
        let query = chunk
            .iter()
            .fold(query, |query, delivery| query.bind((*delivery).clone()));
        for found in query.fetch_all(&mut *connection).await? {
            known.insert(found.try_get("delivery_key")?);
        }
    }
    Ok(known)
}

fn item_id(found: &AnyRow) -> Result<ItemId, StoreError> {
    let event = Place {
        seq: Seq::from_i64(found.try_get("seq")?),
        number: found.try_get("place")?,
    };
    let number = found.try_get("item")?;
    Ok(ItemId { event, number })
}
