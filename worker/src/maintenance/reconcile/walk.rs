//! Reads the tables of the rules page by page, and after the last page the links whose rows were
//! not among them.
//!
//! Baserow cannot list rows by their number, only in people's own order, so a row that is moved or
//! deleted meanwhile may be listed twice or not at all. Twice is no harm; a row that was missed and
//! has a page is read by itself before it is called gone.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use passerelle_model::id::{RowId, TableId};
use passerelle_model::time::Timestamp;

use super::checkpoint::{Checkpoint, Resume, ResumeTable};
use super::dead_letters::DeadLetters;
use super::linked_tables::LinkedTables;
use super::step::Step;
use super::wiki_view::WikiView;
use super::{Finding, Scope};
use crate::clients::baserow::Table;
use crate::context::Context;
use crate::failure::Failure;
use crate::journal::Journal;
use crate::rules::PageRule;

/// How long a wiki that could not be read is left alone.
const LOOK_AGAIN_AFTER: Duration = Duration::from_mins(1);

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
    wiki: Option<WikiView>,
    wiki_trouble: Option<(Timestamp, String)>,
    dead_letters: DeadLetters,
    /// Names of tables that rules want and our token does not see.
    missing: Vec<String>,
    finished: Vec<TableId>,
}

/// A table and how far its walk has come.
#[derive(Debug)]
pub(super) struct Visit<'a> {
    pub(super) rule: &'a PageRule,
    pub(super) table: Arc<Table>,
    pub(super) next: Next,
    pub(super) seen: HashSet<RowId>,
    pub(super) rows: u64,
    pub(super) of: u64,
    /// The page and its last row at which an earlier walk was broken off, until it has been read
    /// again.
    pub(super) border: Option<(u32, Option<RowId>)>,
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
pub(super) enum Next {
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
            wiki: None,
            wiki_trouble: None,
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

    /// Why the wiki could not be read, if so: then pages are compared with what was last written to
    /// them, and not with what they are.
    pub fn wiki_trouble(&self) -> Option<&str> {
        self.wiki_trouble.as_ref().map(|(_, why)| why.as_str())
    }

    /// Reads the wiki if it was not read lately. A wiki that is away stops no walk.
    async fn look_at_wiki(&mut self) {
        let is_fresh = self.wiki.as_ref().is_some_and(|wiki| !wiki.is_stale());
        let tried = self.wiki_trouble.as_ref().map(|(tried, _)| *tried);
        let rests = tried.is_some_and(|tried| Timestamp::now().since(tried) < LOOK_AGAIN_AFTER);
        if self.scope.unmapped || is_fresh || rests || self.tables.is_empty() {
            return;
        }
        match WikiView::read(self.context).await {
            Ok(wiki) => (self.wiki, self.wiki_trouble) = (Some(wiki), None),
            Err(failure) => {
                tracing::warn!(%failure, "the wiki could not be read: pages are compared with what was last written");
                (self.wiki, self.wiki_trouble) = (None, Some((Timestamp::now(), failure.to_string())));
            }
        }
    }

    /// Takes the next step; `None` at the end. A step that failed may be taken again.
    pub async fn step(&mut self) -> Result<Option<Look>, Failure> {
        Box::pin(self.look_at_wiki()).await;
        let Some(visit) = self.tables.front_mut() else {
            return Ok(None);
        };
        let mut at = Step {
            context: self.context,
            scope: self.scope,
            linked_tables: &mut self.linked_tables,
            wiki: self.wiki.as_mut(),
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
