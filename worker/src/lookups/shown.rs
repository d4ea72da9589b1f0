//! What the pages of other rows were last told of a row: a hash of the fields that they show. A
//! linked table hears of every row that links to it, and most of that changes no page.
//!
//! Kept in Redis as `<prefix>:shown:<table id>:<row id>:<hash of the rule>`. What is not known
//! counts as changed.

use std::time::Duration;

use passerelle_model::id::RowKey;
use passerelle_queue::Redis;
use redis::AsyncCommands as _;
use sha2::{Digest as _, Sha256};

/// Longer than a busy row goes without an event.
const KEPT_FOR: Duration = Duration::from_hours(30 * 24);

/// What pages show of linked rows.
#[derive(Debug, Clone)]
pub struct Shown {
    redis: Redis,
}

/// A row, and the rule and link field by which pages show it.
#[derive(Debug, Clone, Copy)]
pub struct ShownBy<'a> {
    /// The linked row.
    pub row: RowKey,
    /// The rule's name.
    pub rule: &'a str,
    /// Its link field.
    pub field: &'a str,
}

impl Shown {
    /// On this Redis.
    pub fn new(redis: Redis) -> Self {
        Self { redis }
    }

    /// Whether this is what was shown last.
    pub async fn is(&self, by: ShownBy<'_>, state: &str) -> bool {
        let kept: Result<Option<String>, _> = self.redis.clone().get(self.key(by)).await;
        match kept {
            Ok(kept) => kept.as_deref() == Some(state),
            Err(error) => {
                tracing::warn!(%error, "what pages show of the row could not be looked up");
                false
            }
        }
    }

    /// Remembers what is shown now.
    pub async fn remember(&self, by: ShownBy<'_>, state: &str) {
        let kept: Result<(), _> = self.redis.clone().set_ex(self.key(by), state, KEPT_FOR.as_secs()).await;
        if let Err(error) = kept {
            tracing::warn!(%error, "what pages show of the row could not be remembered");
        }
    }

    fn key(&self, by: ShownBy<'_>) -> String {
        let rule = hex::encode(Sha256::digest(format!("{} {}", by.rule, by.field)));
        let rule = rule.get(..16).unwrap_or_default();
        format!("{}:shown:{}:{}:{rule}", self.redis.prefix(), by.row.table, by.row.row)
    }
}
