//! The jobs that a worker process has leased: those that run, and those that wait in its buffer.
//!
//! Who reads something for one of them may read it for all: whatever was read after a job was
//! leased is new enough for it, because a change that is told later marks the job dirty.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use passerelle_model::id::JobKey;

/// All of them. Clones are the same roster.
#[derive(Debug, Clone, Default)]
pub struct Roster(Arc<Mutex<Jobs>>);

#[derive(Debug, Default)]
struct Jobs {
    entered: u64,
    jobs: BTreeMap<u64, JobKey>,
}

/// One of them, until this is dropped.
#[derive(Debug)]
pub struct RosterEntry {
    number: u64,
    roster: Roster,
}

impl Roster {
    /// Enters a job that was just leased.
    pub fn enter(&self, job: &JobKey) -> RosterEntry {
        let mut jobs = self.locked();
        jobs.entered += 1;
        let number = jobs.entered;
        jobs.jobs.insert(number, job.clone());
        drop(jobs);
        RosterEntry {
            number,
            roster: self.clone(),
        }
    }

    fn locked(&self) -> MutexGuard<'_, Jobs> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RosterEntry {
    /// Unique in its roster: a job that is leased again has another one.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The number of the job that was leased last, by whichever job.
    pub fn latest(&self) -> u64 {
        self.roster.locked().entered
    }

    /// Everything that is leased now, this job among them, by number.
    pub fn all(&self) -> BTreeMap<u64, JobKey> {
        self.roster.locked().jobs.clone()
    }
}

impl Drop for RosterEntry {
    fn drop(&mut self) {
        self.roster.locked().jobs.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_that_is_leased_again_is_another_entry_and_one_that_ended_is_none() {
        let roster = Roster::default();
        let [one, two] = ["t2/r1", "t2/r2"].map(|key| JobKey::parse(key).unwrap());
        let (first, other) = (roster.enter(&one), roster.enter(&two));
        let number = first.number();
        assert_eq!(other.all(), BTreeMap::from([(1, one.clone()), (2, two.clone())]));
        drop(first);
        let again = roster.enter(&one);
        assert_ne!(again.number(), number);
        assert_eq!(other.all(), BTreeMap::from([(2, two), (3, one)]));
    }
}
