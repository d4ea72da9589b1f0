//! Looks for pages that carry the label of a rule: stock Docmost has no webhooks. A page that needs
//! work becomes an ordinary event of its job.

use passerelle_model::config::{RowAction, RowUpdates, WikiRule};
use passerelle_model::event::{EventKind, NewEvent};
use passerelle_model::id::JobKey;
use passerelle_model::time::Timestamp;
use serde_json::json;

use crate::clients::docmost::Page;
use crate::context::Context;
use crate::failure::Failure;
use crate::journal::Journal;
use crate::sync::request::{Requester, job_item, request};

/// One look at all labels. A page or a rule that cannot be worked on stops no other.
pub(super) async fn run(context: &Context) -> Result<(), Failure> {
    let mut found = 0;
    for (rule, label, action) in context.rules.labelled() {
        match look(context, rule, label, action).await {
            Ok(pages) => found += pages,
            Err(failure) if failure.is_final() => {
                tracing::warn!(rule = rule.name, %failure, "a rule of the wiki cannot be carried out");
            }
            Err(failure) => return Err(failure),
        }
    }
    if found > 0 {
        tracing::info!(pages = found, "labelled pages were found");
    }
    Ok(())
}

/// Looks at the pages of one rule; returns how many need work.
async fn look(context: &Context, rule: &WikiRule, label: &str, action: &RowAction) -> Result<usize, Failure> {
    let mut journal = Journal::default();
    // Another number of pages per call each minute: see `Docmost::labelled`.
    let at_once = if Timestamp::now().as_millis() / 60_000 % 2 == 0 {
        100
    } else {
        91
    };
    let mut found = 0;
    for page in context.docmost.labelled(&mut journal, label, at_once).await? {
        if !context.is_space_of(&mut journal, rule, page.space.as_ref()).await? {
            continue;
        }
        let url = context.docmost.page_address(&page.slug_id);
        let state = match context.rules.row_of(rule, action, &page, &url) {
            Ok(wanted) => {
                let needs_work = needs_work(context, action, &page, &wanted.hash).await?;
                needs_work.then_some(wanted.hash)
            }
            // The page's own job fails in the same way, where people find it.
            Err(failure) => Some(failure.message),
        };
        if let Some(state) = state {
            request_page(context, &page, &state).await?;
            found += 1;
        }
    }
    Ok(found)
}

async fn needs_work(context: &Context, action: &RowAction, page: &Page, hash: &str) -> Result<bool, Failure> {
    let mut journal = Journal::default();
    let Some(table) = context.table(&mut journal, &action.table).await? else {
        return Ok(true);
    };
    Ok(match context.store.page_row(&page.id, table.id).await? {
        Some(known) if known.row.is_some() => action.updates == RowUpdates::Replace && known.content_hash != hash,
        Some(_) | None => true,
    })
}

/// The same state of a page at the same moment is the same event: while its job waits or has died,
/// it is not requested every minute. A title that was changed back is a new moment.
async fn request_page(context: &Context, page: &Page, state: &str) -> Result<(), Failure> {
    let payload = json!({"page_id": page.id, "title": page.title, "found_by": "label"});
    let moment = page.updated_at.as_deref().unwrap_or_default();
    let event = Requester::Wiki.event(&format!("{} {state} {moment}", page.id), &payload);
    let event = event.map(|event| NewEvent {
        kind: EventKind::Updated,
        items: vec![job_item(JobKey::Page(page.id.clone()))],
        ..event
    });
    request(context, event).await
}
