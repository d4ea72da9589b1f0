//! What happens in a world, and when: drawn from a seed, printed for people, and the same each
//! time.

mod change;
mod draw;
mod fault;

use std::fmt;
use std::time::Duration;

pub use change::Change;
pub use fault::{ApiFault, Clock, Damage, FaultKind, Line, Product, Program, RedisFault, SqlFault};

use crate::seed::Seed;

/// The ingresses of a world.
pub const INGRESSES: usize = 2;
/// The workers of a world.
pub const WORKERS: usize = 3;

/// Which database a world has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Database {
    Sqlite,
    Postgres,
}

/// All that is done to a world.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// Where it comes from.
    pub seed: Seed,
    pub database: Database,
    /// What people do, one after the other.
    pub changes: Vec<Step>,
    /// What breaks, each with its number in the whole schedule of the seed.
    pub faults: Vec<Fault>,
}

/// One change by people.
#[derive(Debug, Clone)]
pub struct Step {
    /// How long they wait before it.
    pub pause: Duration,
    pub change: Change,
}

#[derive(Debug, Clone)]
pub struct Fault {
    /// Its number, by which a seed can be narrowed to it.
    pub number: usize,
    pub when: Fact,
    pub kind: FaultKind,
    pub lasts: Duration,
}

/// Something that comes true in a world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fact {
    /// People have made so many changes.
    Changes(usize),
    /// So many chunks were sent over a line since the first fault could begin.
    Carried(Line, u64),
}

impl Schedule {
    /// The schedule of a seed.
    pub fn of(seed: &Seed) -> Self {
        draw::schedule(seed)
    }

    /// The kinds of its faults in one line: what a kept seed must go on to play.
    pub fn classes(&self) -> String {
        let classes: Vec<String> = self.faults.iter().map(|fault| fault.kind.class()).collect();
        classes.join(", ")
    }

    /// Whether this fault may lose what was answered, whatever the bridge does.
    pub fn loses_data(&self) -> bool {
        self.faults.iter().any(|fault| fault.kind.loses_data())
    }

    /// How often people send a delivery again that was answered.
    pub fn repeats(&self) -> usize {
        let changes = self.changes.iter().map(|step| &step.change);
        changes.filter(|change| matches!(change, Change::Repeat(_))).count()
    }

    /// Whether a product asks for a rest that is longer than the world lasts.
    pub fn holds_long(&self) -> bool {
        let is_long = |fault: &ApiFault| matches!(fault, ApiFault::RetryAfter(after) if after.len() > 1);
        let mut kinds = self.faults.iter().map(|fault| &fault.kind);
        kinds.any(|kind| matches!(kind, FaultKind::Api { fault, .. } if is_long(fault)))
    }

    /// How many processes are killed: each may send a notice once more.
    pub fn kills(&self) -> usize {
        self.faults.iter().filter(|fault| fault.kind.is_kill()).count()
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // As a file of seeds has it.
        writeln!(f, "{} # {}", self.seed, self.classes())?;
        writeln!(f, "  database   {:?}", self.database)?;
        for (number, step) in self.changes.iter().enumerate() {
            writeln!(
                f,
                "  change {:>2}  after {:>4} ms  {}",
                number + 1,
                step.pause.as_millis(),
                step.change
            )?;
        }
        for fault in &self.faults {
            writeln!(f, "  fault {:>3}  {fault}", fault.number)?;
        }
        Ok(())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}, for {} ms", self.when, self.kind, self.lasts.as_millis())
    }
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changes(count) => write!(f, "after change {count}"),
            Self::Carried(line, chunks) => write!(f, "when {line} has carried {chunks} chunks"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_has_one_schedule_and_a_narrowed_seed_a_part_of_it() {
        let seed: Seed = "7".parse().unwrap();
        let whole = Schedule::of(&seed);
        assert_eq!(whole.to_string(), Schedule::of(&seed).to_string());
        assert!(whole.faults.len() > 1);
        let narrowed: Seed = "7/2".parse().unwrap();
        let part = Schedule::of(&narrowed);
        assert_eq!(part.faults.len(), 1);
        assert_eq!(part.faults[0].to_string(), whole.faults[1].to_string());
        assert_eq!(part.changes.len(), whole.changes.len());
    }
}
