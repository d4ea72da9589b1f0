//! Pure and synchronous: a row and its rule → the page that should exist. Nothing here reads a
//! file, a clock or a network.
//!
//! Rules are data (`bridge.toml` and Markdown templates). [`Rules::compile`] checks all of it at
//! start and reports every problem at once; after that, only a row can be at fault, and
//! [`Rules::plan`] says so with a permanent failure that names the template and the line.

mod collection;
mod compile;
#[cfg(test)]
mod fuzz;
mod heard;
mod icon_needs;
mod inserted;
mod needs;
mod notice;
mod notice_check;
mod plain;
mod plan;
mod shown;
mod sources;
mod template;
mod texts;
mod value;
mod wiki;
mod words;

use std::collections::BTreeMap;

use passerelle_model::config::{
    CapacityAction, CollectionAction, Locale, NoticeAction, PageAction, Rule, TableRef, WikiRule,
};
use passerelle_model::event::EventKind;
use passerelle_model::job::EventKinds;

pub use collection::{MOST_SUB_PAGES, SubPageRow, position, sub_page_slot};
pub use heard::{CREATED, DELETED, Heard, UPDATED};
pub use icon_needs::IconNeed;
pub use needs::{FieldNeed, Owner, Purpose, TableNeeds};
pub use notice::{CAUSE, HoursLeft, NoticeValues, Short};
pub use plan::{Plan, Subject};
pub use shown::ShownFields;
pub use sources::{RuleSources, Unread};
pub use wiki::DesiredRow;

/// All rules, checked and ready.
#[derive(Debug)]
pub struct Rules {
    as_written: Vec<Rule>,
    pages: Vec<PageRule>,
    notices: Vec<NoticeRule>,
    wiki: Vec<WikiRule>,
    templates: minijinja::Environment<'static>,
    locale: Locale,
}

/// A rule that makes a page equal to a row.
#[derive(Debug, Clone, PartialEq)]
pub struct PageRule {
    pub name: String,
    /// The table that it watches.
    pub table: TableRef,
    /// The kinds of event that it reacts to.
    pub on: Vec<EventKind>,
    /// Linked rows that the templates need: template name → link field.
    pub links: BTreeMap<String, String>,
    pub page: PageAction,
    /// The pages below it.
    pub collection: Option<CollectionAction>,
}

/// A rule that makes notices.
#[derive(Debug, Clone, PartialEq)]
pub struct NoticeRule {
    pub name: String,
    /// The table that it watches.
    pub table: TableRef,
    /// The kinds of event that it reacts to; no others, not even a forced one, so that a repair
    /// repeats no notice.
    pub on: Vec<EventKind>,
    /// Linked rows that the templates need: template name → link field.
    pub links: BTreeMap<String, String>,
    pub action: NoticeRuleAction,
}

/// What a notice rule reports.
#[derive(Debug, Clone, PartialEq)]
pub enum NoticeRuleAction {
    /// That the event took place.
    Notice(NoticeAction),
    /// That people have too few hours left.
    Capacity(CapacityAction),
}

impl Rules {
    /// The same rules, whose templates write numbers, dates and small words for these readers.
    #[must_use]
    pub fn speaking(mut self, locale: Locale) -> Self {
        template::speak(&mut self.templates, &locale);
        Self { locale, ..self }
    }

    /// For whom the templates write.
    pub fn locale(&self) -> &Locale {
        &self.locale
    }

    /// All rules as they are written, whatever they do.
    pub fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.as_written.iter()
    }

    /// All rules of `[[wiki]]`.
    pub fn wiki(&self) -> impl Iterator<Item = &WikiRule> {
        self.wiki.iter()
    }

    /// All rules that make pages.
    pub fn pages(&self) -> impl Iterator<Item = &PageRule> {
        self.pages.iter()
    }

    /// All rules that make notices.
    pub fn notices(&self) -> impl Iterator<Item = &NoticeRule> {
        self.notices.iter()
    }
}

/// Whether a rule reacts to one of these kinds of event. An operator's forced sync always counts.
pub fn reacts(rule: &PageRule, kinds: EventKinds) -> bool {
    kinds.contains(EventKind::Forced) || rule.on.iter().any(|kind| kinds.contains(*kind))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use passerelle_model::config::{BridgeFile, Problems};
    use passerelle_model::ledger::FailureClass;
    use proptest::prelude::*;

    use super::*;
    use crate::content::document::Node;
    use crate::content::page::{Body, DesiredIcon, DesiredPage};
    use crate::content::row::Row;
    use crate::failure::Failure;

    const RULE: &str = r#"[sources]
"*" = { proof = "hmac", secrets = "S" }

[[rules]]
name = "projet-page"
table = "projet"
links = { client = "Client" }

[rules.page]
space = "Agence"
title = "Projet {{ row.Nom }} - {{ client.Nom }}"
body = "projet.md"
icon = { field = "Statut", values = { "En cours" = "🚧", "Clos" = "" }, default = "📁" }
"#;
    const BODY: &str = "| Client | {{ client.Nom }} |\n|---|---|\n| Statut | {{ row.Statut or \"–\" }} |\n\n{{ row.Description | paragraphs }}\n";

    fn sources(text: &str, body: &str) -> RuleSources {
        let templates = BTreeMap::from([("projet.md".to_owned(), Ok(body.to_owned()))]);
        RuleSources::new(BridgeFile::parse(text, "bridge.toml").unwrap(), templates)
    }

    fn problems(text: &str, body: &str) -> Problems {
        Rules::compile(&sources(text, body)).unwrap_err()
    }

    fn row(fields: &serde_json::Value) -> Row {
        Row::from_json(&fields.to_string()).unwrap()
    }

    fn projet(name: &str, status: &str) -> Row {
        row(
            &serde_json::json!({"id": 345, "Nom": name, "Statut": {"id": 1, "value": status, "color": "red"}, "Description": null, "Client": []}),
        )
    }

    fn plan(rules: &Rules, row: &Row, client: Option<Row>) -> Result<DesiredPage, Failure> {
        let links = BTreeMap::from([("client".to_owned(), client)]);
        let subject = Subject {
            bridge: "k3x9",
            key: "t12/r345".parse().unwrap(),
            row,
            links: &links,
            address: "https://baserow.example.org/database/1/table/12/row/345",
        };
        rules.plan(rules.pages().next().unwrap(), &subject)
    }

    fn texts(nodes: &[Node]) -> Vec<String> {
        let one = |node: &Node| {
            node.text
                .clone()
                .map_or_else(|| texts(&node.content), |text| vec![text])
        };
        nodes.iter().flat_map(one).collect()
    }

    fn shipped() -> Rules {
        Rules::compile(&sources(RULE, BODY)).unwrap()
    }

    #[test]
    fn a_row_and_its_client_become_the_page_of_the_specification() {
        let client = row(&serde_json::json!({"id": 7, "Nom": "Ville | Lyon"}));
        let page = plan(&shipped(), &projet("Éole", "En cours"), Some(client)).unwrap();
        insta::assert_snapshot!(
            format!("{:?} {} {}\n{:?}", page.icon, page.title, page.marker.label, texts(page.body.nodes())),
            @r#"
        Is(Some("🚧")) Projet Éole - Ville | Lyon baserow-t12-r345
        ["Client", "Ville | Lyon", "Statut", "En cours", "Baserow: ", "brwk3x9t12r345x"]
        "#
        );
    }

    #[test]
    fn a_row_without_a_client_still_has_a_page() {
        let page = plan(&shipped(), &projet("Éole", "Autre"), None).unwrap();
        assert_eq!(page.title, "Projet Éole -");
        assert_eq!(page.icon, DesiredIcon::Is(Some("📁".to_owned())));
        let closed = plan(&shipped(), &projet("Éole", "Clos"), None).unwrap();
        assert_eq!(closed.icon, DesiredIcon::Is(None), "an empty icon takes the icon away");
    }

    #[test]
    fn a_field_that_the_table_does_not_have_is_a_permanent_failure_that_names_the_place() {
        let rules = Rules::compile(&sources(RULE, "line\n{{ row.Nmo }}")).unwrap();
        let failure = plan(&rules, &projet("x", "y"), None).unwrap_err();
        assert_eq!(failure.class, FailureClass::Permanent);
        assert!(
            failure.message.contains("projet.md") && failure.message.contains("line 2"),
            "{}",
            failure.message
        );
    }

    #[test]
    fn a_filter_or_test_that_does_not_exist_is_a_problem_also_where_few_rows_come() {
        let body = "{% if row.Nom == 'x' %}{{ row.Nom | datte }}{% endif %}\n{% if row.Nom is vide %}{% endif %}";
        let title = RULE.replace("{{ row.Nom }}", "{{ row.Nom | majuscules }}");
        let problems = problems(&title, body).to_string();
        for word in [
            "bridge.toml:11:30 (rule projet-page): `page.title` uses the filter \"majuscules\"",
            "projet.md:1:37 (rule projet-page): the file uses the filter \"datte\", which does not exist\n      → did you mean \"date\"?",
            "projet.md:2:18 (rule projet-page): the file uses the test \"vide\"",
        ] {
            assert!(problems.contains(word), "{problems}");
        }
    }

    #[test]
    fn values_are_text_in_macros_and_blocks_too_and_rich_text_is_markdown_where_the_template_says_so() {
        let body = "{% macro line(label, value) %}**{{ label }}** : {{ value }}{% endmacro %}\
            {% set name %}*{{ row.Nom }}*{% endset %}{{ line('N*m', row.Nom) }} / {{ name }}\n\n{{ row.Nom | safe }}";
        let rules = Rules::compile(&sources(RULE, body)).unwrap();
        let page = plan(&rules, &projet("_a_ **b**", "y"), None).unwrap();
        let mut written = texts(page.body.nodes());
        written.truncate(5);
        assert_eq!(written, ["N*m", " : _a_ **b** / ", "_a_ **b**", "a", " "]);
    }

    #[test]
    fn a_body_that_people_own_does_not_make_a_difference_and_a_followed_one_does() {
        let with_body = |text: &str, body: &str| {
            let rules = Rules::compile(&sources(text, body)).unwrap();
            plan(&rules, &projet("x", "y"), None).unwrap()
        };
        assert_eq!(with_body(RULE, "one").hash, with_body(RULE, "two").hash);
        let following = format!("{RULE}body_updates = \"replace\"\n");
        let (one, two) = (with_body(&following, "one"), with_body(&following, "two"));
        assert_ne!(one.hash, two.hash);
        let Body::Follows { proof, .. } = &one.body else {
            panic!("the body should follow the row");
        };
        let text = |page: &DesiredPage| page.body.document().to_string();
        assert!(text(&one).contains(proof) && !text(&two).contains(proof));
    }

    #[test]
    fn a_page_that_docmost_would_refuse_is_refused_here_with_its_size() {
        let rules = Rules::compile(&sources(RULE, &"x".repeat(1024 * 1024))).unwrap();
        let failure = plan(&rules, &projet("x", "y"), None).unwrap_err();
        assert_eq!(failure.class, FailureClass::Permanent);
    }

    #[test]
    fn everything_that_is_wrong_with_the_rules_is_reported_at_once_with_its_line() {
        let second = RULE[RULE.find("[[rules]]").unwrap()..]
            .replace("client.Nom", "clinet.Nom")
            .replace("\"projet.md\"", "\"missing.md\"")
            .replace("{ client =", "{ row =");
        let problems = problems(&format!("{RULE}\n{second}"), "{% if %}");
        insta::assert_snapshot!(problems, @r#"
        the configuration has 6 problems:
          bridge.toml:16:8 (rule projet-page): another rule has the same name
              → give each rule its own name
          bridge.toml:17:9 (rule projet-page): the rule "projet-page" already makes the page of this table's rows
              → make one rule of the two
          projet.md:1:7 (rule projet-page): the file is no template: syntax error: unexpected end of block
              → see docs/RULES.md, Templates
          bridge.toml:18:17 (rule projet-page): "row" cannot be the name of a link in templates
              → use letters, digits and _, and not the word `row`
          bridge.toml:22:36 (rule projet-page): `page.title` uses "clinet", which does not exist there
              → correct the name, or add it: links = { clinet = "<link field>" }
          bridge.toml:23:8 (rule projet-page): the template "missing.md" was not read
              → give its path relative to bridge.toml
        "#);
    }

    proptest! {
        #[test]
        fn the_same_row_always_gives_the_same_plan(name in "\\PC*", status in "\\PC*") {
            let row = projet(&name, &status);
            prop_assert_eq!(plan(&shipped(), &row, None), plan(&shipped(), &row, None));
        }

        #[test]
        fn no_value_breaks_the_table_or_reaches_docmost_with_nul(name in "[\\PC\0\n|]*") {
            let client = row(&serde_json::json!({"id": 7, "Nom": name}));
            let page = plan(&shipped(), &projet(&name, "y"), Some(client)).map_err(|failure| TestCaseError::fail(failure.message))?;
            let body = page.body.document();
            prop_assert!(!body.to_string().contains("\\u0000") && !page.title.contains(['\0', '\n']));
            let rows = body["content"][0]["content"].as_array().unwrap();
            prop_assert!(rows.iter().all(|row| row["content"].as_array().unwrap().len() == 2));
        }
    }
}
