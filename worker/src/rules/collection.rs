//! The pages below a row's page, one per linked row: the blocs of a course (B2).
//!
//! A sub-page belongs to the row of the rule, in a slot of its own that names the linked row: so a
//! bloc that is in two courses has a page in each, and one job, the course's, writes them all.

use minijinja::Value;
use passerelle_model::config::CollectionAction;
use passerelle_model::id::{RowId, RowKey, Slot};

use super::plan::{Draft, peoples_will};
use super::{PageRule, Rules, Subject, template, value};
use crate::content::marker::Marker;
use crate::content::page::DesiredPage;
use crate::content::row::Row;
use crate::failure::Failure;

/// Most sub-pages of one page; one job makes them all.
pub const MOST_SUB_PAGES: usize = 300;
/// Positions are whole numbers of four digits to the base 62 behind a `d`: what Docmost's
/// fractional indexes call an integer, five characters long.
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A linked row that gets a sub-page.
#[derive(Debug, Clone, PartialEq)]
pub struct SubPageRow {
    pub key: RowKey,
    pub row: Row,
    /// The row's address for people.
    pub address: String,
}

/// The slot of a linked row's sub-page, e.g. `bloc-17`.
pub fn sub_page_slot(collection: &CollectionAction, row: RowId) -> Result<Slot, Failure> {
    Slot::parse(&format!("{}-{row}", collection.slot)).map_err(|error| Failure::unmappable(error.to_string()))
}

impl Rules {
    /// The sub-pages that this rule wants below the row's page, in order; none for a rule without a
    /// collection.
    pub fn plan_sub_pages(
        &self,
        rule: &PageRule,
        subject: &Subject<'_>,
        linked: &[SubPageRow],
    ) -> Result<Vec<DesiredPage>, Failure> {
        let Some(collection) = &rule.collection else {
            return Ok(Vec::new());
        };
        let planned = linked.iter().enumerate().map(|(index, linked)| {
            let slot = sub_page_slot(collection, linked.key.row)?;
            let draft = Draft {
                marker: Marker::of(subject.bridge, subject.key, &slot),
                slot,
                title: template::sub_page_title_of(&rule.name),
                parent: None,
                body: &collection.body,
                body_updates: collection.body_updates,
                section: &collection.section,
                icons: collection.icon.as_ref(),
                row: &linked.row,
                address: &linked.address,
                position: Some(position(index)),
                people: peoples_will(&rule.page),
            };
            self.page(&rule.page.space, draft, &self.sub_page_variables(subject, linked))
        });
        planned.collect()
    }

    /// `row` is the linked row, `parent` the rule's own; the rule's links keep their names.
    fn sub_page_variables(&self, subject: &Subject<'_>, linked: &SubPageRow) -> Value {
        let own = [
            ("parent".to_owned(), value::row_value(subject.row)),
            ("row".to_owned(), value::row_value(&linked.row)),
        ];
        Value::from_pairs(self.linked_values(subject).chain(own))
    }
}

/// The place of the n-th sub-page (from 0). Later ones sort behind it, and so does what people add.
pub fn position(index: usize) -> String {
    let mut rest = index + 1;
    let mut digits = [b'0'; 4];
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS.get(rest % DIGITS.len()).copied().unwrap_or(b'0');
        rest /= DIGITS.len();
    }
    format!("d{}", String::from_utf8_lossy(&digits))
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashSet};

    use passerelle_model::config::BridgeFile;
    use passerelle_model::id::PageId;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::rules::RuleSources;

    const RULE: &str = r#"[sources]
"*" = { proof = "hmac", secrets = "S" }

[[rules]]
name = "formation"
table = "formation"

[rules.page]
space = "Agence"
title = "{{ row.Titre }}"
body = "formation.md"

[rules.collection]
of = "bloc"
slot = "bloc"
title = "{{ parent.Titre }} : {{ row.Titre }}"
body = "bloc.md"
"#;

    fn sources(text: &str) -> RuleSources {
        let template = |name: &str| (name.to_owned(), Ok("{{ row.Titre }}".to_owned()));
        let templates = BTreeMap::from([template("formation.md"), template("bloc.md")]);
        RuleSources::new(BridgeFile::parse(text, "bridge.toml").unwrap(), templates)
    }

    fn linked(id: u64, title: &str) -> SubPageRow {
        SubPageRow {
            key: format!("t4/r{id}").parse().unwrap(),
            row: Row::from_json(&json!({"id": id, "Titre": title}).to_string()).unwrap(),
            address: format!("https://baserow.example.org/{id}"),
        }
    }

    fn plan(linked: &[SubPageRow]) -> Vec<DesiredPage> {
        let rules = Rules::compile(&sources(RULE)).unwrap();
        let row = Row::from_json(&json!({"id": 9, "Titre": "Rust"}).to_string()).unwrap();
        let subject = Subject {
            bridge: "k3x9",
            key: "t3/r9".parse().unwrap(),
            row: &row,
            links: &BTreeMap::new(),
            address: "https://baserow.example.org/9",
        };
        rules
            .plan_sub_pages(rules.pages().next().unwrap(), &subject, linked)
            .unwrap()
    }

    #[test]
    fn a_bloc_becomes_a_page_in_a_slot_of_its_own() {
        let pages = plan(&[linked(17, "Bases"), linked(3, "Suite")]);
        let shown: Vec<_> = pages
            .iter()
            .map(|page| {
                (
                    page.title.as_str(),
                    page.marker.label.as_str(),
                    page.position.as_deref(),
                )
            })
            .collect();
        assert_eq!(
            shown,
            [
                ("Rust : Bases", "baserow-t3-r9-bloc-17", Some("d0001")),
                ("Rust : Suite", "baserow-t3-r9-bloc-3", Some("d0002"))
            ]
        );
    }

    #[test]
    fn below_another_parent_it_is_another_state() {
        let page = plan(&[linked(17, "Bases")]).remove(0);
        let below = |id: &str| page.below(&PageId::parse(id).unwrap());
        assert_eq!(below("a").hash, below("a").hash);
        assert_ne!(below("a").hash, below("b").hash);
        assert_ne!(below("a").hash, page.hash);
    }

    #[test]
    fn everything_that_is_wrong_with_a_collection_is_reported_at_once_with_its_line() {
        let wrong = RULE
            .replace("of = \"bloc\"", "of = \" \"")
            .replace("slot = \"bloc\"", "slot = \"Bloc 1\"")
            .replace("parent.Titre", "formation.Titre")
            .replace("\"bloc.md\"", "\"missing.md\"")
            .replace(
                "table = \"formation\"",
                "table = \"formation\"\non = [\"created\"]\nlinks = { parent = \"x\" }",
            );
        insta::assert_snapshot!(Rules::compile(&sources(&wrong)).unwrap_err(), @r#"
        the configuration has 6 problems:
          bridge.toml:16:6 (rule formation): the collection has no link field
              → name the link field whose rows get sub-pages, e.g. of = "bloc"
          bridge.toml:17:8 (rule formation): "Bloc 1" cannot be the slot of a collection
              → use 1 to 20 letters a–z, and not the word `page`, e.g. slot = "bloc"
          bridge.toml:8:20 (rule formation): "parent" cannot be the name of a link beside a collection
              → give the link another name: sub-pages know the rule's own row as `parent`
          bridge.toml:7:6 (rule formation): a collection can only follow its rows if the rule reacts to `updated`
              → add "updated" to `on`, or leave `on` out
          bridge.toml:18:13 (rule formation): `collection.title` uses "formation", which does not exist there
              → correct the name, or add it: links = { formation = "<link field>" }
          bridge.toml:19:8 (rule formation): the template "missing.md" was not read
              → give its path relative to bridge.toml
        "#);
    }

    #[test]
    fn an_unknown_field_is_refused_with_its_line() {
        let problems = BridgeFile::parse(&format!("{RULE}order = 1\n"), "bridge.toml").unwrap_err();
        assert!(problems.to_string().contains("bridge.toml:18:1"), "{problems}");
    }

    proptest! {
        #[test]
        fn slots_and_tokens_are_unique_and_positions_rise(ids in prop::collection::hash_set(1_u64..100_000, 0..MOST_SUB_PAGES)) {
            let linked: Vec<SubPageRow> = ids.into_iter().map(|id| linked(id, "x")).collect();
            let pages = plan(&linked);
            prop_assert_eq!(&pages, &plan(&linked), "the same rows always give the same plan");
            let slots: HashSet<_> = pages.iter().map(|page| &page.slot).collect();
            let tokens: HashSet<_> = pages.iter().map(|page| &page.marker.token).collect();
            prop_assert_eq!((slots.len(), tokens.len()), (linked.len(), linked.len()));
            prop_assert!(pages.is_sorted_by(|a, b| a.position < b.position));
            prop_assert!(pages.iter().all(|page| page.position.as_ref().is_some_and(|position| position.len() == 5)));
        }
    }
}
