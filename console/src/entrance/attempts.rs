//! Limits for those who guess passwords.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The window in which failed attempts count.
const WINDOW: Duration = Duration::from_mins(15);
/// Most failed attempts at one name from one address.
const OF_NAME_AND_ADDRESS: usize = 5;
/// Most failed attempts from one address.
const OF_ADDRESS: usize = 20;
/// Most failed attempts at one name, from wherever: a person who is there already is not locked out
/// by fewer.
const OF_NAME: usize = 50;
/// Most names and addresses that are kept in mind; beyond that, the oldest are forgotten.
const MOST_KEPT: usize = 10_000;

/// The failed attempts of the last minutes.
#[derive(Debug, Default)]
pub(crate) struct Attempts {
    failed: Mutex<HashMap<What, Vec<Instant>>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum What {
    NameAndAddress(String, IpAddr),
    Address(IpAddr),
    Name(String),
}

fn limits(name: &str, address: IpAddr) -> [(What, usize); 3] {
    [
        (What::NameAndAddress(name.to_owned(), address), OF_NAME_AND_ADDRESS),
        (What::Address(address), OF_ADDRESS),
        (What::Name(name.to_owned()), OF_NAME),
    ]
}

impl Attempts {
    /// How long this name has to wait at this address before its next attempt; nothing if it may
    /// try now.
    pub(crate) fn wait(&self, name: &str, address: IpAddr, now: Instant) -> Option<Duration> {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        let waits = limits(name, address).into_iter().filter_map(|(what, most)| {
            let recent: Vec<Instant> = recent(failed.get(&what)?, now).collect();
            let first = recent.len().checked_sub(most)?;
            Some(WINDOW.saturating_sub(now.duration_since(recent[first])))
        });
        waits.max()
    }

    /// Counts an attempt. It is counted before the password is looked at, so that many at once are
    /// no way around.
    pub(crate) fn note(&self, name: &str, address: IpAddr, now: Instant) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        if failed.len() >= MOST_KEPT {
            failed.retain(|_, times| recent(times, now).next().is_some());
        }
        if failed.len() >= MOST_KEPT {
            failed.clear();
        }
        for (what, most) in limits(name, address) {
            let times = failed.entry(what).or_default();
            times.push(now);
            let surplus = times.len().saturating_sub(most);
            times.drain(..surplus);
        }
    }

    /// Forgets the attempts of a person who has signed in.
    pub(crate) fn forgive(&self, name: &str, address: IpAddr) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        for (what, _) in limits(name, address) {
            if let Some(times) = failed.get_mut(&what) {
                match what {
                    What::NameAndAddress(..) => times.clear(),
                    What::Address(_) | What::Name(_) => drop(times.pop()),
                }
            }
        }
    }
}

fn recent(times: &[Instant], now: Instant) -> impl Iterator<Item = Instant> {
    let within = move |time: &Instant| now.duration_since(*time) < WINDOW;
    times.iter().copied().filter(within)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    #[test]
    fn five_wrong_passwords_make_a_name_wait_at_that_address_for_a_quarter_of_an_hour() {
        let (attempts, now) = (Attempts::default(), Instant::now());
        for _ in 0..5 {
            assert_eq!(attempts.wait("camille", address(1), now), None);
            attempts.note("camille", address(1), now);
        }
        assert_eq!(attempts.wait("camille", address(1), now), Some(WINDOW));
        assert_eq!(
            attempts.wait("camille", address(2), now),
            None,
            "elsewhere she may still sign in"
        );
        assert_eq!(attempts.wait("dominique", address(1), now), None);
        assert_eq!(attempts.wait("camille", address(1), now + WINDOW), None);
    }

    #[test]
    fn an_address_that_tries_many_names_waits_and_so_does_a_name_that_is_tried_from_everywhere() {
        let (attempts, now) = (Attempts::default(), Instant::now());
        for number in 0..20 {
            attempts.note(&format!("name-{number}"), address(1), now);
        }
        assert!(attempts.wait("another", address(1), now).is_some());
        for last in 0..50 {
            attempts.note("camille", address(last + 100), now);
        }
        assert!(attempts.wait("camille", address(99), now).is_some());
    }

    #[test]
    fn who_signs_in_begins_anew() {
        let (attempts, now) = (Attempts::default(), Instant::now());
        for _ in 0..5 {
            attempts.note("camille", address(1), now);
        }
        attempts.forgive("camille", address(1));
        assert_eq!(attempts.wait("camille", address(1), now), None);
    }

    #[test]
    fn the_memory_of_attempts_is_bounded() {
        let (attempts, now) = (Attempts::default(), Instant::now());
        for number in 0..MOST_KEPT * 2 {
            attempts.note(&format!("name-{number}"), address(1), now);
        }
        let kept = attempts.failed.lock().unwrap().len();
        assert!(kept <= MOST_KEPT + 3, "{kept}");
    }
}
