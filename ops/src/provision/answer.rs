//! What `provision` answers: each change in words.

use std::fmt::Write as _;

use passerelle_model::config::shown_url;
use serde::Serialize;

use super::plan::Deed;
use super::schema::Making;
use crate::text::{Table, Text, number};

/// What a run did, also one that failed. Never shows a header of a webhook: it is a secret.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Provisioned {
    /// What was done, or would be.
    pub(crate) changes: Vec<Change>,
    /// What else an operator must know.
    pub(crate) notes: Vec<String>,
}

/// The answer.
#[derive(Debug, Serialize)]
pub(super) struct Answer {
    pub(super) dry_run: bool,
    #[serde(flatten)]
    pub(super) provisioned: Provisioned,
}

#[derive(Debug, Serialize)]
pub(crate) struct Change {
    #[serde(rename = "change")]
    pub(crate) kind: &'static str,
    pub(crate) table: String,
    pub(crate) what: String,
}

impl Change {
    /// Of a table or field of a schema.
    pub(super) fn of_making(making: &Making) -> Self {
        match making {
            Making::Table { name, primary } => Self {
                kind: "create_table",
                table: name.clone(),
                what: format!("create the table, with the field {primary:?} (text)"),
            },
            Making::Field { table, field } => Self {
                kind: "create_field",
                table: table.clone(),
                what: field.in_words(),
            },
        }
    }

    /// Of what the rules need.
    pub(super) fn of(deed: &Deed) -> Self {
        match deed {
            Deed::CreateField(missing) => Self {
                kind: "create_field",
                table: missing.table_name.clone(),
                what: format!("create the field {:?} ({})", missing.field, missing.kind),
            },
            Deed::CreateWebhook(wanted) => Self {
                kind: "create_webhook",
                table: wanted.table.name.clone(),
                what: format!(
                    "create a webhook for {} to {}",
                    wanted.call.events.join(", "),
                    shown_url(&wanted.call.url)
                ),
            },
            Deed::UpdateWebhook { id, table, because, .. } => Self {
                kind: "update_webhook",
                table: table.clone(),
                what: format!("repair webhook {id}: {}", because.join("; ")),
            },
            Deed::RemoveWebhook { id, table, url } => Self {
                kind: "remove_webhook",
                table: table.clone(),
                what: format!("remove webhook {id}, which calls {}", shown_url(url)),
            },
        }
    }
}

pub(super) fn in_words(answer: &Answer) -> Text {
    let Answer { dry_run, provisioned } = answer;
    let mut changes = Table::plain(2);
    // A change that was made was told then.
    for Change { table, what, .. } in provisioned.changes.iter().filter(|_| *dry_run) {
        changes.row([table.as_str().into(), what.as_str().into()]);
    }
    let mut text = Text::default();
    text.table(changes);
    let count = number(provisioned.changes.len(), "change");
    let _ = match (provisioned.changes.is_empty(), *dry_run) {
        (true, _) => writeln!(text, "Nothing to do: Baserow has what the rules need."),
        (_, true) => writeln!(text, "{count} would be made. Nothing was changed."),
        (_, false) => writeln!(text, "{count} made."),
    };
    for note in &provisioned.notes {
        let _ = writeln!(text, "Note: {note}");
    }
    text
}
