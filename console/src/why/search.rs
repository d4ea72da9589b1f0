//! What somebody means who pastes something into the search field: an address of Baserow or Docmost, a row, a page, an
//! event, a dead letter.

use passerelle_model::id::{EventId, JobKey, PageId, RowId, RowKey, TableId};
use passerelle_queue::QueueName;
use passerelle_store::{EventStory, Named};

use crate::desk::Desk;

/// The longest text that is looked at.
const LONGEST: usize = 2000;
/// The latest events that are told of a row or a page.
const LATEST: u32 = 10;

/// What a text says, as far as it says it by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Said {
    Row(RowKey),
    /// A row of a table that is named.
    NamedRow(String, RowId),
    /// The short id at the end of a page's address.
    Slug(String),
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

impl From<passerelle_store::StoreError> for NotFound {
    fn from(error: passerelle_store::StoreError) -> Self {
        Self::Away(error.to_string())
    }
}

fn said(text: &str) -> Said {
    let text = text.trim();
    if text.is_empty() || text.len() > LONGEST {
        return Said::Nothing;
    }
    if let Some(found) = address(text) {
        return found;
    }
    let (table, row) = match text.rsplit_once('/') {
        Some((table, row)) => (table.trim(), number(row, 'r').and_then(|row| RowId::new(row).ok())),
        None => ("", None),
    };
    if let (false, Some(row)) = (table.is_empty(), row) {
        return match number(table, 't').and_then(|table| TableId::new(table).ok()) {
            Some(table) => Said::Row(RowKey { table, row }),
            None => Said::NamedRow(table.to_owned(), row),
        };
    }
    match JobKey::parse(text) {
        Ok(job @ (JobKey::Page(_) | JobKey::Share(_) | JobKey::Table(_))) => Said::Job(job),
        Ok(_) => Said::Id(text.to_owned()),
        Err(_) => Said::Nothing,
    }
}

/// `12`, `t12`, `r12`.
fn number(text: &str, letter: char) -> Option<u64> {
    text.strip_prefix(letter).unwrap_or(text).trim().parse().ok()
}

/// An address of either product: `…/database/1/table/2/345/row/6` or `…/p/title-slugId`.
fn address(text: &str) -> Option<Said> {
    let (_, rest) = text.split_once("://")?;
    let path = rest.split(['?', '#']).next().unwrap_or(rest);
    let parts: Vec<&str> = path.split('/').skip(1).filter(|part| !part.is_empty()).collect();
    let after = |word: &str| {
        let place = parts.iter().position(|part| *part == word)?;
        parts.get(place + 1).copied()
    };
    if let (Some(table), Some(row)) = (after("table"), after("row")) {
        let (table, row) = (
            TableId::new(table.parse().ok()?).ok()?,
            RowId::new(row.parse().ok()?).ok()?,
        );
        return Some(Said::Row(RowKey { table, row }));
    }
    let page = after("p")?;
    let slug = page.rsplit_once('-').map_or(page, |(_, slug)| slug);
    let is_slug = !slug.is_empty() && slug.bytes().all(|byte| byte.is_ascii_alphanumeric());
    Some(if is_slug {
        Said::Slug(slug.to_owned())
    } else {
        Said::Nothing
    })
}

/// Looks up what somebody means.
pub(crate) async fn find(desk: &Desk, text: &str) -> Result<Found, NotFound> {
    match said(text) {
        Said::Row(row) => of_job(desk, JobKey::Row(row)).await,
        Said::NamedRow(table, row) => {
            let tables = desk.store.meanings(Named::Table).await?;
            let meant = tables.iter().find(|(name, _)| *name == table);
            let Some(table_id) = meant.and_then(|(_, id)| id.parse::<TableId>().ok()) else {
                return Err(NotFound::Table(
                    table,
                    tables.into_iter().map(|(name, _)| name).collect(),
                ));
            };
            of_job(desk, JobKey::Row(RowKey { table: table_id, row })).await
        }
        Said::Slug(slug) => of_slug(desk, &slug).await,
        Said::Job(JobKey::Page(page)) => of_page(desk, &page).await,
        Said::Job(job) => of_job(desk, job).await,
        Said::Id(id) => of_id(desk, &id).await,
        Said::Nothing => Err(NotFound::Unknown),
    }
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

    fn row(table: u64, row: u64) -> Said {
        Said::Row(RowKey {
            table: TableId::new(table).unwrap(),
            row: RowId::new(row).unwrap(),
        })
    }

    #[test]
    fn a_row_is_known_in_all_its_spellings_and_by_its_address() {
        for text in [
            "t2/r5",
            "2/5",
            " t2/5 ",
            "https://baserow.example.org/database/1/table/2/row/5",
            "https://baserow.example.org/database/1/table/2/345/row/5?search=x#y",
        ] {
            assert_eq!(said(text), row(2, 5), "{text}");
        }
        let named = Said::NamedRow("projet".to_owned(), RowId::new(5).unwrap());
        assert_eq!(said("projet/5"), named);
    }

    #[test]
    fn a_page_is_known_by_the_end_of_its_address() {
        for text in [
            "https://wiki.example.org/s/general/p/renovation-de-la-gare-Ab3dE6gH9k",
            "https://wiki.example.org/p/Ab3dE6gH9k",
            "https://wiki.example.org/share/k3x9/p/title-Ab3dE6gH9k?x=1",
        ] {
            assert_eq!(said(text), Said::Slug("Ab3dE6gH9k".to_owned()), "{text}");
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
        assert_eq!(said("https://example.org/p/a-%27"), Said::Nothing);
        assert!(matches!(said("3e0c9d1a-0000-4000-8000-000000000001"), Said::Id(_)));
    }
}
