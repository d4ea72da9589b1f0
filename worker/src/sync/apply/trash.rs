//! Puts a page into the trash, and nothing of others with it.
//!
//! The wiki's trash takes all pages below along, and tells nobody. So the pages that are not the
//! row's own are first moved up one level: they keep their place in the tree as well as that can
//! be.

use std::collections::HashSet;

use passerelle_model::id::{PageId, RowKey};
use passerelle_model::ledger::FailureClass;

use crate::clients::docmost::{Below, Place};
use crate::context::Context;
use crate::failure::{Failure, Target};
use crate::journal::Journal;

/// Trashes a page of a row; says whether it had to. One that is gone
/// for good is a failure of the class `Gone`.
pub(super) async fn trash_alone(
    context: &Context,
    page: &PageId,
    row: RowKey,
    journal: &mut Journal,
) -> Result<bool, Failure> {
    let Some(found) = context.docmost.page(journal, page).await? else {
        return Err(Failure::new(FailureClass::Gone, Target::Docmost, "Page not found"));
    };
    if found.deleted_at.is_some() {
        return Ok(false);
    }
    let links = context.store.links(row).await?;
    let own: HashSet<PageId> = links.into_iter().map(|link| link.page).collect();
    let mut families = vec![page.clone()];
    let mut moved = 0;
    while let Some(family) = families.pop() {
        for child in context.docmost.below(journal, &Below::Page(family)).await? {
            if own.contains(&child.id) {
                families.push(child.id);
                continue;
            }
            let place = Place {
                parent: found.parent_page_id.as_ref(),
                position: child.position.as_deref().unwrap_or("a0000"),
            };
            context.docmost.place(journal, &child.id, place).await?;
            moved += 1;
        }
    }
    if moved > 0 {
        let note = format!("{moved} pages below page {page} are not the row's own: they were moved up one level");
        journal.note("moved_up", note);
    }
    context.docmost.trash(journal, page).await?;
    Ok(true)
}
