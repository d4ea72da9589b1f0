//! What is open: the jobs that some event still waits for.

use sqlx::Row as _;

use super::column::{self, signed};
use super::{Store, StoreError};
use passerelle_model::id::{JobKey, RowKey};
use passerelle_model::seq::Seq;
use passerelle_model::time::LongAgo;

impl Store {
    /// Up to `count` rows after one, in their order, that have been waiting for an outcome since
    /// before a moment.
    pub async fn open_rows(&self, after: Option<RowKey>, old: LongAgo, count: u32) -> Result<Vec<RowKey>, StoreError> {
        let statement = "SELECT DISTINCT table_id, row_id FROM items WHERE outcome IS NULL AND job IS NULL AND (seq <= $3 OR seq > $5) \
                         AND (table_id > $1 OR (table_id = $1 AND row_id > $2)) ORDER BY table_id, row_id LIMIT $4";
        let found = sqlx::query(statement)
            .bind(after.map_or(0, |row| signed(row.table.get())))
            .bind(after.map_or(0, |row| signed(row.row.get())))
            .bind(Seq::before(old.before).as_i64())
            .bind(i64::from(count))
            .bind(Seq::before(old.ahead_of).as_i64())
            .fetch_all(&self.pool)
            .await?;
        let rows = found.iter();
        rows.map(|found| {
            Ok(RowKey {
                table: column::table(found.try_get("table_id")?)?,
                row: column::row(found.try_get("row_id")?)?,
            })
        })
        .collect()
    }

    /// The same for jobs that are about something else than a row.
    pub async fn open_jobs(&self, after: Option<&JobKey>, old: LongAgo, count: u32) -> Result<Vec<JobKey>, StoreError> {
        let statement = "SELECT DISTINCT job FROM items WHERE outcome IS NULL AND job > $1 AND (seq <= $2 OR seq > $4) ORDER BY job LIMIT $3";
        let found = sqlx::query(statement)
            .bind(after.map_or_else(String::new, JobKey::to_string))
            .bind(Seq::before(old.before).as_i64())
            .bind(i64::from(count))
            .bind(Seq::before(old.ahead_of).as_i64())
            .fetch_all(&self.pool)
            .await?;
        let jobs = found.iter();
        jobs.map(|found| column::parsed("items.job", found.try_get("job")?, JobKey::parse))
            .collect()
    }

    /// Whether an event from before a moment still waits for this job.
    pub async fn is_open(&self, job: &JobKey, old: LongAgo) -> Result<bool, StoreError> {
        let statement = "SELECT count(*) FROM items WHERE outcome IS NULL AND (seq <= $4 OR seq > $5) \
                         AND ((job IS NULL AND table_id = $1 AND row_id = $2) OR job = $3)";
        let row = job.row();
        let found: i64 = sqlx::query_scalar(statement)
            .bind(row.map_or(0, |row| signed(row.table.get())))
            .bind(row.map_or(0, |row| signed(row.row.get())))
            .bind(job.to_string())
            .bind(Seq::before(old.before).as_i64())
            .bind(Seq::before(old.ahead_of).as_i64())
            .fetch_one(&self.pool)
            .await?;
        Ok(found > 0)
    }
}
