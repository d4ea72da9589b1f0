//! Lists of the ledger, page by page, the newest first. A page begins after a key, so the thousandth costs as much as the
//! first.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::column::{self, signed};
use super::notices::{read_notice, select_notices};
use super::pages::{read_link, select_links};
use super::story_rows::read_act;
use super::{Link, NoticeState, OperatorAct, Store, StoreError, StoredNotice};
use passerelle_model::event::EventKind;
use passerelle_model::id::{EventId, JobKey, RowKey, SourceName, TableId};
use passerelle_model::outcome::Outcome;
use passerelle_model::time::Timestamp;

/// Which items a list shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listed {
    /// All, by the moment of their delivery.
    All,
    /// Those without an outcome, by the moment of their delivery.
    Open,
    /// Those with this outcome's name, by the moment of their end.
    Ended(String),
}

/// An item of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its place in the list: what follows begins after it.
    pub key: LineKey,
    /// Its event.
    pub event: EventId,
    /// Where that came from.
    pub source: SourceName,
    /// What had happened.
    pub kind: EventKind,
    /// When it arrived.
    pub received: Timestamp,
    /// The row, page or share; `None` for a delivery that names none.
    pub job: Option<JobKey>,
    /// How it ended; `None` while it is open.
    pub outcome: Option<Outcome>,
    /// When it ended.
    pub closed: Option<Timestamp>,
}

/// The place of an item in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineKey {
    /// When it ended, in milliseconds; 0 while it is open.
    pub closed: i64,
    /// Its stream entry.
    pub seq: i64,
    /// The event's number in the entry.
    pub place: i64,
    /// Its number in the event.
    pub item: i64,
}

impl LineKey {
    /// Before the first.
    const FIRST: Self = Self {
        closed: i64::MAX,
        seq: i64::MAX,
        place: i64::MAX,
        item: i64::MAX,
    };
}

/// The place of a page in the list of rows with pages: what follows begins after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkKey {
    /// Its row's table.
    pub table: i64,
    /// Its row's number.
    pub row: i64,
    /// Which of the row's pages.
    pub slot: String,
}

/// An operator's act of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActLine {
    /// Its stream entry, and its number in it: what follows begins after it.
    pub key: (i64, i64),
    /// What it was about: a job, `queue/<name>`, `gate/<name>`, ….
    pub on: String,
    /// What was done, by whom and why.
    pub act: OperatorAct,
}

macro_rules! select_lines {
    ($which:literal, $order:literal) => {
        concat!(
            "SELECT found.seq, found.place, found.item, found.table_id, found.row_id, found.job, found.outcome, found.reason, \
             found.closed_at, events.event_id, events.source, events.kind, events.received FROM \
             (SELECT seq, place, item, table_id, row_id, job, outcome, reason, closed_at FROM items WHERE ",
            $which,
            " ORDER BY ",
            $order,
            "seq DESC, place DESC, item DESC LIMIT $4) AS found \
             JOIN events ON events.seq = found.seq AND events.place = found.place ORDER BY ",
            $order,
            "found.seq DESC, found.place DESC, found.item DESC"
        )
    };
}

const NOTICES_OF_STATE: &str = select_notices!(
    "WHERE created <= $1 AND (created < $1 OR id > $2) AND state = $4 ORDER BY created DESC, id LIMIT $3"
);

impl Store {
    /// Up to `count` items after one, the newest first.
    pub async fn lines(&self, which: &Listed, after: Option<LineKey>, count: u32) -> Result<Vec<Line>, StoreError> {
        let LineKey {
            closed,
            seq,
            place,
            item,
        } = after.unwrap_or(LineKey::FIRST);
        let statement = match which {
            Listed::All => select_lines!("(seq, place, item) < ($1, $2, $3)", ""),
            Listed::Open => select_lines!("outcome IS NULL AND (seq, place, item) < ($1, $2, $3)", ""),
            Listed::Ended(_) => select_lines!(
                "outcome = $5 AND closed_at <= $6 AND (closed_at < $6 OR (seq, place, item) < ($1, $2, $3))",
                "closed_at DESC, "
            ),
        };
        let query = sqlx::query(statement)
            .bind(seq)
            .bind(place)
            .bind(item)
            .bind(i64::from(count));
        let query = match which {
            Listed::Ended(outcome) => query.bind(outcome.clone()).bind(closed),
            Listed::All | Listed::Open => query,
        };
        let found = query.fetch_all(&self.pool).await?;
        found.iter().map(read_line).collect()
    }

    /// Up to `count` acts of operators after one, the newest first.
    pub async fn act_lines(&self, after: Option<(i64, i64)>, count: u32) -> Result<Vec<ActLine>, StoreError> {
        let (seq, place) = after.unwrap_or((i64::MAX, i64::MAX));
        let found = sqlx::query(
            "SELECT seq, place, act, letter, job, delivery_key, operator, why, at FROM operator_acts \
             WHERE (seq, place) < ($1, $2) ORDER BY seq DESC, place DESC LIMIT $3",
        )
        .bind(seq)
        .bind(place)
        .bind(i64::from(count))
        .fetch_all(&self.pool)
        .await?;
        let read = |row: &AnyRow| {
            Ok(ActLine {
                key: (row.try_get("seq")?, row.try_get("place")?),
                on: row.try_get("job")?,
                act: read_act(row)?,
            })
        };
        found.iter().map(read).collect()
    }

    /// Up to `count` pages of rows after one, in the order of their rows; of one table if one is given.
    pub async fn link_lines(
        &self,
        table: Option<TableId>,
        after: Option<&LinkKey>,
        count: u32,
    ) -> Result<Vec<Link>, StoreError> {
        let (after_table, row, slot) = after.map_or((0, 0, ""), |key| (key.table, key.row, key.slot.as_str()));
        let statement = if table.is_some() {
            select_links!(
                "WHERE (table_id, row_id, slot) > ($1, $2, $3) AND table_id = $5 ORDER BY table_id, row_id, slot LIMIT $4"
            )
        } else {
            select_links!("WHERE (table_id, row_id, slot) > ($1, $2, $3) ORDER BY table_id, row_id, slot LIMIT $4")
        };
        let query = sqlx::query(statement)
            .bind(after_table)
            .bind(row)
            .bind(slot.to_owned())
            .bind(i64::from(count));
        let query = match table {
            Some(table) => query.bind(signed(table.get())),
            None => query,
        };
        let found = query.fetch_all(&self.pool).await?;
        found.iter().map(read_link).collect()
    }

    /// Up to `count` notices after one (when it was made, and its id), the newest first; of one state if one is given.
    pub async fn notice_lines(
        &self,
        state: Option<NoticeState>,
        after: Option<&(i64, String)>,
        count: u32,
    ) -> Result<Vec<StoredNotice>, StoreError> {
        let (created, id) = after.map_or((i64::MAX, ""), |(created, id)| (*created, id.as_str()));
        let statement = if state.is_some() {
            NOTICES_OF_STATE
        } else {
            select_notices!("WHERE created <= $1 AND (created < $1 OR id > $2) ORDER BY created DESC, id LIMIT $3")
        };
        let query = sqlx::query(statement)
            .bind(created)
            .bind(id.to_owned())
            .bind(i64::from(count));
        let query = match state {
            Some(state) => query.bind(state.as_str().to_owned()),
            None => query,
        };
        let found = query.fetch_all(&self.pool).await?;
        found.iter().map(read_notice).collect()
    }
}

fn read_line(row: &AnyRow) -> Result<Line, StoreError> {
    let closed: Option<i64> = row.try_get("closed_at")?;
    let (table, number): (Option<i64>, Option<i64>) = (row.try_get("table_id")?, row.try_get("row_id")?);
    let job = if let (Some(table), Some(number)) = (table, number) {
        Some(JobKey::Row(RowKey {
            table: column::table(table)?,
            row: column::row(number)?,
        }))
    } else {
        let job: Option<String> = row.try_get("job")?;
        job.map(|job| column::parsed("items.job", &job, JobKey::parse))
            .transpose()?
    };
    let outcome: Option<String> = row.try_get("outcome")?;
    let reason: Option<String> = row.try_get("reason")?;
    Ok(Line {
        key: LineKey {
            closed: closed.unwrap_or_default(),
            seq: row.try_get("seq")?,
            place: row.try_get("place")?,
            item: row.try_get("item")?,
        },
        event: column::parsed("events.event_id", row.try_get("event_id")?, EventId::parse)?,
        source: column::parsed("events.source", row.try_get("source")?, SourceName::parse)?,
        kind: column::kind(row.try_get("kind")?)?,
        received: Timestamp::from_millis(row.try_get("received")?),
        job,
        outcome: outcome.map(|name| column::outcome(&name, reason)).transpose()?,
        closed: closed.map(Timestamp::from_millis),
    })
}

#[cfg(test)]
mod tests {
    use passerelle_model::config::StoreSettings;

    use super::*;

    #[tokio::test]
    async fn the_few_notices_of_a_state_are_found_by_an_index() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/store.sqlite", folder.path().display());
        let store = Store::open(&StoreSettings::at(url)).await.unwrap();
        let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {NOTICES_OF_STATE}"));
        let plan = sqlx::query(explain).fetch_all(&store.pool).await.unwrap();
        let steps: Vec<String> = plan.iter().map(|step| step.try_get("detail").unwrap()).collect();
        let search = "USING INDEX notices_by_state (state=? AND created<?)";
        assert!(steps[0].contains(search), "{steps:?}");
    }
}
