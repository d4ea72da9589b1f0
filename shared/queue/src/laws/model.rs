//! The steps of a history, and what ought to come of them.

use crate::{CrashPolicy, RunNow};
use passerelle_model::event::{EventKind, NewEvent, OwnEvent};
use passerelle_model::id::{InvalidId, JobKey, RowId, RowKey, TableId};
use passerelle_model::ledger::{FailureClass, FailureRecord, Settlement, Verdict};
use passerelle_model::outcome::Outcome;
use passerelle_model::time::Timestamp;
use proptest::prelude::*;
use std::collections::BTreeMap;

pub(super) const ROWS: u64 = 3;
/// Longer than any history takes: time passes only where a step says so.
pub(super) const CRASHES: CrashPolicy = CrashPolicy::of_seconds(3_600, 3_600);
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// Deliver events of rows, each with its number, in one call.
    Accept {
        events: Vec<(u64, u8)>,
        repeat: bool,
    },
    Fetch {
        most: usize,
        repeat: bool,
    },
    /// End the jobs of rows, in one call.
    Settle {
        ends: Vec<(u64, End)>,
        again: Again,
    },
    /// The worker of this row's job vanishes.
    Vanish {
        row: u64,
    },
    /// A worker that lost its lease settles all the same.
    SettleLost,
    /// Time passes: everything that waits is due.
    Wait,
    Replay,
    Discard,
    /// What Redis has by now is on its disk.
    Sync,
    /// A power cut: Redis has what was on its disk, and all processes are gone.
    PowerCut,
    /// An operator has the row's job run now.
    RunNow {
        row: u64,
        repeat: bool,
    },
}

/// Who settles once more what was settled.
#[derive(Debug, Clone, Copy)]
pub(super) enum Again {
    Nobody,
    /// The same call, because its answer was lost.
    SameCall,
    /// Another caller, who believes that the jobs are its own.
    OtherCaller,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum End {
    Done,
    Retry,
    Hold,
    Bury,
    Return,
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let row = || 1..=ROWS;
    let end = prop_oneof![
        3 => Just(End::Done), 2 => Just(End::Retry), 1 => Just(End::Hold), 1 => Just(End::Bury), 1 => Just(End::Return)
    ];
    let events = prop::collection::vec((row(), 0..40_u8), 1..4);
    let ends = prop::collection::vec((row(), end), 1..4);
    let again = prop_oneof![Just(Again::Nobody), Just(Again::SameCall), Just(Again::OtherCaller)];
    prop_oneof![
        6 => (events, any::<bool>()).prop_map(|(events, repeat)| Step::Accept { events, repeat }),
        4 => (1_usize..4, any::<bool>()).prop_map(|(most, repeat)| Step::Fetch { most, repeat }),
        6 => (ends, again).prop_map(|(ends, again)| Step::Settle { ends, again }),
        2 => row().prop_map(|row| Step::Vanish { row }),
        1 => Just(Step::SettleLost),
        2 => Just(Step::Wait),
        1 => Just(Step::Replay),
        1 => Just(Step::Discard),
        1 => Just(Step::Sync),
        1 => Just(Step::PowerCut),
        2 => (row(), any::<bool>()).prop_map(|(row, repeat)| Step::RunNow { row, repeat }),
    ]
}

/// Where a row's job ought to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Ready,
    Running { is_dirty: bool },
    Waiting { is_kept: bool },
}

#[derive(Debug, Clone, Default)]
pub(super) struct Model {
    pub(super) jobs: BTreeMap<u64, (Place, u32, u32)>,
    pub(super) seen: Vec<(u64, u8)>,
    /// Deliveries that were answered.
    pub(super) answered: u64,
    /// How often each row has died since its first letter that nobody has replayed or discarded.
    pub(super) dead: BTreeMap<u64, u32>,
}

impl Model {
    pub(super) fn news(&mut self, row: u64) {
        let job = self.jobs.entry(row).or_insert((Place::Ready, 0, 0));
        job.0 = match job.0 {
            Place::Running { .. } => Place::Running { is_dirty: true },
            Place::Waiting { is_kept: true } => job.0,
            Place::Waiting { is_kept: false } | Place::Ready => Place::Ready,
        };
    }

    /// A requested sync ends a hold; what crashed waits all the same.
    pub(super) fn request(&mut self, row: u64) {
        self.news(row);
        if let Some((place @ Place::Waiting { .. }, _, 0)) = self.jobs.get_mut(&row) {
            *place = Place::Ready;
        }
    }

    /// Only a job that waits for its time is changed.
    pub(super) fn run_now(&mut self, row: u64) -> RunNow {
        match self.jobs.get_mut(&row).map(|(place, ..)| place) {
            None => RunNow::Gone,
            Some(Place::Running { .. }) => RunNow::Running,
            Some(Place::Ready) => RunNow::WasReady,
            Some(place @ Place::Waiting { .. }) => {
                *place = Place::Ready;
                RunNow::Ready
            }
        }
    }

    pub(super) fn end(&mut self, row: u64, end: End) {
        let Some((Place::Running { is_dirty }, attempts, crashes)) = self.jobs.remove(&row) else {
            return;
        };
        let next = match end {
            End::Done | End::Bury => is_dirty.then_some((Place::Ready, 0, 0)),
            End::Retry if is_dirty => Some((Place::Ready, attempts + 1, 0)),
            End::Retry => Some((Place::Waiting { is_kept: false }, attempts + 1, 0)),
            End::Hold => Some((Place::Waiting { is_kept: true }, attempts, 0)),
            End::Return => Some((Place::Ready, attempts, crashes)),
        };
        if matches!(end, End::Bury) {
            self.bury(row);
        }
        self.jobs.extend(next.map(|job| (row, job)));
    }

    fn bury(&mut self, row: u64) {
        *self.dead.entry(row).or_default() += 1;
    }

    pub(super) fn vanish(&mut self, row: u64) {
        let Some((Place::Running { is_dirty }, attempts, crashes)) = self.jobs.remove(&row) else {
            return;
        };
        let next = if crashes == 2 {
            self.bury(row);
            is_dirty.then_some((Place::Ready, 0, 0))
        } else {
            Some((Place::Waiting { is_kept: true }, attempts, crashes + 1))
        };
        self.jobs.extend(next.map(|job| (row, job)));
    }
}
/// The rows are of two tables, which are served in turn.
pub(super) fn row_of(row: u64) -> Result<RowKey, InvalidId> {
    Ok(RowKey {
        table: TableId::new(1 + row % 2)?,
        row: RowId::new(row)?,
    })
}

pub(super) fn updated(row: RowKey, name: &str) -> Result<NewEvent, InvalidId> {
    let (source, kind, payload) = ("test", EventKind::Updated, Vec::new());
    OwnEvent {
        source,
        name,
        kind,
        payload,
    }
    .asking_for([JobKey::Row(row)])
}

pub(super) fn settlement(end: End) -> Settlement {
    let failure = FailureRecord {
        class: FailureClass::Transient,
        target: "docmost".to_owned(),
        message: "503".to_owned(),
        status: None,
        body: None,
    };
    let verdict = match end {
        End::Done => Verdict::Done(Outcome::Synced),
        End::Retry => Verdict::Retry {
            after_ms: 3_600_000,
            failure,
        },
        End::Hold => Verdict::Hold {
            after_ms: 3_600_000,
            failure,
        },
        End::Bury => Verdict::Bury {
            reason: "permanent".to_owned(),
            failure,
        },
        End::Return => Verdict::GiveBack,
    };
    Settlement {
        verdict,
        steps: Vec::new(),
        started: Timestamp::now(),
    }
}
