//! Checks everything that can be checked before a row comes, and reports every problem at once.

use std::collections::{BTreeMap, HashMap, HashSet};

use passerelle_model::config::{
    BridgeFile, CollectionAction, Locale, PageAction, Problem, Problems, Rule, TableRef, line_of,
};
use passerelle_model::event::EventKind;
use toml::Spanned;

use super::words::{self, UnknownWord};
use super::{NoticeRule, NoticeRuleAction, PageRule, Rules, template, wiki};

/// The texts that rules are made from, read by the caller.
#[derive(Debug)]
pub struct RuleSources {
    /// The name of `bridge.toml` in problems.
    pub place: String,
    /// Its text, for line numbers.
    pub text: String,
    pub file: BridgeFile,
    /// Each template's text, or why it could not be read, by its path in the file.
    pub templates: BTreeMap<String, Result<String, String>>,
}

impl RuleSources {
    /// Where a rule is: `bridge.toml:12 (rule projet-page)`.
    pub fn place_of(&self, rule: &str) -> String {
        let found = self.file.rules.iter().find(|found| found.get_ref().name == rule);
        let line = found.map_or(1, |found| line_of(&self.text, found.span().start));
        format!("{}:{line} (rule {rule})", self.place)
    }

    /// The same for one of `[[wiki]]`: `bridge.toml:78 (wiki rule compte-rendu)`.
    pub fn place_of_wiki(&self, rule: &str) -> String {
        let found = self.file.wiki.iter().find(|found| found.get_ref().name == rule);
        let line = found.map_or(1, |found| line_of(&self.text, found.span().start));
        format!("{}:{line} (wiki rule {rule})", self.place)
    }
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
            check.actions(rule);
        }
        check.problems.extend(wiki::check(sources, &mut check.environment));
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

/// Whose templates are checked, and the rows that these may name besides the rule's links.
pub(super) struct RuleTexts<'a> {
    pub(super) rule: &'a Spanned<Rule>,
    pub(super) own_names: &'a [&'a str],
}

pub(super) struct Check<'a> {
    sources: &'a RuleSources,
    pub(super) environment: minijinja::Environment<'static>,
    problems: Vec<Problem>,
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
                    "another rule has the same name".to_owned(),
                    "give each rule its own name",
                );
            }
            if let Some(other) = spec.page.as_ref().and_then(|_| tables.insert(&spec.table, &spec.name)) {
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

    /// One rule, one action: so a trace that names the rule says what was done.
    fn actions(&mut self, rule: &Spanned<Rule>) {
        let spec = rule.get_ref();
        let actions = [spec.page.is_some(), spec.notice.is_some(), spec.capacity.is_some()];
        let hint = "give it one of [rules.page], [rules.notice] and [rules.capacity]; a table may have several rules";
        match actions.iter().filter(|is_there| **is_there).count() {
            0 => self.problem(rule, "the rule has no action".to_owned(), hint),
            1 => {}
            _ => self.problem(rule, "the rule has more than one action".to_owned(), hint),
        }
        if let Some(page) = &spec.page {
            self.page(rule, page);
        }
        match (&spec.collection, &spec.page) {
            (Some(collection), Some(_)) => self.collection(rule, collection),
            (Some(_), None) => {
                let what = "a collection needs a page above it".to_owned();
                self.problem(rule, what, "give the rule a [rules.page] too");
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
        let spec = rule.get_ref();
        let texts = RuleTexts {
            rule,
            own_names: &["row"],
        };
        self.title(&texts, &template::title_of(&spec.name), &page.title);
        if let Some(parent) = &page.parent {
            self.title(&texts, &template::parent_of(&spec.name), parent);
        }
        self.body(&texts, &page.body);
    }

    fn collection(&mut self, rule: &Spanned<Rule>, collection: &CollectionAction) {
        let spec = rule.get_ref();
        if collection.of.trim().is_empty() {
            let what = "the collection has no link field".to_owned();
            self.problem(
                rule,
                what,
                "name the link field whose rows get sub-pages, e.g. of = \"bloc\"",
            );
        }
        let is_word = collection.slot.bytes().all(|byte| byte.is_ascii_lowercase());
        if !is_word || !(1..=20).contains(&collection.slot.len()) || collection.slot == "page" {
            let what = format!("{:?} cannot be the slot of a collection", collection.slot);
            self.problem(
                rule,
                what,
                "use 1 to 20 letters a–z, and not the word `page`, e.g. slot = \"bloc\"",
            );
        }
        if spec.links.contains_key("parent") {
            let what = "\"parent\" cannot be the name of a link beside a collection".to_owned();
            self.problem(
                rule,
                what,
                "give the link another name: sub-pages know the rule's own row as `parent`",
            );
        }
        if !spec.on.contains(&EventKind::Updated) {
            let what = "a collection can only follow its rows if the rule reacts to `updated`".to_owned();
            self.problem(rule, what, "add \"updated\" to `on`, or leave `on` out");
        }
        let texts = RuleTexts {
            rule,
            own_names: &["row", "parent"],
        };
        self.title(&texts, &template::sub_page_title_of(&spec.name), &collection.title);
        self.body(&texts, &collection.body);
    }

    fn title(&mut self, texts: &RuleTexts<'_>, name: &str, title: &str) {
        if title.trim().is_empty() {
            self.problem(
                texts.rule,
                "the title is empty".to_owned(),
                "e.g. title = \"Projet {{ row.Nom }}\"",
            );
        }
        match self.environment.add_template_owned(name.to_owned(), title.to_owned()) {
            Ok(()) => self.variables(texts, name),
            Err(error) => self.problem(
                texts.rule,
                format!("the title is no template: {error}"),
                "see docs/RULES.md, Templates",
            ),
        }
    }

    fn body(&mut self, texts: &RuleTexts<'_>, path: &str) {
        match self.sources.templates.get(path) {
            Some(Ok(text)) => match self.environment.add_template_owned(path.to_owned(), text.clone()) {
                Ok(()) => self.variables(texts, path),
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
                self.problem(texts.rule, what, "give its path relative to bridge.toml");
            }
            None => self.problem(
                texts.rule,
                format!("the template {path:?} was not read"),
                "give its path relative to bridge.toml",
            ),
        }
    }

    /// A template may only use the rows that its page has, the rule's links, and what the engine
    /// offers.
    pub(super) fn variables(&mut self, texts: &RuleTexts<'_>, template: &str) {
        let links = &texts.rule.get_ref().links;
        let offered: HashSet<String> = self.environment.globals().map(|(name, _)| name.to_owned()).collect();
        let used = match self.environment.get_template(template) {
            Ok(template) => template.undeclared_variables(false),
            Err(_) => return,
        };
        let is_known = |name: &String| {
            texts.own_names.contains(&name.as_str()) || links.contains_key(name) || offered.contains(name)
        };
        let mut unknown: Vec<String> = used.into_iter().filter(|name| !is_known(name)).collect();
        unknown.sort();
        self.words(texts, template);
        for name in unknown {
            let own = texts.own_names.join("`, `");
            let what = format!("{template:?} uses {name:?}, which is neither `{own}` nor one of the rule's links");
            let hint = format!("correct the name, or add it: links = {{ {name} = \"<link field>\" }}");
            self.problem(texts.rule, what, &hint);
        }
    }

    fn words(&mut self, texts: &RuleTexts<'_>, template: &str) {
        let unknown = self
            .environment
            .get_template(template)
            .map(|found| words::unknown(&found));
        for UnknownWord { line, kind, name } in unknown.unwrap_or_default() {
            let what = format!("{template:?}, line {line}, uses the {kind} {name:?}, which does not exist");
            self.problem(
                texts.rule,
                what,
                "correct its name; docs/RULES.md lists what the bridge adds to minijinja's",
            );
        }
    }

    pub(super) fn problem(&mut self, rule: &Spanned<Rule>, what: String, hint: &str) {
        let line = line_of(&self.sources.text, rule.span().start);
        self.problems.push(Problem {
            place: format!("{}:{line} (rule {})", self.sources.place, rule.get_ref().name),
            what,
            hint: hint.to_owned(),
        });
    }
}
