//! The rules and templates to begin with, as they are shipped.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use clap::ValueEnum;
use passerelle_model::config::{BridgeFile, BridgeFileSettings, bridge_file_schema, may_be_there};
use passerelle_worker::rule_files::read_rule_sources;
use passerelle_worker::rules::RuleSources;

use super::{Setup, State, TablesAre};
use crate::provision::Schema;
use crate::trouble::Trouble;

/// What editors check bridge.toml with; it stands beside it.
const SCHEMA: &str = "bridge.schema.json";

/// What there is to choose from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Example {
    /// A training agency, in French: projects, courses and who teaches them.
    Agence,
    /// A sales team: deals with their documents.
    Crm,
}

/// A file, by its path beside bridge.toml, and its text.
type File = (&'static str, &'static str);

impl Example {
    const fn bridge(self) -> &'static str {
        match self {
            Self::Agence => include_str!("../../../bridge.toml"),
            Self::Crm => include_str!("../../../examples/crm/bridge.toml"),
        }
    }

    /// The text of bridge.toml where its schema stands beside it.
    fn beside_its_schema(self) -> String {
        self.bridge().replacen("#:schema ../../", "#:schema ./", 1)
    }

    const fn templates(self) -> &'static [File] {
        match self {
            Self::Agence => &[
                ("templates/projet.md", include_str!("../../../templates/projet.md")),
                (
                    "templates/formation.md",
                    include_str!("../../../templates/formation.md"),
                ),
                ("templates/bloc.md", include_str!("../../../templates/bloc.md")),
            ],
            Self::Crm => &[
                (
                    "templates/deal.md",
                    include_str!("../../../examples/crm/templates/deal.md"),
                ),
                (
                    "templates/document.md",
                    include_str!("../../../examples/crm/templates/document.md"),
                ),
            ],
        }
    }

    const fn schema(self) -> &'static str {
        match self {
            Self::Agence => include_str!("../../../examples/agence/schema.toml"),
            Self::Crm => include_str!("../../../examples/crm/schema.toml"),
        }
    }

    /// The rules as they would be read from the files.
    fn sources(self, path: &Path) -> Result<RuleSources, Trouble> {
        let place = path.display().to_string();
        let templates = self.templates().iter();
        let templates = templates.map(|(name, text)| ((*name).to_owned(), Ok((*text).to_owned())));
        let file = BridgeFile::parse(self.bridge(), &place)?;
        Ok(RuleSources::new(file, templates.collect()))
    }
}

impl Setup<'_> {
    /// Whether there is an installation; says so where there is none.
    pub(super) fn has_rules(&mut self) -> bool {
        let path = BridgeFileSettings::read(&self.settings.reader()).path;
        let is_there = may_be_there(&path);
        if !is_there {
            let what = format!("there is no {}, and so no test row of it", path.display());
            self.tell(State::Kept, what);
        }
        is_there
    }

    /// The rules that are there, or else those of the example.
    pub(super) fn rules(&mut self) -> Result<RuleSources, Trouble> {
        let path = BridgeFileSettings::read(&self.settings.reader()).path;
        if may_be_there(&path) {
            self.tell(State::Kept, path.display().to_string());
            return Ok(read_rule_sources(&path)?);
        }
        let example = self.verb.example;
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let folder = path.parent().unwrap_or(Path::new(""));
        let (schema, bridge) = (bridge_file_schema(), example.beside_its_schema());
        // The rules are last: with them, everything that they name is there.
        let rules = [(SCHEMA, schema.as_str()), (name, bridge.as_str())];
        let files = example.templates().iter().copied().chain(rules);
        let mut told = Vec::new();
        for (name, text) in files {
            let path = folder.join(name);
            let is_new = if self.verb.dry_run {
                !may_be_there(&path)
            } else {
                write_new(&path, text)?
            };
            told.push((
                if is_new { self.made() } else { State::Kept },
                path.display().to_string(),
            ));
        }
        for (state, what) in told {
            self.tell(state, what);
        }
        if self.verb.dry_run {
            return example.sources(&path);
        }
        Ok(read_rule_sources(&path)?)
    }

    /// The tables to make, if any shall be made.
    pub(super) fn schema(&self, tables: TablesAre) -> Result<Option<Schema>, Trouble> {
        match (tables, &self.verb.schema) {
            (TablesAre::Use, _) => Ok(None),
            (TablesAre::Make, Some(path)) => Schema::read(path).map(Some),
            (TablesAre::Make, None) => Schema::parse(self.verb.example.schema())
                .map(Some)
                .map_err(Trouble::Usage),
        }
    }

    /// Has the file of settings keep secrets for webhooks: one for each name in `[sources]`.
    pub(super) fn keep_webhook_secrets(&mut self, sources: &RuleSources) -> Result<(), Trouble> {
        let mut names: Vec<&str> = sources
            .file
            .sources
            .values()
            .map(|source| source.secrets.as_str())
            .collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            let secret = self.settings.get(name).unwrap_or_else(made_up);
            self.keep(name, &secret)?;
        }
        Ok(())
    }
}

/// Writes a file that is not there; returns whether it was not.
fn write_new(path: &Path, text: &str) -> Result<bool, Trouble> {
    let failed = |error: std::io::Error| {
        let path = path.display();
        Trouble::Failed(format!(
            "{path} cannot be written: {error}. Be a user who may, or set BRIDGE_FILE to another path"
        ))
    };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(mut file) => file.write_all(text.as_bytes()).map(|()| true).map_err(failed),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(failed(error)),
    }
}

/// A password or secret that nobody has to type.
pub(super) fn made_up() -> String {
    use rand::distr::{Alphanumeric, SampleString as _};
    Alphanumeric.sample_string(&mut rand::rng(), 40)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_example_names_the_schema_that_is_written_beside_it() {
        for example in Example::value_variants() {
            let text = example.beside_its_schema();
            assert_eq!(
                text.lines().next(),
                Some("#:schema ./bridge.schema.json"),
                "{example:?}"
            );
        }
    }
}
