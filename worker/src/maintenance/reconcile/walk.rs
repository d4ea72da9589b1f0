//! Reads the tables of the rules page by page, and after the last page the links whose rows were
//! not among them.
//!
//! Baserow cannot list rows by their number, only in people's own order, so a row that is moved or
//! deleted meanwhile may be listed twice or not at all. Twice is no harm; a row that was missed and
//! has a page is read by itself before it is called gone.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use passerelle_model::config::RowDeleted;
use passerelle_model::id::{RowId, RowKey, TableId};
use passerelle_model::ledger::FailureClass;
use passerelle_store::Link;

use super::checkpoint::{Checkpoint, Resume, ResumeTable};
use super::compare::{self, Place};
use super::dead_letters::DeadLetters;
use super::linked_tables::LinkedTables;
use super::{Finding, Reason, Scope};
use crate::clients::baserow::Table;
use crate::context::Context;
use crate::failure::Failure;
use crate::journal::Journal;
use crate::rules::PageRule;

/// Links that are read at once.
const LINKS: u32 = 500;

/// What one step of a walk saw.
#[derive(Debug)]
pub struct Look {
    pub table: Arc<Table>,
    /// How many of its rows were looked at so far.
    pub rows: u64,
    pub of: u64,
    /// Rows that need a look.
    pub findings: Vec<Finding>,
    pub is_last: bool,
    /// Whether the table starts over: its rows are in another order than an earlier walk saw.
    pub starts_over: bool,
    /// What a later walk needs to resume here, once everything found has been requested.
    pub checkpoint: Checkpoint,
}

/// A walk through all tables of a scope, one step at a time; the caller may stop between two steps.
#[derive(Debug)]
pub struct Walk<'a> {
    context: &'a Context,
    scope: Scope,
    tables: VecDeque<Visit<'a>>,
    linked_tables: LinkedTables,
    dead_letters: DeadLetters,
    /// Names of tables that rules want and our token does not see.
    missing: Vec<String>,
    finished: Vec<TableId>,
}

#[derive(Debug)]
struct Visit<'a> {
    rule: &'a PageRule,
    table: Arc<Table>,
    next: Next,
    seen: HashSet<RowId>,
    rows: u64,
    of: u64,
    /// The page and its last row at which an earlier walk was broken off, until it has been read
    /// again.
    border: Option<(u32, Option<RowId>)>,
}

impl<'a> Visit<'a> {
    fn new(rule: &'a PageRule, table: Arc<Table>) -> Self {
        Self {
            rule,
            table,
            next: Next::Rows { page: 1 },
            seen: HashSet::new(),
            rows: 0,
            of: 0,
            border: None,
        }
    }

    fn go_on(self, resume: &ResumeTable) -> Self {
        let (next, border) = if resume.has_more {
            (Next::Rows { page: resume.page + 1 }, Some((resume.page, resume.last)))
        } else {
            // All rows were listed, and each link is looked at by itself: no border can have moved.
            let after = resume.links_after;
            (Next::Links { after }, None)
        };
        let rows = u64::try_from(resume.seen.len()).unwrap_or_default();
        Self {
            next,
            border,
            rows,
            of: rows,
            seen: resume.seen.clone(),
            ..self
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Next {
    Rows { page: u32 },
    Links { after: Option<RowId> },
}

impl<'a> Walk<'a> {
    /// Finds the tables; what an earlier walk of the same scope has finished is skipped.
    pub async fn begin(context: &'a Context, scope: Scope, resume: &Resume) -> Result<Self, Failure> {
        let (mut tables, mut missing) = (VecDeque::new(), Vec::new());
        for rule in context.rules.pages() {
            let mut journal = Journal::default();
            let table = match context.table(&mut journal, &rule.table).await {
                Ok(Some(table)) => table,
                Ok(None) => {
                    missing.push(rule.table.to_string());
                    continue;
                }
                // A name that fits two tables; the other rules are not to blame.
                Err(failure) if failure.is_final() => {
                    missing.push(format!("{} ({})", rule.table, failure.message));
                    continue;
                }
                Err(failure) => return Err(failure),
            };
            let is_meant = scope.table.is_none_or(|wanted| wanted == table.id);
            if is_meant && !resume.finished.contains(&table.id) {
                tables.push_back(Visit::new(rule, table));
            }
        }
        if let Some(resume) = &resume.table
            && let Some(at) = tables.iter().position(|visit| visit.table.id == resume.table)
            && let Some(visit) = tables.remove(at)
        {
            tables.push_front(visit.go_on(resume));
        }
        Ok(Self {
            context,
            scope,
            tables,
            linked_tables: LinkedTables::default(),
            dead_letters: DeadLetters::default(),
            missing,
            finished: resume.finished.clone(),
        })
    }

    /// What this walk leaves out because an earlier one has done it: tables, rows of the next
    /// table, and its name. `None` if nothing.
    pub fn goes_on_after(&self) -> Option<(usize, Option<(u64, &str)>)> {
        let begun = self.tables.front().filter(|visit| visit.rows > 0);
        let begun = begun.map(|visit| (visit.rows, visit.table.name.as_str()));
        (begun.is_some() || !self.finished.is_empty()).then_some((self.finished.len(), begun))
    }

    /// The tables that rules want and our token does not see.
    pub fn missing(&self) -> &[String] {
        &self.missing
    }

    /// How many tables are still to be looked at.
    pub fn tables(&self) -> usize {
        self.tables.len()
    }

    /// Leaves out the rest of the table that is being looked at.
    pub fn skip(&mut self) {
        self.tables.pop_front();
    }

    /// Takes the next step; `None` at the end. A step that failed may be taken again.
    pub async fn step(&mut self) -> Result<Option<Look>, Failure> {
        let Some(visit) = self.tables.front_mut() else {
            return Ok(None);
        };
        let mut at = Step {
            context: self.context,
            scope: self.scope,
            linked_tables: &mut self.linked_tables,
            visit,
            findings: Vec::new(),
        };
        let starts_over = at.check_border().await?;
        let (checkpoint, is_last) = match at.visit.next {
            Next::Rows { page } => at.rows(page).await?,
            Next::Links { after } => at.links(after).await?,
        };
        let mut findings = at.findings;
        self.dead_letters.note(self.context, &mut findings).await?;
        let mut look = Look {
            table: Arc::clone(&visit.table),
            rows: visit.rows,
            of: visit.of.max(visit.rows),
            findings,
            is_last,
            starts_over,
            checkpoint,
        };
        if is_last {
            self.finished.push(visit.table.id);
            self.tables.pop_front();
            let tables = self.finished.clone();
            look.checkpoint = Checkpoint::Finished { tables };
        }
        Ok(Some(look))
    }
}

struct Step<'s, 'a> {
    context: &'a Context,
    scope: Scope,
    linked_tables: &'s mut LinkedTables,
    visit: &'s mut Visit<'a>,
    findings: Vec<Finding>,
}

impl Step<'_, '_> {
    /// Reads the last page of an earlier walk again, if there was one. Says whether rows have moved
    /// over its end, so that the table is started over.
    async fn check_border(&mut self) -> Result<bool, Failure> {
        let Some((page, last)) = self.visit.border else {
            return Ok(false);
        };
        let table = self.visit.table.id;
        let is_same = match self.context.rows(&mut Journal::default(), table, page).await {
            Ok(listed) => listed.has_more && listed.rows.last().map(crate::content::row::Row::id) == last,
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
    async fn rows(&mut self, page: u32) -> Result<(Checkpoint, bool), Failure> {
        let table = self.visit.table.id;
        let listed = self.context.rows(&mut Journal::default(), table, page).await?;
        for row in &listed.rows {
            self.compare(row).await?;
        }
        let rows: Vec<RowId> = listed.rows.iter().map(crate::content::row::Row::id).collect();
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
    async fn links(&mut self, after: Option<RowId>) -> Result<(Checkpoint, bool), Failure> {
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
        !link.state.is_row_gone() && !self.visit.seen.contains(&link.row.row)
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

    async fn compare(&mut self, row: &crate::content::row::Row) -> Result<(), Failure> {
        let place = Place {
            rule: self.visit.rule,
            table: &self.visit.table,
            scope: self.scope,
        };
        if let Some(reason) = compare::reason(self.context, self.linked_tables, place, row).await? {
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
