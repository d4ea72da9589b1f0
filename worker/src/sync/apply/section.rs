//! The section of a page that follows its row ([`crate::section`]): a visit of the page's document,
//! then a store, whose answer says what the wiki has really kept.
//!
//! A crash after any of these steps leaves a section that the next attempt finds by its id: a visit
//! sends only what still differs.

use passerelle_model::id::PageId;
use passerelle_model::ledger::FailureClass;
use passerelle_model::time::Timestamp;
use passerelle_store::{Store, StoredSection};

use super::Application;
use super::update::Updated;
use crate::clients::docmost::{Page, Visit};
use crate::content::page::{Body, DesiredPage, Difference};
use crate::crash::CrashPoint;
use crate::failure::{Failure, Target};
use crate::section::{self, Found, ID, Known, Patch, Section};

/// How long the wiki takes at most to store what it has in memory.
const LONGEST_STORE: std::time::Duration = std::time::Duration::from_mins(1);

/// How a visit of a page's document ended.
enum Visited {
    Done(Patch),
    /// The page stays in the trash.
    Left,
    /// The page is gone for good.
    Gone,
}

impl Application<'_, '_> {
    /// Brings the section of a page to what it should be, and its title and icon with it.
    pub(super) async fn bring_section(
        &mut self,
        id: &PageId,
        section: &Section,
        recreate: bool,
    ) -> Result<Updated, Failure> {
        let stored = self.context.store.section(id).await?;
        let form = self.context.docmost.section_form(self.journal).await?;
        let known = Known {
            id: stored
                .as_ref()
                .map_or_else(|| ID.to_owned(), |stored| stored.block.clone()),
            written: stored.as_ref().map(|stored| stored.fingerprint.clone()),
            recreate,
            form,
        };
        let patch = match self.visit(id, section, &known).await? {
            Visited::Done(patch) => patch,
            Visited::Left => return Ok(Updated::Left),
            Visited::Gone => return Ok(Updated::Gone),
        };
        CrashPoint::AfterVisit.pass();
        let (Some(page), at_once) = self.store(id).await? else {
            return Ok(Updated::Gone);
        };
        self.tell(&patch, stored.as_ref());
        let now = match confirmed(&page, section, &known, &patch) {
            Some(now) => now,
            None if at_once => return Err(not_stored()),
            None => return Err(not_stored().after(LONGEST_STORE)),
        };
        let now = StoredSection {
            taken: now
                .taken
                .map(|now| stored.and_then(|stored| stored.taken).unwrap_or(now)),
            ..now
        };
        self.context.store.save_section(&now).await?;
        Ok(Updated::Page(Box::new(page)))
    }

    /// What a new page has got.
    pub(super) async fn save_new_section(&self, page: &PageId, section: &Section) -> Result<(), Failure> {
        let stored = StoredSection {
            page: page.clone(),
            block: ID.to_owned(),
            fingerprint: section.fingerprint(),
            taken: None,
        };
        Ok(self.context.store.save_section(&stored).await?)
    }

    /// Visits the page, out of the trash if it is there and the rule wants that. Why we are not let
    /// in, only the API tells.
    async fn visit(&mut self, id: &PageId, section: &Section, known: &Known) -> Result<Visited, Failure> {
        let docmost = &self.context.docmost;
        let refused = match docmost.visit(self.journal, id, section, known).await? {
            Visit::Done(patch) => return Ok(Visited::Done(patch)),
            refused => refused,
        };
        let Some(page) = docmost.page(self.journal, id).await? else {
            return Ok(Visited::Gone);
        };
        if page.deleted_at.is_some() {
            if self.is_left(&page).await? {
                return Ok(Visited::Left);
            }
            docmost.restore(self.journal, id).await?;
            CrashPoint::AfterRestore.pass();
            self.place(&page).await?;
            if let Visit::Done(patch) = docmost.visit(self.journal, id, section, known).await? {
                return Ok(Visited::Done(patch));
            }
        } else if matches!(refused, Visit::ReadOnly) {
            // Refused with the right words, unless the right has come back meanwhile.
            docmost.store(self.journal, id, self.page).await?;
        }
        Err(Failure::new(
            FailureClass::Transient,
            Target::Docmost,
            format!("Docmost does not let the bridge write the document of page {id}, and does not say why"),
        ))
    }

    /// Title and icon, and what the wiki has stored; and whether it stored its memory for us. One
    /// that takes no empty append stores it by itself, within a minute.
    async fn store(&mut self, id: &PageId) -> Result<(Option<Page>, bool), Failure> {
        let docmost = &self.context.docmost;
        match docmost.store(self.journal, id, self.page).await {
            Err(failure) if failure.status == Some(400) => {
                docmost.update(self.journal, id, self.page).await?;
                Ok((docmost.page(self.journal, id).await?, false))
            }
            other => Ok((other?, true)),
        }
    }

    /// What people have done to the section, in words, once.
    fn tell(&mut self, patch: &Patch, stored: Option<&StoredSection>) {
        let is_known = stored.is_some_and(|stored| stored.taken.is_some());
        match &patch.found {
            Found::Missing if stored.is_none() => {}
            Found::Missing => self.note(
                "section_put_back",
                "people had taken the section away; the rule puts it back",
            ),
            Found::There { edited: true } => {
                self.note(
                    "section_edited",
                    "people had changed the section; it follows the row again",
                );
            }
            Found::There { edited: false } => {}
            Found::Pasted { .. } => self.note(
                "section_pasted",
                "people have cut and pasted the section; it is followed",
            ),
            Found::TakenAway if is_known => {}
            Found::TakenAway => self.note(
                "section_taken_away",
                "people have deleted or unsynced the section: it stays away, only title and icon follow the row",
            ),
        }
        if patch.doubles > 0 {
            let doubles = patch.doubles;
            self.note(
                "section_doubled",
                &format!("{doubles} more sections of the same id were removed"),
            );
        }
    }

    fn note(&mut self, step: &str, words: &str) {
        tracing::info!(row = %self.owner, slot = %self.page.slot, step, "{words}");
        self.journal.note(step, words);
    }
}

/// Whether what follows the row in the text of a page is not as it should be, as far as the wiki
/// has stored it. A section that people have taken away is, unless the rule puts it back.
pub(crate) async fn text_difference(
    store: &Store,
    wanted: &DesiredPage,
    page: &Page,
) -> Result<Option<Difference>, Failure> {
    let (section, recreate) = match &wanted.body {
        Body::Once { .. } => return Ok(None),
        Body::Follows { proof, .. } => return Ok((!page.contains(proof)).then_some(Difference::Text)),
        Body::Section { section, recreate } => (section, recreate),
    };
    let stored = store.section(&page.id).await?;
    let block = stored.as_ref().map_or(ID, |stored| stored.block.as_str());
    let content = page.content.as_ref();
    let differs = match content.and_then(|content| section::in_page(content, block)) {
        Some(said) => said != section.fingerprint(),
        None => *recreate || stored.is_none_or(|stored| stored.taken.is_none()),
    };
    Ok(differs.then_some(Difference::Section))
}

/// What is known of the section now; `None` if the wiki has not stored it.
fn confirmed(page: &Page, section: &Section, known: &Known, patch: &Patch) -> Option<StoredSection> {
    let wanted = section.fingerprint();
    let block = match &patch.found {
        Found::TakenAway => {
            return Some(StoredSection {
                page: page.id.clone(),
                block: known.id.clone(),
                fingerprint: known.written.clone()?,
                taken: Some(Timestamp::now()),
            });
        }
        Found::Pasted { id } => id,
        Found::Missing => ID,
        Found::There { .. } => &known.id,
    };
    let stored = section::in_page(page.content.as_ref()?, block)?;
    (stored == wanted).then(|| StoredSection {
        page: page.id.clone(),
        block: block.to_owned(),
        fingerprint: wanted,
        taken: None,
    })
}

fn not_stored() -> Failure {
    let message = "Docmost acknowledged the section but has not stored it: the page is visited again";
    Failure::new(FailureClass::Transient, Target::Docmost, message)
}
