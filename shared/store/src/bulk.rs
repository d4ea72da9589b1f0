//! Many rows in one statement: a call to the database costs more than a row, and both databases
//! limit the parameters of a statement.

use std::fmt::Write as _;

use sqlx::any::{Any, AnyArguments};
use sqlx::query::Query;
use sqlx::{AnyConnection, AssertSqlSafe};

use super::StoreError;

/// A statement under construction.
pub(super) type AnyQuery<'q> = Query<'q, Any, AnyArguments>;

/// Rows per statement. More gains nothing (measured), and 13 columns stay far below SQLite's 32,766
/// and PostgreSQL's 65,535 parameters.
pub(super) const ROWS_PER_STATEMENT: usize = 100;

/// A statement with a `VALUES` list of any length in its middle.
pub(super) struct Bulk {
    /// Up to and with `VALUES `.
    pub(super) before: &'static str,
    /// What follows the list.
    pub(super) after: &'static str,
    /// Values per row.
    pub(super) columns: usize,
}

impl Bulk {
    /// Runs the statement over all rows, [`ROWS_PER_STATEMENT`] at a time; `bind` binds one row's
    /// values. Returns how many rows changed.
    pub(super) async fn run<T>(
        &self,
        connection: &mut AnyConnection,
        rows: &[T],
        bind: impl for<'q> Fn(AnyQuery<'q>, &T) -> AnyQuery<'q>,
    ) -> Result<u64, StoreError> {
        let mut changed = 0;
        for chunk in rows.chunks(ROWS_PER_STATEMENT) {
            let query = sqlx::query(AssertSqlSafe(self.sql(chunk.len()))).persistent(chunk.len() == ROWS_PER_STATEMENT);
            let query = chunk.iter().fold(query, &bind);
            changed += query.execute(&mut *connection).await?.rows_affected();
        }
        Ok(changed)
    }

    /// The statement's text for so many rows. It has nothing in it but our own words and `$n`.
    pub(super) fn sql(&self, rows: usize) -> String {
        let mut sql = self.before.to_owned();
        for parameter in 0..rows * self.columns {
            let opens = if parameter % self.columns > 0 {
                ","
            } else if parameter > 0 {
                "),("
            } else {
                "("
            };
            let _ = write!(sql, "{opens}${}", parameter + 1);
        }
        sql.push(')');
        sql.push_str(self.after);
        sql
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_values_of_every_row_are_numbered_through() {
        let bulk = Bulk {
            before: "INSERT INTO t (a, b) VALUES ",
            after: " ON CONFLICT DO NOTHING",
            columns: 2,
        };
        assert_eq!(
            bulk.sql(3),
            "INSERT INTO t (a, b) VALUES ($1,$2),($3,$4),($5,$6) ON CONFLICT DO NOTHING"
        );
    }
}
