//! The lives of Redis' data: which one the store knows, how much of it was read, and what is
//! missing.
//!
//! Every receipt in the ledger says how many deliveries Redis had answered before it and with it.
//! Read one after the other, they leave no gap. A gap is a number of deliveries that are nowhere:
//! it ends the life. Every entry has a number besides, so a gap between settlements ends it too: it
//! costs no delivery, but items stay open. Either Redis lost entries, or the store is an older
//! copy.

use passerelle_model::ledger::LedgerEntry;
use passerelle_model::seq::Seq;
use passerelle_model::time::Timestamp;
use passerelle_queue::{Life, LifeLook};
use sqlx::{AnyConnection, Row as _};

use super::column::signed;
use super::{Store, StoreError};

/// A life of Redis' data, as far as the store has seen it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredLife {
    /// Its name in Redis.
    pub epoch: String,
    /// The first is 1.
    pub number: i64,
    /// When the store saw it for the first time.
    pub began: Timestamp,
    /// Redis' count of answered deliveries at its beginning; `None` until the first entry says it.
    pub base: Option<i64>,
    /// The same with the last entry that was read.
    pub answered: i64,
    /// Deliveries and repetitions that the entries held.
    pub recorded: i64,
    /// The number of the last entry that was read; `None` while no entry has said it, and where a
    /// former version has read on.
    pub entries: Option<i64>,
    starts_after: Option<Seq>,
}

impl StoredLife {
    /// Answered deliveries that were in none of the entries that were read.
    pub fn missing(&self) -> i64 {
        self.base.map_or(0, |base| self.answered - base - self.recorded)
    }

    /// How many answered deliveries of the life before (`former`) are nowhere, as far as any
    /// process knows: at least so many. `present` is what Redis says of this life.
    pub fn lost_before(&self, former: &Self, present: &Life) -> i64 {
        if present.epoch != self.epoch || present.former.as_ref() != Some(&former.epoch) {
            return 0;
        }
        let known = i64::try_from(present.known).unwrap_or(i64::MAX);
        let base = i64::try_from(present.base).unwrap_or(i64::MAX);
        // What an older copy still had is read again; a Redis that lost everything counts anew.
        let reached = if (former.answered..known).contains(&base) {
            base
        } else {
            former.answered
        };
        (known - reached).max(0)
    }

    /// How many of the entries, from the first on, follow without a gap.
    pub(super) fn covers(&self, entries: &[LedgerEntry]) -> usize {
        let mut life = self.clone();
        let follow = entries.iter().take_while(|entry| {
            let follows = life.follows(entry);
            life.add(entry);
            follows
        });
        follow.count()
    }

    /// Whether Redis has counted further than what was read.
    pub(super) fn falls_short_of(&self, look: &LifeLook) -> bool {
        let (answered, entries) = counts(look);
        (self.base.is_some() && answered != self.answered)
            || self.entries.zip(entries).is_some_and(|(read, all)| read != all)
    }

    /// Whether Redis has counted less than what was read.
    pub(super) fn is_ahead_of(&self, look: &LifeLook) -> bool {
        let (answered, entries) = counts(look);
        answered < self.answered || self.entries.zip(entries).is_some_and(|(read, all)| all < read)
    }

    fn is_of_before(&self, entry: &LedgerEntry) -> bool {
        self.starts_after.is_some_and(|end| entry.seq <= end)
    }

    fn follows(&self, entry: &LedgerEntry) -> bool {
        if self.is_of_before(entry) {
            return true;
        }
        let is_next = self
            .entries
            .zip(entry.number)
            .is_none_or(|(last, number)| signed(number) == last + 1);
        is_next && (self.base.is_none() || entry.answered.is_none_or(|count| signed(count.before) == self.answered))
    }

    fn add(&mut self, entry: &LedgerEntry) {
        if self.is_of_before(entry) || !self.follows(entry) {
            return;
        }
        self.entries = entry.number.map(signed).or(self.entries);
        if let Some(count) = entry.answered {
            self.base.get_or_insert(signed(count.before));
            self.recorded += signed(count.total - count.before);
            self.answered = signed(count.total);
        }
    }
}

/// Deliveries answered, and entries, by the counts of Redis.
fn counts(look: &LifeLook) -> (i64, Option<i64>) {
    (signed(look.answered), look.entries.map(signed))
}

const PRESENT: &str = "SELECT number, epoch, began, starts_after, base, answered, recorded, \
     (SELECT entries FROM ledger_position WHERE id = 1 AND entries_at = position) AS entries FROM lives ORDER BY number DESC LIMIT 2";

impl Store {
    /// The present life, as far as the store knows.
    pub async fn life(&self) -> Result<Option<StoredLife>, StoreError> {
        Ok(self.last_lives().await?.into_iter().next())
    }

    /// The present life and the one before.
    async fn last_lives(&self) -> Result<Vec<StoredLife>, StoreError> {
        let found = sqlx::query(PRESENT).fetch_all(&self.pool).await?;
        found.iter().map(stored).collect()
    }

    /// Whether a life is among those that the store has seen.
    pub(super) async fn knows_life(&self, epoch: &str) -> Result<bool, StoreError> {
        let known: i64 = sqlx::query_scalar("SELECT count(*) FROM lives WHERE epoch = $1")
            .bind(epoch.to_owned())
            .fetch_one(&self.pool)
            .await?;
        Ok(known > 0)
    }

    /// A new life takes the place of the present one (`former`): the ledger is read from its
    /// beginning. [`StoreError::LedgerMoved`] if another process was faster.
    pub(super) async fn begin_life(
        &self,
        life: &Life,
        look: &LifeLook,
        former: Option<&StoredLife>,
    ) -> Result<(), StoreError> {
        let now = Timestamp::now().as_millis();
        let number = former.map_or(0, |former| former.number) + 1;
        // A store that knew no life yet counts from what is there: nothing says what it has missed.
        let base = match former {
            Some(_) => Some(life.base),
            None => Some(look.answered).filter(|_| look.newest.is_none()),
        };
        let write = async {
            let mut transaction = self.pool.begin().await?;
            let insert = sqlx::query(
                "INSERT INTO lives (number, epoch, began, starts_after, base, answered, recorded, lost, repaired) \
                 VALUES ($1, $2, $3, $4, $5, $6, 0, NULL, $7) ON CONFLICT DO NOTHING",
            )
            .bind(number)
            .bind(life.epoch.clone())
            .bind(now)
            .bind(life.after.clone().filter(|_| former.is_some()).unwrap_or_default())
            .bind(base.map(signed))
            .bind(signed(base.unwrap_or(0)))
            .bind(former.is_none().then_some(now));
            if insert.execute(&mut *transaction).await?.rows_affected() == 0 {
                return Err(StoreError::LedgerMoved);
            }
            if former.is_some() {
                sqlx::query("UPDATE ledger_position SET position = '', entries = NULL WHERE id = 1")
                    .execute(&mut *transaction)
                    .await?;
            }
            transaction.commit().await?;
            Ok(())
        };
        self.pool.within(write).await
    }

    /// The present life, if the end of the one before has not been made up for, and that one.
    pub async fn unrepaired_life(&self) -> Result<Option<(StoredLife, StoredLife)>, StoreError> {
        let open: i64 = sqlx::query_scalar("SELECT count(*) FROM lives WHERE repaired IS NULL")
            .fetch_one(&self.pool)
            .await?;
        let lives: Result<[StoredLife; 2], _> = self.last_lives().await?.try_into();
        Ok(lives
            .ok()
            .filter(|_| open > 0)
            .map(|[present, former]| (present, former)))
    }

    /// Whether the store is no older copy of itself, for all that is known: it has seen no new life
    /// of Redis' data begin, or it had read more than Redis had left. Such a store knows which
    /// notices were sent.
    pub async fn is_whole(&self) -> Result<bool, StoreError> {
        let mut lives = self.last_lives().await?.into_iter();
        let (present, former) = (lives.next(), lives.next());
        let had_read = |former: StoredLife| {
            present
                .and_then(|life| life.base)
                .is_some_and(|base| base < former.answered)
        };
        Ok(former.is_none_or(had_read))
    }

    /// The ends of all lives before this one have been made up for; `lost` deliveries of the last
    /// one are nowhere.
    pub async fn end_repair(&self, life: &StoredLife, lost: i64) -> Result<(), StoreError> {
        let now = Timestamp::now().as_millis();
        sqlx::query("UPDATE lives SET repaired = $1, lost = CASE WHEN number = $2 THEN $3 END WHERE repaired IS NULL AND number <= $2")
            .bind(now)
            .bind(life.number)
            .bind(lost)
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}

fn stored(row: &sqlx::any::AnyRow) -> Result<StoredLife, StoreError> {
    let starts_after: String = row.try_get("starts_after")?;
    Ok(StoredLife {
        number: row.try_get("number")?,
        epoch: row.try_get("epoch")?,
        began: Timestamp::from_millis(row.try_get("began")?),
        base: row.try_get("base")?,
        answered: row.try_get("answered")?,
        recorded: row.try_get("recorded")?,
        entries: row.try_get("entries")?,
        starts_after: Seq::from_stream_id(&starts_after).ok(),
    })
}

/// Counts the entries, in the transaction that writes them and has moved the position.
pub(super) async fn count(connection: &mut AnyConnection, entries: &[LedgerEntry]) -> Result<(), StoreError> {
    let Some(row) = sqlx::query(PRESENT).fetch_optional(&mut *connection).await? else {
        return Ok(());
    };
    let mut life = stored(&row)?;
    for entry in entries {
        life.add(entry);
    }
    sqlx::query("UPDATE lives SET base = $1, answered = $2, recorded = $3 WHERE number = $4")
        .bind(life.base)
        .bind(life.answered)
        .bind(life.recorded)
        .bind(life.number)
        .execute(&mut *connection)
        .await?;
    sqlx::query("UPDATE ledger_position SET entries = $1 WHERE id = 1")
        .bind(life.entries)
        .execute(connection)
        .await?;
    Ok(())
}
