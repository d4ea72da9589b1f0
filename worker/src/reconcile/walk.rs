//! Reads the tables of the rules page by page, and after the last page the links whose rows were not among them.
//!
//! Baserow cannot list rows by their number, only in people's own order, so a row that is moved or deleted meanwhile may be listed twice
//! or not at all. Twice is no harm; a row that was missed and has a page is read by itself before it is called gone.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use passerelle_shared::config::RowDeleted;
use passerelle_shared::id::{RowId, RowKey, TableId};
use passerelle_shared::store::Link;

use super::compare::{self, Place};
use super::neighbours::Neighbours;
use super::{Finding, Reason, Scope};
use crate::apply::{MARKED, TRASHED};
use crate::bridge::Bridge;
use crate::clients::baserow::Table;
use crate::failure::Failure;
use crate::journal::Journal;
use crate::rules::PageRule;

/// Links that are read at once.
const LINKS: u32 = 500;

/// What one step of a walk saw.
#[derive(Debug)]
pub struct Look {
    /// The table.
    pub table: Arc<Table>,
    /// How many of its rows were looked at so far.
    pub rows: u64,
    /// How many it has.
    pub of: u64,
    /// Rows that need a look.
    pub findings: Vec<Finding>,
    /// Whether this table is finished.
    pub is_last: bool,
}

/// A walk through all tables of a scope, one step at a time: whoever drives it may stop between two steps.
#[derive(Debug)]
pub struct Walk<'a> {
    bridge: &'a Bridge,
    scope: Scope,
    tables: VecDeque<Visit<'a>>,
    neighbours: Neighbours,
    /// Names of tables that rules want and our token does not see.
    missing: Vec<String>,
}

#[derive(Debug)]
struct Visit<'a> {
    rule: &'a PageRule,
    table: Arc<Table>,
    next: Next,
    seen: HashSet<RowId>,
    rows: u64,
    of: u64,
}

#[derive(Debug, Clone, Copy)]
enum Next {
    Rows { page: u32 },
    Links { after: Option<RowId> },
}

impl<'a> Walk<'a> {
    /// Finds the tables; those in `finished` are left out.
    pub async fn begin(bridge: &'a Bridge, scope: Scope, finished: &[TableId]) -> Result<Self, Failure> {
        let (mut tables, mut missing) = (VecDeque::new(), Vec::new());
        for rule in bridge.rules.pages() {
            let mut journal = Journal::default();
            let Some(table) = bridge.tables.find(&bridge.baserow, &mut journal, &rule.table).await? else {
                missing.push(rule.table.to_string());
                continue;
            };
            let is_meant = scope.table.is_none_or(|wanted| wanted == table.id);
            if is_meant && !finished.contains(&table.id) {
                tables.push_back(Visit {
                    rule,
                    table,
                    next: Next::Rows { page: 1 },
                    seen: HashSet::new(),
                    rows: 0,
                    of: 0,
                });
            }
        }
        Ok(Self {
            bridge,
            scope,
            tables,
            neighbours: Neighbours::default(),
            missing,
        })
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
            bridge: self.bridge,
            scope: self.scope,
            neighbours: &mut self.neighbours,
            visit,
            findings: Vec::new(),
        };
        let is_last = match at.visit.next {
            Next::Rows { page } => at.rows(page).await?,
            Next::Links { after } => at.links(after).await?,
        };
        let findings = at.findings;
        let look = Look {
            table: Arc::clone(&visit.table),
            rows: visit.rows,
            of: visit.of.max(visit.rows),
            findings,
            is_last,
        };
        if is_last {
            self.tables.pop_front();
        }
        Ok(Some(look))
    }
}

struct Step<'s, 'a> {
    bridge: &'a Bridge,
    scope: Scope,
    neighbours: &'s mut Neighbours,
    visit: &'s mut Visit<'a>,
    findings: Vec<Finding>,
}

impl Step<'_, '_> {
    /// Compares one page of rows. Says whether the table is finished.
    async fn rows(&mut self, page: u32) -> Result<bool, Failure> {
        let table = self.visit.table.id;
        let listed = self.bridge.baserow.rows(&mut Journal::default(), table, page).await?;
        for row in &listed.rows {
            self.compare(row).await?;
        }
        self.visit.seen.extend(listed.rows.iter().map(crate::row::Row::id));
        self.visit.rows += u64::try_from(listed.rows.len()).unwrap_or_default();
        self.visit.of = listed.count;
        self.visit.next = if listed.has_more {
            Next::Rows { page: page + 1 }
        } else {
            Next::Links { after: None }
        };
        // Rows that are gone have a page.
        Ok(self.scope.unmapped && !listed.has_more)
    }

    /// Looks for pages whose rows were not listed. Says whether the table is finished.
    async fn links(&mut self, after: Option<RowId>) -> Result<bool, Failure> {
        if self.visit.rule.page.row_deleted == RowDeleted::Keep {
            return Ok(true);
        }
        let links = self
            .bridge
            .store
            .links_of_table(self.visit.table.id, after, LINKS)
            .await?;
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
        if let Some(last) = links.last() {
            self.visit.next = Next::Links {
                after: Some(last.row.row),
            };
        }
        Ok(is_last)
    }

    fn is_suspect(&self, link: &Link) -> bool {
        ![TRASHED, MARKED].contains(&link.content_hash.as_str()) && !self.visit.seen.contains(&link.row.row)
    }

    async fn suspect(&mut self, row: RowId) -> Result<(), Failure> {
        let key = RowKey {
            table: self.visit.table.id,
            row,
        };
        if let Some(row) = self.bridge.baserow.row(&mut Journal::default(), key).await? {
            return self.compare(&row).await;
        }
        self.find(row, Reason::RowGone);
        Ok(())
    }

    async fn compare(&mut self, row: &crate::row::Row) -> Result<(), Failure> {
        let place = Place {
            rule: self.visit.rule,
            table: &self.visit.table,
            scope: self.scope,
        };
        if let Some(reason) = compare::reason(self.bridge, self.neighbours, place, row).await? {
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
        });
    }
}
