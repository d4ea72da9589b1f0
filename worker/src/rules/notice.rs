//! What a notice of a rule says: pure, as all rules are. To whom it goes, and whether, is decided
//! in [`notify`](crate::notify).

use minijinja::Value;
use passerelle_model::config::{CapacityAction, NoticeAction};
use serde_json::Map;

use super::{NoticeRule, Rules, Subject, template, value};
use crate::content::row::Row;
use crate::failure::Failure;

/// The name under which a capacity notice says what was given to the person.
pub const CAUSE: &str = "cause";

/// What a notice says: the variables of its template.
pub type NoticeValues = Map<String, serde_json::Value>;

/// What is known of the hours that a person has left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HoursLeft {
    /// Nothing: the field is empty, or a formula divides by zero.
    Unknown,
    /// Not fewer than the rule says.
    Enough,
    /// Fewer, as people see them.
    TooFew(String),
}

/// A person who has too few hours left.
#[derive(Debug, Clone, Copy)]
pub struct Short<'a> {
    /// Its row.
    pub person: &'a Row,
    /// Its hours, as people see them.
    pub hours: &'a str,
}

impl Rules {
    /// What an event of this row says to a person (or, without one, to the admin).
    pub fn notice_values(
        &self,
        rule: &NoticeRule,
        notice: &NoticeAction,
        subject: &Subject<'_>,
        person: Option<&Row>,
    ) -> Result<NoticeValues, Failure> {
        let own = [("row".to_owned(), value::row_value(subject.row))];
        let person = person.map(|person| ("person".to_owned(), value::row_value(person)));
        let variables = Value::from_pairs(self.linked_values(subject).chain(own).chain(person));
        let mut notice_values = NoticeValues::new();
        for name in notice.values.keys() {
            let text = self.render(&template::value_of(&rule.name, name), &variables)?;
            // An empty value is left out, so that a template can ask whether there is one.
            if !text.trim().is_empty() {
                notice_values.insert(name.clone(), text.trim().into());
            }
        }
        notice_values.entry("row_url").or_insert_with(|| subject.address.into());
        Ok(notice_values)
    }

    /// What is known of a person's hours.
    pub fn hours_left(&self, capacity: &CapacityAction, person: &Row) -> Result<HoursLeft, Failure> {
        let field = &capacity.hours_left;
        let mend = "mend capacity.hours_left of the rule in bridge.toml";
        let Some(cell) = person.cell(field) else {
            return Err(Failure::broken_rule(format!(
                "the person's row has no field {field:?}: {mend}"
            )));
        };
        if cell.is_unknown() {
            return Ok(HoursLeft::Unknown);
        }
        match cell.text().zip(cell.number()) {
            Some((shown, hours)) if hours < capacity.below => Ok(HoursLeft::TooFew(shown.to_owned())),
            Some(_) => Ok(HoursLeft::Enough),
            None => Err(Failure::unmappable(format!(
                "the person's field {field:?} holds no number: {mend}"
            ))),
        }
    }

    /// What there is to say of a person who has too few hours left.
    pub fn shortage(
        &self,
        rule: &NoticeRule,
        capacity: &CapacityAction,
        subject: Option<&Subject<'_>>,
        short: Short<'_>,
    ) -> Result<NoticeValues, Failure> {
        let Short { person, hours } = short;
        let name = person
            .text(&capacity.name)
            .map_or_else(|| person.id().to_string(), str::to_owned);
        let mut notice_values = NoticeValues::new();
        notice_values.insert("person".to_owned(), name.into());
        notice_values.insert("hours_left".to_owned(), hours.into());
        if let Some(subject) = subject {
            notice_values.insert("row_url".to_owned(), subject.address.into());
            if capacity.cause.is_some() {
                let own = [("row".to_owned(), value::row_value(subject.row))];
                let variables = Value::from_pairs(self.linked_values(subject).chain(own));
                let cause = self.render(&template::value_of(&rule.name, CAUSE), &variables)?;
                notice_values.insert(CAUSE.to_owned(), cause.trim().into());
            }
        }
        Ok(notice_values)
    }
}
