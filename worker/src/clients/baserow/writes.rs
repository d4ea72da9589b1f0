//! Writes to rows, many in one call: Baserow takes 0.12 s for fifty rows of a batch, and 0.05 s for
//! each alone.
//!
//! **How.** A write that comes while a call for its table is under way waits for that call, and
//! then goes with all others that wait: so a lone write is sent at once, and a burst makes its own
//! batches. A call that is slow is not waited for: what waits goes with another call beside it.
//!
//! **Properties.**
//! 1. Each write has its own answer: a row that Baserow does not take spoils no other. Baserow
//!    refuses a batch as a whole, or answers 500; then each of its rows is written alone.
//! 2. A write whose job was given up, or whose lease is over, is not sent, unless it is on its way.
//! 3. A job that stopped gates let through writes alone: it speaks for itself.
//! 4. Two writes of one row are never on their way at once.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::stream::{self, FuturesUnordered, StreamExt as _};
use passerelle_model::id::{RowId, RowKey, TableId};
use passerelle_model::ledger::FailureClass;
use passerelle_queue::Lease;
use passerelle_queue::gate::GateName;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::time::sleep;

use super::Baserow;
use super::meaning::{check_echo, row_in, rows_in};
use crate::clients::guard::is_let_through;
use crate::clients::lease::{check, lease_of_this_task};
use crate::failure::{Failure, Target};
use crate::journal::Journal;

/// Most rows of one batch: Baserow's own limit.
const MOST_ROWS: usize = 200;
/// Rows of a refused batch that are written at once.
const AT_ONCE: usize = 4;
/// What waits is not held up by a call that takes longer.
const SLOW: Duration = Duration::from_secs(1);
/// Most calls for one table at once, while they are slow.
const MOST_CALLS: usize = 4;
const OPTIONS: &str = "user_field_names=true&send_webhook_events=false";

/// The writes that wait for a call of their table to end.
#[derive(Debug, Default)]
pub(super) struct Writes {
    /// A table is in it while a task sends its writes.
    tables: Mutex<HashMap<TableId, Pending>>,
}

/// The writes of one table.
#[derive(Debug, Default)]
struct Pending {
    waiting: VecDeque<Waiting>,
    /// The rows whose writes are on their way.
    sent: HashSet<RowId>,
}

#[derive(Debug)]
struct Waiting {
    row: RowId,
    fields: BTreeMap<String, String>,
    lease: Option<Lease>,
    job: oneshot::Sender<Written>,
}

/// What became of a write.
#[derive(Debug)]
struct Written {
    /// The call that it was sent with.
    request: String,
    result: Result<(), Failure>,
}

impl Waiting {
    /// The write, if its job still waits for it and may still write. The task that sends it has no
    /// lease of its own.
    fn if_wanted(self, table: TableId) -> Option<Self> {
        if self.job.is_closed() {
            return None;
        }
        let Err(failure) = check(self.lease.as_ref()) else {
            return Some(self);
        };
        let key = RowKey { table, row: self.row };
        self.answer(&unsent(key), Err(failure));
        None
    }

    /// Without effect if the job was given up meanwhile.
    fn answer(self, request: &str, result: Result<(), Failure>) {
        let request = request.to_owned();
        let _ = self.job.send(Written { request, result });
    }
}

/// As the journal shows a write that was not sent.
fn unsent(key: RowKey) -> String {
    format!("PATCH baserow rows/table/{}/{}/", key.table, key.row)
}

impl Writes {
    /// Adds a write. True if no task sends the writes of its table: the caller has to start one.
    fn push(&self, table: TableId, write: Waiting) -> bool {
        let mut tables = self.locked();
        let is_first = !tables.contains_key(&table);
        tables.entry(table).or_default().waiting.push_back(write);
        is_first
    }

    /// The writes that go next, each of another row. The turn is over when none waits and none is
    /// on its way.
    fn next(&self, table: TableId) -> Option<Vec<Waiting>> {
        let mut tables = self.locked();
        let Pending { waiting, sent } = tables.get_mut(&table)?;
        let (mut batch, mut later) = (Vec::new(), VecDeque::new());
        for write in waiting.drain(..).filter_map(|write| write.if_wanted(table)) {
            if batch.len() < MOST_ROWS && sent.insert(write.row) {
                batch.push(write);
            } else {
                later.push_back(write);
            }
        }
        *waiting = later;
        if sent.is_empty() {
            tables.remove(&table);
        }
        (!batch.is_empty()).then_some(batch)
    }

    /// These rows may be written again.
    fn came_back(&self, table: TableId, rows: &[RowId]) {
        if let Some(pending) = self.locked().get_mut(&table) {
            pending.sent.retain(|row| !rows.contains(row));
        }
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<TableId, Pending>> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The turn of a task at the writes of a table. If it panics or is dropped, the waiting writes
/// fail, and the next one begins a new turn.
struct Turn<'a> {
    writes: &'a Writes,
    table: TableId,
    is_over: bool,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.writes.locked().remove(&self.table);
        }
    }
}

impl Baserow {
    /// Writes fields of a row without calling a webhook, and checks that Baserow really took them.
    pub async fn write(
        &self,
        journal: &mut Journal,
        key: RowKey,
        fields: &BTreeMap<&str, String>,
    ) -> Result<(), Failure> {
        let began = Instant::now();
        let owned = fields.iter();
        let fields = owned.map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let written = if is_let_through() {
            self.write_alone(key, &fields).await
        } else {
            self.write_with_others(key, fields).await
        };
        let Written { request, result } = written;
        journal.call("write_back", request, began, &result);
        result
    }

    async fn write_alone(&self, key: RowKey, fields: &BTreeMap<String, String>) -> Written {
        let path = format!("rows/table/{}/{}/?{OPTIONS}", key.table, key.row);
        let request = self.request(Method::PATCH, &path).json(fields);
        let result = self.send(GateName::BaserowWrite, request).await;
        Written {
            request: format!("PATCH baserow {path}"),
            result: result.and_then(|answer| check_echo(&answer, &row_in(&answer)?, fields)),
        }
    }

    async fn write_with_others(&self, key: RowKey, fields: BTreeMap<String, String>) -> Written {
        let failed = |failure| Written {
            request: unsent(key),
            result: Err(failure),
        };
        // The job's own lease and the gate are asked here, in the job's own task.
        if let Err(failure) = self.guard.admit(GateName::BaserowWrite).await {
            return failed(failure);
        }
        let (job, written) = oneshot::channel();
        let write = Waiting {
            row: key.row,
            fields,
            lease: lease_of_this_task(),
            job,
        };
        if self.writes.push(key.table, write) {
            tokio::spawn(self.clone().write_waiting(key.table));
        }
        written.await.unwrap_or_else(|_| {
            let message = "the task that sends the writes of its table ended; whether this one was sent is not known";
            failed(Failure::new(FailureClass::Transient, Target::Bridge, message))
        })
    }

    /// Sends what waits for this table, until nothing does.
    async fn write_waiting(self, table: TableId) {
        let mut turn = Turn {
            writes: &self.writes,
            table,
            is_over: false,
        };
        let mut calls = FuturesUnordered::new();
        loop {
            if calls.len() < MOST_CALLS
                && let Some(batch) = self.writes.next(table)
            {
                calls.push(self.write_and_come_back(table, batch));
            }
            if calls.is_empty() {
                break;
            }
            tokio::select! {
                _ = calls.next() => {}
                () = sleep(SLOW), if calls.len() < MOST_CALLS => {}
            }
        }
        turn.is_over = true;
    }

    async fn write_and_come_back(&self, table: TableId, batch: Vec<Waiting>) {
        let rows: Vec<RowId> = batch.iter().map(|write| write.row).collect();
        self.write_batch(table, batch).await;
        self.writes.came_back(table, &rows);
    }

    async fn write_batch(&self, table: TableId, batch: Vec<Waiting>) {
        if batch.len() == 1 {
            return self.write_each(table, batch).await;
        }
        let items: Vec<Value> = batch.iter().map(as_item).collect();
        let path = format!("rows/table/{table}/batch/?{OPTIONS}");
        let request = self.request(Method::PATCH, &path).json(&json!({ "items": items }));
        let answer = self.send(GateName::BaserowWrite, request).await;
        let request = format!("PATCH baserow {path} ({} rows)", batch.len());
        match answer.and_then(|answer| rows_in(&answer)) {
            Ok(rows) => {
                for write in batch {
                    let result = match rows.iter().find(|(row, _)| row.id() == write.row) {
                        Some((row, answer)) => check_echo(answer, row, &write.fields),
                        None => Err(Failure::new(
                            FailureClass::Transient,
                            Target::Baserow,
                            "the answer to a batch lacks the row",
                        )),
                    };
                    write.answer(&request, result);
                }
            }
            // One of the rows is to blame, and the answer does not say which.
            Err(failure) if may_be_a_rows(&failure) => self.write_each(table, batch).await,
            Err(failure) => batch
                .into_iter()
                .for_each(|write| write.answer(&request, Err(failure.clone()))),
        }
    }

    async fn write_each(&self, table: TableId, batch: Vec<Waiting>) {
        let writes = stream::iter(batch);
        let each = writes.for_each_concurrent(AT_ONCE, async |write| {
            let Some(write) = write.if_wanted(table) else { return };
            let key = RowKey { table, row: write.row };
            let Written { request, result } = self.write_alone(key, &write.fields).await;
            write.answer(&request, result);
        });
        each.await;
    }
}

/// Whether one of the rows may be to blame: Baserow refuses what the call says, or breaks over it.
fn may_be_a_rows(failure: &Failure) -> bool {
    let is_refused = matches!(failure.class, FailureClass::Permanent | FailureClass::Gone);
    (is_refused && !failure.breaks_rule) || failure.status == Some(500)
}

fn as_item(write: &Waiting) -> Value {
    let mut item: serde_json::Map<String, Value> = write
        .fields
        .iter()
        .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
        .collect();
    item.insert("id".to_owned(), Value::from(write.row.get()));
    Value::Object(item)
}
