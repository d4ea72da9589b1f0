//! The wiki as it is: the page trees and the trash of all spaces that our account is in.
//!
//! What a page says is in no list. But the list of the pages with the bridge's label has when each
//! was changed last: a page that has not changed since its text was last known to be right needs no
//! look, any other costs one call. So a walk looks at what changed since the last one, and a wiki
//! that went back to an older copy is looked at where it went back.
//!
//! A tree is read a hundred pages per call, one call or more for each page that has others below
//! it; no page is asked for by itself. What is in no tree and no trash was deleted for good, is
//! below a page in the trash, or is in a space that we do not see: a few such pages are looked at
//! one by one, the others are called missing, and their rows' own jobs look.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use passerelle_model::id::PageId;
use passerelle_model::time::Timestamp;
use passerelle_store::{Link, LinkState};

use crate::clients::docmost::{Below, Docmost, TreePage};
use crate::content::marker::Marker;
use crate::content::page::Shown;
use crate::context::Context;
use crate::failure::Failure;
use crate::journal::Journal;

/// Most pages that one call lists.
const AT_ONCE: u8 = 100;
/// Most calls for all trees: far more than a wiki needs that people find their way in. What is
/// beyond is not judged.
const MOST_CALLS: usize = 5_000;
/// Most pages that are looked at one by one during a walk.
const MOST_LOOKS: usize = 100;
/// An older view is read again.
const FRESH_FOR: Duration = Duration::from_mins(10);

/// What was seen of the wiki.
#[derive(Debug)]
pub(super) struct WikiView {
    seen: Timestamp,
    pages: HashMap<PageId, TreePage>,
    trashed: HashSet<PageId>,
    /// When each page with the bridge's label was changed last, in Docmost's words. Docmost may
    /// leave one out.
    changed: HashMap<PageId, String>,
    /// Whether all trees were read to their ends.
    is_whole: bool,
    looks: usize,
}

/// What a view says of a page.
#[derive(Debug)]
pub(super) enum Sight {
    /// It lives.
    There(Shown),
    /// It is in the trash.
    Trashed,
    /// It is nowhere.
    Missing,
    /// It is in a space that our account is not in.
    OutOfReach,
    /// The view cannot tell.
    Unknown,
}

impl WikiView {
    /// Reads all trees and the lists of the trash.
    pub(super) async fn read(context: &Context) -> Result<Self, Failure> {
        let docmost = &context.docmost;
        let mut journal = Journal::default();
        let seen = Timestamp::now();
        let changed = changed(context, &mut journal).await?;
        let mut calls = 1 + changed.len() / usize::from(AT_ONCE);
        let mut is_whole = true;
        let (mut pages, mut trashed) = (HashMap::new(), HashSet::new());
        let mut above: VecDeque<Below> = VecDeque::new();
        for space in docmost.spaces(&mut journal).await? {
            let list = docmost.trash_of(&mut journal, &space.id).await?;
            trashed.extend(list.into_iter().map(|page| page.id));
            above.push_back(Below::Space(space.id));
        }
        while let Some(next) = above.pop_front() {
            if calls >= MOST_CALLS {
                is_whole = false;
                break;
            }
            let below = below(docmost, &mut journal, &next).await?;
            calls += 1 + below.len() / usize::from(AT_ONCE);
            for page in below {
                // A page that was moved meanwhile may be listed twice; each is followed once.
                if page.has_children && !pages.contains_key(&page.id) {
                    above.push_back(Below::Page(page.id.clone()));
                }
                pages.insert(page.id.clone(), page);
            }
        }
        let millis = Timestamp::now().since(seen).as_millis();
        tracing::info!(
            pages = pages.len(),
            calls,
            millis,
            "the page trees of the wiki were read"
        );
        Ok(Self {
            seen,
            pages,
            trashed,
            changed,
            is_whole,
            looks: 0,
        })
    }

    pub(super) fn is_stale(&self) -> bool {
        Timestamp::now().since(self.seen) > FRESH_FOR
    }

    /// Whether something was written after the view was read: it says nothing of that.
    pub(super) fn is_older_than(&self, written: Timestamp) -> bool {
        written >= self.seen
    }

    /// Whether a page lives that should be in the trash since its row is gone: Docmost was restored
    /// from a backup, or somebody took the page out.
    pub(super) fn contradicts(&self, link: &Link) -> bool {
        link.state == LinkState::Trashed && !self.is_older_than(link.written) && self.pages.contains_key(&link.page)
    }

    /// Whether a page may have been changed since its text was last known to be right.
    pub(super) fn may_have_changed(&self, link: &Link) -> bool {
        link.as_of.is_none() || self.changed.get(&link.page) != link.as_of.as_ref()
    }

    /// What became of a page.
    pub(super) async fn sight(&mut self, context: &Context, id: &PageId) -> Result<Sight, Failure> {
        if let Some(page) = self.pages.get(id) {
            return Ok(Sight::There(page.shown()));
        }
        if self.trashed.contains(id) {
            return Ok(Sight::Trashed);
        }
        if !self.is_whole {
            return Ok(Sight::Unknown);
        }
        self.looks += 1;
        if self.looks > MOST_LOOKS {
            return Ok(Sight::Missing);
        }
        match context.docmost.page(&mut Journal::default(), id).await {
            Ok(None) => Ok(Sight::Missing),
            Ok(Some(page)) if page.deleted_at.is_some() => Ok(Sight::Trashed),
            Ok(Some(page)) => Ok(Sight::There(page.shown())),
            Err(failure) if failure.is_out_of_reach() => Ok(Sight::OutOfReach),
            Err(failure) => Err(failure),
        }
    }
}

/// When each page with the bridge's label was changed last.
async fn changed(context: &Context, journal: &mut Journal) -> Result<HashMap<PageId, String>, Failure> {
    let label = format!("{}{}", Marker::BRIDGE_PREFIX, context.bridge().await?.instance);
    let pages = context.docmost.labelled(journal, &label, AT_ONCE).await?.into_iter();
    Ok(pages.filter_map(|page| Some((page.id, page.updated_at?))).collect())
}

/// The pages right below. A page that went away meanwhile has none.
async fn below(docmost: &Docmost, journal: &mut Journal, above: &Below) -> Result<Vec<TreePage>, Failure> {
    match (docmost.below(journal, above).await, above) {
        (Err(failure), Below::Page(_)) if matches!(failure.status, Some(403 | 404)) => Ok(Vec::new()),
        (below, _) => below,
    }
}
