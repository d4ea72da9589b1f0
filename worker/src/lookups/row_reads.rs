//! The rows of many jobs, read with one call: Baserow lists two hundred rows in the time of three
//! single reads.
//!
//! **How.** The first job that needs its row lists the rows of all jobs of its table that this
//! process has leased ([`Roster`]): by their page's id, which the bridge has written into them, or
//! as rows without one. The others find theirs when they begin.
//!
//! **Properties.**
//! 1. What serves a job was read after the job was leased: a later change is told by an event,
//!    which marks the job dirty, and it runs again.
//! 2. Each row is what Baserow answered, whatever the list was asked for: a filter that Baserow
//!    ignores costs a call, and no wrong row.
//! 3. A row that the list lacks is read by itself, and so are all where lists do not help. A list
//!    that fails where single reads may work costs no job its attempt.
//!
//! [`Roster`]: passerelle_queue::Roster

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use passerelle_model::id::{PageId, RowId, RowKey, Slot, TableId};
use passerelle_model::ledger::FailureClass;
use passerelle_queue::RosterEntry;
use tokio::time::timeout;

use crate::clients::baserow::{OfPages, is_the_lists_own};
use crate::clients::guard::is_let_through;
use crate::clients::lease::lease_of_this_task;
use crate::content::row::Row;
use crate::context::Context;
use crate::failure::Failure;
use crate::journal::Journal;

/// Fewer rows are read one by one.
const LEAST: usize = 3;
/// Most rows that one call asks for by their page's id: the address of the call has its limits.
const MOST_NAMED: usize = 20;
/// Most jobs whose pages are looked up for one call.
const MOST_LOOKED_UP: usize = 2 * MOST_NAMED;
/// What was read longer ago is read again: jobs may wait long in the buffer of a worker.
const FRESH: Duration = Duration::from_secs(10);
/// A list that takes longer is not waited for by other jobs, unless single reads are slow, too.
const SLOW: Duration = Duration::from_secs(2);
/// A list may take as long as so many single reads: it is worth that many.
const SINGLE_READS: u32 = 3;
/// However slow single reads are, a list is not waited for longer.
const SLOWEST: Duration = Duration::from_secs(5);
/// A list that takes so many times longer is given up.
const GIVEN_UP_AFTER: u32 = 3;
/// How long rows are read one by one after a list that lacked them, that was slow, or that failed.
const USELESS_FOR: Duration = Duration::from_mins(1);
/// The same after a slow list where nobody knows how long a single read takes: until somebody does.
const UNKNOWN_FOR: Duration = Duration::from_secs(5);
/// The same after a list that Baserow refused, or that was too long.
const REFUSED_FOR: Duration = Duration::from_mins(10);

/// What was read for leased jobs.
#[derive(Debug)]
pub(crate) struct RowReads {
    tables: Mutex<HashMap<TableId, Arc<TableReads>>>,
    /// How long jobs wait for a list that another one reads.
    patience: Duration,
}

impl Default for RowReads {
    fn default() -> Self {
        Self {
            tables: Mutex::default(),
            patience: SLOW,
        }
    }
}

#[derive(Debug, Default)]
struct TableReads {
    /// Held by the job that lists. Until when lists are of no use.
    turn: tokio::sync::Mutex<Option<Instant>>,
    known: Mutex<Known>,
    /// How long the latest read of a single row took.
    single: Mutex<Option<Duration>>,
}

/// What is known of the rows of leased jobs, by the numbers of the jobs.
#[derive(Debug, Default)]
struct Known(BTreeMap<u64, Read>);

#[derive(Debug)]
enum Read {
    /// It waits for its job; since when.
    Ready(Instant, Box<Row>),
    /// Its job has it, or reads it alone.
    Done,
}

impl Known {
    /// The row of a job, once, if it was read. What the job needs later, it reads alone.
    fn take(&mut self, job: u64) -> Option<Row> {
        match self.0.insert(job, Read::Done) {
            Some(Read::Ready(read, row)) if read.elapsed() < FRESH => Some(*row),
            _ => None,
        }
    }

    /// The jobs whose rows nobody has read. What is known of jobs that are leased no more is
    /// forgotten.
    fn unread(&mut self, leased: &BTreeMap<u64, RowId>) -> BTreeMap<u64, RowId> {
        self.0.retain(|job, _| leased.contains_key(job));
        let is_unread = |job: &u64| !self.0.contains_key(job);
        leased
            .iter()
            .filter(|(job, _)| is_unread(job))
            .map(|(job, row)| (*job, *row))
            .collect()
    }

    /// Keeps rows for the jobs that were leased when the read began; says for how many.
    fn keep(&mut self, began: Instant, asked: &BTreeMap<u64, RowId>, rows: &[Row]) -> usize {
        let mut kept = 0;
        for (job, id) in asked {
            if let Some(row) = rows.iter().find(|row| row.id() == *id) {
                let ready = || Read::Ready(began, Box::new(row.clone()));
                self.0.entry(*job).or_insert_with(ready);
                kept += 1;
            }
        }
        kept
    }
}

impl TableReads {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn single(&self) -> MutexGuard<'_, Option<Duration>> {
        self.single.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long a list is waited for: Baserow may be slow as a whole, and then lists help most.
    fn patience(&self, least: Duration) -> Duration {
        let single = self.single().unwrap_or_default();
        least.max((single * SINGLE_READS).min(SLOWEST))
    }

    /// How long lists are of no use after one that took so long.
    fn useless_for(&self, took: Duration, least: Duration) -> Option<Duration> {
        let is_slow = took > self.patience(least);
        is_slow.then(|| {
            if self.single().is_some() {
                USELESS_FOR
            } else {
                UNKNOWN_FOR
            }
        })
    }
}

impl RowReads {
    fn of(&self, table: TableId) -> Arc<TableReads> {
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(tables.entry(table).or_default())
    }
}

/// How long lists are of no use after one failed; `None` if single reads would fail alike.
fn useless_for(failure: &Failure) -> Option<Duration> {
    let is_refused = failure.class == FailureClass::Permanent;
    is_the_lists_own(failure).then_some(if is_refused { REFUSED_FOR } else { USELESS_FOR })
}

/// The rows of a table among leased jobs, by the numbers of the jobs.
fn of_table(entry: &RosterEntry, table: TableId) -> BTreeMap<u64, RowId> {
    let all = entry.all().into_iter();
    all.filter_map(|(number, job)| Some((number, job.row().filter(|row| row.table == table)?.row)))
        .collect()
}

impl Context {
    /// Lets jobs wait so long for a list that another one reads: two seconds, unless this is called.
    pub fn wait_for_lists(&mut self, patience: Duration) {
        self.row_reads = Arc::new(RowReads {
            patience,
            ..RowReads::default()
        });
    }

    /// The row of the job that this task works at; `None` if it does not exist or is in the trash.
    /// `page_id` is the field that has the ids of pages, if the rule names one.
    pub(crate) async fn row_of_job(
        &self,
        journal: &mut Journal,
        key: RowKey,
        page_id: Option<&str>,
    ) -> Result<Option<Row>, Failure> {
        let lease = lease_of_this_task();
        // A job that stopped gates let through reads alone: it speaks for itself.
        let lease = lease.filter(|_| !is_let_through());
        let entry = lease.as_ref().and_then(|lease| lease.entry());
        if let (Some(page_id), Some(entry)) = (page_id, entry)
            && let Some(row) = self.read_with_others(journal, key, page_id, entry).await?
        {
            return self.described_row(journal, key.table, row).await;
        }
        let began = Instant::now();
        let row = self.row(journal, key).await?;
        *self.row_reads.of(key.table).single() = Some(began.elapsed());
        Ok(row)
    }

    /// The row of a job among those that were read together; `None`: it is to be read alone.
    async fn read_with_others(
        &self,
        journal: &mut Journal,
        key: RowKey,
        page_id: &str,
        entry: &RosterEntry,
    ) -> Result<Option<Row>, Failure> {
        let reads = self.row_reads.of(key.table);
        let served = |journal: &mut Journal| {
            let row = reads.known().take(entry.number())?;
            journal.note("read_row", "with the rows of other jobs");
            Some(row)
        };
        let is_ready = reads.known().0.contains_key(&entry.number());
        if is_ready {
            return Ok(served(journal));
        }
        let patience = reads.patience(self.row_reads.patience);
        let Ok(mut useless) = timeout(patience, reads.turn.lock()).await else {
            // It may have come just now.
            return Ok(served(journal));
        };
        let asked = {
            let mut known = reads.known();
            let asked = known.unread(&of_table(entry, key.table));
            if !asked.contains_key(&entry.number())
                || asked.len() < LEAST
                || useless.is_some_and(|until| Instant::now() < until)
            {
                drop(known);
                drop(useless);
                return Ok(served(journal));
            }
            asked
        };
        let began = Instant::now();
        let listed = self.list_rows_of(journal, key.table, page_id, &asked).await;
        let rows = match listed {
            Ok(rows) => rows,
            Err(failure) => {
                let wait = useless_for(&failure).ok_or(failure)?;
                *useless = Some(Instant::now() + wait);
                Vec::new()
            }
        };
        let mut known = reads.known();
        let lacks = known.keep(began, &asked, &rows) < LEAST;
        let slow = reads.useless_for(began.elapsed(), self.row_reads.patience);
        if let Some(wait) = lacks.then_some(USELESS_FOR).or(slow) {
            *useless = (*useless).max(Some(Instant::now() + wait));
        }
        Ok(known.take(entry.number()))
    }

    /// Lists these rows, as far as one call can name them.
    async fn list_rows_of(
        &self,
        journal: &mut Journal,
        table: TableId,
        page_id: &str,
        asked: &BTreeMap<u64, RowId>,
    ) -> Result<Vec<Row>, Failure> {
        let mut pages: Vec<PageId> = Vec::new();
        let mut has_new = false;
        for row in asked.values().take(MOST_LOOKED_UP) {
            if pages.len() == MOST_NAMED {
                break;
            }
            let link = self.store.link(RowKey { table, row: *row }, &Slot::page()).await?;
            match link {
                Some(link) => pages.push(link.page),
                None => has_new = true,
            }
        }
        let fields = self.tables.fields(&self.baserow, journal, table).await?;
        let wanted = OfPages {
            table,
            field: fields.present(page_id),
            pages: &pages,
            or_none: has_new,
            patience: self.row_reads.of(table).patience(self.row_reads.patience) * GIVEN_UP_AFTER,
        };
        self.baserow.rows_of_pages(journal, wanted).await
    }
}

#[cfg(test)]
mod tests;
