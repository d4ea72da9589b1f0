//! One step of a walk: a page of rows is compared, or some links are looked through.

use passerelle_model::config::RowDeleted;
use passerelle_model::id::{RowId, RowKey};
use passerelle_model::ledger::FailureClass;
use passerelle_store::Link;

use super::checkpoint::Checkpoint;
use super::compare::{self, Place, Seen};
use super::linked_tables::LinkedTables;
use super::walk::{Next, Visit};
use super::wiki_view::WikiView;
use super::{Finding, Reason, Scope};
use crate::content::row::Row;
use crate::context::Context;
use crate::failure::Failure;
use crate::journal::Journal;

/// Links that are read at once.
const LINKS: u32 = 500;

pub(super) struct Step<'s, 'a> {
    pub(super) context: &'a Context,
    pub(super) scope: Scope,
    pub(super) linked_tables: &'s mut LinkedTables,
    pub(super) wiki: Option<&'s mut WikiView>,
    pub(super) visit: &'s mut Visit<'a>,
    pub(super) findings: Vec<Finding>,
}

impl Step<'_, '_> {
    /// Reads the last page of an earlier walk again, if there was one. Says whether rows have moved
    /// over its end, so that the table is started over.
    pub(super) async fn check_border(&mut self) -> Result<bool, Failure> {
        let Some((page, last)) = self.visit.border else {
            return Ok(false);
        };
        let table = self.visit.table.id;
        let is_same = match self.context.rows(&mut Journal::default(), table, page).await {
            Ok(listed) => listed.has_more && listed.rows.last().map(Row::id) == last,
            // There are not so many pages any more.
            Err(failure) if matches!(failure.class, FailureClass::Permanent | FailureClass::Gone) => false,
            Err(failure) => return Err(failure),
        };
        self.visit.border = None;
        if !is_same {
            self.visit.seen.clear();
            self.visit.rows = 0;
            self.visit.next = Next::Rows { page: 1 };
        }
        Ok(!is_same)
    }

    /// Compares one page of rows. Says whether the table is finished.
    pub(super) async fn rows(&mut self, page: u32) -> Result<(Checkpoint, bool), Failure> {
        let table = self.visit.table.id;
        let listed = self.context.rows(&mut Journal::default(), table, page).await?;
        for row in &listed.rows {
            self.compare(row).await?;
        }
        let rows: Vec<RowId> = listed.rows.iter().map(Row::id).collect();
        self.visit.seen.extend(&rows);
        self.visit.rows += u64::try_from(listed.rows.len()).unwrap_or_default();
        self.visit.of = listed.count;
        self.visit.next = if listed.has_more {
            Next::Rows { page: page + 1 }
        } else {
            Next::Links { after: None }
        };
        let has_more = listed.has_more;
        let checkpoint = Checkpoint::Rows {
            table,
            page,
            rows,
            has_more,
        };
        // Rows that are gone have a page.
        Ok((checkpoint, self.scope.unmapped && !has_more))
    }

    /// Looks for pages whose rows were not listed. Says whether the table is finished.
    pub(super) async fn links(&mut self, after: Option<RowId>) -> Result<(Checkpoint, bool), Failure> {
        let table = self.visit.table.id;
        if self.visit.rule.page.row_deleted == RowDeleted::Keep {
            return Ok((Checkpoint::Links { table, after }, true));
        }
        let links = self.context.store.links_of_table(table, after, LINKS).await?;
        let mut suspects: Vec<RowId> = links
            .iter()
            .filter(|link| self.is_suspect(link))
            .map(|link| link.row.row)
            .collect();
        suspects.dedup();
        for row in suspects {
            self.suspect(row).await?;
        }
        let is_last = links.len() < LINKS as usize;
        let after = links.last().map(|last| last.row.row).or(after);
        self.visit.next = Next::Links { after };
        Ok((Checkpoint::Links { table, after }, is_last))
    }

    fn is_suspect(&self, link: &Link) -> bool {
        let is_contradicted = self.wiki.as_ref().is_some_and(|wiki| wiki.contradicts(link));
        (!link.state.is_row_gone() || is_contradicted) && !self.visit.seen.contains(&link.row.row)
    }

    async fn suspect(&mut self, row: RowId) -> Result<(), Failure> {
        let key = RowKey {
            table: self.visit.table.id,
            row,
        };
        if let Some(row) = self.context.row(&mut Journal::default(), key).await? {
            return self.compare(&row).await;
        }
        self.find(row, Reason::RowGone);
        Ok(())
    }

    async fn compare(&mut self, row: &Row) -> Result<(), Failure> {
        let place = Place {
            rule: self.visit.rule,
            table: &self.visit.table,
            scope: self.scope,
        };
        let seen = Seen {
            linked_tables: self.linked_tables,
            wiki: self.wiki.as_deref_mut(),
        };
        if let Some(reason) = Box::pin(compare::reason(self.context, seen, place, row)).await? {
            self.find(row.id(), reason);
        }
        Ok(())
    }

    fn find(&mut self, row: RowId, reason: Reason) {
        metrics::counter!("passerelle_reconcile_findings_total", "reason" => reason.as_str()).increment(1);
        self.findings.push(Finding {
            row: RowKey {
                table: self.visit.table.id,
                row,
            },
            rule: self.visit.rule.name.clone(),
            reason,
            dead_letter: None,
        });
    }
}
