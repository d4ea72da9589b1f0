//! Repairs what webhooks never report (H2): compares every row of the rules' tables with what the
//! store knows of its pages, and requests a sync of the rows that differ.
//!
//! **What is found.** Rows without a page (imported, or added while the webhook was switched off);
//! rows that do not know their page, or name another one (a restored backup); rows whose rendered
//! state is not the one last written (formulas, renamed options, events beyond Baserow's limit of a
//! thousand rows); pages whose row is gone; and pages that are not in the wiki as they were
//! written: deleted, in the trash, retitled, with another icon, in another place, or with another
//! section (or text, where all of it follows the row).
//!
//! **What is done.** Nothing but an ordinary forced event for each such row. The row's own job then
//! does what it always does, under the same promises: a page that exists already is found by its
//! marks, not made again. So a finding that is out of date costs one `no_change`, and an
//! interrupted reconciliation may always start over: what it had requested differs no more. It need
//! not: [`Checkpoint`]s say how far it had come.
//!
//! **What it costs.** One call to Baserow per 200 rows. Two calls to Docmost per 100 pages of the
//! wiki and one per page that has others below it: its trees are read, and when each page was
//! changed last. One more per page that has changed since its text was last known to be right.
//! [`Walk`] reads, [`Requests`] requests syncs, slowly and only while few jobs wait.
//!
//! **What is not requested.** A row that cannot be rendered at all: its job would only die. And a
//! row that was refused for good within the last day, whose dead letter no operator has replayed or
//! discarded: it would only get another dead letter. Both are reported instead.

mod checkpoint;
mod compare;
mod dead_letters;
mod linked_tables;
mod requests;
mod step;
mod walk;
mod wiki_view;

use passerelle_model::id::{RowKey, TableId};
use serde::Serialize;

pub use checkpoint::{Checkpoint, Resume, ResumeTable};
pub use requests::Requests;
pub use walk::{Look, Walk};

/// The source of the events that the reconciliation makes, and the beginning of their ids.
pub const SOURCE: &str = crate::sync::request::Requester::Reconcile.as_str();

/// What to look at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scope {
    pub table: Option<TableId>,
    /// Only rows that have no page, or do not know it.
    pub unmapped: bool,
}

/// A row that needs a look, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub row: RowKey,
    /// The rule that wants its page.
    pub rule: String,
    #[serde(flatten)]
    pub reason: Reason,
    /// The dead letter of the row, where it was refused for good a short time ago.
    #[serde(rename = "letter", skip_serializing_if = "Option::is_none")]
    pub dead_letter: Option<String>,
}

impl Finding {
    /// Whether a sync of the row can help.
    pub fn can_be_mended(&self) -> bool {
        self.reason.can_be_mended() && self.dead_letter.is_none()
    }
}

/// What is wrong with a row or its pages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "reason", content = "detail", rename_all = "snake_case")]
pub enum Reason {
    /// It has no page that the store knows.
    NoPage,
    /// It has a page and does not name it.
    PageForgotten,
    /// It names another page than its own.
    PageForeign,
    /// What its page shows is not what the row says now.
    Differs,
    /// The same for a page below its page.
    SubPageDiffers,
    /// It lives, but its page is in the trash, or says that it is gone.
    PageTrashed,
    /// Its page was deleted for good, or is below another one in the trash.
    PageMissing,
    /// People changed or moved its page; in what.
    PageChanged(String),
    /// Its page is in a space that the bridge's account is not in.
    PageOutOfReach,
    /// It is gone, but its page lives.
    RowGone,
    /// It cannot be rendered; why.
    Unmappable(String),
}

impl Reason {
    /// The word in numbers and lists.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::NoPage => "no_page",
            Self::PageForgotten => "page_forgotten",
            Self::PageForeign => "page_foreign",
            Self::Differs => "differs",
            Self::SubPageDiffers => "sub_page_differs",
            Self::PageTrashed => "page_trashed",
            Self::PageMissing => "page_missing",
            Self::PageChanged(_) => "page_changed",
            Self::PageOutOfReach => "page_out_of_reach",
            Self::RowGone => "row_gone",
            Self::Unmappable(_) => "unmappable",
        }
    }

    /// Whether a sync of the row can help.
    pub fn can_be_mended(&self) -> bool {
        !matches!(self, Self::Unmappable(_) | Self::PageOutOfReach)
    }
}
