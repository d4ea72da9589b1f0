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
    /// Reads, or sets a state that may be set again.
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
        let is_write = ["/create", "/update", "/delete", "/restore", "/move", "/add", "/remove"];
        if is_write.iter().any(|end| self.path.ends_with(end)) {
            GateName::DocmostWrite
        } else {
            GateName::DocmostRead
        }
    }

    pub(super) fn request(&self) -> String {
        format!("POST docmost {}", self.path)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("pages/create", GateName::DocmostWrite)]
    #[case("pages/labels/add", GateName::DocmostWrite)]
    #[case("pages/info", GateName::DocmostRead)]
    #[case("labels/pages", GateName::DocmostRead)]
    fn each_route_has_its_gate(#[case] path: &'static str, #[case] gate: GateName) {
        assert_eq!(Route::repeatable("step", path).gate(), gate);
    }
}
