//! One row against what the store knows of its pages.

use passerelle_model::config::{RowDeleted, WriteBack};
use passerelle_model::id::RowKey;
use passerelle_model::ledger::FailureClass;
use passerelle_queue::gate::CallResult;
use passerelle_store::{Link, LinkState};

use super::linked_tables::{LinkedTables, WholeTables};
use super::wiki_view::{Sight, WikiView};
use super::{Reason, Scope};
use crate::clients::baserow::Table;
use crate::content::page::{Body, DesiredPage, Difference};
use crate::content::row::Row;
use crate::context::Context;
use crate::failure::{Failure, Target};
use crate::journal::Journal;
use crate::rules::{PageRule, SubPageRow, Subject};
use crate::sync::apply::text_difference;
use crate::sync::linked_rows::Linking;

/// A rule and the table that it means.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) rule: &'a PageRule,
    pub(super) table: &'a Table,
    pub(super) scope: Scope,
}

/// What a walk has read of other tables and of the wiki.
pub(super) struct Seen<'v> {
    pub(super) linked_tables: &'v mut LinkedTables,
    pub(super) wiki: Option<&'v mut WikiView>,
}

/// What is wrong with the row, if anything is.
pub(super) async fn reason(
    context: &Context,
    seen: Seen<'_>,
    place: Place<'_>,
    row: &Row,
) -> Result<Option<Reason>, Failure> {
    let found = look(context, seen, place, row).await;
    match found {
        // The row and the rule do not go together. Whatever else failed says nothing of the row.
        Err(failure) if failure.class == FailureClass::Permanent && failure.target == Target::Bridge => {
            Ok(Some(Reason::Unmappable(failure.message)))
        }
        found => found,
    }
}

async fn look(
    context: &Context,
    Seen { linked_tables, wiki }: Seen<'_>,
    place: Place<'_>,
    row: &Row,
) -> Result<Option<Reason>, Failure> {
    let Place { rule, table, scope } = place;
    let key = RowKey {
        table: table.id,
        row: row.id(),
    };
    let links = context.store.links(key).await?;
    if scope.unmapped {
        return Ok(mapping(context, &rule.page.write_back, row, page_link(&links)));
    }
    let mut reader = WholeTables {
        context,
        read: linked_tables,
        journal: Journal::default(),
    };
    let linking = Linking { context, key, row };
    let links_shown = linking.shown_rows(&rule.name, &rule.links, &mut reader).await?;
    let address = context.baserow.row_address(table, key);
    let subject = Subject {
        bridge: &context.bridge().await?.instance,
        key,
        row,
        links: &links_shown,
        address: &address,
    };
    let page = context.rules.plan(rule, &subject)?;
    let linked = linking.sub_page_rows(rule, &mut reader).await?;
    let pages = context.rules.plan_sub_pages(rule, &subject, &linked)?;
    let wanted = Wanted {
        rule,
        row,
        page: &page,
        sub_pages: linked.iter().zip(&pages).collect(),
        links: &links,
    };
    wanted.differ(context, wiki).await
}

/// The pages that a row should have, and those that the store knows.
struct Wanted<'a> {
    rule: &'a PageRule,
    row: &'a Row,
    page: &'a DesiredPage,
    /// Those below the row's own page, each with its row.
    sub_pages: Vec<(&'a SubPageRow, &'a DesiredPage)>,
    links: &'a [Link],
}

impl Wanted<'_> {
    async fn differ(&self, context: &Context, mut wiki: Option<&mut WikiView>) -> Result<Option<Reason>, Failure> {
        let Some(link) = page_link(self.links) else {
            return Ok(Some(Reason::NoPage));
        };
        if link.state.is_row_gone() {
            return Ok(Some(Reason::PageTrashed));
        }
        let is_left = link.state == LinkState::Left;
        if !is_left && !link.state.is_synced(&self.page.hash) {
            return Ok(Some(Reason::Differs));
        }
        let mapping = mapping(context, &self.rule.page.write_back, self.row, Some(link));
        if mapping.is_some() {
            return Ok(mapping);
        }
        if let Some(wiki) = wiki.as_deref_mut()
            && let Some(reason) = in_wiki(context, wiki, self.page, link).await?
        {
            return Ok(Some(reason));
        }
        if !is_left
            && (self.sub_pages_differ(context, link, wiki.as_deref()) || self.below(context, link, wiki).await?)
        {
            return Ok(Some(Reason::SubPageDiffers));
        }
        Ok(None)
    }

    /// Whether a page below the row's page is not in the wiki as it should be.
    async fn below(&self, context: &Context, parent: &Link, wiki: Option<&mut WikiView>) -> Result<bool, Failure> {
        let Some(wiki) = wiki else { return Ok(false) };
        for (_, page) in &self.sub_pages {
            let link = self.links.iter().find(|link| link.slot == page.slot);
            if let Some(link) = link
                && in_wiki(context, wiki, &page.below(&parent.page), link).await?.is_some()
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether the store knows of a difference in the pages below the row's page.
    fn sub_pages_differ(&self, context: &Context, parent: &Link, wiki: Option<&WikiView>) -> bool {
        let Some(collection) = &self.rule.collection else {
            return false;
        };
        let mut kept = Vec::new();
        for (linked, page) in &self.sub_pages {
            let link = self.links.iter().find(|link| link.slot == page.slot);
            let is_equal = link.is_some_and(|link| {
                link.state == LinkState::Left || link.state.is_synced(&page.below(&parent.page).hash)
            });
            if !is_equal || mapping(context, &collection.write_back, &linked.row, link).is_some() {
                return true;
            }
            kept.push(&page.slot);
        }
        let prefix = format!("{}-", collection.slot);
        let is_left_over = |link: &&Link| {
            link.slot.as_str().starts_with(&prefix)
                && !kept.contains(&&link.slot)
                && (!link.state.is_row_gone() || wiki.is_some_and(|wiki| wiki.contradicts(link)))
        };
        collection.removed != RowDeleted::Keep && self.links.iter().any(|link| is_left_over(&link))
    }
}

/// What is wrong with a page in the wiki itself. What was written since the wiki was read is not
/// judged.
async fn in_wiki(
    context: &Context,
    wiki: &mut WikiView,
    page: &DesiredPage,
    link: &Link,
) -> Result<Option<Reason>, Failure> {
    if wiki.is_older_than(link.written) {
        return Ok(None);
    }
    let is_left = link.state == LinkState::Left;
    Ok(match wiki.sight(context, &link.page).await? {
        Sight::There(_) if is_left => Some(Reason::Differs),
        Sight::There(shown) => {
            let space = context.space(&mut Journal::default(), &page.space).await?;
            let group = match &page.group {
                Some(title) => context.store.group(&space.id, title).await?,
                None => None,
            };
            let page = group.map_or_else(|| page.clone(), |group| page.in_group(group));
            let mut differences = page.differences(&shown, &space.id);
            differences.extend(in_text(context, wiki, &page, link).await?);
            let words: Vec<&str> = differences.iter().map(|difference| difference.as_str()).collect();
            (!words.is_empty()).then(|| Reason::PageChanged(words.join(", ")))
        }
        Sight::Trashed => (!is_left).then_some(Reason::PageTrashed),
        Sight::Missing => (!is_left).then_some(Reason::PageMissing),
        Sight::OutOfReach => Some(Reason::PageOutOfReach),
        Sight::Unknown => None,
    })
}

/// What is wrong with the text of a page that lives. One that Docmost cannot show is not judged: it
/// must not stop the walk.
async fn in_text(
    context: &Context,
    wiki: &WikiView,
    page: &DesiredPage,
    link: &Link,
) -> Result<Option<Difference>, Failure> {
    if matches!(page.body, Body::Once { .. }) || !wiki.may_have_changed(link) {
        return Ok(None);
    }
    let read = match context.docmost.page(&mut Journal::default(), &link.page).await {
        Ok(Some(read)) if read.deleted_at.is_none() => read,
        // It went away meanwhile.
        Ok(_) => return Ok(None),
        Err(failure) if failure.status == Some(500) || failure.as_call_result() == CallResult::Answered => {
            tracing::warn!(page = %link.page, %failure, "a page cannot be compared with its row: its text cannot be read");
            return Ok(None);
        }
        Err(failure) => return Err(failure),
    };
    let difference = text_difference(&context.store, page, &read).await?;
    if let (None, Some(as_of)) = (difference, &read.updated_at) {
        context.store.note_as_of(link, as_of).await?;
    }
    Ok(difference)
}

fn page_link(links: &[Link]) -> Option<&Link> {
    links.iter().find(|link| link.slot.as_str() == "page")
}

/// Whether the row has a page and names it.
fn mapping(context: &Context, fields: &WriteBack, row: &Row, link: Option<&Link>) -> Option<Reason> {
    let Some(link) = link else {
        return Some(Reason::NoPage);
    };
    let named = |field: &Option<String>| {
        let field = field.as_ref().filter(|field| row.cell(field).is_some())?;
        Some(row.text(field).unwrap_or_default())
    };
    match named(&fields.page_id) {
        Some("") => return Some(Reason::PageForgotten),
        Some(id) if id != link.page.as_str() => return Some(Reason::PageForeign),
        _ => {}
    }
    let address = context.docmost.page_address(&link.slug_id);
    let is_elsewhere = named(&fields.url).is_some_and(|url| url != address);
    is_elsewhere.then_some(Reason::PageForgotten)
}
