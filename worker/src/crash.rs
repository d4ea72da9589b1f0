//! Places where a test may kill the worker: one between any two steps of a sync, so that "what if
//! the power fails here?" has an answer for every *here*.
//!
//! A release build has none of it. In an unoptimised build the process ends at once, without any
//! clean-up, when the variable `PASSERELLE_CRASH_AT` names the point;
//! `passerelle-worker --list-crash-points` prints them all, so that no point stays without a test.
//! A feature of its own would have everything built once more for the tests.

/// One place between two steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CrashPoint {
    /// The job is leased, nothing was done.
    AfterFetch,
    /// The row was read.
    AfterRowRead,
    /// The plan is made.
    AfterPlan,
    /// The wiki was searched for an earlier page.
    AfterLookup,
    /// The intent to create is stored.
    AfterIntent,
    /// The page exists, without its label.
    AfterCreate,
    /// The page has its label, the link is not stored.
    AfterLabel,
    /// The page above a row's page is claimed, and not made.
    AfterGroupClaimed,
    /// The page above a row's page exists, and nothing remembers it.
    AfterGroupMade,
    /// The section of an existing page is right in the memory of the wiki, which may not have
    /// stored it.
    AfterVisit,
    /// An existing page was changed.
    AfterUpdate,
    /// An existing page stands below another page, and the store does not know.
    AfterMove,
    /// The link is stored, the row does not know the page.
    AfterLinkSaved,
    /// The row knows the page.
    AfterWriteBack,
    /// A sub-page is as it should be, the next one is not.
    AfterSubPage,
    /// The caches were emptied.
    AfterInvalidate,
    /// The page of a deleted row is in the trash.
    AfterTrash,
    /// The page of a restored row is back.
    AfterRestore,
    /// All is done, the queue does not know.
    BeforeSettle,
    AfterSettle,
    /// A notice is stored, the queue has no job for it.
    AfterNoticeStored,
    /// A notice was sent, nothing remembers it.
    AfterNoticeSent,
}

impl CrashPoint {
    /// Every point: those of a sync in their order, then those of a notice.
    pub const ALL: [Self; 22] = [
        Self::AfterFetch,
        Self::AfterRowRead,
        Self::AfterPlan,
        Self::AfterLookup,
        Self::AfterIntent,
        Self::AfterCreate,
        Self::AfterLabel,
        Self::AfterGroupClaimed,
        Self::AfterGroupMade,
        Self::AfterVisit,
        Self::AfterUpdate,
        Self::AfterMove,
        Self::AfterLinkSaved,
        Self::AfterWriteBack,
        Self::AfterSubPage,
        Self::AfterInvalidate,
        Self::AfterTrash,
        Self::AfterRestore,
        Self::BeforeSettle,
        Self::AfterSettle,
        Self::AfterNoticeStored,
        Self::AfterNoticeSent,
    ];
    /// How many of them belong to a sync.
    const OF_A_SYNC: usize = 20;

    /// The points of a sync.
    pub fn of_a_sync() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().take(Self::OF_A_SYNC)
    }

    /// The points on the way of a notice.
    pub fn of_a_notice() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().skip(Self::OF_A_SYNC)
    }

    /// Its name, as `PASSERELLE_CRASH_AT` takes it.
    pub fn name(self) -> String {
        format!("{self:?}")
    }

    /// Ends the process here if the test asked for it.
    #[cfg(debug_assertions)]
    pub fn pass(self) {
        #[expect(
            clippy::disallowed_methods,
            reason = "a switch for tests, not a setting of the product"
        )]
        let wanted = std::env::var("PASSERELLE_CRASH_AT").unwrap_or_default();
        if wanted == self.name() {
            kill_this_process();
        }
    }

    /// Nothing: this build has no crash points.
    #[cfg(not(debug_assertions))]
    pub fn pass(self) {}
}

/// SIGKILL, as `kill -9` sends it: nothing is cleaned up, nothing is flushed.
#[cfg(debug_assertions)]
fn kill_this_process() -> ! {
    let kill = format!("kill -KILL {}", std::process::id());
    let _ = std::process::Command::new("sh").args(["-c", &kill]).status();
    std::process::abort()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_point_is_listed_once() {
        let names: std::collections::BTreeSet<String> = CrashPoint::ALL.iter().map(|point| point.name()).collect();
        assert_eq!(names.len(), CrashPoint::ALL.len());
        assert_eq!(CrashPoint::AfterNoticeSent as usize + 1, CrashPoint::ALL.len());
        assert_eq!(CrashPoint::of_a_sync().last(), Some(CrashPoint::AfterSettle));
    }
}
