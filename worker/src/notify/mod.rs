//! What people are told of a row's events (B4, B5, B10).
//!
//! **Why this looks at events and not only at the row.** A sync is level-triggered: ten events of a row are one look. A notice is edge-triggered:
//! "you were given a course" belongs to one event. So the job of a row with such rules looks up the open events that it answers for, as the
//! ledger has them, and asks each rule about each event.
//!
//! **Once per event.** A notice is named after event, rule and person: the attempt may be repeated, the delivery may come by two webhooks.
//! **The ledger may be late.** The job was accepted through Redis, the events are read from SQL. If they are not there yet, this worker
//! carries them over itself; if even that takes too long, the job is held for a moment, which costs no attempt.
//! **Whom.** Payloads are snapshots, and are believed in one thing alone: which rows were linked *before* an update. Everything that is said is read
//! from Baserow.

pub mod dead_budget;
pub mod deliver;
pub mod incidents;
pub mod people;

use std::collections::BTreeMap;
use std::time::Duration;

use passerelle_model::config::{CapacityAction, LinkedPeople, NoticeAction};
use passerelle_model::id::RowKey;
use passerelle_model::job::Job;
use passerelle_model::ledger::FailureClass;
use passerelle_store::{Intake, PendingEvent, take_ledger};

use crate::clients::baserow::Table;
use crate::content::row::Row;
use crate::context::Context;
use crate::failure::{Failure, Target};
use crate::journal::Journal;
use crate::lookups::tables::is_table;
use crate::outbox::notice::{Audience, Notice, NoticeKind, Recipient, TemplateName};
use crate::outbox::{Cause, notice_key};
use crate::rules::{NoticeRule, NoticeRuleAction, Saying, Subject};
use crate::sync::linked_rows::{JobRows, Linking};

/// Events that are read at once: a body may have megabytes.
const EVENTS_AT_ONCE: u32 = 20;
/// Steps by which one attempt carries the ledger over, of so many entries each.
const CARRIED_STEPS: usize = 10;
const CARRIED_ENTRIES: usize = 500;
/// How long a job waits for a ledger that is far behind.
const LEDGER_WAIT: Duration = Duration::from_millis(250);

/// What came of the rules that tell people something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// No such rule watches these events.
    NoRule,
    /// There was nothing to tell.
    Nothing,
    /// People are told, or had been told by an earlier attempt.
    Something,
}

/// The rules that tell people something of these events.
pub fn rules_for<'a>(context: &'a Context, table: &Table, job: &Job) -> Vec<&'a NoticeRule> {
    let of_table = context.rules.notices().filter(|rule| is_table(&rule.table, table));
    of_table
        .filter(|rule| rule.on.iter().any(|kind| job.kinds.contains(*kind)))
        .collect()
}

/// One row's job, as far as people are told of it.
#[derive(Debug, Clone, Copy)]
pub struct Occasion<'a> {
    /// The bridge.
    pub context: &'a Context,
    /// The row's table.
    pub table: &'a Table,
    /// Which row.
    pub key: RowKey,
    /// The row as it is now; `None` if it is not there any more.
    pub row: Option<&'a Row>,
}

/// The rows of people, each read once per attempt.
type Known = BTreeMap<RowKey, Option<Row>>;
/// The linked rows of each rule, for its templates.
type Links = BTreeMap<String, Option<Row>>;

impl Occasion<'_> {
    /// Tells people of the events that a job answers for.
    pub async fn tell(&self, rules: &[&NoticeRule], job: &Job, journal: &mut Journal) -> Result<Told, Failure> {
        if rules.is_empty() {
            return Ok(Told::NoRule);
        }
        self.reach_ledger(job).await?;
        let mut prepared = Vec::with_capacity(rules.len());
        for rule in rules {
            let links = match self.row {
                Some(row) => {
                    let context = self.context;
                    let linking = Linking {
                        context,
                        key: self.key,
                        row,
                    };
                    let mut reader = JobRows { context, journal };
                    linking.shown_rows(&rule.name, &rule.links, &mut reader).await?
                }
                None => Links::new(),
            };
            prepared.push((*rule, links));
        }
        let (mut known, mut after, mut told) = (Known::new(), None, 0);
        loop {
            let span = (after, job.covers);
            let events = self.context.store.pending_events(self.key, span, EVENTS_AT_ONCE).await?;
            let Some(last) = events.last() else { break };
            after = Some(last.at);
            for event in &events {
                for (rule, links) in prepared.iter().filter(|(rule, _)| rule.on.contains(&event.kind)) {
                    told += self.apply(rule, links, event, (&mut known, journal)).await?;
                }
            }
        }
        Ok(if told > 0 { Told::Something } else { Told::Nothing })
    }

    /// Sees to it that the store has the events of the job.
    async fn reach_ledger(&self, job: &Job) -> Result<(), Failure> {
        let (store, queue) = (&self.context.store, &self.context.queue);
        // One process does it once: the others of this process would only compete for the same entries.
        let _turn = self.context.ledger_turn.lock().await;
        for _ in 0..CARRIED_STEPS {
            if store.has_ledger_up_to(job.covers).await? {
                return Ok(());
            }
            let carried = take_ledger(queue, store, CARRIED_ENTRIES).await;
            let carried =
                carried.map_err(|error| Failure::new(FailureClass::Transient, Target::Store, error.to_string()))?;
            if carried == Intake::Empty {
                break;
            }
        }
        let message = "the ledger does not have the events of this job yet";
        Err(Failure::new(FailureClass::Transient, Target::Store, message).after(LEDGER_WAIT))
    }

    async fn apply(
        &self,
        rule: &NoticeRule,
        links: &Links,
        event: &PendingEvent,
        (known, journal): (&mut Known, &mut Journal),
    ) -> Result<usize, Failure> {
        let address = self.context.baserow.row_address(self.table, self.key);
        let subject = self.row.map(|row| Subject {
            key: self.key,
            row,
            links,
            address: &address,
        });
        let telling = Telling {
            occasion: *self,
            rule,
            event,
            known,
            journal,
        };
        match (&rule.action, subject) {
            (NoticeRuleAction::Notice(notice), Some(subject)) => telling.notice(notice, &subject).await,
            (NoticeRuleAction::Notice(_), None) => Ok(0),
            (NoticeRuleAction::Capacity(capacity), subject) => telling.capacity(capacity, subject.as_ref()).await,
        }
    }
}

/// One rule and one event.
struct Telling<'a, 'k> {
    occasion: Occasion<'a>,
    rule: &'a NoticeRule,
    event: &'a PendingEvent,
    known: &'k mut Known,
    journal: &'k mut Journal,
}

impl Telling<'_, '_> {
    async fn notice(mut self, notice: &NoticeAction, subject: &Subject<'_>) -> Result<usize, Failure> {
        let context = self.occasion.context;
        let Some(to) = &notice.to else {
            let saying = context.rules.saying(self.rule, notice, subject, None)?;
            let draft = self.draft(notice, Audience::Admin, saying)?;
            return self.post(draft, notice, None).await;
        };
        let mut told = 0;
        for key in self.people(&to.link, false).await? {
            let Some(person) = self.person(key).await? else {
                continue;
            };
            let saying = context.rules.saying(self.rule, notice, subject, Some(&person))?;
            let (audience, problem) = audience(self.rule, to, &person)?;
            let mut draft = self.draft(notice, audience, saying)?;
            draft.key = self.name(&key.to_string())?;
            told += self.post(draft, notice, problem).await?;
        }
        Ok(told)
    }

    fn draft(&self, notice: &NoticeAction, to: Audience, saying: Saying) -> Result<Notice, Failure> {
        let template = TemplateName::parse(&notice.template).map_err(|error| Failure::unmappable(error.to_string()))?;
        Ok(Notice {
            key: self.name("admin")?,
            kind: NoticeKind::of_template(&template),
            to,
            template,
            values: saying,
        })
    }

    async fn post(&mut self, draft: Notice, notice: &NoticeAction, problem: Option<String>) -> Result<usize, Failure> {
        let outbox = &self.occasion.context.outbox;
        let state = match problem {
            Some(why) => outbox.bury(&draft, notice.channel, (self.cause(), why)).await?,
            None => outbox.post(&draft, notice.channel, self.cause()).await?,
        };
        let (template, channel) = (&draft.template, notice.channel.as_str());
        self.journal.note(
            "tell",
            format!("{template} by {channel} (rule {}): {}", self.rule.name, state.as_str()),
        );
        Ok(1)
    }

    async fn capacity(mut self, capacity: &CapacityAction, subject: Option<&Subject<'_>>) -> Result<usize, Failure> {
        let context = self.occasion.context;
        let mut told = 0;
        for key in self.people(&capacity.people, true).await? {
            let Some(person) = self.person(key).await? else {
                continue;
            };
            let Some(saying) = context.rules.shortage(self.rule, capacity, subject, &person)? else {
                self.journal.note("check_capacity", format!("{key} has hours left"));
                continue;
            };
            let name = self.name(&key.to_string())?;
            let notice = Notice::new(name, NoticeKind::CapacityBelowZero, Audience::Admin, saying);
            let state = context.outbox.post(&notice, capacity.channel, self.cause()).await?;
            self.journal.note(
                "check_capacity",
                format!("{key} has too few hours left; the admin's notice is {}", state.as_str()),
            );
            told += 1;
        }
        Ok(told)
    }

    /// The people that a link field names now; with `before`, also those that the event names, before and after.
    async fn people(&mut self, field: &str, before: bool) -> Result<Vec<RowKey>, Failure> {
        let Occasion { context, key, row, .. } = self.occasion;
        if row.is_some_and(|row| row.cell(field).is_none()) {
            return Err(Failure::unmappable(format!(
                "the link field {field:?} does not exist in the table: mend rule {:?} in bridge.toml",
                self.rule.name
            )));
        }
        let mut ids: Vec<_> = row
            .map(|row| row.links(field))
            .unwrap_or_default()
            .iter()
            .map(|link| link.id)
            .collect();
        if before {
            let number = context
                .tables
                .field_number(&context.baserow, self.journal, key.table, field)
                .await?;
            ids.extend(people::named_in(&self.event.payload, key.row, (field, number)));
        }
        ids.sort_unstable();
        ids.dedup();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let table = context.linked_table(self.journal, key, field).await?;
        Ok(ids.into_iter().map(|row| RowKey { table: table.id, row }).collect())
    }

    /// A person's row, read anew: what Baserow computes of it has changed with the event.
    async fn person(&mut self, key: RowKey) -> Result<Option<Row>, Failure> {
        if let Some(known) = self.known.get(&key) {
            return Ok(known.clone());
        }
        let row = self.occasion.context.baserow.row(self.journal, key).await?;
        self.known.insert(key, row.clone());
        Ok(row)
    }

    fn cause(&self) -> Cause<'_> {
        Cause {
            rule: &self.rule.name,
            event: &self.event.id,
            row: Some(self.occasion.key),
            at: Some(self.event.at),
        }
    }

    fn name(&self, person: &str) -> Result<passerelle_model::job::JobKey, Failure> {
        let row = self.occasion.key.to_string();
        notice_key(&self.event.id, &[&self.rule.name, &row, person])
    }
}

/// Who is written to, and why that cannot work, if it cannot.
fn audience(rule: &NoticeRule, to: &LinkedPeople, person: &Row) -> Result<(Audience, Option<String>), Failure> {
    if person.cell(&to.email).is_none() {
        return Err(Failure::unmappable(format!(
            "the person's row has no field {:?}: mend to.email of rule {:?} in bridge.toml",
            to.email, rule.name
        )));
    }
    let address = person.text(&to.email).unwrap_or_default().trim().to_owned();
    let name = to.name.as_ref().and_then(|field| person.text(field)).map(str::to_owned);
    let problem = address.is_empty().then(|| {
        let who = name.clone().unwrap_or_else(|| person.id().to_string());
        format!(
            "{who} has no e-mail address in the field {:?}: enter it, and tell the person by hand",
            to.email
        )
    });
    Ok((Audience::People(vec![Recipient { name, address }]), problem))
}
