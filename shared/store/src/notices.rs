//! Notices to people, and what became of them. A notice is stored before it is queued, under a name
//! made of what it is about: a repetition adds nothing, and one that was not sent may be queued
//! again.

use serde::Serialize;
use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::column::{self, storable, unreadable};
use super::{Store, StoreError};
use passerelle_model::config::Channel;
use passerelle_model::id::{JobKey, RowKey};
use passerelle_model::seq::Seq;
use passerelle_model::time::{LongAgo, Timestamp};

/// The place of an event in the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct EventPlace {
    /// Its stream entry.
    pub seq: Seq,
    /// Its number in the entry.
    pub place: i64,
}

/// What became of a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeState {
    /// It is to be sent.
    Waiting,
    /// It was sent.
    Sent,
    /// Its channel is not set up.
    Off,
    /// It can never be sent.
    Failed,
}

impl NoticeState {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Waiting, Self::Sent, Self::Off, Self::Failed];

    /// The stored word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Sent => "sent",
            Self::Off => "off",
            Self::Failed => "failed",
        }
    }

    /// The state with this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// A notice as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StoredNotice {
    /// The key of its job.
    pub id: JobKey,
    /// What it is about, in one word.
    pub kind: String,
    /// The way.
    pub channel: Channel,
    /// The rule, or the part of the bridge, that made it.
    pub rule: String,
    /// The row that it is about.
    pub row: Option<RowKey>,
    /// The event that it is about.
    pub event: Option<EventPlace>,
    /// What it says and to whom, for the worker that sends it.
    #[serde(skip)]
    pub args: String,
    /// When it was made.
    pub created: Timestamp,
    /// What became of it.
    pub state: NoticeState,
    /// When it was sent or given up.
    pub ended: Option<Timestamp>,
    /// Attempts that failed.
    pub tries: i64,
    /// Why the last one failed, or why it is off.
    pub error: Option<String>,
}

/// Notices that wait although they were tried: why the bridge says `degraded`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overdue {
    /// How many.
    pub count: i64,
    /// Why one of them failed.
    pub error: String,
}

/// Columns are named: an upgrade adds some while this program runs, and its prepared statements go on.
macro_rules! select_notices {
    ($rest:literal) => {
        concat!(
            "SELECT id, kind, channel, rule, subject, seq, place, args, created, state, ended, tries, error FROM notices ",
            $rest
        )
    };
}

pub(super) use select_notices;

impl Store {
    /// Adds a notice, unless it is there. Returns what is there now: only a waiting one has to be
    /// queued.
    pub async fn add_notice(&self, notice: &StoredNotice) -> Result<NoticeState, StoreError> {
        let added = sqlx::query(
            "INSERT INTO notices (id, kind, channel, rule, subject, seq, place, args, created, state, ended, tries, error) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 0, $12) ON CONFLICT (id) DO NOTHING",
        )
        .bind(notice.id.to_string())
        .bind(notice.kind.clone())
        .bind(notice.channel.as_str().to_owned())
        .bind(storable(&notice.rule))
        .bind(notice.row.map(|row| row.to_string()))
        .bind(notice.event.map(|event| event.seq.as_i64()))
        .bind(notice.event.map(|event| event.place))
        .bind(storable(&notice.args))
        .bind(notice.created.as_millis())
        .bind(notice.state.as_str().to_owned())
        .bind(notice.ended.map(Timestamp::as_millis))
        .bind(notice.error.as_deref().map(storable))
        .execute(&self.pool)
        .await?;
        if added.rows_affected() == 1 {
            return Ok(notice.state);
        }
        let found = self.notice(&notice.id).await?;
        Ok(found.map_or(notice.state, |found| found.state))
    }

    /// A notice.
    pub async fn notice(&self, id: &JobKey) -> Result<Option<StoredNotice>, StoreError> {
        let found = sqlx::query(select_notices!("WHERE id = $1"))
            .bind(id.to_string())
            .fetch_optional(&self.pool)
            .await?;
        found.as_ref().map(read_notice).transpose()
    }

    /// The notices of an event, oldest first.
    pub async fn notices_of(&self, event: EventPlace) -> Result<Vec<StoredNotice>, StoreError> {
        let found = sqlx::query(select_notices!("WHERE seq = $1 AND place = $2 ORDER BY created, id"))
            .bind(event.seq.as_i64())
            .bind(event.place)
            .fetch_all(&self.pool)
            .await?;
        found.iter().map(read_notice).collect()
    }

    /// The notices that a rule has made about a row, whatever became of them.
    pub async fn notices_about(&self, row: RowKey, rule: &str) -> Result<Vec<JobKey>, StoreError> {
        let found = sqlx::query("SELECT id FROM notices WHERE subject = $1 AND rule = $2 ORDER BY created, id")
            .bind(row.to_string())
            .bind(storable(rule))
            .fetch_all(&self.pool)
            .await?;
        found.iter().map(read_id).collect()
    }

    /// The latest notices, newest first; of one state if one is given.
    pub async fn latest_notices(
        &self,
        state: Option<NoticeState>,
        count: u32,
    ) -> Result<Vec<StoredNotice>, StoreError> {
        self.notice_lines(state, None, count).await
    }

    /// Notices that have been waiting since before a moment, oldest first: their jobs may have been
    /// lost.
    pub async fn unsent_notices(&self, old: LongAgo, count: u32) -> Result<Vec<(JobKey, Channel)>, StoreError> {
        let found = sqlx::query(
            "SELECT id, channel FROM notices WHERE state = 'waiting' AND (created < $1 OR created > $3) ORDER BY created LIMIT $2",
        )
        .bind(old.before.as_millis())
        .bind(i64::from(count))
        .bind(old.ahead_of.as_millis())
        .fetch_all(&self.pool)
        .await?;
        let read = |row: &AnyRow| Ok((read_id(row)?, read_channel(row)?));
        found.iter().map(read).collect()
    }

    /// Ends a notice, or brings one back that was off or had failed (`Waiting`). One that was sent
    /// stays sent. Says whether anything changed.
    pub async fn end_notice(
        &self,
        id: &JobKey,
        state: NoticeState,
        error: Option<&str>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let ended = (state != NoticeState::Waiting).then(|| now.as_millis());
        let changed = sqlx::query(
            "UPDATE notices SET state = $2, ended = $3, error = $4 WHERE id = $1 AND state <> 'sent' AND state <> $2",
        )
        .bind(id.to_string())
        .bind(state.as_str().to_owned())
        .bind(ended)
        .bind(error.map(storable))
        .execute(&self.pool)
        .await?;
        Ok(changed.rows_affected() == 1)
    }

    /// Notes that a notice is about to be sent: a store that cannot be written must not make it go
    /// out again and again. Says whether it still waits.
    pub async fn begin_sending(&self, id: &JobKey, now: Timestamp) -> Result<bool, StoreError> {
        let changed = sqlx::query("UPDATE notices SET sending = $2 WHERE id = $1 AND state = 'waiting'")
            .bind(id.to_string())
            .bind(now.as_millis())
            .execute(&self.pool)
            .await?;
        Ok(changed.rows_affected() == 1)
    }

    /// Notes that a notice could not be sent yet, and why.
    pub async fn delay_notice(&self, id: &JobKey, error: &str) -> Result<(), StoreError> {
        sqlx::query("UPDATE notices SET tries = tries + 1, error = $2 WHERE id = $1 AND state = 'waiting'")
            .bind(id.to_string())
            .bind(storable(error))
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// How many mails wait, by their rule.
    pub async fn waiting_mails(&self) -> Result<Vec<(String, i64)>, StoreError> {
        let found = sqlx::query(
            "SELECT rule, count(*) AS waiting FROM notices WHERE state = 'waiting' AND channel = 'mail' \
             GROUP BY rule ORDER BY rule",
        )
        .fetch_all(&self.pool)
        .await?;
        let read = |row: &AnyRow| Ok((row.try_get("rule")?, row.try_get("waiting")?));
        found.iter().map(read).collect()
    }

    /// How many notices of a rule wait.
    pub async fn waiting_notices(&self, rule: &str) -> Result<u64, StoreError> {
        let found = sqlx::query("SELECT count(*) AS waiting FROM notices WHERE state = 'waiting' AND rule = $1")
            .bind(storable(rule))
            .fetch_one(&self.pool)
            .await?;
        let waiting: i64 = found.try_get("waiting")?;
        Ok(u64::try_from(waiting).unwrap_or(0))
    }

    /// Ends all waiting notices of a rule as failed; returns how many.
    pub async fn discard_notices(&self, rule: &str, why: &str, now: Timestamp) -> Result<u64, StoreError> {
        let changed = sqlx::query(
            "UPDATE notices SET state = 'failed', ended = $2, error = $3 WHERE rule = $1 AND state = 'waiting'",
        )
        .bind(storable(rule))
        .bind(now.as_millis())
        .bind(storable(why))
        .execute(&self.pool)
        .await?;
        Ok(changed.rows_affected())
    }

    /// The notices that were tried in vain and still wait; none if all is well.
    pub async fn overdue_notices(&self) -> Result<Option<Overdue>, StoreError> {
        let found = sqlx::query(
            "SELECT count(*) AS waiting, max(error) AS error FROM notices WHERE state = 'waiting' AND error IS NOT NULL",
        )
        .fetch_one(&self.pool)
        .await?;
        let count: i64 = found.try_get("waiting")?;
        let error: Option<String> = found.try_get("error")?;
        Ok(error.map(|error| Overdue { count, error }))
    }
}

fn read_id(row: &AnyRow) -> Result<JobKey, StoreError> {
    column::parsed("notices.id", row.try_get("id")?, JobKey::parse)
}

fn read_channel(row: &AnyRow) -> Result<Channel, StoreError> {
    let channel: &str = row.try_get("channel")?;
    Channel::parse(channel).ok_or_else(|| unreadable("notices.channel", channel))
}

pub(super) fn read_notice(row: &AnyRow) -> Result<StoredNotice, StoreError> {
    let state: &str = row.try_get("state")?;
    let (seq, place): (Option<i64>, Option<i64>) = (row.try_get("seq")?, row.try_get("place")?);
    let subject: Option<String> = row.try_get("subject")?;
    Ok(StoredNotice {
        id: read_id(row)?,
        kind: row.try_get("kind")?,
        channel: read_channel(row)?,
        rule: row.try_get("rule")?,
        row: subject
            .map(|subject| column::parsed("notices.subject", &subject, str::parse))
            .transpose()?,
        event: seq.zip(place).map(|(seq, place)| EventPlace {
            seq: Seq::from_i64(seq),
            place,
        }),
        args: row.try_get("args")?,
        created: Timestamp::from_millis(row.try_get("created")?),
        state: NoticeState::parse(state).ok_or_else(|| unreadable("notices.state", state))?,
        ended: row.try_get::<Option<i64>, _>("ended")?.map(Timestamp::from_millis),
        tries: row.try_get("tries")?,
        error: row.try_get("error")?,
    })
}
