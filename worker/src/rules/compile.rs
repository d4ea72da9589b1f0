//! Checks everything that can be checked before a row comes, and reports every problem at once.

use std::collections::{BTreeMap, HashMap, HashSet};

use passerelle_shared::config::{BridgeFile, Problem, Problems, Rule, TableRef, line_of};
use toml::Spanned;

use super::{Rules, template};

/// The texts that rules are made from, read by the caller.
#[derive(Debug)]
pub struct RuleSources {
    /// The name of `bridge.toml` in problems.
    pub place: String,
    /// Its text, for line numbers.
    pub text: String,
    /// What it says.
    pub file: BridgeFile,
    /// Each template's text, or why it could not be read, by its path in the file.
    pub templates: BTreeMap<String, Result<String, String>>,
}

impl Rules {
    /// Compiles all rules, or reports everything that is wrong with them.
    pub fn compile(sources: &RuleSources) -> Result<Self, Problems> {
        let mut check = Check {
            sources,
            environment: template::environment(),
            problems: Vec::new(),
        };
        check.names_and_tables();
        for rule in &sources.file.rules {
            check.triggers(rule);
            check.title(rule);
            check.body(rule);
        }
        if !check.problems.is_empty() {
            return Err(Problems(check.problems));
        }
        Ok(Self {
            rules: sources.file.rules.iter().map(|rule| rule.get_ref().clone()).collect(),
            templates: check.environment,
        })
    }
}

struct Check<'a> {
    sources: &'a RuleSources,
    environment: minijinja::Environment<'static>,
    problems: Vec<Problem>,
}

impl Check<'_> {
    /// Two rules of one name cannot be told apart in `trace`; two rules of one table would fight over the row's page.
    fn names_and_tables(&mut self) {
        let mut names = HashSet::new();
        let mut tables: HashMap<&TableRef, &str> = HashMap::new();
        for rule in &self.sources.file.rules {
            let spec = rule.get_ref();
            if !names.insert(spec.name.as_str()) {
                self.problem(
                    rule,
                    "another rule has the same name".to_owned(),
                    "give each rule its own name",
                );
            }
            if let Some(other) = tables.insert(&spec.table, &spec.name) {
                let what = format!("the rule {other:?} already makes the page of this table's rows");
                self.problem(rule, what, "make one rule of the two");
            }
        }
    }

    fn triggers(&mut self, rule: &Spanned<Rule>) {
        let spec = rule.get_ref();
        if spec.on.is_empty() {
            self.problem(
                rule,
                "`on` is empty: it would never do anything".to_owned(),
                "leave `on` out for all kinds of event",
            );
        }
        for name in spec.links.keys() {
            let is_word = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
                && !name.starts_with(|c: char| c.is_ascii_digit());
            if !is_word || name.is_empty() || name == "row" {
                let what = format!("{name:?} cannot be the name of a link in templates");
                self.problem(rule, what, "use letters, digits and _, and not the word `row`");
            }
        }
    }

    fn title(&mut self, rule: &Spanned<Rule>) {
        let spec = rule.get_ref();
        let name = format!("{}{}", template::TITLE_PREFIX, spec.name);
        if spec.page.title.trim().is_empty() {
            self.problem(
                rule,
                "the title is empty".to_owned(),
                "e.g. title = \"Projet {{ row.Nom }}\"",
            );
        }
        match self
            .environment
            .add_template_owned(name.clone(), spec.page.title.clone())
        {
            Ok(()) => self.variables(rule, &name),
            Err(error) => self.problem(
                rule,
                format!("the title is no template: {error}"),
                "see docs/RULES.md, Templates",
            ),
        }
    }

    fn body(&mut self, rule: &Spanned<Rule>) {
        let path = rule.get_ref().page.body.clone();
        match self.sources.templates.get(&path) {
            Some(Ok(text)) => match self.environment.add_template_owned(path.clone(), text.clone()) {
                Ok(()) => self.variables(rule, &path),
                Err(error) => {
                    let place = format!("{path}:{}", error.line().unwrap_or(1));
                    self.problems.push(Problem {
                        place,
                        what: format!("it is no template: {error}"),
                        hint: "see docs/RULES.md, Templates".to_owned(),
                    });
                }
            },
            Some(Err(error)) => {
                let what = format!("the template {path:?} cannot be read: {error}");
                self.problem(rule, what, "give its path relative to bridge.toml");
            }
            None => self.problem(
                rule,
                format!("the template {path:?} was not read"),
                "give its path relative to bridge.toml",
            ),
        }
    }

    /// A template may only use `row`, the rule's links, and what the engine offers.
    fn variables(&mut self, rule: &Spanned<Rule>, template: &str) {
        let links = &rule.get_ref().links;
        let offered: HashSet<String> = self.environment.globals().map(|(name, _)| name.to_owned()).collect();
        let used = match self.environment.get_template(template) {
            Ok(template) => template.undeclared_variables(false),
            Err(_) => return,
        };
        let mut unknown: Vec<String> = used
            .into_iter()
            .filter(|name| name != "row" && !links.contains_key(name) && !offered.contains(name))
            .collect();
        unknown.sort();
        for name in unknown {
            let what = format!("{template:?} uses {name:?}, which is neither `row` nor one of the rule's links");
            let hint = format!("mend the name, or add it: links = {{ {name} = \"<link field>\" }}");
            self.problem(rule, what, &hint);
        }
    }

    fn problem(&mut self, rule: &Spanned<Rule>, what: String, hint: &str) {
        let line = line_of(&self.sources.text, rule.span().start);
        self.problems.push(Problem {
            place: format!("{}:{line} (rule {})", self.sources.place, rule.get_ref().name),
            what,
            hint: hint.to_owned(),
        });
    }
}
