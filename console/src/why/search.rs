//! What somebody means who pastes something into the search field: an address of Baserow or
//! Docmost, a row, a page, an event, a dead letter.

use passerelle_model::id::{EventId, JobKey, PageId, RowKey, TableId};
use passerelle_model::named::{RowName, is_address};
use passerelle_queue::QueueName;
use passerelle_store::{EventStory, Named, StoreError};

use crate::desk::Desk;

/// The longest text that is looked at.
const LONGEST: usize = 2000;
/// The latest events that are told of a row or a page.
const LATEST: u32 = 10;

/// What a text says, as far as it says it by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Said {
    Row(RowName),
    Job(JobKey),
    /// An event, a page's id, a dead letter: one of those that look alike.
    Id(String),
    Nothing,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// The row, page or share that it is about, where it is about one.
    pub(crate) job: Option<JobKey>,
    /// Its events, the oldest first.
    pub(crate) stories: Vec<EventStory>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum NotFound {
    /// Nothing of it is known.
    Unknown,
    /// No table has this name; those that have one.
    Table(String, Vec<String>),
    /// It cannot be looked up now.
    Away(String),
}

impl From<StoreError> for NotFound {
    fn from(error: StoreError) -> Self {
        Self::Away(error.to_string())
    }
}

fn said(text: &str) -> Said {
    let text = text.trim();
    if text.is_empty() || text.len() > LONGEST {
        return Said::Nothing;
    }
    if let Ok(row) = RowName::parse(text) {
        return Said::Row(row);
    }
    match JobKey::parse(text) {
        Ok(job @ (JobKey::Page(_) | JobKey::Share(_) | JobKey::Table(_))) => Said::Job(job),
        Ok(_) if !is_address(text) => Said::Id(text.to_owned()),
        _ => Said::Nothing,
    }
}

/// Looks up what somebody means.
pub(crate) async fn find(desk: &Desk, text: &str) -> Result<Found, NotFound> {
    match said(text) {
        Said::Row(RowName::Numbers(row)) => of_job(desk, JobKey::Row(row)).await,
        Said::Row(RowName::Named { table, row }) => {
            let tables = desk.store.meanings(Named::Table).await?;
            let Some(table_id) = meant(&tables, &table) else {
                return Err(NotFound::Table(
                    table,
                    tables.into_iter().map(|(name, _)| name).collect(),
                ));
            };
            of_job(desk, JobKey::Row(RowKey { table: table_id, row })).await
        }
        Said::Row(RowName::Page(slug)) => of_slug(desk, &slug).await,
        Said::Job(JobKey::Page(page)) => of_page(desk, &page).await,
        Said::Job(job) => of_job(desk, job).await,
        Said::Id(id) => of_id(desk, &id).await,
        Said::Nothing => Err(NotFound::Unknown),
    }
}

/// The table that a name meant when it was first looked up.
pub(crate) fn meant(tables: &[(String, String)], name: &str) -> Option<TableId> {
    let (_, id) = tables.iter().find(|(known, _)| known == name)?;
    id.parse().ok()
}

/// The row that somebody means, whether or not anything is known of it; nothing if it is no row.
pub(crate) async fn row_of(desk: &Desk, text: &str) -> Result<Option<RowKey>, StoreError> {
    let links = match said(text) {
        Said::Row(RowName::Numbers(row)) => return Ok(Some(row)),
        Said::Row(RowName::Named { table, row }) => {
            let tables = desk.store.meanings(Named::Table).await?;
            return Ok(meant(&tables, &table).map(|table| RowKey { table, row }));
        }
        Said::Row(RowName::Page(slug)) => desk.store.links_of_slug(&slug).await?,
        Said::Job(job) => match job.page() {
            Some(page) => desk.store.links_of_page(page).await?,
            None => return Ok(None),
        },
        Said::Id(id) => match PageId::parse(&id) {
            Ok(page) => desk.store.links_of_page(&page).await?,
            Err(_) => desk.store.links_of_slug(&id).await?,
        },
        Said::Nothing => return Ok(None),
    };
    Ok(links.first().map(|link| link.row))
}

/// A row that is in step has a page, even where the ledger no longer has its events.
async fn of_job(desk: &Desk, job: JobKey) -> Result<Found, NotFound> {
    let stories = match &job {
        JobKey::Row(row) => desk.store.trace_row(*row, LATEST).await?,
        other => desk.store.trace_job(other, LATEST).await?,
    };
    let has_page = match job.row() {
        Some(row) if stories.is_empty() => !desk.store.links(row).await?.is_empty(),
        _ => false,
    };
    if stories.is_empty() && !has_page {
        return Err(NotFound::Unknown);
    }
    Ok(Found {
        job: Some(job),
        stories,
    })
}

/// A page of a row, or one that the wiki made.
async fn of_page(desk: &Desk, page: &PageId) -> Result<Found, NotFound> {
    match desk.store.links_of_page(page).await?.first() {
        Some(link) => of_job(desk, JobKey::Row(link.row)).await,
        None => of_job(desk, JobKey::Page(page.clone())).await,
    }
}

/// A page, by the short id in its address.
async fn of_slug(desk: &Desk, slug: &str) -> Result<Found, NotFound> {
    match desk.store.links_of_slug(slug).await?.first() {
        Some(link) => of_job(desk, JobKey::Row(link.row)).await,
        None => Err(NotFound::Unknown),
    }
}

async fn of_id(desk: &Desk, id: &str) -> Result<Found, NotFound> {
    if let Ok(event) = EventId::parse(id) {
        let stories = desk.store.trace_event(&event).await?;
        if !stories.is_empty() {
            return Ok(Found { job: None, stories });
        }
    }
    if let Ok(page) = PageId::parse(id)
        && let Ok(found) = of_page(desk, &page).await
    {
        return Ok(found);
    }
    for queue in QueueName::ALL {
        let letter = desk.queue_of(queue).dead_letter(id).await;
        let letter = letter.map_err(|error| NotFound::Away(error.to_string()))?;
        if let Some(letter) = letter {
            return of_job(desk, letter.job).await;
        }
    }
    of_slug(desk, id).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_known_in_all_its_spellings_and_by_its_address() {
        for text in [
            "t2/r5",
            " 2/5 ",
            "https://baserow.example.org/database/1/table/2/345/row/5?search=x#y",
            "projet/5",
            "https://wiki.example.org/s/general/p/renovation-de-la-gare-Ab3dE6gH9k",
        ] {
            assert_eq!(said(text), Said::Row(RowName::parse(text).unwrap()), "{text}");
        }
    }

    #[test]
    fn what_means_nothing_is_looked_up_nowhere() {
        for text in [
            "",
            "   ",
            "https://example.org/",
            "https://example.org/p/a-%27",
            "un deux",
            &"x".repeat(3000),
        ] {
            let found = said(text);
            assert!(matches!(found, Said::Nothing | Said::Id(_)), "{text}: {found:?}");
        }
        for address in ["https://example.org/p/a-%27", "https://example.org/s/x"] {
            assert_eq!(said(address), Said::Nothing, "{address}");
        }
        assert!(matches!(said("3e0c9d1a-0000-4000-8000-000000000001"), Said::Id(_)));
    }
}
