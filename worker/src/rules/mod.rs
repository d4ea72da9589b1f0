//! Pure and synchronous: a row and its rule → the page that should exist. Nothing here reads a file, a clock or a network.
//!
//! Rules are data (`bridge.toml` and Markdown templates). [`Rules::compile`] checks all of it at start and reports every problem at once;
//! after that, only a row can be at fault, and [`Rules::plan`] says so with a permanent failure that names the template and the line.

mod compile;
mod escape;
mod marker;
mod plan;
mod template;

use passerelle_shared::config::{Rule, TableRef};
use passerelle_shared::event::EventKind;
use passerelle_shared::job::EventKinds;

pub use compile::RuleSources;
pub use marker::Marker;
pub use plan::{Body, DesiredIcon, DesiredPage, Subject};

/// All rules, checked and ready.
#[derive(Debug)]
pub struct Rules {
    rules: Vec<Rule>,
    templates: minijinja::Environment<'static>,
}

impl Rules {
    /// The rule whose table fulfils a condition. There is at most one: two rules must not fight over a row's page.
    pub fn find(&self, is_table: impl Fn(&TableRef) -> bool) -> Option<&Rule> {
        self.rules.iter().find(|rule| is_table(&rule.table))
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter()
    }
}

/// Whether a rule reacts to one of these kinds of event. An operator's forced sync always counts.
pub fn reacts(rule: &Rule, kinds: EventKinds) -> bool {
    kinds.contains(EventKind::Forced) || rule.on.iter().any(|kind| kinds.contains(*kind))
}
