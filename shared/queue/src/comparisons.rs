//! The tables whose rows are to be compared with their pages, because a delivery had too many rows
//! to name them. A request stays until its comparison has ended; at worst its loss delays the
//! comparison until the next reconciliation.

use crate::{Queue, QueueError};
use passerelle_model::id::{EventId, TableId};

/// A table, and the event because of which it is compared.
pub type Comparison = (TableId, EventId);

impl Queue {
    /// Remembers that a table is to be compared.
    pub async fn request_comparison(&self, (table, event): &Comparison) -> Result<(), QueueError> {
        let mut add = redis::cmd("SADD");
        add.arg(&self.inner.keys.comparisons).arg(format!("{table} {event}"));
        self.inner.redis.query(&add).await
    }

    /// What is to be compared, at most `most`. What another version has written is left out.
    pub async fn requested_comparisons(&self, most: usize) -> Result<Vec<Comparison>, QueueError> {
        let mut ask = redis::cmd("SRANDMEMBER");
        ask.arg(&self.inner.keys.comparisons).arg(most);
        let stored: Vec<String> = self.inner.redis.query(&ask).await?;
        let mut requested: Vec<Comparison> = stored.iter().filter_map(|text| read(text)).collect();
        requested.sort();
        Ok(requested)
    }

    /// A comparison has ended.
    pub async fn end_comparison(&self, (table, event): &Comparison) -> Result<(), QueueError> {
        let mut remove = redis::cmd("SREM");
        remove.arg(&self.inner.keys.comparisons).arg(format!("{table} {event}"));
        self.inner.redis.query(&remove).await
    }
}

fn read(stored: &str) -> Option<Comparison> {
    let (table, event) = stored.split_once(' ')?;
    Some((table.parse().ok()?, EventId::parse(event).ok()?))
}
