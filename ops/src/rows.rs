//! A row as people name it. The ledger knows tables by number only; Baserow knows which number a
//! name has.

use passerelle_model::config::{BaserowSettings, Reader};
use passerelle_model::id::{ProcessName, RowId, RowKey, TableId};
use passerelle_queue::Redis;
use passerelle_queue::gate::{GatePolicy, Gates};
use passerelle_worker::clients::baserow::{Baserow, Table};
use passerelle_worker::journal::Journal;

use crate::trouble::Trouble;

/// A row in any of its spellings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowName {
    /// `t2/r5`, `2/5`.
    Numbers(RowKey),
    /// `projet/5`.
    Named {
        /// The table's name, as typed in Baserow.
        table: String,
        row: RowId,
    },
}

impl RowName {
    /// Reads any spelling; the error lists them.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not a row; write projet/42, t2/r42 or 2/42");
        let (table, row) = text.rsplit_once('/').ok_or_else(wrong)?;
        let row: RowId = row.strip_prefix('r').unwrap_or(row).parse().map_err(|_| wrong())?;
        let table = table.trim();
        if let Some(table) = table_number(table) {
            return Ok(Self::Numbers(RowKey { table, row }));
        }
        if table.is_empty() {
            return Err(wrong());
        }
        let table = table.to_owned();
        Ok(Self::Named { table, row })
    }

    /// The row's key; needs Baserow where the table is named.
    pub async fn resolve(&self, source: &Source, redis: &Redis) -> Result<RowKey, Trouble> {
        match self {
            Self::Numbers(row) => Ok(*row),
            Self::Named { table, row } => Ok(RowKey {
                table: source.table(table, redis).await?,
                row: *row,
            }),
        }
    }
}

/// `12` or `t12`.
pub fn table_number(text: &str) -> Option<TableId> {
    text.strip_prefix('t').unwrap_or(text).parse().ok()
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
pub(crate) fn one_table(name: &str, tables: &[Table]) -> Result<TableId, Trouble> {
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
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("t2/r5")]
    #[case("2/5")]
    #[case("t2/5")]
    fn a_row_may_be_spelled_as_people_write_it(#[case] text: &str) {
        let row: RowKey = "t2/r5".parse().unwrap();
        assert_eq!(RowName::parse(text), Ok(RowName::Numbers(row)));
    }

    #[rstest]
    #[case("projet/5", "projet")]
    #[case("Nos tâches/r5", "Nos tâches")]
    fn a_table_may_be_named(#[case] text: &str, #[case] name: &str) {
        let named = RowName::Named {
            table: name.to_owned(),
            row: RowId::new(5).unwrap(),
        };
        assert_eq!(RowName::parse(text), Ok(named));
    }

    #[test]
    fn what_is_no_row_is_answered_with_the_right_spellings() {
        assert!(RowName::parse("projet").unwrap_err().contains("projet/42"));
        assert!(RowName::parse("/5").is_err() && RowName::parse("projet/0").is_err());
    }

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
