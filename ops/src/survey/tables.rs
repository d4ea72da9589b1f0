//! The tables and fields that rules name, compared with those that Baserow has.

use std::collections::{BTreeMap, BTreeSet};

use passerelle_model::config::TableRef;
use passerelle_model::id::TableId;
use passerelle_worker::clients::baserow::{Baserow, Field, Table};
use passerelle_worker::failure::Failure;
use passerelle_worker::journal::Journal;
use passerelle_worker::lookups::tables::is_table;
use passerelle_worker::rules::{Owner, Purpose, Rules};

/// A table with its fields.
#[derive(Debug, Clone)]
pub struct SeenTable {
    pub table: Table,
    pub fields: Vec<Field>,
}

/// What Baserow shows our token of the tables that rules use.
#[derive(Debug, Default)]
pub struct Survey {
    pub(super) tables: Vec<Table>,
    seen: BTreeMap<TableId, SeenTable>,
}

/// A field that a rule writes and the table does not have.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Missing {
    pub table: TableId,
    pub table_name: String,
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
        for needs in rules.table_needs() {
            for table in survey.named(needs.table) {
                survey.read(baserow, &mut journal, &table).await?;
                for need in &needs.fields {
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

    /// Whether our token sees this table.
    pub fn sees(&self, table: &Table) -> bool {
        self.tables.iter().any(|seen| seen.id == table.id)
    }

    /// As if these were there, as they are given.
    #[must_use]
    pub fn with(mut self, planned: Vec<SeenTable>) -> Self {
        for seen in planned {
            self.tables.retain(|table| table.id != seen.table.id);
            self.tables.push(seen.table.clone());
            self.seen.insert(seen.table.id, seen);
        }
        self
    }

    /// The table that a rule means, if exactly one fits.
    pub fn table(&self, reference: &TableRef) -> Option<&SeenTable> {
        match self.named(reference).as_slice() {
            [table] => self.seen.get(&table.id),
            _ => None,
        }
    }

    /// The table that a link field of another one leads to.
    pub fn linked(&self, from: &SeenTable, link: &str) -> Option<&SeenTable> {
        let field = from.fields.iter().find(|field| field.name == link)?;
        self.seen.get(&field.link_row_table_id?)
    }

    /// The events that the rules need: of their own tables, and of those whose rows their pages
    /// show. Each table once.
    pub fn heard(&self, rules: &Rules) -> Vec<(Table, BTreeSet<&'static str>)> {
        let mut events: BTreeMap<TableId, (Table, BTreeSet<&'static str>)> = BTreeMap::new();
        for rule in rules.iter() {
            for heard in rules.heard(rule) {
                if let Some(seen) = self.owner(&rule.table, &heard.of) {
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
        for needs in rules.table_needs() {
            for need in needs.fields {
                let kind = match need.purpose {
                    Purpose::PageId | Purpose::Text => "text",
                    Purpose::PageUrl => "url",
                    Purpose::Link | Purpose::Read { .. } => continue,
                };
                if let Some(table) = self.owner(needs.table, &need.of)
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

    pub(super) fn named(&self, reference: &TableRef) -> Vec<Table> {
        let matching = self.tables.iter().filter(|table| is_table(reference, table));
        matching.cloned().collect()
    }

    /// The table in which a rule's need is looked for.
    pub(super) fn owner(&self, reference: &TableRef, of: &Owner) -> Option<&SeenTable> {
        let own = self.table(reference)?;
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

/// A field by its name, equal to the letter.
pub(super) fn find<'a>(table: &'a SeenTable, name: &str) -> Option<&'a Field> {
    table.fields.iter().find(|field| field.name == name)
}
