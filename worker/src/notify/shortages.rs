//! People who have too few hours left: the admin is told of each once, until there are enough again
//! (B4, B10).

use passerelle_model::config::CapacityAction;
use passerelle_model::event::EventKind;
use passerelle_model::id::RowKey;
use passerelle_model::job::Job;
use passerelle_model::time::Timestamp;
use serde_json::json;

use super::event_notices::EventNotices;
use crate::clients::baserow::Table;
use crate::content::notice::{Audience, Notice, NoticeKind};
use crate::content::row::Row;
use crate::context::Context;
use crate::failure::Failure;
use crate::journal::Journal;
use crate::outbox::notice_key;
use crate::rules::{HoursLeft, NoticeRuleAction, Short, Subject};

/// The step under which `trace` shows it.
const STEP: &str = "check_capacity";

impl EventNotices<'_, '_> {
    /// Stores a notice to the admin for each person who has too few hours left, unless the admin
    /// knows. Returns how many this event caused.
    pub(super) async fn of_shortages(
        mut self,
        capacity: &CapacityAction,
        subject: Option<&Subject<'_>>,
    ) -> Result<usize, Failure> {
        let mut posted = 0;
        for key in self.people_now_and_before(&capacity.people).await? {
            if let Some(person) = self.person(key).await? {
                posted += usize::from(self.of_person(capacity, subject, key, &person).await?);
            }
        }
        Ok(posted)
    }

    async fn of_person(
        &mut self,
        capacity: &CapacityAction,
        subject: Option<&Subject<'_>>,
        key: RowKey,
        person: &Row,
    ) -> Result<bool, Failure> {
        let context = self.of.context;
        let about = about(capacity);
        match context.rules.hours_left(capacity, person)? {
            HoursLeft::Unknown => {
                let field = &capacity.hours_left;
                self.journal.note(
                    STEP,
                    format!("{key}: {field:?} holds no number, so nothing is known and nobody is notified"),
                );
                Ok(false)
            }
            HoursLeft::Enough => {
                let was_short = context.store.end_shortage(key, &about).await?;
                let again = if was_short { " again" } else { "" };
                self.journal.note(STEP, format!("{key} has hours left{again}"));
                Ok(false)
            }
            HoursLeft::TooFew(hours) => {
                let began = context
                    .store
                    .begin_shortage(key, &about, &self.event.id, Timestamp::now())
                    .await?;
                if began != self.event.id {
                    self.journal.note(
                        STEP,
                        format!("{key} has too few hours left; the admin knows since event {began}"),
                    );
                    return Ok(false);
                }
                let values = context
                    .rules
                    .shortage(self.rule, capacity, subject, Short { person, hours: &hours })?;
                let name = notice_key(began.as_str(), &["capacity", &about, &key.to_string()])?;
                let notice = Notice::new(name, NoticeKind::CapacityBelowZero, Audience::Admin, values);
                let state = context.outbox.post(&notice, capacity.channel, self.cause()).await?;
                self.journal.note(
                    STEP,
                    format!("{key} has too few hours left; the admin's notice is {}", state.as_str()),
                );
                Ok(true)
            }
        }
    }
}

/// What is looked at of a person, in one word: two rules that look at the same thing tell of it
/// once.
fn about(capacity: &CapacityAction) -> String {
    json!([capacity.hours_left, capacity.below, capacity.channel.as_str()]).to_string()
}

/// Looks again at the people of whom the admin was told: their row has changed, or a row that took
/// hours of somebody was deleted. Whoever has enough hours again is told of when they are gone the
/// next time.
pub async fn look_again(context: &Context, table: &Table, job: &Job, journal: &mut Journal) -> Result<(), Failure> {
    let Some(key) = job.key.row() else { return Ok(()) };
    for rule in context.rules.notices() {
        let NoticeRuleAction::Capacity(capacity) = &rule.action else {
            continue;
        };
        let short = context.store.shortages(&about(capacity)).await?;
        if short.is_empty() {
            continue;
        }
        let hours_came_back =
            job.kinds.contains(EventKind::Deleted) && context.is_table(journal, &rule.table, table).await?;
        for person in short.into_iter().filter(|person| hours_came_back || *person == key) {
            let Some(row) = context.row(journal, person).await? else {
                continue;
            };
            if matches!(context.rules.hours_left(capacity, &row), Ok(HoursLeft::Enough)) {
                context.store.end_shortage(person, &about(capacity)).await?;
                journal.note(STEP, format!("{person} has hours left again"));
            }
        }
    }
    Ok(())
}
