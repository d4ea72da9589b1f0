//! A power cut takes what Redis had not written to its disk yet.

use proptest::prelude::*;
use redis::Value;

use super::model::{CRASHES, Model, Place, row_of};
use super::world::{Law, World, broken};

/// What Redis had when it last wrote to its disk.
#[derive(Debug, Default)]
pub(super) struct Disk {
    /// Each key, how many milliseconds it lasts (0: for ever), and its value.
    keys: Vec<(Vec<u8>, i64, Vec<u8>)>,
    model: Model,
}

impl World {
    pub(super) async fn sync_to_disk(&mut self) -> Law {
        let redis = &self.queue.inner.redis;
        let mut keys = Vec::new();
        for key in self.all_keys().await? {
            let value = redis.query(redis::cmd("DUMP").arg(&key)).await.map_err(broken)?;
            let lasts: i64 = redis.query(redis::cmd("PTTL").arg(&key)).await.map_err(broken)?;
            keys.push((key, lasts.max(0), value));
        }
        let model = self.model.clone();
        self.disk = Disk { keys, model };
        Ok(())
    }

    /// The jobs that were running come back as those of workers that vanished.
    pub(super) async fn power_cut(&mut self) -> Law {
        let redis = &self.queue.inner.redis;
        for key in self.all_keys().await? {
            redis
                .query::<Value>(redis::cmd("DEL").arg(&key))
                .await
                .map_err(broken)?;
        }
        for (key, lasts, value) in &self.disk.keys {
            let mut restore = redis::cmd("RESTORE");
            restore.arg(key).arg(lasts).arg(value);
            redis.query::<Value>(&restore).await.map_err(broken)?;
        }
        let mut lost = std::mem::take(&mut self.lost);
        lost.extend(std::mem::take(&mut self.held).into_values());
        *self = Self {
            lost,
            model: self.disk.model.clone(),
            disk: std::mem::take(&mut self.disk),
            ..Self::at(self.redis.clone())
        };
        self.check().await?;
        let is_running = |place: &Place| matches!(place, Place::Running { .. });
        let jobs = self.model.jobs.iter();
        let running: Vec<u64> = jobs
            .filter_map(|(row, (place, ..))| is_running(place).then_some(*row))
            .collect();
        for row in &running {
            let mut expire = redis::cmd("ZADD");
            let job = row_of(*row).map_err(broken)?.to_string();
            expire.arg(&self.keys.leases).arg("XX").arg(1).arg(job);
            self.queue.inner.redis.query::<()>(&expire).await.map_err(broken)?;
        }
        let now = self.queue.clock().await.map_err(broken)?;
        let reclaimed = self.queue.reclaim(CRASHES, now).await.map_err(broken)?;
        prop_assert_eq!(reclaimed, running.len(), "law 8");
        for row in running {
            self.model.vanish(row);
        }
        Ok(())
    }

    async fn all_keys(&self) -> Result<Vec<Vec<u8>>, TestCaseError> {
        let mut keys = redis::cmd("KEYS");
        keys.arg(format!("*{}*", self.redis.prefix));
        self.queue.inner.redis.query(&keys).await.map_err(broken)
    }
}
