//! Tables and rows as people name them: by name, by number, or by an address as a browser shows it.
//! The ledger knows tables by number only; Baserow knows which number a name has, and the store
//! whose page an address shows.

use crate::id::{RowId, RowKey, TableId};

/// A row in any of its spellings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowName {
    /// `t2/r5`, `2/5`, `https://baserow…/database/1/table/2/row/5`.
    Numbers(RowKey),
    /// `projet/5`.
    Named {
        /// The table's name, as typed in Baserow.
        table: String,
        /// The row's number.
        row: RowId,
    },
    /// `https://wiki…/s/agence/p/refonte-Xa3kQ9b2Lm`: the row with this page, by the short id at
    /// the end.
    Page(String),
}

/// A table in any of its spellings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TableName {
    /// `2`, `t2`, `https://baserow…/database/1/table/2`.
    Number(TableId),
    /// `projet`, as typed in Baserow.
    Named(String),
}

impl RowName {
    /// Reads any spelling; the error lists them.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{text:?} is not a row; write projet/42, t2/r42 or 2/42, \
                 or paste the address of the row or of its page"
            )
        };
        if is_address(text) {
            return of_address(text).ok_or_else(wrong);
        }
        let (table, row) = text.trim().rsplit_once('/').ok_or_else(wrong)?;
        let row: RowId = row.strip_prefix('r').unwrap_or(row).parse().map_err(|_| wrong())?;
        let table = table.trim();
        if table.is_empty() {
            return Err(wrong());
        }
        Ok(match table_number(table) {
            Some(table) => Self::Numbers(RowKey { table, row }),
            None => Self::Named {
                table: table.to_owned(),
                row,
            },
        })
    }
}

impl TableName {
    /// Reads any spelling; every text without a stroke is a name.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if is_address(text) {
            let table = table_of(&parts(text)).map(Self::Number);
            let wrong = || format!("{text:?} is not the address of a table; paste one as …/database/1/table/2");
            return table.ok_or_else(wrong);
        }
        if text.is_empty() || text.contains('/') {
            return Err(format!(
                "{text:?} is not a table; write projet, t2 or 2, or paste its address"
            ));
        }
        let named = || Self::Named(text.to_owned());
        Ok(table_number(text).map_or_else(named, Self::Number))
    }
}

/// Whether it is an address of a page on the web.
pub fn is_address(text: &str) -> bool {
    let text = text.trim_start();
    text.starts_with("https://") || text.starts_with("http://")
}

/// `12` or `t12`.
fn table_number(text: &str) -> Option<TableId> {
    text.strip_prefix('t').unwrap_or(text).parse().ok()
}

/// The parts of an address behind its host.
fn parts(address: &str) -> Vec<&str> {
    let path = address.trim().split(['?', '#']).next().unwrap_or_default();
    let (_, path) = path.split_once("://").unwrap_or_default();
    path.split('/').skip(1).filter(|part| !part.is_empty()).collect()
}

/// The part behind this word.
fn after<'a>(parts: &[&'a str], word: &str) -> Option<&'a str> {
    let place = parts.iter().position(|part| *part == word)?;
    parts.get(place + 1).copied()
}

/// `…/database/1/table/2/345/row/6`, or `…/p/title-Xa3kQ9b2Lm`.
fn of_address(address: &str) -> Option<RowName> {
    let parts = parts(address);
    if let Some(table) = table_of(&parts) {
        let row = after(&parts, "row")?.parse().ok()?;
        return Some(RowName::Numbers(RowKey { table, row }));
    }
    let slug = after(&parts, "p")?.rsplit('-').next()?;
    let is_slug = !slug.is_empty() && slug.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_slug.then(|| RowName::Page(slug.to_owned()))
}

fn table_of(parts: &[&str]) -> Option<TableId> {
    let place = parts.iter().position(|part| *part == "database")?;
    match parts.get(place + 2..place + 4)? {
        ["table", number] => number.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn row() -> RowKey {
        "t2/r5".parse().unwrap()
    }

    #[test]
    fn a_row_may_be_named_by_its_numbers_and_by_its_address() {
        for text in [
            "t2/r5",
            "2/5",
            "t2/5",
            " t2/5 ",
            "https://baserow.example.org/database/1/table/2/row/5",
            " https://baserow.example.org/database/1/table/2/77/row/5",
            "http://host/under/a/path/database/1/table/2/77/row/5?x=1#y",
        ] {
            assert_eq!(RowName::parse(text), Ok(RowName::Numbers(row())), "{text}");
        }
    }

    #[test]
    fn a_row_may_be_named_by_the_name_of_its_table() {
        for (text, table) in [("projet/5", "projet"), ("Mes projets / Ω/r5", "Mes projets / Ω")] {
            let named = RowName::Named {
                table: table.to_owned(),
                row: row().row,
            };
            assert_eq!(RowName::parse(text), Ok(named), "{text}");
        }
    }

    #[test]
    fn a_row_may_be_named_by_the_address_of_its_page() {
        for address in [
            "https://wiki.example.org/s/agence/p/refonte-du-site-Xa3kQ9b2Lm",
            "https://wiki.example.org/p/Xa3kQ9b2Lm",
            "https://wiki.example.org/share/abc/p/refonte-Xa3kQ9b2Lm?x=1#chapitre",
        ] {
            let page = RowName::Page("Xa3kQ9b2Lm".to_owned());
            assert_eq!(RowName::parse(address), Ok(page), "{address}");
        }
    }

    #[test]
    fn what_is_no_row_is_answered_with_the_right_spellings() {
        for text in [
            "projet",
            "projet/cinq",
            "/5",
            "t2/r0",
            "https://baserow.example.org/database/1/table/2",
            "https://baserow.example.org/dashboard",
            "https://wiki.example.org/s/agence",
            "https://wiki.example.org/p/a-%27",
            "https://x/p/",
        ] {
            let error = RowName::parse(text).unwrap_err();
            assert!(
                error.contains("projet/42") && error.contains("paste the address"),
                "{text}: {error}"
            );
        }
    }

    #[test]
    fn a_table_is_known_by_its_number_its_address_or_else_its_name() {
        for text in [
            "2",
            "t2",
            "https://baserow.example.org/database/1/table/2",
            "https://baserow.example.org/database/1/table/2/77",
            "https://baserow.example.org/database/1/table/2/77/row/5",
        ] {
            assert_eq!(TableName::parse(text), Ok(TableName::Number(row().table)), "{text}");
        }
        let named = TableName::Named("Nos tâches".to_owned());
        assert_eq!(TableName::parse(" Nos tâches "), Ok(named));
        for text in ["", "t2/r5", "https://baserow.example.org/dashboard"] {
            assert!(TableName::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_a_reader_of_names_panic(text in ".*", path in "(/(database|table|row|p|1|é|-))*") {
            let address = format!("https://host{path}{text}");
            let _ = (RowName::parse(&text), TableName::parse(&text));
            let _ = (RowName::parse(&address), TableName::parse(&address));
        }
    }
}
