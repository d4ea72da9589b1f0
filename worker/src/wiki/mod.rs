//! From the wiki to Baserow and to people. A page with the label of a rule gets a row, once; the
//! row follows the page where the rule says so (B6). A share is reported (B7: `share.rs`).
//!
//! **A page's job** is level-triggered like a row's: "make the row of this page right", whether a
//! push or the periodic task requested it ([`crate::maintenance::tasks`]). The request is not
//! believed; the page is read.
//!
//! **One row per page, ever.** Baserow's creates are no more idempotent than Docmost's. So the
//! intent is stored before the create. An attempt that finds one looks for a row that holds the
//! page's id, and creates again only when the abandoned call can no longer be carried out. A row
//! that people deleted is not made again, and a page that goes to the trash leaves its row: it is a
//! record of what was said.
//!
//! **No loops.** Rows are written without waking webhooks, and a table whose rows get pages cannot
//! get rows for pages (checked at start).

mod row;
mod share;

use passerelle_model::id::PageId;
use passerelle_model::outcome::{IgnoredReason, Outcome};

use crate::context::Context;
use crate::failure::Failure;
use crate::journal::Journal;
use row::PageJob;
pub use share::report_share;
pub(crate) use share::{know, with_sub_pages};

/// Makes the rows of a page right.
pub async fn sync_page(context: &Context, id: &PageId, journal: &mut Journal) -> Result<Outcome, Failure> {
    let page = context.docmost.page(journal, id).await?;
    let labels = match &page {
        Some(page) if page.deleted_at.is_none() => context.docmost.labels(journal, id).await?,
        _ => None,
    };
    let (Some(page), Some(labels)) = (page, labels) else {
        journal.note(
            "page_gone",
            "the page is not there, or in the trash: its row stays as it is",
        );
        return Ok(Outcome::NoChange);
    };
    let (mut is_meant, mut has_changed) = (false, false);
    for (rule, label, action) in context.rules.labelled() {
        let is_carried = labels.iter().any(|carried| carried == label);
        if !is_carried || !context.is_space_of(journal, rule, page.space.as_ref()).await? {
            continue;
        }
        is_meant = true;
        let url = context.docmost.page_address(&page.slug_id);
        let mut job = PageJob {
            context,
            page: &page,
            action,
            wanted: context.rules.row_of(rule, action, &page, &url)?,
            journal,
        };
        has_changed |= job.ensure().await?;
    }
    Ok(match (is_meant, has_changed) {
        (false, _) => Outcome::Ignored(IgnoredReason::NoRule),
        (true, true) => Outcome::Synced,
        (true, false) => Outcome::NoChange,
    })
}
