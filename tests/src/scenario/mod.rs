//! The story of a rule as data: what people do in Baserow and in the wiki, and what must be there
//! afterwards. A new rule is proven without a line of Rust: one file in `tests/scenarios/` (or
//! beside another organisation's rules), played through real processes, by the tests and by
//! `passerelle play`.
//!
//! ```toml
//! rule = "projet-page"
//!
//! [[step]]
//! that = "a created project becomes a page named after it and its client"
//! when = [
//!   { do = "create", table = "client", row = "nord", fields = { Name = "Atelier Nord" } },
//!   { do = "create", table = "projet", row = "refonte", fields = { Nom = "Refonte", Client = ["@nord"] } },
//! ]
//! pages = [{ of = "refonte", title = "Projet Refonte - Atelier Nord", icon = "📁", body = ["Atelier Nord"] }]
//! outcomes = { refonte = ["synced"] }
//! ```
//!
//! **Names.** `row = "refonte"` names a row; `"@refonte"` in a field is its number. A page is named
//! by its row, a sub-page by its parent's row and its own: `rust/un`. **Claims.** `pages` is the
//! whole list of the bridge's pages, those in the trash too, siblings in their order; a step
//! without `pages` claims that they are as before. Whatever a step says, a page keeps its identity
//! through the whole story, no row has two, and a living page's id stands in its row. `tables` is
//! the whole list of a table's rows, for rows that the bridge makes. `mails` are all mails since
//! the step before. `outcomes` are how the events of a row ended that Baserow sent since the step
//! before, in their order. A later event of the row may be carried out in place of one; then that
//! one ended as the later one did. A claim is judged once the bridge is idle ([`crate::idle`]): what
//! is not true then never will be.

mod act;
mod check;
mod claim;
mod format;
mod names;
mod pages;
mod play;
mod stage;

use std::path::{Path, PathBuf};

use passerelle_model::config::{Problem, Problems, json_schema, read_toml};

pub use act::Act;
pub use claim::{Claim, Told, Wrong};
pub use format::{MailSpec, PageSpec, Scenario, Schema, Step, TableSpec};
pub use play::play;

use crate::builder::repository;

const SEE: &str = "docs/SCENARIOS.md describes the fields of this file";

impl Scenario {
    /// Reads a scenario.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its line and character.
    pub fn load(path: &Path) -> Result<Self, Problems> {
        let (scenario, positions) = read_toml::<Self>(&text_of(path)?, &path.display().to_string(), SEE)?;
        let scenario = Self { positions, ..scenario };
        match names::problems(&scenario) {
            problems if problems.is_empty() => Ok(scenario),
            problems => Err(Problems(problems)),
        }
    }

    /// Where its rules are: in this folder, if one is given.
    pub fn bridge_file(&self, rules: Option<&Path>) -> PathBuf {
        const NAME: &str = "bridge.toml";
        let beside = self.beside(Path::new(NAME));
        match (rules, &self.bridge) {
            (Some(folder), _) => folder.join(NAME),
            (None, Some(named)) => self.beside(named),
            (None, None) if beside.is_file() => beside,
            (None, None) => PathBuf::from(NAME),
        }
    }

    /// The tables that it needs besides those of the sandbox.
    pub fn schema(&self) -> Result<Schema, Problems> {
        let Some(path) = &self.schema else {
            return Ok(Schema::default());
        };
        let path = self.beside(path);
        let see = "docs/RULES.md shows a schema";
        Ok(read_toml(&text_of(&path)?, &path.display().to_string(), see)?.0)
    }

    fn beside(&self, path: &Path) -> PathBuf {
        Path::new(self.positions.file()).with_file_name("").join(path)
    }

    /// All scenarios: those of the shipped rules, and those of the examples.
    pub fn files() -> anyhow::Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(repository().join("tests/scenarios"))? {
            files.push(entry?.path());
        }
        for entry in std::fs::read_dir(repository().join("examples"))? {
            files.push(entry?.path().join("scenario.toml"));
        }
        files.retain(|path| path.extension().is_some_and(|extension| extension == "toml") && path.is_file());
        files.sort();
        Ok(files)
    }
}

/// The JSON Schema of scenarios, by which editors complete and check them.
pub fn schema() -> String {
    json_schema::<Scenario>()
}

fn text_of(path: &Path) -> Result<String, Problems> {
    std::fs::read_to_string(path).map_err(|error| {
        Problems(vec![Problem {
            place: path.display().to_string(),
            what: format!("cannot be read: {error}"),
            hint: "name a file that is there".to_owned(),
        }])
    })
}
