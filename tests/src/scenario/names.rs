//! What a scenario calls things, looked at before anything is started: a name that nothing has yet,
//! a word that is no outcome.

use passerelle_model::config::{Problem, did_you_mean};
use passerelle_model::outcome::Outcome;
use serde_json::Value;

use super::{Act, Scenario, Step};

/// The names that nothing has where they are used.
pub(super) fn problems(scenario: &Scenario) -> Vec<Problem> {
    let mut names = Names {
        scenario,
        rows: Vec::new(),
        pages: Vec::new(),
        found: Vec::new(),
    };
    for (number, step) in scenario.steps.iter().enumerate() {
        let path = ["step".to_owned(), number.to_string()];
        for (number, act) in step.when.iter().enumerate() {
            let path = [path.as_slice(), &["when".to_owned(), number.to_string()]].concat();
            names.act(act, &path);
        }
        names.claims(step, &path);
    }
    names.found
}

/// A value in a scenario that names something.
#[derive(Clone, Copy)]
struct Use<'a> {
    path: &'a [String],
    /// The keys below it.
    keys: &'a [&'a str],
    name: &'a str,
}

struct Names<'a> {
    scenario: &'a Scenario,
    /// The names so far.
    rows: Vec<&'a str>,
    pages: Vec<&'a str>,
    found: Vec<Problem>,
}

impl<'a> Names<'a> {
    fn act(&mut self, act: &'a Act, path: &[String]) {
        match act {
            Act::Create { row, fields, .. } | Act::Import { row, fields, .. } => {
                self.values(fields, path);
                self.rows.push(row);
            }
            Act::Change { row, fields } => {
                self.row_at(path, "row", row);
                self.values(fields, path);
            }
            Act::Delete { row } | Act::Restore { row } | Act::Sync { row } => self.row_at(path, "row", row),
            Act::WritePage { page, .. } => self.pages.push(page),
            Act::RenamePage { page, .. }
            | Act::SharePage { page }
            | Act::Write { page, .. }
            | Act::TrashPage { page }
            | Act::CopyPage { page } => self.page(Use {
                path,
                keys: &["page"],
                name: page,
            }),
            Act::Reconcile => {}
        }
    }

    fn claims(&mut self, step: &'a Step, path: &[String]) {
        for (number, spec) in step.pages.iter().flatten().enumerate() {
            let number = number.to_string();
            for name in spec.of.split('/') {
                let keys = &["pages", &number, "of"];
                self.row(Use { path, keys, name });
            }
            self.pages.push(&spec.of);
        }
        for name in step.rows.keys() {
            let keys = &["rows", name];
            self.row(Use { path, keys, name });
        }
        for (table, rows) in &step.tables {
            for (number, fields) in rows.iter().enumerate() {
                let pages = fields.iter().filter_map(|(field, value)| Some((field, named(value)?)));
                for (field, name) in pages {
                    let keys = &["tables", table, &number.to_string(), field];
                    self.page(Use { path, keys, name });
                }
            }
        }
        for (name, ends) in &step.outcomes {
            let keys = &["outcomes", name];
            self.row(Use { path, keys, name });
            for (number, end) in ends.iter().enumerate() {
                let word = end.split(" (").next().unwrap_or_default();
                // Some have a reason behind the word.
                if !Outcome::NAMES.contains(&word) {
                    let keys = &["outcomes", name.as_str(), &number.to_string()];
                    let name = word;
                    self.note(Use { path, keys, name }, "no event ends so", &Outcome::NAMES);
                }
            }
        }
    }

    /// The rows that fields name.
    fn values(&mut self, fields: &'a serde_json::Map<String, Value>, path: &[String]) {
        for (field, value) in fields {
            let items = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
            for name in items.iter().filter_map(named).filter(|name| *name != "nothing") {
                let keys = &["fields", field];
                self.row(Use { path, keys, name });
            }
        }
    }

    fn row_at(&mut self, path: &[String], key: &str, name: &str) {
        let keys = &[key];
        self.row(Use { path, keys, name });
    }

    fn row(&mut self, used: Use<'_>) {
        if !self.rows.contains(&used.name) {
            let known = self.rows.clone();
            self.note(used, "no row has this name before", &known);
        }
    }

    fn page(&mut self, used: Use<'_>) {
        if !self.pages.contains(&used.name) {
            let known = self.pages.clone();
            self.note(used, "no step before has a page of this name", &known);
        }
    }

    fn note(&mut self, Use { path, keys, name }: Use<'_>, what: &str, known: &[&str]) {
        self.found.push(Problem {
            place: self.scenario.positions.of(path, keys),
            what: format!("{name:?}: {what}"),
            hint: did_you_mean(name, known.iter().copied()),
        });
    }
}

/// What a value names: `"@refonte"`.
fn named(value: &Value) -> Option<&str> {
    value.as_str()?.strip_prefix('@')
}
