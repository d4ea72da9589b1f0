//! The rows of a delivery become its items: one per row, and never none.
//!
//! One row that cannot be read never costs the others: they become items, and one more item records
//! that some could not be read. The kept body shows which. Only a delivery in which no row at all
//! can be read is refused. More rows than [`MOST_ROWS`] are not named one by one.

use std::collections::HashMap;

use passerelle_model::event::{Disposition, Item};
use passerelle_model::id::{JobKey, RowId};
use passerelle_model::outcome::{IgnoredReason, Outcome};

use crate::rejection::Rejection;

/// The most rows of one delivery that become items. Baserow names 200 at most; Redis carries out
/// the jobs of a delivery in one step, and nobody else is served meanwhile.
pub(crate) const MOST_ROWS: usize = 2000;

/// The reason of the item for rows without a readable id.
const UNREADABLE_ROWS: &str = "unreadable_rows";

/// The rows of a delivery as they are read.
pub(crate) struct Rows {
    field: &'static str,
    named: Vec<(u64, Disposition)>,
    /// Hashes of what is said of the rows that are work.
    contents: Vec<(u64, u64)>,
    unreadable: usize,
    are_too_many: bool,
}

/// The items, and a hash of what is said of each row that is work.
pub(crate) type Understanding = (Vec<Item>, Vec<(RowId, u64)>);

impl Rows {
    /// No rows yet; `field` is where the body names them.
    pub(crate) fn named_in(field: &'static str) -> Self {
        Self {
            field,
            named: Vec::new(),
            contents: Vec::new(),
            unreadable: 0,
            are_too_many: false,
        }
    }

    /// Whether one more can be remembered.
    pub(crate) fn has_room(&self) -> bool {
        self.named.len() + self.unreadable < MOST_ROWS
    }

    /// Adds a row by its id as sent (0 in test calls), with a hash of what is said of it.
    pub(crate) fn add(&mut self, id: u64, disposition: Disposition, content: Option<u64>) {
        if !self.has_room() {
            self.are_too_many = true;
            return;
        }
        if let Some(content) = content.filter(|_| disposition == Disposition::Sync) {
            self.contents.push((id, content));
        }
        self.named.push((id, disposition));
    }

    /// Adds a row whose id cannot be read.
    pub(crate) fn add_unreadable(&mut self) {
        self.are_too_many |= !self.has_room();
        self.unreadable += 1;
    }

    /// One item per row; a row that is named twice is work if it is so once. `None` if they are
    /// more than [`MOST_ROWS`].
    pub(crate) fn into_items(mut self) -> Result<Option<Understanding>, Rejection> {
        if self.are_too_many {
            return Ok(None);
        }
        if self.unreadable == 0 && self.named.iter().all(|(id, _)| *id == 0) {
            let reason = if self.named.is_empty() {
                IgnoredReason::NoRows
            } else {
                IgnoredReason::TestCall
            };
            return Ok(Some((vec![ignored(reason)], Vec::new())));
        }
        let mut items: Vec<Item> = Vec::with_capacity(self.named.len());
        let mut places = HashMap::with_capacity(self.named.len());
        for (id, disposition) in self.named {
            let Ok(row) = RowId::new(id) else {
                self.unreadable += 1;
                continue;
            };
            let place = *places.entry(row).or_insert(items.len());
            match items.get_mut(place) {
                Some(item) if item.disposition != disposition => item.disposition = Disposition::Sync,
                Some(_) => {}
                None => items.push(Item {
                    row: Some(row),
                    disposition,
                }),
            }
        }
        if items.is_empty() {
            return Err(Rejection::InvalidId(self.field));
        }
        if self.unreadable > 0 {
            items.push(closed(Outcome::Rejected(UNREADABLE_ROWS.to_owned())));
        }
        let contents = self.contents.into_iter();
        let contents = contents.filter_map(|(id, content)| Some((RowId::new(id).ok()?, content)));
        Ok(Some((items, contents.collect())))
    }
}

/// The item of something that is no row.
pub(crate) fn job(job: JobKey) -> Item {
    Item {
        row: None,
        disposition: Disposition::Job(job),
    }
}

/// An item without a row: a delivery has at most one.
fn closed(outcome: Outcome) -> Item {
    Item {
        row: None,
        disposition: Disposition::Closed(outcome),
    }
}

/// The item of a delivery of which nothing is to be done.
pub(crate) fn ignored(reason: IgnoredReason) -> Item {
    closed(Outcome::Ignored(reason))
}
