//! Rows whose pages use the row of a job: a client gets a new name, and the pages of its projects follow (B9).
//!
//! Baserow does not announce it: the project has not changed, only the text of its link. So whoever learns of the client asks Baserow for
//! the rows that link to it and wakes each one's own job, as an operator's forced sync would. The page is not touched from here: every row
//! has one job, and only that job writes its page.
//!
//! **Again is no harm.** The woken rows' event is named after the event that woke them, so a repeated attempt is a duplicate.
//!
//! **It cannot go in circles.** A woken row wakes nobody, unless somebody else changed it too: what its own pages show comes from rows at most one
//! link away, and nothing of the row itself has changed.

use passerelle_shared::config::Rule;
use passerelle_shared::event::{DeliveryKey, Disposition, EventKind, Item, NewEvent};
use passerelle_shared::id::{EventId, InvalidId, RowId, RowKey, SourceName, TableId};
use passerelle_shared::job::{EventKinds, Job};
use passerelle_shared::ledger::FailureClass;
use passerelle_shared::time::Timestamp;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::bridge::Bridge;
use crate::clients::baserow::Table;
use crate::failure::{Failure, Target};
use crate::journal::Journal;
use crate::rules::reacts;

/// The source of the events that wake rows, and the beginning of their ids.
const SOURCE: &str = "linked";
/// Most pages of linking rows that are read, 200 rows each; the reconciliation finds the others.
const MOST_PAGES: u32 = 25;

/// Wakes the jobs of all rows whose pages use this row. Says how many; `None` where no rule uses rows of this table.
pub async fn wake(
    bridge: &Bridge,
    table: &Table,
    key: RowKey,
    job: &Job,
    journal: &mut Journal,
) -> Result<Option<usize>, Failure> {
    let mut woken = None;
    for rule in bridge.rules.iter() {
        let Some(dependent) = bridge.tables.known(&rule.table).await else {
            continue;
        };
        for field in rule.links.values() {
            let target = bridge
                .tables
                .linked_table(&bridge.baserow, journal, dependent.id, field)
                .await?;
            if target != Some(table.id) {
                continue;
            }
            let before = woken.unwrap_or_default();
            woken = Some(before);
            if concerns(rule, job) {
                let waking = Waking {
                    bridge,
                    rule,
                    table: dependent.id,
                    field,
                    by: key,
                    because_of: &job.last_event,
                };
                woken = Some(before + waking.rows(journal).await?);
            }
        }
    }
    Ok(woken)
}

/// Whether the rows that link to a job's row have to look at it again.
fn concerns(rule: &Rule, job: &Job) -> bool {
    let is_asked_for = job.kinds.contains(EventKind::Forced) && !was_woken(&job.last_event);
    let updated = EventKinds::of(EventKind::Updated);
    reacts(rule, updated) && (job.kinds.contains(EventKind::Updated) || is_asked_for)
}

fn was_woken(event: &EventId) -> bool {
    event
        .as_str()
        .strip_prefix(SOURCE)
        .is_some_and(|rest| rest.starts_with('-'))
}

/// The rows of one table that link to one row by one field.
struct Waking<'a> {
    bridge: &'a Bridge,
    rule: &'a Rule,
    table: TableId,
    field: &'a str,
    by: RowKey,
    because_of: &'a EventId,
}

impl Waking<'_> {
    async fn rows(&self, journal: &mut Journal) -> Result<usize, Failure> {
        let baserow = &self.bridge.baserow;
        let mut woken = 0;
        for page in 1..=MOST_PAGES {
            let linking = baserow
                .rows_linking(journal, (self.table, self.field), self.by.row, page)
                .await?;
            if !linking.rows.is_empty() {
                woken += linking.rows.len();
                self.accept(page, &linking.rows).await?;
            }
            if !linking.has_more {
                break;
            }
            if page == MOST_PAGES {
                journal.note("wake_rows", format!("only the first {woken} linking rows were woken"));
            }
        }
        if woken > 0 {
            journal.note("wake_rows", format!("{woken} of rule {:?}", self.rule.name));
        }
        Ok(woken)
    }

    async fn accept(&self, page: u32, rows: &[RowId]) -> Result<(), Failure> {
        let event = self
            .event(page, rows)
            .map_err(|error| Failure::unmappable(error.to_string()))?;
        let accepted = self.bridge.queue.accept(event).await;
        accepted
            .map(|_| ())
            .map_err(|error| Failure::new(FailureClass::Transient, Target::Redis, error.to_string()))
    }

    fn event(&self, page: u32, rows: &[RowId]) -> Result<NewEvent, InvalidId> {
        let payload = json!({"because_of": self.because_of, "row": self.by.to_string(), "rule": self.rule.name});
        let cause = Sha256::digest(format!("{payload} {}", self.field));
        let name = hex::encode(cause.get(..16).unwrap_or_default());
        Ok(NewEvent {
            key: DeliveryKey {
                webhook: None,
                event: EventId::parse(&format!("{SOURCE}-{name}"))?,
                batch: u64::from(page),
            },
            source: SourceName::parse(SOURCE)?,
            kind: EventKind::Forced,
            table: Some(self.table),
            received: Timestamp::now(),
            items: rows.iter().map(|row| item(*row)).collect(),
            payload: payload.to_string().into_bytes(),
        })
    }
}

fn item(row: RowId) -> Item {
    Item {
        row: Some(row),
        disposition: Disposition::Sync,
    }
}
