//! What does not fit between the rules and the tables, with what to do: pure.

use std::collections::BTreeMap;

use passerelle_model::config::{Problem, TableRef};
use passerelle_model::id::TableId;
use passerelle_worker::clients::baserow::Table;
use passerelle_worker::rules::{FieldNeed, IconNeed, Purpose, RuleSources, Rules, TableNeeds};

use super::tables::{SeenTable, Survey, find};
use super::{listed, meant_or, problem};

/// The types of fields that take a text as the bridge writes it.
const WRITABLE: [&str; 5] = ["text", "long_text", "url", "date", "single_select"];

impl Survey {
    /// Everything that does not fit.
    pub fn problems(&self, sources: &RuleSources, rules: &Rules) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut pages = BTreeMap::new();
        for needs in rules.table_needs() {
            let place = place_of_table(sources, &needs);
            let Some(table) = self.table(needs.table) else {
                problems.push(self.no_table(needs.table, &place));
                continue;
            };
            problems
                .extend(twice(rules, &needs, &table.table, &mut pages).map(|(what, hint)| problem(&place, what, hint)));
            let fields = needs.fields.iter();
            problems.extend(fields.filter_map(|need| {
                let place = sources.place_of_need(&needs, need);
                self.field_problem(needs.table, need, &place)
            }));
        }
        problems
    }

    /// Everything in Baserow's tables that does not fit the rules.
    pub fn all_problems(&self, sources: &RuleSources, rules: &Rules) -> Vec<Problem> {
        let mut problems = self.problems(sources, rules);
        problems.extend(self.icon_problems(sources, rules));
        problems
    }

    /// Icons of choices that nobody can make: rows with the option's new name get another icon.
    pub fn icon_problems(&self, sources: &RuleSources, rules: &Rules) -> Vec<Problem> {
        let needs = rules.icon_needs();
        needs.filter_map(|need| self.icon_problem(sources, &need)).collect()
    }

    fn icon_problem(&self, sources: &RuleSources, need: &IconNeed<'_>) -> Option<Problem> {
        let table = self.owner(need.table, &need.of)?;
        let field = find(table, &need.icons.field).filter(|field| field.kind == "single_select")?;
        let options = || field.select_options.iter().map(|option| option.value.as_str());
        let named = need.icons.values.keys().map(String::as_str);
        // The empty text is the icon of a cell in which nothing is chosen.
        let gone: Vec<&str> = named
            .filter(|value| !value.is_empty() && !options().any(|option| option == *value))
            .collect();
        let (table, field) = (&table.table.name, &field.name);
        let keys: Vec<&str> = need.place.split('.').collect();
        gone.first().map(|first| {
            let gone = listed(gone.iter().map(|value| format!("{value:?}")));
            let there = listed(options().map(|option| format!("{option:?}")));
            problem(
                &format!("{} {}", sources.place_within(need.rule, &keys, first), need.place),
                format!("the field {field:?} of the table {table:?} has no option {gone}; it has: {there}"),
                meant_or(
                    first,
                    options(),
                    "write the option as it is called now, or take it out of `values`: its rows get the icon of \
                     `default`",
                ),
            )
        })
    }

    fn no_table(&self, reference: &TableRef, place: &str) -> Problem {
        let named = self.named(reference);
        if named.len() > 1 {
            let numbers: Vec<String> = named.iter().map(|table| table.id.to_string()).collect();
            let what = format!("{} tables have the name of its table", named.len());
            let hint = format!("give the number: table = {}", numbers.join(" or table = "));
            return problem(place, what, hint);
        }
        let known = self.tables.iter().map(|table| format!("{} ({})", table.name, table.id));
        let known = listed(known);
        problem(
            place,
            format!(
                "BASEROW_TOKEN cannot see a table {}; it sees: {known}",
                shown(reference)
            ),
            meant_or(
                &reference.to_string(),
                self.tables.iter().map(|table| table.name.as_str()),
                "correct the name, or give the token rights on the table (Baserow: Settings → Database tokens)",
            ),
        )
    }

    fn field_problem(&self, reference: &TableRef, need: &FieldNeed, place: &str) -> Option<Problem> {
        let field_name = &need.field;
        // A link that leads nowhere is reported once, where the rule names it.
        let table = self.owner(reference, &need.of)?;
        let name = &table.table.name;
        let Some(field) = find(table, field_name) else {
            let hint = match need.purpose {
                Purpose::PageId => format!("create it as a text field, or let `passerelle provision` do it; {FIELDS}"),
                Purpose::Text => format!("create it, or let `passerelle provision` make a text field; {FIELDS}"),
                Purpose::PageUrl => format!("create it as a URL field, or let `passerelle provision` do it; {FIELDS}"),
                Purpose::Link | Purpose::Read { .. } => format!("correct the name; the table has: {}", names(table)),
            };
            let what = format!("the table {name:?} has no field {field_name:?}");
            let known = table.fields.iter().map(|field| field.name.as_str());
            return Some(problem(place, what, meant_or(field_name, known, hint)));
        };
        let kind = &field.kind;
        let is = format!("the field {field_name:?} of the table {name:?} is of the type {kind}");
        match need.purpose {
            Purpose::Link => match field.link_row_table_id {
                None => Some(problem(
                    place,
                    format!("{is}, not a link to another table"),
                    "name a link field",
                )),
                Some(other) if !self.tables.iter().any(|table| table.id == other) => Some(problem(
                    place,
                    format!("the field {field_name:?} links to table {other}, which BASEROW_TOKEN cannot see"),
                    "give the token rights on that table too",
                )),
                Some(_) => None,
            },
            Purpose::PageId if field.read_only || !["text", "long_text"].contains(&kind.as_str()) => Some(problem(
                place,
                format!("{is}: a page's id cannot be kept there"),
                "use a text field",
            )),
            Purpose::PageUrl if field.read_only || !["text", "long_text", "url"].contains(&kind.as_str()) => {
                let what = format!("{is}: a page's address cannot be kept there");
                Some(problem(place, what, "use a URL field or a text field"))
            }
            Purpose::Text if field.read_only || !WRITABLE.contains(&kind.as_str()) => {
                let what = format!("{is}: a text cannot be kept there");
                Some(problem(
                    place,
                    what,
                    format!("use a field of one of the types {}", WRITABLE.join(", ")),
                ))
            }
            Purpose::PageId | Purpose::PageUrl | Purpose::Text | Purpose::Read { .. } => None,
        }
    }
}

/// Where a rule names its table.
pub(super) fn place_of_table(sources: &RuleSources, needs: &TableNeeds<'_>) -> String {
    if needs.is_wiki {
        sources.place_of_wiki(needs.rule, &["row", "table"])
    } else {
        sources.place_of(needs.rule, &["table"])
    }
}

/// Two rules that must not share a table and do: two spellings of one table pass the check of the
/// file alone. `pages` are the tables whose rows have pages so far, with the rules that make them.
fn twice<'r>(
    rules: &Rules,
    needs: &TableNeeds<'r>,
    table: &Table,
    pages: &mut BTreeMap<TableId, &'r str>,
) -> Option<(String, &'static str)> {
    let name = &table.name;
    if needs.is_wiki {
        pages.get(&table.id)?;
        let what = format!("rows of {name:?} get pages by another rule: page, row, page … would never end");
        return Some((what, "give the rows another table"));
    }
    rules.pages().find(|rule| rule.name == needs.rule)?;
    let other = pages.insert(table.id, needs.rule)?;
    let what = format!("it never runs: {name:?} is the table of the rule {other:?}, which makes the page of its rows");
    Some((what, "make one rule of the two"))
}

const FIELDS: &str = "names must match exactly, in case and accents";

fn names(table: &SeenTable) -> String {
    let names: Vec<&str> = table.fields.iter().map(|field| field.name.as_str()).collect();
    names.join(", ")
}

fn shown(reference: &TableRef) -> String {
    match reference {
        TableRef::Id(id) => id.to_string(),
        TableRef::Name(name) => format!("{name:?}"),
    }
}
