//! Which notices the events of a row cause (B4, B5, B10), and how notices are delivered.
//!
//! **Why this looks at events and not only at the row.** A sync is level-triggered: ten events of a
//! row are one look. A notice is edge-triggered: "you were given a course" belongs to one event. So
//! the job of a row with notice rules looks up the open events that it answers for, as the ledger
//! has them, and asks each rule about each event.
//!
//! - **Once per event, row and person, or shortage.** A notice to the admin is named after the event, one to a
//!   linked person after row and person, one of a shortage after the event that it began with. A repeated attempt,
//!   or a second webhook, finds it stored.
//! - **The ledger may be late.** The job was accepted through Redis; its events are read from SQL.
//!   If they are not there yet, this worker writes them there itself. If even that takes too long,
//!   the job is held for a moment, which costs no attempt.
//! - **To whom.** A payload is a snapshot, and is believed in one thing alone: which rows were
//!   linked *before* an update. Everything that a notice says is read from Baserow.

pub mod broken_rule;
pub mod dead_budget;
pub mod deliver;
mod event_notices;
pub mod incidents;
pub(crate) mod ledger;
pub mod mail_cap;
mod newly_linked;
mod row_notices;
mod shortages;

use passerelle_model::job::{EventKinds, Job};

pub use row_notices::RowNotices;
pub use shortages::look_again;

use crate::clients::baserow::Table;
use crate::context::Context;
use crate::failure::Failure;
use crate::journal::Journal;
use crate::rules::NoticeRule;

/// What came of the notice rules of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notified {
    /// No notice rule watches these events.
    NoRule,
    /// No notice was due.
    Nothing,
    /// Notices are stored, by this attempt or an earlier one.
    Something,
}

/// The notice rules that react to the events of a job.
pub async fn rules_for<'a>(
    context: &'a Context,
    table: &Table,
    job: &Job,
    journal: &mut Journal,
) -> Result<Vec<&'a NoticeRule>, Failure> {
    let hears = |rule: &NoticeRule, kinds: EventKinds| kinds.iter().any(|kind| rule.hears(kind));
    let mut rules = Vec::new();
    for rule in context.rules.notices() {
        if context.is_table(journal, &rule.table, table).await? {
            rules.push(rule);
        }
    }
    if rules.iter().any(|rule| !hears(rule, job.kinds)) {
        let kinds = job.kinds | lost_kinds(context, job).await?;
        rules.retain(|rule| hears(rule, kinds));
    }
    Ok(rules)
}

/// The kinds of open events that the job closes although they are none of its own: Redis has lost
/// theirs. Whatever job of the row comes first answers for them. None where the store may be an
/// older copy: it does not know which notices were sent.
async fn lost_kinds(context: &Context, job: &Job) -> Result<EventKinds, Failure> {
    let none = EventKinds::default();
    let Some(row) = job.key.row() else { return Ok(none) };
    if job.kinds.has_all(context.store.open_kinds(row, job.covers).await?) {
        return Ok(none);
    }
    // Their end may be on its way into the store, and so is what shows that it is an older copy.
    ledger::reach_present(context).await?;
    if !context.store.is_whole().await? {
        return Ok(none);
    }
    Ok(context.store.open_kinds(row, job.covers).await?)
}
