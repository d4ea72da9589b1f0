//! How long the oldest open item waits: an event that never ends is seen by its age.

use passerelle_model::seq::Seq;
use passerelle_model::time::Timestamp;

use super::{Store, StoreError};

impl Store {
    /// When the oldest item without an outcome was recorded; nothing if all have one.
    pub async fn oldest_open(&self) -> Result<Option<Timestamp>, StoreError> {
        let oldest = sqlx::query_scalar("SELECT min(seq) FROM items WHERE outcome IS NULL");
        let seq: Option<i64> = oldest.fetch_one(&self.pool).await?;
        Ok(seq.map(|seq| Seq::from_i64(seq).moment()))
    }
}
