//! Which fields a rule reads and writes: what `passerelle check`, `doctor` and `provision` compare
//! with the real tables.
//!
//! Fields in templates are found as they are written there: `row.Nom`, `row["Modifié le"]`.

use std::collections::BTreeSet;

use passerelle_model::config::{CapacityAction, NoticeAction, PageAction, Rule, TableRef, WriteBack};

use super::notice::CAUSE;
use super::{Rules, template};

/// A field that a rule needs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FieldNeed {
    pub of: Owner,
    pub field: String,
    pub purpose: Purpose,
    /// Where the rule says so: `links.client`, `page.write_back`, the name of a template.
    pub place: String,
}

/// In which table a field is looked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    Row,
    /// The one that this link field of the rule's table leads to.
    Linked(String),
}

/// What a rule does with a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// It follows its rows.
    Link,
    /// It shows its value. A page *follows* the field if a change of it changes the page.
    Read { follows: bool },
    /// It writes a page's id there.
    PageId,
    /// It writes a page's address there.
    PageUrl,
    /// It writes a text about a wiki page there.
    Text,
}

/// What a rule, of either kind, needs of its table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableNeeds<'a> {
    pub rule: &'a str,
    /// Whether it is one of `[[wiki]]`.
    pub is_wiki: bool,
    /// The table that it names.
    pub table: &'a TableRef,
    /// The fields that it needs there, and in tables that links of it lead to.
    pub fields: BTreeSet<FieldNeed>,
}

/// A notice says what a field holds at the moment of the event.
const SHOWN: Purpose = Purpose::Read { follows: false };

impl Rules {
    /// What all rules need of tables, those of `[[wiki]]` last.
    pub fn table_needs(&self) -> Vec<TableNeeds<'_>> {
        let rules = self.iter().map(|rule| TableNeeds {
            rule: &rule.name,
            is_wiki: false,
            table: &rule.table,
            fields: self.needs(rule),
        });
        let field = |name: &String, purpose| FieldNeed {
            of: Owner::Row,
            field: name.clone(),
            purpose,
            place: "wiki.row".to_owned(),
        };
        let wiki = self.wiki.iter().filter_map(|rule| {
            let row = rule.row.as_ref()?;
            let texts = row.fields.keys().map(|name| field(name, Purpose::Text));
            Some(TableNeeds {
                rule: &rule.name,
                is_wiki: true,
                table: &row.table,
                fields: texts.chain([field(&row.page_id, Purpose::PageId)]).collect(),
            })
        });
        rules.chain(wiki).collect()
    }

    /// Whether a rule names a field so, in whatever table.
    pub fn name_field(&self, name: &str) -> bool {
        let mut needs = self.table_needs().into_iter().flat_map(|needs| needs.fields);
        needs.any(|need| need.field == name)
    }

    /// The fields that a rule needs, each use once.
    pub fn needs(&self, rule: &Rule) -> BTreeSet<FieldNeed> {
        self.needs_and_wholes(rule).0
    }

    /// The same, with the tables whose rows are followed as wholes, whatever their fields.
    pub(super) fn needs_and_wholes(&self, rule: &Rule) -> (BTreeSet<FieldNeed>, BTreeSet<Owner>) {
        let mut needs = Needs {
            rules: self,
            rule,
            found: BTreeSet::new(),
            wholes: BTreeSet::new(),
        };
        for (name, field) in &rule.links {
            needs.add(Owner::Row, field, Purpose::Link, &format!("links.{name}"));
        }
        if let Some(page) = &rule.page {
            needs.page(page);
        }
        needs.collection();
        if let Some(notice) = &rule.notice {
            needs.notice(notice);
        }
        if let Some(capacity) = &rule.capacity {
            needs.capacity(capacity);
        }
        (needs.found, needs.wholes)
    }
}

struct Needs<'a> {
    rules: &'a Rules,
    rule: &'a Rule,
    found: BTreeSet<FieldNeed>,
    wholes: BTreeSet<Owner>,
}

impl Needs<'_> {
    fn page(&mut self, page: &PageAction) {
        let owner = |name: &str| (name == "row").then_some(Owner::Row);
        self.template(&template::title_of(&self.rule.name), "page.title", true, owner);
        if page.parent.is_some() {
            self.template(&template::parent_of(&self.rule.name), "page.parent", true, owner);
        }
        self.template(&page.body, &page.body, page.body_updates.follow(), owner);
        if let Some(icon) = &page.icon {
            self.add(Owner::Row, &icon.field, Purpose::Read { follows: true }, "page.icon");
        }
        self.write_back(&Owner::Row, &page.write_back, "page.write_back");
    }

    fn collection(&mut self) {
        let Some(collection) = &self.rule.collection else {
            return;
        };
        self.add(Owner::Row, &collection.of, Purpose::Link, "collection.of");
        let linked = Owner::Linked(collection.of.clone());
        let owner = |name: &str| match name {
            "row" => Some(linked.clone()),
            "parent" => Some(Owner::Row),
            _ => None,
        };
        let follows = collection.body_updates.follow();
        self.template(
            &template::sub_page_title_of(&self.rule.name),
            "collection.title",
            true,
            owner,
        );
        self.template(&collection.body, &collection.body, follows, owner);
        if let Some(icon) = &collection.icon {
            self.add(
                linked.clone(),
                &icon.field,
                Purpose::Read { follows: true },
                "collection.icon",
            );
        }
        self.write_back(&linked, &collection.write_back, "collection.write_back");
    }

    fn notice(&mut self, notice: &NoticeAction) {
        let people = notice.to.as_ref().map(|to| Owner::Linked(to.link.clone()));
        if let (Some(to), Some(people)) = (&notice.to, &people) {
            self.add(Owner::Row, &to.link, Purpose::Link, "notice.to");
            for field in std::iter::once(&to.email).chain(&to.name) {
                self.add(people.clone(), field, SHOWN, "notice.to");
            }
        }
        for name in notice.values.keys() {
            let owner = |root: &str| match root {
                "row" => Some(Owner::Row),
                "person" => people.clone(),
                _ => None,
            };
            let template = template::value_of(&self.rule.name, name);
            self.template(&template, &format!("notice.values.{name}"), false, owner);
        }
    }

    fn capacity(&mut self, capacity: &CapacityAction) {
        self.add(Owner::Row, &capacity.people, Purpose::Link, "capacity.people");
        let people = Owner::Linked(capacity.people.clone());
        self.add(people.clone(), &capacity.name, SHOWN, "capacity.name");
        self.add(people, &capacity.hours_left, SHOWN, "capacity.hours_left");
        let template = template::value_of(&self.rule.name, CAUSE);
        let owner = |root: &str| (root == "row").then_some(Owner::Row);
        self.template(&template, "capacity.cause", false, owner);
    }

    fn write_back(&mut self, of: &Owner, fields: &WriteBack, place: &str) {
        let written = [(&fields.page_id, Purpose::PageId), (&fields.url, Purpose::PageUrl)];
        for (field, purpose) in written {
            if let Some(field) = field {
                self.add(of.clone(), field, purpose, place);
            }
        }
    }

    /// The fields in a template; `place` is where the rule names it, `owner` whose row a name is,
    /// besides those of the rule's links.
    fn template(&mut self, name: &str, place: &str, follows: bool, owner: impl Fn(&str) -> Option<Owner>) {
        let Ok(template) = self.rules.templates.get_template(name) else {
            return;
        };
        for (root, field) in template::used(&template) {
            let linked = || self.rule.links.get(&root).cloned().map(Owner::Linked);
            let Some(of) = owner(&root).or_else(linked) else {
                continue;
            };
            match field {
                Some(field) if field != "id" && field != template::PAGE_URL => {
                    self.add(of, &field, Purpose::Read { follows }, place);
                }
                None if follows => {
                    self.wholes.insert(of);
                }
                _ => {}
            }
        }
    }

    fn add(&mut self, of: Owner, field: &str, purpose: Purpose, place: &str) {
        self.found.insert(FieldNeed {
            of,
            field: field.to_owned(),
            purpose,
            place: place.to_owned(),
        });
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use passerelle_model::config::BridgeFile;

    use super::*;
    use crate::rules::RuleSources;

    fn needs(rule: &str, templates: &[(&str, &str)]) -> Vec<String> {
        let text =
            format!("[sources]\n\"*\" = {{ proof = \"hmac\", secrets = \"S\" }}\n[[rules]]\nname = \"r\"\n{rule}");
        let read = |(path, text): &(&str, &str)| ((*path).to_owned(), Ok((*text).to_owned()));
        let templates = templates.iter().map(read).collect::<BTreeMap<_, _>>();
        let sources = RuleSources::new(BridgeFile::parse(&text, "bridge.toml").unwrap(), templates);
        let rules = Rules::compile(&sources).unwrap();
        let rule = rules.iter().next().unwrap();
        let shown = |need: FieldNeed| format!("{:?}.{} {:?} ({})", need.of, need.field, need.purpose, need.place);
        rules.needs(rule).into_iter().map(shown).collect()
    }

    #[test]
    fn every_field_that_a_rule_names_is_found_with_its_purpose() {
        let rule = r#"table = "projet"
            links = { client = "Client" }
            [rules.page]
            space = "Agence"
            title = "{{ row.Nom or row.id }} - {{ client.Name }}"
            body = "p.md"
            icon = { field = "Statut", values = {} }
            write_back = { page_id = "docmost_page_id", url = "docmost_url" }"#;
        let body = "{% for bloc in row.blocs %}{{ bloc }}{% endfor %}{{ row[\"Fin\"] }}";
        insta::assert_snapshot!(needs(rule, &[("p.md", body)]).join("\n"), @r#"
        Row.Client Link (links.client)
        Row.Fin Read { follows: false } (p.md)
        Row.Nom Read { follows: true } (page.title)
        Row.Statut Read { follows: true } (page.icon)
        Row.blocs Read { follows: false } (p.md)
        Row.docmost_page_id PageId (page.write_back)
        Row.docmost_url PageUrl (page.write_back)
        Linked("Client").Name Read { follows: true } (page.title)
        "#);
    }

    #[test]
    fn a_collection_needs_fields_of_both_tables() {
        let rule = r#"table = "formation"
            [rules.page]
            space = "Agence"
            title = "x"
            body = "p.md"
            [rules.collection]
            of = "bloc"
            slot = "bloc"
            title = "{{ parent.Titre }} {{ row.Titre }}"
            body = "p.md"
            write_back = { page_id = "page" }"#;
        insta::assert_snapshot!(needs(rule, &[("p.md", "")]).join("\n"), @r#"
        Row.Titre Read { follows: true } (collection.title)
        Row.bloc Link (collection.of)
        Linked("bloc").Titre Read { follows: true } (collection.title)
        Linked("bloc").page PageId (collection.write_back)
        "#);
    }
}
