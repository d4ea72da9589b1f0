//! A reconciliation that was started here: its progress, and a way to stop it. The program that
//! serves the console carries it out.

use std::sync::{Mutex, PoisonError};

use actix_web::web::Data;
use passerelle_model::id::TableId;
use passerelle_model::time::Timestamp;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::desk::Desk;
use crate::latest::Work;

/// What a reconciliation covers, and who wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Only this table; `None` for all that have pages.
    pub table: Option<TableId>,
    /// Also rows with a dead letter of the last day.
    pub with_dead: bool,
    /// Nothing is requested: it only shows what differs.
    pub is_plan: bool,
    /// Who wants it.
    pub by: String,
    /// Why; the ledger keeps it with each sync. A plan needs none.
    pub why: Option<String>,
}

/// How far one is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// The table that is compared at the moment.
    pub table: String,
    /// Rows of the table that were compared.
    pub rows: u64,
    /// Rows of the table.
    pub of: u64,
    /// Rows of all tables that differ from their pages.
    pub differ: u64,
    /// Syncs that were requested.
    pub asked: u64,
    /// The first rows that differ.
    pub named: Vec<Difference>,
}

/// A row that differs from its page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The row: `t2/r5`.
    pub row: String,
    /// The rule that wants its page.
    pub rule: String,
    /// How it differs, in one word, as in the JSON of `passerelle reconcile`.
    pub reason: String,
}

/// Why one is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Over {
    Done,
    Stopped,
    Failed(String),
}

/// One, as its page shows it.
#[derive(Debug)]
pub(crate) struct Course {
    pub(crate) wanted: Wanted,
    pub(crate) began: Timestamp,
    stop: CancellationToken,
    progress: Mutex<Progress>,
    over: Mutex<Option<Over>>,
}

impl Work for Course {
    type Over = Over;

    fn end(&self) -> &Mutex<Option<Over>> {
        &self.over
    }

    fn failed(why: String) -> Over {
        Over::Failed(why)
    }
}

impl Course {
    /// Starts one, unless one goes on. Says whether it did.
    pub(crate) fn start(desk: &Data<Desk>, wanted: Wanted) -> bool {
        let course = Self {
            wanted,
            began: Timestamp::now(),
            stop: CancellationToken::new(),
            progress: Mutex::default(),
            over: Mutex::default(),
        };
        let place = desk.clone();
        desk.courses
            .start(course, |course| async move { course.run(&place).await })
    }

    pub(crate) fn progress(&self) -> Progress {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn stop(&self) {
        self.stop.cancel();
    }

    async fn run(&self, desk: &Desk) -> Over {
        let tell = |progress| *self.progress.lock().unwrap_or_else(PoisonError::into_inner) = progress;
        match desk.rules.reconcile(&self.wanted, &tell, &self.stop).await {
            Err(why) => Over::Failed(why),
            Ok(()) if self.stop.is_cancelled() => Over::Stopped,
            Ok(()) => Over::Done,
        }
    }
}
