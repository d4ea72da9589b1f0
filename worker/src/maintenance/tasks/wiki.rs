//! Looks for pages that carry the label of a rule: stock Docmost has no webhooks. A page that needs
//! work becomes an ordinary event of its job.

use passerelle_model::config::{BodyUpdates, RowAction};
use passerelle_model::event::{EventKind, NewEvent};
use passerelle_model::id::JobKey;
use passerelle_model::time::Timestamp;
use serde_json::json;

use crate::clients::docmost::Page;
use crate::context::Context;
use crate::failure::Failure;
use crate::journal::Journal;
use crate::rules::is_in_space;
use crate::sync::request::{Requester, job_item, request};

/// One look at all labels.
pub(super) async fn run(context: &Context) -> Result<(), Failure> {
    let mut found = 0;
    for (rule, label, action) in context.rules.labelled() {
        let mut journal = Journal::default();
        // Another number of pages per call each minute: see `Docmost::labelled`.
        let at_once = if Timestamp::now().as_millis() / 60_000 % 2 == 0 {
            100
        } else {
            91
        };
        let pages = context.docmost.labelled(&mut journal, label, at_once).await?;
        for page in pages.iter().filter(|page| is_in_space(rule, page)) {
            let url = context.docmost.page_address(&page.slug_id);
            let wanted = context.rules.row_of(rule, action, page, &url)?;
            if needs_work(context, action, page, &wanted.hash).await? {
                request_page(context, page, &wanted.hash).await?;
                found += 1;
            }
        }
    }
    if found > 0 {
        tracing::info!(pages = found, "labelled pages were found");
    }
    Ok(())
}

async fn needs_work(context: &Context, action: &RowAction, page: &Page, hash: &str) -> Result<bool, Failure> {
    let mut journal = Journal::default();
    let Some(table) = context
        .tables
        .find(&context.baserow, &mut journal, &action.table)
        .await?
    else {
        return Ok(true);
    };
    Ok(match context.store.page_row(&page.id, table.id).await? {
        Some(known) if known.row.is_some() => action.updates == BodyUpdates::Replace && known.content_hash != hash,
        Some(_) | None => true,
    })
}

/// The same state of a page is the same event: while its job waits or has died, it is not requested
/// every minute.
async fn request_page(context: &Context, page: &Page, state: &str) -> Result<(), Failure> {
    let payload = json!({"page_id": page.id, "title": page.title, "found_by": "label"});
    let event = Requester::Wiki.event(&format!("{} {state}", page.id), &payload);
    let event = event.map(|event| NewEvent {
        kind: EventKind::Updated,
        items: vec![job_item(JobKey::Page(page.id.clone()))],
        ..event
    });
    request(context, event).await
}
