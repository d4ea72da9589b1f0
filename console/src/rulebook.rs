//! What the console asks of the rules. The program that serves it knows them: it reads their file,
//! and asks Baserow and Docmost whether they fit.

use std::fmt::Debug;

use futures::future::BoxFuture;
use passerelle_model::config::{Problem, TableRef};
use passerelle_model::event::EventKind;
use passerelle_model::id::{RowKey, TableId};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::diagnosis::Examined;
use crate::reconcile::{Progress, Wanted};

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Does {
    /// It makes a page equal to a row.
    Page,
    /// It tells people of an event.
    Notice,
    /// It tells the admin of people with too few hours left.
    Capacity,
}

/// A rule, and how it fits.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleSheet {
    /// Its name.
    pub name: String,
    /// Its table, as the rule names it.
    pub table: TableRef,
    /// Its table's number, where Baserow was asked.
    pub table_id: Option<TableId>,
    /// The kinds of event that it reacts to.
    pub on: Vec<EventKind>,
    /// What it does.
    pub does: Does,
    /// The space of its pages.
    pub space: Option<String>,
    /// What does not fit: fields that are missing, rights, names.
    pub problems: Vec<Problem>,
}

/// All rules, as they are written now.
#[derive(Debug, Clone, PartialEq)]
pub struct Rulebook {
    /// In the order of the file.
    pub rules: Vec<RuleSheet>,
    /// What is wrong beside single rules. If the file cannot be read, there is nothing else.
    pub problems: Vec<Problem>,
    /// Why Baserow was not asked whether the rules fit.
    pub unasked: Option<String>,
}

/// The page that a rule makes of a row. Nothing of it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Previewed {
    /// The rule that makes it.
    pub rule: String,
    /// The space.
    pub space: String,
    /// The title of the page above it; `None` for the top of the space.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The title.
    pub title: String,
    /// `None` where the rule says nothing about icons, and where it wants none.
    pub icon: Option<String>,
    /// The text after a sync, line by line: what people wrote is a part of it.
    pub body: Vec<String>,
    /// The blocks of the same text, as the wiki keeps them.
    #[serde(skip)]
    pub blocks: Vec<serde_json::Value>,
    /// The page of the first linked row, for a rule with a collection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub below: Option<Box<Previewed>>,
    /// What a sync would change of the page; `None` if there is none yet, or nobody looked.
    pub changes: Option<Vec<String>>,
}

/// Knows the rules.
pub trait ReadsRules: Debug + Send + Sync {
    /// The rules as they are now, compared with Baserow.
    fn rules(&self) -> BoxFuture<'_, Rulebook>;

    /// The page that a rule makes of a row. The error says why there is none, in a sentence for
    /// operators.
    fn preview<'a>(&'a self, rule: &'a str, row: RowKey) -> BoxFuture<'a, Result<Previewed, String>>;

    /// Compares the rules with Baserow and Docmost, and examines all that the bridge needs.
    fn examine(&self) -> BoxFuture<'_, Examined>;

    /// Compares rows with their pages, tells how far it is, and ends soon after `stop`. The error
    /// says what went wrong, in a sentence for operators.
    fn reconcile<'a>(
        &'a self,
        wanted: &'a Wanted,
        tell: &'a (dyn Fn(Progress) + Send + Sync),
        stop: &'a CancellationToken,
    ) -> BoxFuture<'a, Result<(), String>>;
}
