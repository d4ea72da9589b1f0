//! Which choices of select fields the rules give an icon: `check --live` and `doctor` compare them
//! with those that there are.

use passerelle_model::config::{Icons, TableRef};

use super::{Owner, Rules};

/// The choices of a field that a rule gives an icon.
#[derive(Debug, Clone)]
pub struct IconNeed<'a> {
    pub rule: &'a str,
    /// The table that the rule names.
    pub table: &'a TableRef,
    pub of: Owner,
    pub icons: &'a Icons,
    /// Where the rule says so.
    pub place: &'static str,
}

impl Rules {
    /// What all rules give an icon.
    pub fn icon_needs(&self) -> impl Iterator<Item = IconNeed<'_>> {
        self.iter().flat_map(|rule| {
            let need = |of: Owner, icons, place| IconNeed {
                rule: &rule.name,
                table: &rule.table,
                of,
                icons,
                place,
            };
            let page = rule.page.as_ref().and_then(|page| page.icon.as_ref());
            let page = page.map(|icons| need(Owner::Row, icons, "page.icon"));
            let below = rule.collection.as_ref().and_then(|collection| {
                let of = Owner::Linked(collection.of.clone());
                Some(need(of, collection.icon.as_ref()?, "collection.icon"))
            });
            page.into_iter().chain(below)
        })
    }
}
