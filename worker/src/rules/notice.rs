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

    /// What there is to say of a person's hours; `None` while enough are left, or where there is no
    /// number.
    pub fn shortage(
        &self,
        rule: &NoticeRule,
        capacity: &CapacityAction,
        subject: Option<&Subject<'_>>,
        person: &Row,
    ) -> Result<Option<NoticeValues>, Failure> {
        let Some(left) = hours_left(capacity, person)? else {
            return Ok(None);
        };
        if left.hours >= capacity.below {
            return Ok(None);
        }
        let name = person
            .text(&capacity.name)
            .map_or_else(|| person.id().to_string(), str::to_owned);
        let mut notice_values = NoticeValues::new();
        notice_values.insert("person".to_owned(), name.into());
        notice_values.insert("hours_left".to_owned(), left.shown.into());
        if let Some(subject) = subject {
            notice_values.insert("row_url".to_owned(), subject.address.into());
            if capacity.cause.is_some() {
                let own = [("row".to_owned(), value::row_value(subject.row))];
                let variables = Value::from_pairs(self.linked_values(subject).chain(own));
                let cause = self.render(&template::value_of(&rule.name, CAUSE), &variables)?;
                notice_values.insert(CAUSE.to_owned(), cause.trim().into());
            }
        }
        Ok(Some(notice_values))
    }
}

/// The hours as people see them, if it is known how many they are.
struct HoursLeft<'a> {
    shown: &'a str,
    hours: f64,
}

/// `None` for an empty field, and for a formula that divides by zero: nothing is known.
fn hours_left<'a>(capacity: &CapacityAction, person: &'a Row) -> Result<Option<HoursLeft<'a>>, Failure> {
    let field = &capacity.hours_left;
    let mend = "mend capacity.hours_left of the rule in bridge.toml";
    let Some(cell) = person.cell(field) else {
        return Err(Failure::unmappable(format!(
            "the person's row has no field {field:?}: {mend}"
        )));
    };
    if cell.is_unknown() {
        return Ok(None);
    }
    match cell.text().zip(cell.number()) {
        Some((shown, hours)) => Ok(Some(HoursLeft { shown, hours })),
        None => Err(Failure::unmappable(format!(
            "the person's field {field:?} holds no number: {mend}"
        ))),
    }
}
