//! Which entries of a batch the store has already. None, as a rule: the position says what was
//! read. But a Redis that lost its latest entries is read from its beginning, and its clock may
//! have been behind: then the same entry comes again, or another one under the same id.

use std::collections::{HashMap, HashSet};

use sqlx::{AnyConnection, Row as _};

use super::StoreError;
use super::fold::Placed;
use passerelle_model::ledger::{LedgerEntry, LedgerRecord, UnreadableRecord};

/// Everything that has a place in the ledger, with what tells one fact from another.
const KNOWN: &str = "SELECT seq, place, delivery_key AS identity FROM events WHERE seq BETWEEN $1 AND $2 \
                     UNION ALL SELECT seq, place, job || ' ' || CAST(started AS TEXT) FROM attempts WHERE seq BETWEEN $1 AND $2 \
                     UNION ALL SELECT seq, place, job || ' ' || CAST(at AS TEXT) FROM operator_acts WHERE seq BETWEEN $1 AND $2 \
                     UNION ALL SELECT seq, place, error FROM unreadable_records WHERE seq BETWEEN $1 AND $2";

/// The entries that the store does not have. An id that another entry has used gets places behind
/// those of that one. An entry is in the store as a whole or not at all. One of repetitions alone
/// leaves no trace: it is counted again.
pub(super) async fn unknown<'f>(
    connection: &mut AnyConnection,
    entries: &'f [LedgerEntry],
) -> Result<Vec<Placed<'f>>, StoreError> {
    let seqs = entries.iter().map(|entry| entry.seq.as_i64());
    let (first, last) = (seqs.clone().min().unwrap_or(0), seqs.max().unwrap_or(0));
    let mut known: HashMap<i64, (i64, HashSet<String>)> = HashMap::new();
    let query = sqlx::query(KNOWN).bind(first).bind(last);
    for found in query.fetch_all(connection).await? {
        let (places, identities) = known.entry(found.try_get("seq")?).or_default();
        *places = (*places).max(found.try_get::<i64, _>("place")? + 1);
        identities.insert(found.try_get("identity")?);
    }
    let placed = entries.iter().filter_map(|entry| {
        let Some((places, identities)) = known.get(&entry.seq.as_i64()) else {
            return Some(Placed { entry, first: 0 });
        };
        let is_known = entry
            .records
            .iter()
            .filter_map(identity)
            .any(|fact| identities.contains(&fact));
        (!is_known).then_some(Placed { entry, first: *places })
    });
    Ok(placed.collect())
}

/// As [`KNOWN`] has it; a repetition has none.
fn identity(record: &Result<LedgerRecord, UnreadableRecord>) -> Option<String> {
    Some(match record {
        Ok(LedgerRecord::Accepted(event)) => event.key.to_string(),
        Ok(LedgerRecord::Attempt(attempt)) => format!("{} {}", attempt.job, attempt.started.as_millis()),
        Ok(LedgerRecord::Replayed { job, at, .. } | LedgerRecord::Discarded { job, at, .. }) => {
            format!("{job} {}", at.as_millis())
        }
        Ok(LedgerRecord::Switched { on, at, .. }) => format!("{on} {}", at.as_millis()),
        Ok(LedgerRecord::Duplicate { .. }) => return None,
        Err(unreadable) => super::column::storable(&unreadable.error),
    })
}
