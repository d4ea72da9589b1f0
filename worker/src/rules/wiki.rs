//! The rules of `[[wiki]]`: which pages get a row, and which texts stand in it. Pure, like its
//! siblings.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use minijinja::Value;
use passerelle_model::config::{Problem, RowAction, WikiRule};
use sha2::{Digest as _, Sha256};
use toml::Spanned;

use super::compile::Check;
use super::texts::{At, RuleText};
use super::{Rules, plain, template};
use crate::content::moment;
use crate::content::wiki::Page;
use crate::failure::Failure;

/// The one name that templates of wiki rules know.
const PAGE: &str = "page";
/// What it has.
const PAGE_FIELDS: [&str; 8] = ["title", "url", "id", "icon", "created", "created_on", "space", "author"];

/// What the row of a page should hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesiredRow<'a> {
    /// Field → text; the field of the page's id among them.
    pub fields: BTreeMap<&'a str, String>,
    /// Hash of all that.
    pub hash: String,
}

impl Rules {
    /// The rules of pages with a label, each with its label and its action.
    pub fn labelled(&self) -> impl Iterator<Item = (&WikiRule, &str, &RowAction)> {
        let rules = self.wiki.iter();
        rules.filter_map(|rule| Some((rule, rule.label.as_deref()?, rule.row.as_ref()?)))
    }

    /// The rules of shares that are reported.
    pub fn shared(&self) -> impl Iterator<Item = &WikiRule> {
        self.wiki.iter().filter(|rule| rule.shared && rule.alert.is_some())
    }

    /// What a rule wants to stand in the row of a page.
    pub fn row_of<'a>(
        &self,
        rule: &'a WikiRule,
        action: &'a RowAction,
        page: &Page,
        url: &str,
    ) -> Result<DesiredRow<'a>, Failure> {
        let variables = Value::from_pairs([(PAGE.to_owned(), page_value(page, url, &self.locale.zone))]);
        let mut fields = BTreeMap::from([(action.page_id.as_str(), page.id.to_string())]);
        for field in action.fields.keys() {
            let text = self.render(&template_of(&rule.name, field), &variables)?;
            fields.insert(field.as_str(), plain::without_controls(&text).trim().to_owned());
        }
        let mut hasher = Sha256::new();
        for text in fields.iter().flat_map(|(field, text)| [*field, text]) {
            hasher.update(text.len().to_le_bytes());
            hasher.update(text);
        }
        let hash = hex::encode(hasher.finalize());
        Ok(DesiredRow { fields, hash })
    }
}

fn template_of(rule: &str, field: &str) -> String {
    template::title_of(&format!("{rule}/{field}"))
}

fn page_value(page: &Page, url: &str, zone: &TimeZone) -> Value {
    let text = |text: Option<&str>| Value::from(text.filter(|text| !text.is_empty()));
    let created = page.created_at.as_deref();
    let created_on = created
        .and_then(|created| moment::moment(created, zone))
        .map(|created| created.date().to_string());
    Value::from_pairs([
        ("id", Value::from(page.id.as_str())),
        ("title", text(page.title.as_deref())),
        ("icon", text(page.icon.as_deref())),
        ("url", Value::from(url)),
        ("created", text(created)),
        ("created_on", text(created_on.as_deref())),
        ("space", text(page.space.as_ref().map(|space| space.name.as_str()))),
        (
            "author",
            text(page.creator.as_ref().and_then(|person| person.name.as_deref())),
        ),
    ])
}

impl Check<'_> {
    /// Checks a rule and takes its templates into the environment.
    pub(super) fn wiki(&mut self, rule: &Spanned<WikiRule>) {
        let spec = rule.get_ref();
        let named_so = |other: &&Spanned<WikiRule>| other.get_ref().name == spec.name;
        if self.sources.file.wiki.iter().filter(named_so).count() > 1 {
            let what = "another wiki rule has the same name".to_owned();
            self.wiki_problem(rule, &["name"], what, "give each rule its own name");
        }
        let shape = (
            spec.label.is_some(),
            spec.row.is_some(),
            spec.shared,
            spec.alert.is_some(),
        );
        if !matches!(shape, (true, true, false, false) | (false, false, true, true)) {
            let what = "it needs one trigger and the action that goes with it".to_owned();
            let hint = "give either `label` and `[wiki.row]`, or `shared = true` and `alert = \"admin\"`";
            self.wiki_problem(rule, &[], what, hint);
        }
        if let Some(label) = spec.label.as_ref().filter(|label| !is_label(label)) {
            let what = format!("{label:?} cannot be a label in Docmost");
            let hint = "use a–z, 0–9, - and _, at most 100 characters";
            self.wiki_problem(rule, &["label"], what, hint);
        }
        if let Some(row) = &spec.row {
            self.wiki_row(rule, row);
        }
    }

    fn wiki_row(&mut self, rule: &Spanned<WikiRule>, row: &RowAction) {
        let mut rules = self.sources.file.rules.iter().map(Spanned::get_ref);
        if rules.any(|rule| rule.table == row.table && rule.page.is_some()) {
            let what = format!(
                "rows of {} get pages by another rule: page, row, page … would never end",
                row.table
            );
            self.wiki_problem(rule, &["row", "table"], what, "give the rows another table");
        }
        if row.fields.contains_key(&row.page_id) {
            let what = format!("{:?} is both page_id and a field", row.page_id);
            let hint = "leave it out of `fields`: the bridge writes the page's id there";
            self.wiki_problem(rule, &["row", "fields", row.page_id.as_str()], what, hint);
        }
        let path = self.sources.file.positions.path("wiki", rule.span().start);
        let name = &rule.get_ref().name;
        let known = PAGE_FIELDS.map(|field| format!("{PAGE}.{field}")).join(", ");
        for (field, source) in &row.fields {
            let text = RuleText {
                whose: &format!(" (wiki rule {name})"),
                at: At::Value(&path, &["row", "fields", field.as_str()]),
                called: &format!("the text of {field:?}"),
                name: &template_of(name, field),
                source,
                names: &[PAGE],
                more_names: &format!("only `{PAGE}` is known: {known}"),
            };
            self.text(&text);
            self.fields(&text, PAGE, &PAGE_FIELDS);
        }
    }

    fn wiki_problem(&mut self, rule: &Spanned<WikiRule>, keys: &[&str], what: String, hint: &str) {
        let positions = &self.sources.file.positions;
        let place = positions.of(&positions.path("wiki", rule.span().start), keys);
        self.problems.push(Problem {
            place: format!("{place} (wiki rule {})", rule.get_ref().name),
            what,
            hint: hint.to_owned(),
        });
    }
}

fn is_label(label: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    (1..=100).contains(&label.len()) && label.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use passerelle_model::config::BridgeFile;
    use serde_json::json;

    use super::*;
    use crate::rules::RuleSources;

    const RULES: &str = r#"[sources]
"*" = { proof = "hmac", secrets = "S" }

[[wiki]]
name = "compte-rendu"
label = "compte-rendu"

[wiki.row]
table = "comptes_rendus"
page_id = "docmost_page_id"
fields = { Titre = "{{ page.title or '(sans titre)' }}", Le = "{{ page.created_on }}" }

[[wiki]]
name = "partage"
shared = true
alert = "admin"
"#;

    fn sources(text: &str) -> RuleSources {
        let templates = BTreeMap::from([("projet.md".to_owned(), Ok("x".to_owned()))]);
        RuleSources::new(BridgeFile::parse(text, "bridge.toml").unwrap(), templates)
    }

    fn page(title: Option<&str>) -> Page {
        let page = json!({"id": "0198", "slugId": "aB3", "title": title, "createdAt": "2026-11-22T10:54:01.000Z"});
        serde_json::from_value(page).unwrap()
    }

    #[test]
    fn a_pages_row_holds_its_id_and_what_the_templates_say() {
        let rules = Rules::compile(&sources(RULES)).unwrap();
        let (rule, label, action) = rules.labelled().next().unwrap();
        assert_eq!(label, "compte-rendu");
        let row = rules.row_of(rule, action, &page(None), "https://wiki/p/aB3").unwrap();
        let expected = [
            ("Le", "2026-11-22"),
            ("Titre", "(sans titre)"),
            ("docmost_page_id", "0198"),
        ];
        assert_eq!(
            row.fields,
            expected.map(|(field, text)| (field, text.to_owned())).into()
        );
        let other = rules
            .row_of(rule, action, &page(Some("Comité")), "https://wiki/p/aB3")
            .unwrap();
        assert_ne!(row.hash, other.hash);
        assert_eq!(rules.shared().count(), 1);
    }

    #[test]
    fn everything_that_is_wrong_with_wiki_rules_is_reported_at_once_with_its_line() {
        let wrong = RULES
            .replace("label = \"compte-rendu\"", "label = \"Compte rendu\"")
            .replace("alert = \"admin\"\n", "")
            .replace("page.created_on", "row.Le")
            .replace("name = \"partage\"", "name = \"compte-rendu\"");
        let projet = "\n[[rules]]\nname = \"x\"\ntable = \"comptes_rendus\"\n[rules.page]\nspace = \"A\"\ntitle = \"t\"\nbody = \"projet.md\"\n";
        let problems = Rules::compile(&sources(&format!("{wrong}{projet}"))).unwrap_err();
        let text = problems.to_string();
        for part in [
            "bridge.toml:5:8 (wiki rule compte-rendu): another wiki rule has the same name",
            "bridge.toml:13:1 (wiki rule compte-rendu): it needs one trigger and the action that goes with it",
            "\"Compte rendu\" cannot be a label",
            "uses \"row\", which does not exist there",
            "page, row, page … would never end",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert_eq!(problems.0.len(), 6, "{text}");
    }
}
