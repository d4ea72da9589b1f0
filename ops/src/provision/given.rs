//! What a run of `provision` works from: the rules, and the tables to make.

use passerelle_model::config::{BridgeFileSettings, Reader};
use passerelle_worker::rule_files::read_rule_sources;
use passerelle_worker::rules::RuleSources;

use super::Provision;
use super::answer::Change;
use super::schema::Schema;
use crate::trouble::Trouble;

/// What a run works from.
#[derive(Debug)]
pub(crate) struct Given {
    pub(crate) sources: RuleSources,
    /// The tables to make where they are missing.
    pub(crate) schema: Option<Schema>,
    /// Whether the tables are looked at as the user, where there is no token yet.
    pub(crate) as_user: bool,
}

impl Given {
    pub(super) fn read(verb: &Provision, reader: &Reader) -> Result<Self, Trouble> {
        Ok(Self {
            sources: read_rule_sources(&BridgeFileSettings::read(reader).path)?,
            schema: verb.schema.as_deref().map(Schema::read).transpose()?,
            as_user: false,
        })
    }
}

/// What a schema makes where there is nothing yet.
pub(crate) fn planned(schema: &Schema) -> Vec<Change> {
    let (makings, _) = schema.missing(&[]);
    makings.iter().map(Change::of_making).collect()
}
