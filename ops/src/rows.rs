//! Which row or table is meant by what people type: what the name alone does not say, Baserow or
//! the store does.

use passerelle_model::config::{BaserowSettings, Reader};
use passerelle_model::id::{ProcessName, RowKey, TableId};
use passerelle_model::named::{RowName, TableName};
use passerelle_queue::Redis;
use passerelle_queue::gate::{GatePolicy, Gates};
use passerelle_worker::clients::baserow::{Baserow, Table};
use passerelle_worker::journal::Journal;

use crate::operator::Operator;
use crate::trouble::Trouble;

/// The row's key; needs Baserow where the table is named, and the store for a page.
pub async fn row_key(row: &RowName, operator: &Operator) -> Result<RowKey, Trouble> {
    match row {
        RowName::Numbers(row) => Ok(*row),
        RowName::Named { table, row } => Ok(RowKey {
            table: operator.source.table(table, &operator.redis).await?,
            row: *row,
        }),
        RowName::Page(slug) => {
            let links = operator.store().await?.links_of_slug(slug).await?;
            let unknown = || {
                Trouble::NotFound(format!(
                    "the bridge has made no page with an address that ends in {slug}: give the row instead"
                ))
            };
            links.first().map(|link| link.row).ok_or_else(unknown)
        }
    }
}

/// The table's number; needs Baserow where it is named.
pub async fn table_id(table: &TableName, operator: &Operator) -> Result<TableId, Trouble> {
    match table {
        TableName::Number(table) => Ok(*table),
        TableName::Named(name) => operator.source.table(name, &operator.redis).await,
    }
}

/// Baserow, where tables are named.
#[derive(Debug)]
pub struct Source {
    settings: Option<BaserowSettings>,
}

impl Source {
    /// Reads `BASEROW_*` if they are set: most verbs work without.
    pub fn read(reader: &mut Reader) -> Self {
        let is_set = ["BASEROW_URL", "BASEROW_TOKEN"]
            .iter()
            .all(|name| reader.optional(name).is_some());
        Self {
            settings: is_set.then(|| BaserowSettings::read(reader)),
        }
    }

    /// The number of the table with this name.
    pub async fn table(&self, name: &str, redis: &Redis) -> Result<TableId, Trouble> {
        let Some(settings) = &self.settings else {
            let advice = "set BASEROW_URL and BASEROW_TOKEN, or give the table's number (from Baserow's address bar)";
            return Err(Trouble::Usage(format!("to look up the table {name:?}, {advice}")));
        };
        let gates = Gates::new(redis.clone(), ProcessName::unique("operator"), GatePolicy::default());
        let baserow = Baserow::new(settings, gates).map_err(|error| Trouble::Failed(error.to_string()))?;
        let tables = baserow.tables(&mut Journal::default()).await;
        let tables = tables.map_err(|failure| Trouble::Failed(format!("Baserow: {}", failure.message)))?;
        one_table(name, &tables)
    }
}

/// The one table of this name.
fn one_table(name: &str, tables: &[Table]) -> Result<TableId, Trouble> {
    let matching: Vec<&Table> = tables.iter().filter(|table| table.name == name).collect();
    match matching.as_slice() {
        [table] => Ok(table.id),
        [] => {
            let known: Vec<&str> = tables.iter().map(|table| table.name.as_str()).collect();
            let known = known.join(", ");
            Err(Trouble::NotFound(format!(
                "BASEROW_TOKEN cannot see a table {name:?}; it sees: {known}"
            )))
        }
        several => {
            let numbers: Vec<String> = several.iter().map(|table| format!("t{}", table.id)).collect();
            let numbers = numbers.join(", ");
            Err(Trouble::Usage(format!(
                "several tables are named {name:?}: give the number instead, one of {numbers}"
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_several_tables_have_is_not_guessed() {
        let table = |id, name: &str| Table {
            id: TableId::new(id).unwrap(),
            name: name.to_owned(),
            database_id: 1,
        };
        let tables = [table(2, "projet"), table(3, "client"), table(4, "client")];
        assert_eq!(one_table("projet", &tables).unwrap().get(), 2);
        assert!(one_table("client", &tables).unwrap_err().to_string().contains("t3, t4"));
        assert!(one_table("x", &tables).unwrap_err().to_string().contains("projet"));
    }
}
