//! Look-ups that may be five minutes old: linked rows and spaces, shared by all workers through
//! Redis.
//!
//! A cache is a help, never a need: whatever Redis does here is at most a warning, and the time to
//! live covers a lost invalidation. Keys are named one by one; nothing is ever searched for. A row
//! that has changed is not only forgotten but kept out for a moment: a job that had read it before
//! the change would else put the old row back, and the pages that follow the change would show it.
//! The row that a job is about is never taken from here.

use std::time::Duration;

use passerelle_model::id::{RowKey, TableId};
use passerelle_queue::Redis;
use redis::{AsyncCommands as _, ExistenceCheck, SetExpiry, SetOptions};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::clients::docmost::Space;
use crate::content::row::Row;

const TIME_TO_LIVE: Duration = Duration::from_mins(5);
/// Longer than a read of a row may be under way.
const KEPT_OUT_FOR: Duration = Duration::from_secs(30);
/// In place of a row that is kept out; no row reads so.
const KEPT_OUT: &str = "changed";

#[derive(Debug, Clone)]
pub struct Cache {
    redis: Redis,
}

impl Cache {
    pub fn new(redis: Redis) -> Self {
        Self { redis }
    }

    /// A row, if it was read lately.
    pub async fn row(&self, key: RowKey) -> Option<Row> {
        self.get(&self.row_key(key)).await
    }

    /// Remembers a row, unless it changed a moment ago.
    pub async fn keep_row(&self, table: TableId, row: &Row) {
        let Ok(text) = serde_json::to_string(row) else {
            return;
        };
        let options = SetOptions::default()
            .conditional_set(ExistenceCheck::NX)
            .with_expiration(SetExpiry::EX(TIME_TO_LIVE.as_secs()));
        let key = RowKey { table, row: row.id() };
        self.set(&self.row_key(key), text, options).await;
    }

    /// Forgets a row that has changed.
    pub async fn forget_row(&self, key: RowKey) {
        let options = SetOptions::default().with_expiration(SetExpiry::EX(KEPT_OUT_FOR.as_secs()));
        self.set(&self.row_key(key), KEPT_OUT.to_owned(), options).await;
    }

    /// A space by its name, if it was looked up lately.
    pub async fn space(&self, name: &str) -> Option<Space> {
        self.get(&self.space_key(name)).await
    }

    /// Remembers a space under the name that it was looked up by.
    pub async fn keep_space(&self, name: &str, space: &Space) {
        self.put(&self.space_key(name), space).await;
    }

    /// Forgets a space that Docmost does not know any more.
    pub async fn forget_space(&self, name: &str) {
        self.forget(&self.space_key(name)).await;
    }

    fn row_key(&self, key: RowKey) -> String {
        format!("{}:{}:{}", self.redis.prefix(), key.table, key.row)
    }

    fn space_key(&self, name: &str) -> String {
        format!("{}:space:{name}", self.redis.prefix())
    }

    async fn get<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        let text: Option<String> = match self.redis.clone().get(key).await {
            Ok(text) => text,
            Err(error) => {
                warn("read", &error);
                None
            }
        };
        serde_json::from_str(&text?).ok()
    }

    async fn put<T: Serialize>(&self, key: &str, value: &T) {
        let Ok(text) = serde_json::to_string(value) else {
            return;
        };
        let options = SetOptions::default().with_expiration(SetExpiry::EX(TIME_TO_LIVE.as_secs()));
        self.set(key, text, options).await;
    }

    async fn set(&self, key: &str, text: String, options: SetOptions) {
        // Nothing is set where a condition is not met; that is no failure.
        let result: Result<Option<String>, _> = self.redis.clone().set_options(key, text, options).await;
        if let Err(error) = result {
            warn("write", &error);
        }
    }

    async fn forget(&self, key: &str) {
        let result: Result<(), _> = self.redis.clone().del(key).await;
        if let Err(error) = result {
            warn("invalidate", &error);
        }
    }
}

fn warn(action: &'static str, error: &redis::RedisError) {
    metrics::counter!("passerelle_cache_failures_total", "action" => action).increment(1);
    tracing::warn!(action, %error, "the cache failed; its entries expire by themselves");
}
