//! The calls that Docmost offers.

use passerelle_queue::gate::GateName;

use crate::clients::answer::Effect;

/// A call that Docmost offers: its name in `trace`, its path, and what it would mean to send it
/// twice.
#[derive(Debug, Clone, Copy)]
pub(super) struct Route {
    pub(super) step: &'static str,
    pub(super) path: &'static str,
    pub(super) effect: Effect,
}

impl Route {
    /// Changes no content.
    pub(super) const fn reading(step: &'static str, path: &'static str) -> Self {
        let effect = Effect::Reads;
        Self { step, path, effect }
    }

    /// Sets a state that may be set again.
    pub(super) const fn repeatable(step: &'static str, path: &'static str) -> Self {
        let effect = Effect::Repeatable;
        Self { step, path, effect }
    }

    /// Makes something new each time.
    pub(super) const fn creating(step: &'static str, path: &'static str) -> Self {
        let effect = Effect::Creates;
        Self { step, path, effect }
    }

    /// Which gate it passes: what changes pages may be down while reading works, and the other way
    /// round.
    pub(super) fn gate(&self) -> GateName {
        match self.effect {
            Effect::Reads => GateName::DocmostRead,
            Effect::Repeatable | Effect::Creates => GateName::DocmostWrite,
        }
    }

    pub(super) fn request(&self) -> String {
        format!("POST docmost {}", self.path)
    }
}
