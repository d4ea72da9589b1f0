//! How far a walk has come, so that a later one resumes it: a checkpoint for each step, and what
//! all checkpoints say together.
//!
//! **What a page of rows can promise.** Baserow lists rows in people's own order, so "page 7" means
//! something only while no row before it is added, moved or deleted. A checkpoint therefore keeps
//! which rows its page had. A walk that resumes first reads the last page again: if it still ends
//! with the same row, nothing has moved over that border, and the next page is the next one. If
//! not, the table is started over. A row that was moved back over the border in exchange for
//! another is the one thing that this does not see; if it has a page, it is found among the links,
//! and if it has none, by the next reconciliation. The same may happen to a walk that is not broken
//! off at all.

use std::collections::HashSet;

use passerelle_model::id::{RowId, TableId};
use serde::{Deserialize, Serialize};

/// A finished step of a walk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "mark", rename_all = "snake_case")]
pub enum Checkpoint {
    /// A page of rows was compared, and what was found in it asked for.
    Rows {
        table: TableId,
        /// The page's number, from 1.
        page: u32,
        /// Its rows, in Baserow's order.
        rows: Vec<RowId>,
        /// Whether there were more pages.
        has_more: bool,
    },
    /// The links up to this row were looked through.
    Links {
        table: TableId,
        /// The row of the last link.
        after: Option<RowId>,
    },
    /// These tables are finished. Everything before this checkpoint is of no more use.
    Finished {
        /// All finished tables of the walk.
        tables: Vec<TableId>,
    },
}

/// What the checkpoints of an interrupted walk say together.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Resume {
    /// Tables that are finished.
    pub finished: Vec<TableId>,
    /// The table in the middle of which it was broken off.
    pub table: Option<ResumeTable>,
}

/// How far a table was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResumeTable {
    pub table: TableId,
    /// The last page of rows that was compared.
    pub page: u32,
    /// The last row of that page.
    pub last: Option<RowId>,
    /// Whether there were more pages.
    pub has_more: bool,
    /// The rows of all pages up to there.
    pub seen: HashSet<RowId>,
    /// The row of the last link that was looked at.
    pub links_after: Option<RowId>,
}

impl Resume {
    /// From checkpoints in the order in which they were made; a checkpoint that cannot be read is
    /// as if its step had not been taken.
    pub fn of<'m>(checkpoints: impl IntoIterator<Item = &'m str>) -> Self {
        let mut resume = Self::default();
        for checkpoint in checkpoints {
            if let Ok(checkpoint) = serde_json::from_str(checkpoint) {
                resume.add(checkpoint);
            }
        }
        resume
    }

    /// Whether nothing was done.
    pub fn is_nothing(&self) -> bool {
        self.finished.is_empty() && self.table.is_none()
    }

    fn add(&mut self, checkpoint: Checkpoint) {
        match checkpoint {
            Checkpoint::Rows {
                table,
                page,
                rows,
                has_more,
            } => {
                // A table that was started over, or another one.
                let before = self.table.take().filter(|before| before.goes_on_with(table, page));
                // A page without those before it says nothing: the table will be started over.
                if before.is_none() && page != 1 {
                    return;
                }
                let mut seen = before.map(|before| before.seen).unwrap_or_default();
                let last = rows.last().copied();
                seen.extend(rows);
                self.table = Some(ResumeTable {
                    table,
                    page,
                    last,
                    has_more,
                    seen,
                    links_after: None,
                });
            }
            Checkpoint::Links { table, after } => {
                if let Some(resume) = self.table.as_mut().filter(|resume| resume.table == table) {
                    resume.links_after = after;
                }
            }
            Checkpoint::Finished { tables } => {
                *self = Self {
                    finished: tables,
                    table: None,
                }
            }
        }
    }
}

impl ResumeTable {
    fn goes_on_with(&self, table: TableId, page: u32) -> bool {
        self.table == table && self.page + 1 == page
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(number: u64) -> TableId {
        TableId::new(number).unwrap()
    }

    fn rows(of: u64, page: u32, numbers: &[u64], has_more: bool) -> String {
        let rows = numbers.iter().map(|number| RowId::new(*number).unwrap()).collect();
        let checkpoint = Checkpoint::Rows {
            table: table(of),
            page,
            rows,
            has_more,
        };
        serde_json::to_string(&checkpoint).unwrap()
    }

    fn resume(checkpoints: &[String]) -> Resume {
        Resume::of(checkpoints.iter().map(String::as_str))
    }

    #[test]
    fn pages_in_a_row_say_how_far_a_table_was_looked_at_and_which_rows_were_seen() {
        let resume = resume(&[rows(2, 1, &[5, 3], true), rows(2, 2, &[9], true)])
            .table
            .unwrap();
        assert_eq!((resume.page, resume.last), (2, RowId::new(9).ok()));
        let seen: HashSet<RowId> = [5, 3, 9].map(|number| RowId::new(number).unwrap()).into();
        assert_eq!(resume.seen, seen);
    }

    #[test]
    fn a_table_that_was_begun_anew_or_whose_pages_have_a_gap_is_not_taken_for_more_than_it_is() {
        let anew = resume(&[rows(2, 1, &[1], true), rows(2, 2, &[2], true), rows(2, 1, &[7], true)]);
        assert_eq!(anew.table.map(|table| (table.page, table.seen.len())), Some((1, 1)));
        assert!(resume(&[rows(2, 1, &[1], true), rows(2, 3, &[3], true)]).is_nothing());
        assert!(resume(&["{}".to_owned(), "no mark".to_owned()]).is_nothing());
    }

    #[test]
    fn a_finished_table_ends_everything_before_it() {
        let finished = Checkpoint::Finished {
            tables: vec![table(2), table(3)],
        };
        let finished = serde_json::to_string(&finished).unwrap();
        let resume = resume(&[rows(3, 1, &[1], false), finished, rows(4, 1, &[8], true)]);
        assert_eq!(resume.finished, [table(2), table(3)]);
        assert_eq!(resume.table.map(|resume| resume.table), Some(table(4)));
    }
}
