//! The fields of a row that the pages of other rows show.

use std::collections::BTreeSet;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::clients::baserow::Field;
use crate::content::event_body::{FieldName, RowBody};
use crate::content::row::Row;
use crate::lookups::tables::Fields;
use crate::rules::ShownFields;

/// Types of fields that change only when somebody changes the row itself.
const ENTERED: [&str; 17] = [
    "text",
    "long_text",
    "url",
    "email",
    "number",
    "rating",
    "boolean",
    "date",
    "duration",
    "file",
    "single_select",
    "multiple_select",
    "multiple_collaborators",
    "phone_number",
    "uuid",
    "autonumber",
    "created_on",
];

/// The fields of a changed row, as far as one rule is concerned.
pub(super) struct FieldsShown {
    pub(super) of_table: Arc<Fields>,
    pub(super) shown: ShownFields,
    /// The number of the field that shows the rule's rows from this side.
    pub(super) reverse: Option<u64>,
}

impl FieldsShown {
    pub(super) fn reverse(&self) -> Option<FieldName<'_>> {
        let is_reverse = |field: &&Field| field.id.is_some() && field.id == self.reverse;
        let field = self.of_table.iter().find(is_reverse)?;
        Some(self.of_table.named(&field.name))
    }

    /// The shown fields; the one that leads back to the rule's rows changes no page of them.
    fn names(&self) -> BTreeSet<&str> {
        match &self.shown {
            ShownFields::These(names) => names.iter().map(String::as_str).collect(),
            ShownFields::All => {
                let all = self.of_table.iter().filter(|field| field.id != self.reverse);
                all.map(|field| field.name.as_str()).collect()
            }
        }
    }

    pub(super) fn may_have_changed(&self, body: &RowBody) -> bool {
        let mut names = self.names().into_iter();
        names.any(|name| body.may_have_changed(self.of_table.named(name)))
    }

    /// Whether any of them may change although nobody changes the row.
    pub(super) fn is_computed(&self) -> bool {
        let is_entered = |name: &&str| {
            let field = self.of_table.get(name);
            field.is_some_and(|field| ENTERED.contains(&field.kind.as_str()))
        };
        !self.names().iter().all(is_entered)
    }

    /// A hash of what is shown of a row.
    pub(super) fn state_of(&self, row: &Row) -> String {
        let cells: Vec<_> = self.names().into_iter().map(|name| (name, row.cell(name))).collect();
        hex::encode(Sha256::digest(format!("{cells:?}")))
    }
}
