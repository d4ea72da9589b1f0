//! What the queues of one process have seen of Redis' count: a Redis that knows less has gone back.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// What an accept was told of the count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Deliveries answered, those of the call included.
    pub(crate) answered: Option<u64>,
    /// The same of the caller's call before, as far as Redis remembers that one.
    pub(crate) remembered: Option<u64>,
}

/// Shared by all queues of a process that watch one Redis.
#[derive(Debug, Default)]
pub(crate) struct Memory(Mutex<State>);

#[derive(Debug, Default, Clone, Copy)]
struct State {
    /// Grows with each life that this process has seen: what was seen in another one proves
    /// nothing.
    generation: u64,
    most: u64,
    has_gone_back: bool,
}

impl Memory {
    pub(crate) fn generation(&self) -> u64 {
        self.state().generation
    }

    /// Notes the answer to a call that was sent in this generation. `before` is the count that the
    /// same caller was told the last time, and in which generation. Returns what to keep for the
    /// next time.
    pub(crate) fn note(&self, generation: u64, before: Option<(u64, u64)>, seen: Seen) -> Option<(u64, u64)> {
        let mut state = self.state();
        let Some(answered) = seen.answered.filter(|_| state.generation == generation) else {
            return before;
        };
        let before = before.filter(|(of, _)| *of == generation).map_or(0, |(_, count)| count);
        state.has_gone_back |= answered <= before || seen.remembered.is_some_and(|remembered| remembered < before);
        // What comes after that was counted by a Redis that went back.
        if !state.has_gone_back {
            state.most = state.most.max(answered);
        }
        Some((generation, answered))
    }

    /// The highest count that was seen, and whether two answers contradict each other.
    pub(super) fn suspicion(&self) -> (u64, bool) {
        let state = self.state();
        (state.most, state.has_gone_back)
    }

    /// A new life: what was seen before is forgotten.
    pub(super) fn begin_anew(&self) {
        let mut state = self.state();
        *state = State {
            generation: state.generation + 1,
            ..State::default()
        };
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(answered: u64, remembered: u64) -> Seen {
        Seen {
            answered: Some(answered),
            remembered: Some(remembered),
        }
    }

    #[test]
    fn a_count_that_falls_or_a_call_that_redis_has_forgotten_says_that_redis_went_back() {
        let memory = Memory::default();
        let first = memory.note(0, None, seen(10, 0));
        let second = memory.note(0, first, seen(14, 10));
        assert_eq!(memory.suspicion(), (14, false));
        memory.note(0, second, seen(12, 9));
        assert_eq!(memory.suspicion(), (14, true));

        memory.begin_anew();
        assert_eq!(memory.suspicion(), (0, false));
        // Others have made up for the number meanwhile; that of the own call before is too low.
        let first = memory.note(1, None, seen(10, 0));
        memory.note(1, first, seen(20, 7));
        assert_eq!(memory.suspicion(), (10, true));
    }

    #[test]
    fn what_was_seen_in_an_earlier_life_proves_nothing() {
        let memory = Memory::default();
        let before = memory.note(0, None, seen(10, 0));
        memory.begin_anew();
        memory.note(0, before, seen(3, 1));
        memory.note(1, before, seen(4, 1));
        assert_eq!(memory.suspicion(), (4, false));
    }
}
