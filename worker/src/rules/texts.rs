//! Checks the texts of rules that are templates: titles, bodies, values of notices, cells of rows.
//! Each problem names the place of the word that is wrong.

use std::collections::BTreeSet;

use passerelle_model::config::{Problem, did_you_mean, find_word, nearest, place};

use super::compile::Check;
use super::template;
use super::words::{self, UnknownWord};
use crate::content::template_error::{beginning, message};

const SEE: &str = "see docs/RULES.md, Templates";

/// Where a template stands.
#[derive(Clone, Copy)]
pub(super) enum At<'a> {
    /// In `bridge.toml`, as the value of these keys below this path.
    Value(&'a [String], &'a [&'a str]),
    /// In a file of its own.
    File(&'a str),
}

/// A template, and what it may use.
pub(super) struct RuleText<'a> {
    /// What follows a place: ` (rule projet-page)`.
    pub(super) whose: &'a str,
    pub(super) at: At<'a>,
    /// What people call it: `the title`.
    pub(super) called: &'a str,
    /// Its name among the templates.
    pub(super) name: &'a str,
    pub(super) source: &'a str,
    /// The names that it may use, besides what the engine offers.
    pub(super) names: &'a [&'a str],
    /// What such names are, and how to add one.
    pub(super) more_names: &'a str,
}

impl Check<'_> {
    /// Takes a template among the others, or says what is wrong with it.
    pub(super) fn text(&mut self, text: &RuleText<'_>) {
        let added = self
            .environment
            .add_template_owned(text.name.to_owned(), text.source.to_owned());
        match added {
            Ok(()) => {
                self.words(text);
                self.names(text);
            }
            Err(error) => {
                let what = format!("{} is no template: {}", text.called, message(&error));
                self.wrong(text, beginning(&error, text.source), what, SEE.to_owned());
            }
        }
    }

    /// Filters and tests that do not exist, also in branches that few rows take.
    fn words(&mut self, text: &RuleText<'_>) {
        let Ok(template) = self.environment.get_template(text.name) else {
            return;
        };
        let found = words::unknown(&template);
        for UnknownWord { line, kind, name } in found {
            let hint = match nearest(&name, words::known(kind)) {
                Some(meant) => format!("did you mean {meant:?}?"),
                None => "docs/RULES.md lists what the bridge adds to minijinja's".to_owned(),
            };
            let what = format!("{} uses the {kind} {name:?}, which does not exist", text.called);
            let at = find_word(text.source, line, &name);
            self.wrong(text, at, what, hint);
        }
    }

    /// A template may only use the rows that it has, and what the engine offers.
    fn names(&mut self, text: &RuleText<'_>) {
        let used = match self.environment.get_template(text.name) {
            Ok(template) => template.undeclared_variables(false),
            Err(_) => return,
        };
        let offered: BTreeSet<String> = self.environment.globals().map(|(name, _)| name.to_owned()).collect();
        let is_known = |name: &str| text.names.contains(&name) || offered.contains(name);
        let unknown: BTreeSet<String> = used.into_iter().filter(|name| !is_known(name)).collect();
        for name in unknown {
            let hint = match nearest(&name, text.names.iter().copied()) {
                Some(meant) => format!("did you mean {meant:?}?"),
                None => text.more_names.replace('@', &name),
            };
            let what = format!("{} uses {name:?}, which does not exist there", text.called);
            let at = find_word(text.source, 1, &name);
            self.wrong(text, at, what, hint);
        }
    }

    /// Fields of a name whose fields are known: the page of a wiki rule.
    pub(super) fn fields(&mut self, text: &RuleText<'_>, name: &str, known: &[&str]) {
        let Ok(template) = self.environment.get_template(text.name) else {
            return;
        };
        let fields = template::used(&template).into_iter();
        let fields = fields.filter_map(|(root, field)| field.filter(|_| root == name));
        let unknown: Vec<String> = fields.filter(|field| !known.contains(&field.as_str())).collect();
        for field in unknown {
            let what = format!("{} uses {name}.{field}, which does not exist", text.called);
            let at = find_word(text.source, 1, &field);
            self.wrong(text, at, what, did_you_mean(&field, known.iter().copied()));
        }
    }

    fn wrong(&mut self, text: &RuleText<'_>, byte: Option<usize>, what: String, hint: String) {
        let place = match text.at {
            At::File(path) => place(path, text.source, byte.unwrap_or(0)),
            At::Value(path, keys) => {
                let positions = &self.sources.file.positions;
                positions.within(path, keys, text.source, byte.unwrap_or(0))
            }
        };
        self.problems.push(Problem {
            place: format!("{place}{}", text.whose),
            what,
            hint,
        });
    }
}
