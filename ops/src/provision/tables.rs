//! The tables of a schema, made where they are missing.

use passerelle_model::id::TableId;
use passerelle_worker::clients::baserow::Table;
use passerelle_worker::clients::baserow::user::{BaserowUser, Database};
use passerelle_worker::failure::Failure;

use super::schema::{Making, Schema};
use crate::survey::SeenTable;
use crate::trouble::Trouble;

/// The database of the schema's tables, and what is in it.
pub(super) struct Tables {
    database: u64,
    /// Those that are there, or are planned.
    pub(super) known: Vec<SeenTable>,
    pub(super) makings: Vec<Making>,
    /// What is there in another way than the schema says.
    pub(super) notes: Vec<String>,
}

impl Tables {
    /// Compares the schema with the database of this number, or with the one that there is.
    pub(super) async fn look(user: &BaserowUser, schema: &Schema, number: Option<u64>) -> Result<Self, Trouble> {
        let failed = |failure: Failure| Trouble::Failed(format!("Baserow: {}", failure.message));
        let database = chosen(user.databases().await.map_err(failed)?, number, schema)?;
        let mut known = Vec::new();
        for table in database.tables {
            if schema.tables().any(|name| name == table.name) {
                let fields = user.fields(table.id).await.map_err(failed)?;
                known.push(SeenTable { table, fields });
            }
        }
        let (makings, notes) = schema.missing(&known);
        Ok(Self {
            database: database.id,
            known,
            makings,
            notes,
        })
    }

    fn named(&self, name: &str) -> Option<&Table> {
        let mut known = self.known.iter().map(|seen| &seen.table);
        known.find(|table| table.name == name)
    }

    /// Makes one of them, for the tables that follow.
    pub(super) async fn make(&mut self, user: &BaserowUser, making: &Making) -> Result<(), Failure> {
        match making {
            Making::Table { name, primary } => {
                let table = user.create_table(self.database, name, primary).await?;
                self.known.push(SeenTable {
                    table,
                    fields: Vec::new(),
                });
            }
            Making::Field { table, field } => {
                let linked = field.link_row_table.as_ref().and_then(|name| self.named(name));
                if let Some(table) = self.named(table) {
                    user.create_field(table.id, field.body(linked)).await?;
                }
            }
        }
        Ok(())
    }

    /// The same without doing it: a table that is not there gets a number that none has.
    pub(super) fn plan(&mut self, making: &Making) {
        match making {
            Making::Table { name, .. } => {
                let count = u64::try_from(self.known.len()).unwrap_or_default();
                let Ok(id) = TableId::new(UNMADE + count) else { return };
                let table = Table {
                    id,
                    name: name.clone(),
                    database_id: self.database,
                };
                self.known.push(SeenTable {
                    table,
                    fields: Vec::new(),
                });
            }
            Making::Field { table, field } => {
                let linked = field.link_row_table.as_ref().and_then(|name| self.named(name));
                let planned = field.planned(linked);
                if let Some(seen) = self.known.iter_mut().find(|seen| seen.table.name == *table) {
                    seen.fields.extend(planned);
                }
            }
        }
    }
}

/// Where the numbers of tables begin that are only planned.
const UNMADE: u64 = 1 << 62;

/// Whether the table is only planned.
pub(super) fn is_unmade(table: &Table) -> bool {
    table.id.get() >= UNMADE
}

/// The database that is meant: that of `--database`, the one that has tables of the schema, or the
/// only one.
fn chosen(mut databases: Vec<Database>, number: Option<u64>, schema: &Schema) -> Result<Database, Trouble> {
    let has_some = |database: &Database| {
        let mut tables = database.tables.iter();
        tables.any(|table| schema.tables().any(|name| name == table.name))
    };
    if let Some(number) = number {
        databases.retain(|database| database.id == number);
    } else if databases.iter().filter(|database| has_some(database)).count() == 1 {
        databases.retain(has_some);
    }
    let listed: Vec<String> = databases
        .iter()
        .map(|database| format!("{} ({})", database.id, database.name))
        .collect();
    match (databases.pop(), listed.as_slice()) {
        (Some(database), [_]) => Ok(database),
        (None, _) => Err(Trouble::NotFound(
            "the user of BASEROW_EMAIL sees no such database: make one in Baserow, and give its number with --database"
                .to_owned(),
        )),
        (Some(_), several) => Err(Trouble::Usage(format!(
            "say with --database which database the tables shall be in: {}",
            several.join(", ")
        ))),
    }
}
