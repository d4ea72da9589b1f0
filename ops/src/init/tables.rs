//! Baserow's tables, fields and webhooks: what `provision` does, as steps of an installation.

use std::collections::BTreeSet;

use super::answer::Step;
use super::{Setup, State};
use crate::provision::{self, Given, Provision, Provisioned};
use crate::trouble::Trouble;

impl Setup<'_> {
    /// What there will be in a database that a dry run does not make.
    pub(super) fn plan_tables(&mut self, given: &Given, url: &str) {
        for change in given.schema.iter().flat_map(provision::planned) {
            self.tell(State::Planned, format!("{}: {}", change.table, change.what));
        }
        let tables: BTreeSet<String> = given
            .sources
            .file
            .rules
            .iter()
            .map(|rule| rule.get_ref().table.to_string())
            .collect();
        for table in tables {
            self.tell(State::Planned, format!("{table}: create a webhook to {url}"));
        }
    }

    /// Tables, fields and webhooks.
    pub(super) async fn provision(&mut self, given: Given, url: String) -> Result<(), Trouble> {
        let verb = Provision {
            url: Some(url),
            schema: None,
            database: self.verb.database,
            remove_earlier: false,
            dry_run: self.verb.dry_run,
            by: self.verb.by.clone(),
        };
        let reader = self.settings.reader();
        let reader = if given.as_user {
            reader.with("BASEROW_TOKEN", "-")
        } else {
            reader
        };
        provision::carry_out(&verb, given, &reader, self.console, &mut self.provisioned).await?;
        if self.provisioned.changes.is_empty() {
            self.tell(
                State::Kept,
                "tables, fields and webhooks are as the rules need them".to_owned(),
            );
        }
        self.take_provisioned();
        Ok(())
    }

    /// Joins what was done to Baserow's tables to the steps: each was told as it was made.
    pub(super) fn take_provisioned(&mut self) {
        let state = self.made();
        let Provisioned { changes, notes } = std::mem::take(&mut self.provisioned);
        let steps = changes.into_iter().map(|change| Step {
            state,
            what: format!("{}: {}", change.table, change.what),
        });
        self.steps.extend(steps);
        for note in notes {
            self.tell(State::Note, note);
        }
    }
}
