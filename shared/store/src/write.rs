//! The rows of a folded batch on their way into the tables.

use sqlx::AnyConnection;

use super::bulk::{AnyQuery, Bulk};
use super::column::{signed, storable, unreadable};
use super::fold::{Changes, Closing, ItemId, NewEventRow, Place};
use super::{StoreError, counts};
use passerelle_model::ledger::{AttemptRecord, LedgerRecord, Verdict};
use passerelle_model::time::Timestamp;

/// Repetitions come before new events: a key that is accepted again, a day later, counts its own
/// repetitions only.
pub(super) async fn changes(connection: &mut AnyConnection, changes: &Changes<'_>) -> Result<(), StoreError> {
    count_again(connection, changes).await?;
    insert_events(connection, &changes.events).await?;
    insert_items(connection, changes).await?;
    close_items(connection, &changes.closed).await?;
    insert_attempts(connection, &changes.attempts).await?;
    insert_acts(connection, &changes.acts).await?;
    insert_unreadable(connection, changes).await?;
    counts::add(connection, changes).await
}

const AGAIN: Bulk = Bulk {
    before: "WITH again (delivery_key, times, last) AS (VALUES ",
    after: ") UPDATE events SET duplicates = events.duplicates + again.times, last_duplicate = again.last FROM again \
            WHERE events.delivery_key = again.delivery_key AND NOT EXISTS (SELECT 1 FROM events AS later \
            WHERE later.delivery_key = events.delivery_key AND (later.seq, later.place) > (events.seq, events.place))",
    columns: 3,
};

async fn count_again(connection: &mut AnyConnection, changes: &Changes<'_>) -> Result<(), StoreError> {
    let rows: Vec<_> = changes.again.iter().collect();
    AGAIN
        .run(connection, &rows, |query, (key, again)| {
            query
                .bind((*key).clone())
                .bind(again.times)
                .bind(again.last.map(Timestamp::as_millis))
        })
        .await?;
    Ok(())
}

const EVENTS: Bulk = Bulk {
    before: "INSERT INTO events (seq, place, delivery_key, event_id, webhook_id, batch, source, kind, table_id, received, payload, \
             duplicates, last_duplicate, trace) VALUES ",
    after: "",
    columns: 14,
};

async fn insert_events(connection: &mut AnyConnection, events: &[NewEventRow<'_>]) -> Result<(), StoreError> {
    EVENTS
        .run(connection, events, |query, NewEventRow { place, record, again }| {
            query
                .bind(place.seq.as_i64())
                .bind(place.number)
                .bind(record.key.to_string())
                .bind(record.key.event.as_str().to_owned())
                .bind(record.key.webhook.map(|webhook| signed(webhook.get())))
                .bind(signed(record.key.batch))
                .bind(record.source.as_str().to_owned())
                .bind(record.kind.as_str().to_owned())
                .bind(record.table.map(|table| signed(table.get())))
                .bind(record.received.as_millis())
                .bind(lz4_flex::compress_prepend_size(&record.payload))
                .bind(again.times)
                .bind(again.last.map(Timestamp::as_millis))
                .bind(record.trace.map(String::from))
        })
        .await?;
    Ok(())
}

const ITEMS: Bulk = Bulk {
    before: "INSERT INTO items (seq, place, item, table_id, row_id, job, outcome, reason, closed_at, closed_seq, closed_place) VALUES ",
    after: "",
    columns: 11,
};

async fn insert_items(connection: &mut AnyConnection, changes: &Changes<'_>) -> Result<(), StoreError> {
    ITEMS
        .run(connection, &changes.items, |query, item| {
            let query = bind_item_id(query, item.id)
                .bind(item.table)
                .bind(item.row)
                .bind(item.job.clone());
            bind_closing(query, item.closing.as_ref())
        })
        .await?;
    Ok(())
}

const CLOSED: Bulk = Bulk {
    before: "WITH closed (seq, place, item, outcome, reason, at, by_seq, by_place) AS (VALUES ",
    after: ") UPDATE items SET outcome = closed.outcome, reason = closed.reason, closed_at = closed.at, closed_seq = closed.by_seq, \
            closed_place = closed.by_place FROM closed WHERE items.seq = closed.seq AND items.place = closed.place \
            AND items.item = closed.item AND items.outcome IS NULL",
    columns: 8,
};

async fn close_items(connection: &mut AnyConnection, closed: &[(ItemId, Closing)]) -> Result<(), StoreError> {
    CLOSED
        .run(connection, closed, |query, (id, closing)| {
            bind_closing(bind_item_id(query, *id), Some(closing))
        })
        .await?;
    Ok(())
}

fn bind_item_id(query: AnyQuery<'_>, id: ItemId) -> AnyQuery<'_> {
    query.bind(id.event.seq.as_i64()).bind(id.event.number).bind(id.number)
}

fn bind_closing<'q>(query: AnyQuery<'q>, closing: Option<&Closing>) -> AnyQuery<'q> {
    let by = closing.and_then(|closing| closing.by);
    query
        .bind(closing.map(|closing| closing.outcome.name().to_owned()))
        .bind(closing.and_then(|closing| closing.outcome.reason()).map(storable))
        .bind(closing.map(|closing| closing.at.as_millis()))
        .bind(by.map(|place| place.seq.as_i64()))
        .bind(by.map(|place| place.number))
}

const ATTEMPTS: Bulk = Bulk {
    before: "INSERT INTO attempts (seq, place, job, covers, attempt, worker, started, ended, ending, verdict, steps) VALUES ",
    after: "",
    columns: 11,
};

async fn insert_attempts(
    connection: &mut AnyConnection,
    attempts: &[(Place, &AttemptRecord)],
) -> Result<(), StoreError> {
    let json = |error: serde_json::Error| unreadable("an attempt", &error.to_string());
    let mut rows = Vec::with_capacity(attempts.len());
    for (place, record) in attempts {
        let verdict = serde_json::to_string(&record.verdict).map_err(json)?;
        let steps = serde_json::to_string(&record.steps).map_err(json)?;
        rows.push((place, record, verdict, steps));
    }
    ATTEMPTS
        .run(connection, &rows, |query, (place, record, verdict, steps)| {
            query
                .bind(place.seq.as_i64())
                .bind(place.number)
                .bind(record.job.to_string())
                .bind(record.covers.as_i64())
                .bind(i64::from(record.attempt))
                .bind(record.worker.as_str().to_owned())
                .bind(record.started.as_millis())
                .bind(record.ended.as_millis())
                .bind(ending(&record.verdict).to_owned())
                .bind(verdict.clone())
                .bind(steps.clone())
        })
        .await?;
    Ok(())
}

/// The verdict's name in the `ending` column.
fn ending(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Done(_) => "done",
        Verdict::Retry { .. } => "retry",
        Verdict::Hold { .. } => "hold",
        Verdict::Bury { .. } => "bury",
        Verdict::GiveBack => "give_back",
    }
}

const ACTS: Bulk = Bulk {
    before: "INSERT INTO operator_acts (seq, place, act, letter, job, delivery_key, operator, why, at) VALUES ",
    after: "",
    columns: 9,
};

/// What an operator did, as a row.
struct ActRow<'a> {
    act: &'a str,
    letter: &'a str,
    job: String,
    event: Option<String>,
    by: &'a str,
    why: Option<&'a str>,
    at: Timestamp,
}

fn act_row(record: &LedgerRecord) -> Option<ActRow<'_>> {
    let (act, letter, job, by, at) = match record {
        LedgerRecord::Replayed {
            letter, job, by, at, ..
        } => ("replayed", letter.as_str(), job.to_string(), by, at),
        LedgerRecord::Discarded {
            letter, job, by, at, ..
        } => ("discarded", letter.as_str(), job.to_string(), by, at),
        LedgerRecord::Switched { on, act, by, at, .. } => (act.as_str(), "", on.to_string(), by, at),
        LedgerRecord::Accepted(_) | LedgerRecord::Duplicate { .. } | LedgerRecord::Attempt(_) => return None,
    };
    let (event, why) = match record {
        LedgerRecord::Replayed { event, why, .. } => {
            let why = Some(why.as_str()).filter(|why| !why.is_empty());
            (Some(event.to_string()), why)
        }
        LedgerRecord::Discarded { why, .. } | LedgerRecord::Switched { why, .. } => (None, Some(why.as_str())),
        _ => (None, None),
    };
    Some(ActRow {
        act,
        letter,
        job,
        event,
        by,
        why,
        at: *at,
    })
}

async fn insert_acts(connection: &mut AnyConnection, acts: &[(Place, &LedgerRecord)]) -> Result<(), StoreError> {
    let rows: Vec<(Place, ActRow<'_>)> = acts
        .iter()
        .filter_map(|(place, record)| Some((*place, act_row(record)?)))
        .collect();
    ACTS.run(connection, &rows, |query, (place, row)| {
        query
            .bind(place.seq.as_i64())
            .bind(place.number)
            .bind(row.act.to_owned())
            .bind(storable(row.letter))
            .bind(row.job.clone())
            .bind(row.event.clone())
            .bind(storable(row.by))
            .bind(row.why.map(storable))
            .bind(row.at.as_millis())
    })
    .await?;
    Ok(())
}

const UNREADABLE: Bulk = Bulk {
    before: "INSERT INTO unreadable_records (seq, place, error, bytes) VALUES ",
    after: "",
    columns: 4,
};

async fn insert_unreadable(connection: &mut AnyConnection, changes: &Changes<'_>) -> Result<(), StoreError> {
    UNREADABLE
        .run(connection, &changes.unreadable, |query, (place, record)| {
            query
                .bind(place.seq.as_i64())
                .bind(place.number)
                .bind(storable(&record.error))
                .bind(record.bytes.clone())
        })
        .await?;
    Ok(())
}
