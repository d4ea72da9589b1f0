//! The clocks of a world that its schedule breaks.

use std::collections::BTreeMap;
use std::path::Path;

use test_support::WrongClock;

use crate::schedule::{Clock, FaultKind, Schedule};

/// The clocks of a world that its schedule breaks.
#[derive(Debug)]
pub(crate) struct Clocks(Vec<(Clock, WrongClock)>);

impl Clocks {
    /// Builds what is preloaded, if a clock will be wrong.
    pub(crate) fn of(schedule: &Schedule, folder: &Path) -> anyhow::Result<Self> {
        let clocks = schedule.faults.iter().filter_map(|fault| match fault.kind {
            FaultKind::Clock(clock, _) => Some(clock),
            _ => None,
        });
        let clocks = clocks.map(|clock| Ok((clock, WrongClock::new(folder, &name_of(clock))?)));
        Ok(Self(clocks.collect::<anyhow::Result<_>>()?))
    }

    /// The environment of the process that has this clock.
    pub(crate) fn preload(&self, clock: Clock) -> BTreeMap<String, String> {
        let found = self.0.iter().find(|(broken, _)| *broken == clock);
        found.map_or_else(BTreeMap::new, |(_, clock)| clock.environment().into())
    }

    /// Makes a clock wrong by so many seconds from now on.
    pub(crate) fn set(&self, clock: Clock, by: i64) -> anyhow::Result<()> {
        let mut broken = self.0.iter().filter(|(broken, _)| *broken == clock);
        broken.try_for_each(|(_, clock)| clock.set(by))
    }

    /// All clocks are right.
    pub(crate) fn heal(&self) -> anyhow::Result<()> {
        self.0.iter().try_for_each(|(_, clock)| clock.set(0))
    }
}

fn name_of(clock: Clock) -> String {
    match clock {
        Clock::OfRedis => "redis".to_owned(),
        Clock::Of(program) => program.to_string().replace(' ', "-"),
    }
}
