//! Which fields of a linked row the pages of a rule follow: a change of any other concerns none of
//! them.

use std::collections::BTreeSet;

use super::{Owner, PageRule, Purpose, Rules};
use crate::content::row::Row;
use crate::failure::Failure;

/// Fields of a linked row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShownFields {
    /// Whatever the row has: a template uses it as a whole.
    All,
    /// These, by their names.
    These(BTreeSet<String>),
}

impl Rules {
    /// The fields that a rule's pages follow of the rows that a link field leads to.
    pub fn shown_fields(&self, rule: &PageRule, link: &str) -> ShownFields {
        let Some(written) = self.iter().find(|written| written.name == rule.name) else {
            return ShownFields::All;
        };
        let (needs, wholes) = self.needs_and_wholes(written);
        let of = Owner::Linked(link.to_owned());
        if wholes.contains(&of) {
            return ShownFields::All;
        }
        let is_followed = |purpose| purpose == Purpose::Read { follows: true };
        let needs = needs
            .into_iter()
            .filter(|need| need.of == of && is_followed(need.purpose));
        ShownFields::These(needs.map(|need| need.field).collect())
    }

    /// A failure to make a row's page, blamed on the rule if the row's table lacks a field that it
    /// names.
    pub fn blame(&self, rule: &PageRule, row: &Row, failure: Failure) -> Failure {
        let written = self.iter().find(|written| written.name == rule.name);
        let mut needs = written.map(|written| self.needs(written)).into_iter().flatten();
        let missing = needs.find(|need| need.of == Owner::Row && row.cell(&need.field).is_none());
        let Some(missing) = missing.filter(|_| failure.is_final()) else {
            return failure;
        };
        Failure {
            message: format!(
                "{}; the table has no field {:?}, which {} of rule {:?} names",
                failure.message, missing.field, missing.place, rule.name
            ),
            ..failure.of_the_rule()
        }
    }
}
