//! Checks everything that can be checked before a row comes, and reports every problem at once.

use std::collections::{HashMap, HashSet};

use passerelle_model::config::{CollectionAction, Locale, PageAction, Problem, Problems, Rule, TableRef, did_you_mean};
use passerelle_model::event::EventKind;
use toml::Spanned;

use super::sources::{RuleSources, Unread};
use super::texts::{At, RuleText};
use super::{NoticeRule, NoticeRuleAction, PageRule, Rules, template};

impl Rules {
    /// Compiles all rules, or reports everything that is wrong with them.
    pub fn compile(sources: &RuleSources) -> Result<Self, Problems> {
        let mut check = Check {
            sources,
            environment: template::environment(),
            problems: sources.problems.clone(),
        };
        check.names_and_tables();
        for rule in &sources.file.rules {
            check.triggers(rule);
            check.actions(rule);
        }
        for rule in &sources.file.wiki {
            check.wiki(rule);
        }
        if !check.problems.is_empty() {
            return Err(Problems(check.problems));
        }
        let rules = || sources.file.rules.iter().map(Spanned::get_ref);
        Ok(Self {
            as_written: rules().cloned().collect(),
            pages: rules().filter_map(page_rule).collect(),
            notices: rules().filter_map(notice_rule).collect(),
            wiki: sources.file.wiki.iter().map(|rule| rule.get_ref().clone()).collect(),
            templates: check.environment,
            locale: Locale::default(),
        })
    }
}

fn page_rule(rule: &Rule) -> Option<PageRule> {
    Some(PageRule {
        name: rule.name.clone(),
        table: rule.table.clone(),
        on: rule.on.clone(),
        links: rule.links.clone(),
        page: rule.page.clone()?,
        collection: rule.collection.clone(),
    })
}

fn notice_rule(rule: &Rule) -> Option<NoticeRule> {
    let notice = rule.notice.clone().map(NoticeRuleAction::Notice);
    let capacity = rule.capacity.clone().map(NoticeRuleAction::Capacity);
    Some(NoticeRule {
        name: rule.name.clone(),
        table: rule.table.clone(),
        on: rule.on.clone(),
        links: rule.links.clone(),
        action: notice.or(capacity)?,
    })
}

/// The key of a template in a rule, and the rows that it may name besides the rule's links.
pub(super) struct RuleKey<'a> {
    pub(super) rule: &'a Spanned<Rule>,
    pub(super) keys: &'a [&'a str],
    pub(super) own_names: &'a [&'a str],
}

/// How a rule gets more names; `@` is the one that is missing.
const MORE_NAMES: &str = "correct the name, or add it: links = { @ = \"<link field>\" }";

impl RuleKey<'_> {
    /// What follows a place.
    fn whose(&self) -> String {
        format!(" (rule {})", self.rule.get_ref().name)
    }

    fn names(&self) -> Vec<&str> {
        let links = self.rule.get_ref().links.keys().map(String::as_str);
        self.own_names.iter().copied().chain(links).collect()
    }
}

pub(super) struct Check<'a> {
    pub(super) sources: &'a RuleSources,
    pub(super) environment: minijinja::Environment<'static>,
    pub(super) problems: Vec<Problem>,
}

impl Check<'_> {
    /// Two rules of one name look the same in `trace`; two rules of one table would fight over the
    /// row's page.
    fn names_and_tables(&mut self) {
        let mut names = HashSet::new();
        let mut tables: HashMap<&TableRef, &str> = HashMap::new();
        for rule in &self.sources.file.rules {
            let spec = rule.get_ref();
            if !names.insert(spec.name.as_str()) {
                self.problem(
                    rule,
                    &["name"],
                    "another rule has the same name".to_owned(),
                    "give each rule its own name",
                );
            }
            if let Some(other) = spec.page.as_ref().and_then(|_| tables.insert(&spec.table, &spec.name)) {
                let what = format!("the rule {other:?} already makes the page of this table's rows");
                self.problem(rule, &["table"], what, "make one rule of the two");
            }
        }
    }

    fn triggers(&mut self, rule: &Spanned<Rule>) {
        let spec = rule.get_ref();
        if spec.on.is_empty() {
            self.problem(
                rule,
                &["on"],
                "`on` is empty: it would never do anything".to_owned(),
                "leave `on` out for all kinds of event",
            );
        }
        for name in spec.links.keys() {
            let is_word = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
                && !name.starts_with(|c: char| c.is_ascii_digit());
            if !is_word || name.is_empty() || name == "row" {
                let what = format!("{name:?} cannot be the name of a link in templates");
                let hint = "use letters, digits and _, and not the word `row`";
                self.problem(rule, &["links", name.as_str()], what, hint);
            }
        }
    }

    /// One rule, one action: so a trace that names the rule says what was done.
    fn actions(&mut self, rule: &Spanned<Rule>) {
        let spec = rule.get_ref();
        let actions = [spec.page.is_some(), spec.notice.is_some(), spec.capacity.is_some()];
        let hint = "give it one of [rules.page], [rules.notice] and [rules.capacity]; a table may have several rules";
        match actions.iter().filter(|is_there| **is_there).count() {
            0 => self.problem(rule, &[], "the rule has no action".to_owned(), hint),
            1 => {}
            _ => self.problem(rule, &[], "the rule has more than one action".to_owned(), hint),
        }
        if let Some(page) = &spec.page {
            self.page(rule, page);
        }
        match (&spec.collection, &spec.page) {
            (Some(collection), Some(_)) => self.collection(rule, collection),
            (Some(_), None) => {
                let what = "a collection needs a page above it".to_owned();
                self.problem(rule, &["collection"], what, "give the rule a [rules.page] too");
            }
            (None, _) => {}
        }
        if let Some(notice) = &spec.notice {
            self.notice(rule, notice);
        }
        if let Some(capacity) = &spec.capacity {
            self.capacity(rule, capacity);
        }
    }

    fn page(&mut self, rule: &Spanned<Rule>, page: &PageAction) {
        let name = &rule.get_ref().name;
        let key = |keys| RuleKey {
            rule,
            keys,
            own_names: &["row"],
        };
        self.title(&key(&["page", "title"]), &template::title_of(name), &page.title);
        if let Some(parent) = &page.parent {
            self.title(&key(&["page", "parent"]), &template::parent_of(name), parent);
        }
        self.body(&key(&["page", "body"]), &page.body);
    }

    fn collection(&mut self, rule: &Spanned<Rule>, collection: &CollectionAction) {
        let spec = rule.get_ref();
        if collection.of.trim().is_empty() {
            let what = "the collection has no link field".to_owned();
            self.problem(
                rule,
                &["collection", "of"],
                what,
                "name the link field whose rows get sub-pages, e.g. of = \"bloc\"",
            );
        }
        let is_word = collection.slot.bytes().all(|byte| byte.is_ascii_lowercase());
        if !is_word || !(1..=20).contains(&collection.slot.len()) || collection.slot == "page" {
            let what = format!("{:?} cannot be the slot of a collection", collection.slot);
            self.problem(
                rule,
                &["collection", "slot"],
                what,
                "use 1 to 20 letters a–z, and not the word `page`, e.g. slot = \"bloc\"",
            );
        }
        if spec.links.contains_key("parent") {
            let what = "\"parent\" cannot be the name of a link beside a collection".to_owned();
            self.problem(
                rule,
                &["links", "parent"],
                what,
                "give the link another name: sub-pages know the rule's own row as `parent`",
            );
        }
        if !spec.on.contains(&EventKind::Updated) {
            let what = "a collection can only follow its rows if the rule reacts to `updated`".to_owned();
            self.problem(rule, &["on"], what, "add \"updated\" to `on`, or leave `on` out");
        }
        let key = |keys| RuleKey {
            rule,
            keys,
            own_names: &["row", "parent"],
        };
        let name = template::sub_page_title_of(&spec.name);
        self.title(&key(&["collection", "title"]), &name, &collection.title);
        self.body(&key(&["collection", "body"]), &collection.body);
    }

    fn title(&mut self, key: &RuleKey<'_>, name: &str, title: &str) {
        if title.trim().is_empty() {
            self.problem(
                key.rule,
                key.keys,
                "the title is empty".to_owned(),
                "e.g. title = \"Projet {{ row.Nom }}\"",
            );
        }
        self.value(key, name, title);
    }

    /// A template that stands in the rule itself.
    pub(super) fn value(&mut self, key: &RuleKey<'_>, name: &str, source: &str) {
        let positions = &self.sources.file.positions;
        let path = positions.path("rules", key.rule.span().start);
        let called = format!("`{}`", key.keys.join("."));
        self.text(&RuleText {
            whose: &key.whose(),
            at: At::Value(&path, key.keys),
            called: &called,
            name,
            source,
            names: &key.names(),
            more_names: MORE_NAMES,
        });
    }

    fn body(&mut self, key: &RuleKey<'_>, path: &str) {
        match self.sources.templates.get(path) {
            Some(Ok(source)) => self.text(&RuleText {
                whose: &key.whose(),
                at: At::File(path),
                called: "the file",
                name: path,
                source,
                names: &key.names(),
                more_names: MORE_NAMES,
            }),
            Some(Err(Unread { why, there_are })) => {
                let what = format!("the template {path:?} cannot be read: {why}");
                let hint = did_you_mean(path, there_are.iter().map(String::as_str));
                self.problem(key.rule, key.keys, what, hint);
            }
            None => self.problem(
                key.rule,
                key.keys,
                format!("the template {path:?} was not read"),
                "give its path relative to bridge.toml",
            ),
        }
    }

    pub(super) fn problem(&mut self, rule: &Spanned<Rule>, keys: &[&str], what: String, hint: impl Into<String>) {
        let positions = &self.sources.file.positions;
        let place = positions.of(&positions.path("rules", rule.span().start), keys);
        self.problems.push(Problem {
            place: format!("{place} (rule {})", rule.get_ref().name),
            what,
            hint: hint.into(),
        });
    }
}
