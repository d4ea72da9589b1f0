//! Loop protection at the door (D2): was this update caused by our own write, or by nothing at all?
//!
//! Only a certain *yes* closes an item here. Anything unclear (no old row, a field named twice, a
//! value written differently) becomes work: a needless sync costs one comparison in the worker, a
//! dropped update would leave a stale page for good. Values are therefore compared as the sender
//! wrote them, byte for byte.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash as _, Hasher as _};

use foldhash::fast::FixedState;
use passerelle_model::event::Disposition;
use passerelle_model::outcome::Outcome;
use serde_json::value::RawValue;

/// Moving a row changes nothing that a page could show, except the order of sub-pages.
const ORDER_FIELD: &str = "order";

/// Which fields of a row are not worth any work.
#[derive(Debug, Clone, Default)]
pub(crate) struct QuietFields {
    /// Written by the bridge alone.
    pub(crate) owned: Vec<String>,
    /// Changing by themselves.
    pub(crate) ignored: Vec<String>,
    /// Whether the place of a row among its neighbours is shown: a rule has sub-pages.
    pub(crate) order_is_shown: bool,
}

/// The fields of a row as the sender wrote them.
pub(crate) type Fields<'a> = [(Cow<'a, str>, &'a RawValue)];

/// What a difference in one field means.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Difference {
    Quiet,
    Owned,
    Real,
}

impl QuietFields {
    /// What is to be done for a row that was `old` and now is `new`.
    pub(crate) fn disposition(&self, new: &Fields<'_>, old: &Fields<'_>) -> Disposition {
        let Some(differing) = differing_names(new, old) else {
            return Disposition::Sync;
        };
        let mut is_echo = false;
        for name in differing {
            match self.difference(name) {
                Difference::Quiet => {}
                Difference::Owned => is_echo = true,
                Difference::Real => return Disposition::Sync,
            }
        }
        Disposition::Closed(if is_echo { Outcome::Echo } else { Outcome::NoChange })
    }

    /// A hash of a row's fields but the quiet ones, as the sender wrote them. All replicas give the
    /// same fields the same hash.
    pub(crate) fn content(&self, fields: &Fields<'_>) -> u64 {
        let mut hasher = FixedState::default().build_hasher();
        for (name, value) in fields {
            if self.difference(name) == Difference::Real {
                name.hash(&mut hasher);
                value.get().hash(&mut hasher);
            }
        }
        hasher.finish()
    }

    fn difference(&self, name: &str) -> Difference {
        if self.owned.iter().any(|owned| owned == name) {
            Difference::Owned
        } else if (name == ORDER_FIELD && !self.order_is_shown) || self.ignored.iter().any(|ignored| ignored == name) {
            Difference::Quiet
        } else {
            Difference::Real
        }
    }
}

/// The names of the fields that one row has and the other has not, or has with another value;
/// `None` if a name occurs twice.
fn differing_names<'a>(new: &'a Fields<'_>, old: &'a Fields<'_>) -> Option<Vec<&'a str>> {
    let is_aligned = new.len() == old.len() && new.iter().zip(old).all(|((new, _), (old, _))| new == old);
    if is_aligned {
        // The usual case by far: the sender writes both rows with the same fields in the same
        // order.
        let pairs = new
            .iter()
            .zip(old)
            .filter(|((_, new), (_, old))| new.get() != old.get());
        return Some(pairs.map(|((name, _), _)| name.as_ref()).collect());
    }
    let (new, old) = (by_name(new)?, by_name(old)?);
    let changed = new.iter().filter(|(name, value)| old.get(*name) != Some(*value));
    let gone = old.iter().filter(|(name, _)| !new.contains_key(*name));
    Some(changed.chain(gone).map(|(name, _)| *name).collect())
}

/// The fields by name; `None` if a name occurs twice.
fn by_name<'a>(fields: &'a Fields<'_>) -> Option<HashMap<&'a str, &'a str>> {
    let map: HashMap<_, _> = fields
        .iter()
        .map(|(name, value)| (name.as_ref(), value.get()))
        .collect();
    (map.len() == fields.len()).then_some(map)
}

#[cfg(test)]
mod tests;
