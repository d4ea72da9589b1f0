//! The notices of one event by one rule.

use std::collections::BTreeMap;

use passerelle_model::config::{LinkedPeople, NoticeAction};
use passerelle_model::id::{JobKey, RowId, RowKey};
use passerelle_store::PendingEvent;

use super::RowNotices;
use crate::content::event_body::RowBody;
use crate::content::notice::{Audience, Notice, NoticeKind, Recipient, TemplateName};
use crate::content::row::Row;
use crate::failure::Failure;
use crate::journal::Journal;
use crate::outbox::{Cause, notice_key};
use crate::rules::{NoticeRule, NoticeValues, Subject};

/// The rows of people, each read once per attempt.
pub(super) type People = BTreeMap<RowKey, Option<Row>>;

/// One rule and one event.
pub(super) struct EventNotices<'a, 'k> {
    pub(super) of: RowNotices<'a>,
    pub(super) rule: &'a NoticeRule,
    pub(super) event: &'a PendingEvent,
    pub(super) people: &'k mut People,
    pub(super) journal: &'k mut Journal,
}

impl EventNotices<'_, '_> {
    /// Stores the notice of the event: to the admin, or to each person whom it newly links. Returns
    /// how many.
    pub(super) async fn of_event(mut self, notice: &NoticeAction, subject: &Subject<'_>) -> Result<usize, Failure> {
        let rules = &self.of.context.rules;
        let Some(to) = &notice.to else {
            let values = rules.notice_values(self.rule, notice, subject, None)?;
            let draft = self.draft(notice, Audience::Admin, values)?;
            self.post(&draft, notice, None).await?;
            return Ok(1);
        };
        let mut posted = 0;
        for key in self.newly_linked(&to.link).await? {
            let Some(person) = self.person(key).await? else {
                continue;
            };
            let Some(name) = self.name_for_ever(key).await? else {
                continue;
            };
            let values = rules.notice_values(self.rule, notice, subject, Some(&person))?;
            let (audience, problem) = audience(self.rule, to, &person)?;
            let mut draft = self.draft(notice, audience, values)?;
            draft.key = name;
            self.post(&draft, notice, problem).await?;
            posted += 1;
        }
        Ok(posted)
    }

    fn draft(&self, notice: &NoticeAction, to: Audience, values: NoticeValues) -> Result<Notice, Failure> {
        let template = TemplateName::parse(&notice.template).map_err(|error| Failure::unmappable(error.to_string()))?;
        Ok(Notice {
            key: self.name("admin")?,
            kind: NoticeKind::of_template(&template),
            to,
            template,
            values,
        })
    }

    /// Stores a notice; one with a problem is stored as failed, where people find it.
    async fn post(&mut self, draft: &Notice, notice: &NoticeAction, problem: Option<String>) -> Result<(), Failure> {
        let outbox = &self.of.context.outbox;
        let state = match problem {
            Some(why) => outbox.bury(draft, notice.channel, self.cause(), why).await?,
            None => outbox.post(draft, notice.channel, self.cause()).await?,
        };
        let (template, channel) = (&draft.template, notice.channel.as_str());
        self.journal.note(
            "notify",
            format!("{template} by {channel} (rule {}): {}", self.rule.name, state.as_str()),
        );
        Ok(())
    }

    /// The people that a link field names now, and those that the event names, before and after.
    pub(super) async fn people_now_and_before(&mut self, field: &str) -> Result<Vec<RowKey>, Failure> {
        let RowNotices { context, key, .. } = self.of;
        let mut ids = self.linked_now(field)?;
        let fields = context.tables.fields(&context.baserow, self.journal, key.table).await?;
        let body = RowBody::read(&self.event.payload, key.row);
        ids.extend(body.links_now(fields.named(field)));
        ids.extend(body.links_before(fields.named(field)).unwrap_or_default());
        self.keys(field, ids).await
    }

    pub(super) fn linked_now(&self, field: &str) -> Result<Vec<RowId>, Failure> {
        let Some(row) = self.of.row else {
            return Ok(Vec::new());
        };
        if row.cell(field).is_none() {
            return Err(Failure::broken_rule(format!(
                "the link field {field:?} does not exist in the table: mend rule {:?} in bridge.toml",
                self.rule.name
            )));
        }
        Ok(row.links(field).iter().map(|link| link.id).collect())
    }

    pub(super) async fn keys(&mut self, field: &str, mut ids: Vec<RowId>) -> Result<Vec<RowKey>, Failure> {
        ids.sort_unstable();
        ids.dedup();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let table = self.of.context.linked_table(self.journal, self.of.key, field).await?;
        Ok(ids.into_iter().map(|row| RowKey { table: table.id, row }).collect())
    }

    /// A person's row as it is now: what Baserow computes of it has changed with the event.
    pub(super) async fn person(&mut self, key: RowKey) -> Result<Option<Row>, Failure> {
        if let Some(known) = self.people.get(&key) {
            return Ok(known.clone());
        }
        let row = self.of.context.row(self.journal, key).await?;
        self.people.insert(key, row.clone());
        Ok(row)
    }

    pub(super) fn cause(&self) -> Cause<'_> {
        Cause {
            rule: &self.rule.name,
            event: &self.event.id,
            row: Some(self.of.key),
            at: Some(self.event.at),
        }
    }

    fn name(&self, person: &str) -> Result<JobKey, Failure> {
        let row = self.of.key.to_string();
        notice_key(self.event.id.as_str(), &[&self.rule.name, &row, person])
    }
}

/// Whom a notice goes to, and why it cannot be sent to them, if so.
fn audience(rule: &NoticeRule, to: &LinkedPeople, person: &Row) -> Result<(Audience, Option<String>), Failure> {
    if person.cell(&to.email).is_none() {
        return Err(Failure::broken_rule(format!(
            "the person's row has no field {:?}: mend to.email of rule {:?} in bridge.toml",
            to.email, rule.name
        )));
    }
    let address = person.text(&to.email).unwrap_or_default().trim().to_owned();
    let name = to.name.as_ref().and_then(|field| person.text(field)).map(str::to_owned);
    let problem = address.is_empty().then(|| {
        let who = name.clone().unwrap_or_else(|| person.id().to_string());
        format!(
            "{who} has no e-mail address in the field {:?}: enter it, and inform the person yourself",
            to.email
        )
    });
    Ok((Audience::People(vec![Recipient { name, address }]), problem))
}
