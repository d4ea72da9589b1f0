//! The tables and fields that rules name, compared with those that Baserow has.

use std::collections::{BTreeMap, BTreeSet};

use passerelle_shared::config::{Problem, Rule};
use passerelle_shared::id::TableId;
use passerelle_worker::clients::baserow::{Baserow, Field, Table};
use passerelle_worker::failure::Failure;
use passerelle_worker::journal::Journal;
use passerelle_worker::rules::{FieldNeed, Owner, Purpose, RuleSources, Rules};
use passerelle_worker::tables::is_table;

use super::problem;

/// A table with its fields.
#[derive(Debug, Clone)]
pub struct SeenTable {
    /// The table.
    pub table: Table,
    /// Its fields.
    pub fields: Vec<Field>,
}

/// What Baserow shows our token of the tables that rules use.
#[derive(Debug)]
pub struct Survey {
    tables: Vec<Table>,
    seen: BTreeMap<TableId, SeenTable>,
}

/// A field that a rule writes and the table does not have.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Missing {
    /// The table's number.
    pub table: TableId,
    /// Its name.
    pub table_name: String,
    /// The field's name.
    pub field: String,
    /// The type that it shall get, in Baserow's word.
    pub kind: &'static str,
}

impl Survey {
    /// Asks for the tables of all rules, and for those that their links lead to.
    pub async fn look(baserow: &Baserow, rules: &Rules) -> Result<Self, Failure> {
        let mut journal = Journal::default();
        let tables = baserow.tables(&mut journal).await?;
        let mut survey = Self {
            tables,
            seen: BTreeMap::new(),
        };
        for rule in rules.iter() {
            for table in survey.named(rule) {
                survey.read(baserow, &mut journal, &table).await?;
                for need in rules.needs(rule) {
                    if let Some(linked) = survey.target(&table, &need.of) {
                        survey.read(baserow, &mut journal, &linked).await?;
                    }
                }
            }
        }
        Ok(survey)
    }

    async fn read(&mut self, baserow: &Baserow, journal: &mut Journal, table: &Table) -> Result<(), Failure> {
        if !self.seen.contains_key(&table.id) {
            let fields = baserow.fields(journal, table.id).await?;
            let table = table.clone();
            self.seen.insert(table.id, SeenTable { table, fields });
        }
        Ok(())
    }

    /// The table of a rule, if exactly one fits.
    pub fn table(&self, rule: &Rule) -> Option<&SeenTable> {
        match self.named(rule).as_slice() {
            [table] => self.seen.get(&table.id),
            _ => None,
        }
    }

    /// The table that a link field of another one leads to.
    pub fn linked(&self, from: &SeenTable, link: &str) -> Option<&SeenTable> {
        let field = from.fields.iter().find(|field| field.name == link)?;
        self.seen.get(&field.link_row_table_id?)
    }

    /// Which events of which tables the rules live by: of their own tables, and of those whose rows their pages show. Each table once.
    pub fn heard(&self, rules: &Rules) -> Vec<(Table, BTreeSet<&'static str>)> {
        let mut events: BTreeMap<TableId, (Table, BTreeSet<&'static str>)> = BTreeMap::new();
        for rule in rules.iter() {
            for heard in rules.heard(rule) {
                if let Some(seen) = self.owner(rule, &heard.of) {
                    let table = seen.table.clone();
                    let (_, known) = events.entry(table.id).or_insert_with(|| (table, BTreeSet::new()));
                    known.extend(heard.events);
                }
            }
        }
        events.into_values().collect()
    }

    /// The fields that rules write and that are not there, each once.
    pub fn missing(&self, rules: &Rules) -> Vec<Missing> {
        let mut missing = Vec::new();
        for rule in rules.iter() {
            for need in rules.needs(rule) {
                let kind = match need.purpose {
                    Purpose::PageId => "text",
                    Purpose::PageUrl => "url",
                    Purpose::Link | Purpose::Read { .. } => continue,
                };
                if let Some(table) = self.owner(rule, &need.of)
                    && find(table, &need.field).is_none()
                {
                    missing.push(Missing {
                        table: table.table.id,
                        table_name: table.table.name.clone(),
                        field: need.field,
                        kind,
                    });
                }
            }
        }
        missing.sort();
        missing.dedup();
        missing
    }

    /// Everything that does not fit.
    pub fn problems(&self, sources: &RuleSources, rules: &Rules) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut pages: BTreeMap<TableId, &str> = BTreeMap::new();
        for rule in rules.iter() {
            let place = sources.place_of(&rule.name);
            let Some(table) = self.table(rule) else {
                problems.push(self.no_table(rule, &place));
                continue;
            };
            // Two spellings of one table pass the check of the file alone.
            if let Some(other) = rule
                .page
                .as_ref()
                .and_then(|_| pages.insert(table.table.id, &rule.name))
            {
                let what = format!(
                    "it never runs: {:?} is the table of the rule {other:?}, which makes the page of its rows",
                    table.table.name
                );
                problems.push(problem(&place, what, "make one rule of the two"));
            }
            problems.extend(
                rules
                    .needs(rule)
                    .iter()
                    .filter_map(|need| self.field_problem(rule, need, &place)),
            );
        }
        problems
    }

    fn no_table(&self, rule: &Rule, place: &str) -> Problem {
        let named = self.named(rule);
        if named.len() > 1 {
            let numbers: Vec<String> = named.iter().map(|table| table.id.to_string()).collect();
            let what = format!("{} tables have the name of its table", named.len());
            let hint = format!("give the number: table = {}", numbers.join(" or table = "));
            return problem(place, what, hint);
        }
        let known: Vec<String> = self
            .tables
            .iter()
            .map(|table| format!("{} ({})", table.name, table.id))
            .collect();
        let known = if known.is_empty() {
            "none".to_owned()
        } else {
            known.join(", ")
        };
        problem(
            place,
            format!("BASEROW_TOKEN sees no table {}; it sees: {known}", shown(rule)),
            "mend the name, or give the token rights on the table (Baserow: Settings → Database tokens)",
        )
    }

    fn field_problem(&self, rule: &Rule, need: &FieldNeed, place: &str) -> Option<Problem> {
        let field_name = &need.field;
        // A link that leads nowhere is told once, where the rule names it.
        let table = self.owner(rule, &need.of)?;
        let name = &table.table.name;
        let place = format!("{place} {}", need.place);
        let Some(field) = find(table, field_name) else {
            let hint = match need.purpose {
                Purpose::PageId => format!("create it as a text field, or let `passerelle provision` do it; {FIELDS}"),
                Purpose::PageUrl => format!("create it as a URL field, or let `passerelle provision` do it; {FIELDS}"),
                Purpose::Link | Purpose::Read { .. } => format!("mend the name; the table has: {}", names(table)),
            };
            let what = format!("the table {name:?} has no field {field_name:?}");
            return Some(problem(&place, what, hint));
        };
        let kind = &field.kind;
        let is = format!("the field {field_name:?} of the table {name:?} is of the type {kind}");
        match need.purpose {
            Purpose::Link => match field.link_row_table_id {
                None => Some(problem(
                    &place,
                    format!("{is}, not a link to another table"),
                    "name a link field",
                )),
                Some(other) if !self.tables.iter().any(|table| table.id == other) => Some(problem(
                    &place,
                    format!("the field {field_name:?} leads to table {other}, which BASEROW_TOKEN does not see"),
                    "give the token rights on that table too",
                )),
                Some(_) => None,
            },
            Purpose::PageId if field.read_only || !["text", "long_text"].contains(&kind.as_str()) => Some(problem(
                &place,
                format!("{is}: a page's id cannot be kept there"),
                "use a text field",
            )),
            Purpose::PageUrl if field.read_only || !["text", "long_text", "url"].contains(&kind.as_str()) => {
                let what = format!("{is}: a page's address cannot be kept there");
                Some(problem(&place, what, "use a URL field or a text field"))
            }
            Purpose::PageId | Purpose::PageUrl | Purpose::Read { .. } => None,
        }
    }

    fn named(&self, rule: &Rule) -> Vec<Table> {
        let matching = self.tables.iter().filter(|table| is_table(&rule.table, table));
        matching.cloned().collect()
    }

    fn owner(&self, rule: &Rule, of: &Owner) -> Option<&SeenTable> {
        let own = self.table(rule)?;
        match of {
            Owner::Row => Some(own),
            Owner::Linked(link) => self.linked(own, link),
        }
    }

    /// The table of a need that is not the rule's own.
    fn target(&self, own: &Table, of: &Owner) -> Option<Table> {
        let Owner::Linked(link) = of else { return None };
        let fields = &self.seen.get(&own.id)?.fields;
        let id = fields.iter().find(|field| field.name == *link)?.link_row_table_id?;
        self.tables.iter().find(|table| table.id == id).cloned()
    }
}

const FIELDS: &str = "names must be equal to the letter, in case and accents";

fn find<'a>(table: &'a SeenTable, name: &str) -> Option<&'a Field> {
    table.fields.iter().find(|field| field.name == name)
}

fn names(table: &SeenTable) -> String {
    let names: Vec<&str> = table.fields.iter().map(|field| field.name.as_str()).collect();
    names.join(", ")
}

fn shown(rule: &Rule) -> String {
    match &rule.table {
        passerelle_shared::config::TableRef::Id(id) => id.to_string(),
        passerelle_shared::config::TableRef::Name(name) => format!("{name:?}"),
    }
}
