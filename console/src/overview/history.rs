//! How many items ended in each minute of the last day. What is counted is kept: a look counts only
//! what may have changed.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use passerelle_model::seq::Seq;
use passerelle_model::time::Timestamp;
use passerelle_store::{Store, StoreError};
use tokio::time::timeout;

use super::chart::{Bars, Ends, bars};
use super::look::{LATE, PATIENCE};

const MINUTE: Duration = Duration::from_mins(1);
const HALF_HOUR: Duration = Duration::from_mins(30);
const DAY: Duration = Duration::from_hours(24);
/// Bars of the two charts.
const MINUTES: u16 = 60;
const HALF_HOURS: u16 = 48;
/// Most minutes that one statement counts.
const RUN: usize = 5;
/// After so long, a look leaves what is not counted yet to the next one.
const BUDGET: Duration = Duration::from_millis(100);
/// How long after a failure it is tried again.
const PAUSE: Duration = Duration::from_secs(10);
/// The latest minutes are counted again after this many times as long as it took.
const REST: u32 = 20;
/// How far the ledger has to be read beyond a minute for it to be complete: an attempt ends a
/// moment before its entry is made, and clocks differ.
const MARGIN: Duration = Duration::from_mins(1);
/// A complete minute is counted again after this: what the ingress has closed counts where it
/// arrived, and may be recorded late.
const COUNTED_AGAIN: Duration = Duration::from_hours(1);

/// The minutes of the last day.
#[derive(Debug, Default)]
pub(crate) struct History {
    minutes: BTreeMap<i64, Minute>,
    /// When the latest minutes were counted, and how long it took.
    latest: Option<(Timestamp, Duration)>,
    /// When it failed, and why.
    failed: Option<(Timestamp, String)>,
}

#[derive(Debug)]
struct Minute {
    ends: Ends,
    counted: Timestamp,
    is_complete: bool,
}

/// What is drawn of it.
#[derive(Debug, Clone)]
pub(crate) struct Charts {
    pub(crate) hour: Bars,
    pub(crate) day: Bars,
    /// When the latest minutes were counted.
    pub(crate) counted: Option<Timestamp>,
    /// Whether the whole day is counted.
    pub(crate) is_whole: bool,
    /// Why it could not be counted on.
    pub(crate) failed: Option<String>,
}

/// The number of a moment's minute.
fn minute_of(moment: Timestamp) -> i64 {
    moment.as_millis().div_euclid(60_000)
}

fn beginning(minute: i64) -> Timestamp {
    Timestamp::from_millis(minute.saturating_mul(60_000))
}

impl History {
    /// Counts what may have changed, and some of what is not counted yet. What fails costs nothing
    /// that is counted.
    pub(crate) async fn refresh(&mut self, store: &Store, now: Timestamp) {
        let failed = self.failed.as_ref().map(|(at, _)| *at);
        if failed.is_some_and(|at| at <= now && now.since(at) < PAUSE) {
            return;
        }
        self.failed = match timeout(PATIENCE, self.count(store, now)).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some((now, error.to_string())),
            Err(_) => Some((now, LATE.to_owned())),
        };
    }

    async fn count(&mut self, store: &Store, now: Timestamp) -> Result<(), StoreError> {
        let began = Timestamp::now();
        let (first, last) = (minute_of(now.minus(DAY)), minute_of(now));
        self.minutes.retain(|minute, _| (first..=last).contains(minute));
        // Read before anything is counted: whatever came up to there is counted.
        let position = store.ledger_position().await?;
        let position = position.and_then(|id| Seq::from_stream_id(&id).ok());
        let read_until = position.map_or(now, Seq::moment).min(now);
        let open = minute_of(read_until.minus(MARGIN)).clamp(first, last);
        if self.latest_are_due(now) {
            self.count_minutes(store, open..=last, now).await?;
            self.latest = Some((now, Timestamp::now().since(began)));
        }
        while Timestamp::now().since(began) < BUDGET {
            let Some(due) = self.due(first, open, now) else { break };
            self.count_minutes(store, due.clone(), now).await?;
            for (_, minute) in self.minutes.range_mut(due) {
                minute.is_complete = true;
            }
        }
        Ok(())
    }

    fn latest_are_due(&self, now: Timestamp) -> bool {
        self.latest
            .is_none_or(|(counted, took)| counted > now || now.since(counted) >= took * REST)
    }

    /// The newest of the minutes before `open` that are to be counted.
    fn due(&self, first: i64, open: i64, now: Timestamp) -> Option<RangeInclusive<i64>> {
        let is_due = |minute: &i64| {
            let known = self.minutes.get(minute);
            known.is_none_or(|known| !known.is_complete || now.since(known.counted) >= COUNTED_AGAIN)
        };
        // After a failure, as few as possible.
        let most = if self.failed.is_some() { 1 } else { RUN };
        let newest = (first..open).rev().find(is_due)?;
        let oldest = (first..=newest).rev().take(most).take_while(is_due).last()?;
        Some(oldest..=newest)
    }

    async fn count_minutes(
        &mut self,
        store: &Store,
        minutes: RangeInclusive<i64>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (from, until) = (beginning(*minutes.start()), beginning(minutes.end() + 1));
        let found = store.ended_between(from, until, MINUTE).await?;
        for minute in minutes {
            let empty = Minute {
                ends: Ends::default(),
                counted: now,
                is_complete: false,
            };
            self.minutes.insert(minute, empty);
        }
        for ended in found {
            if let Some(minute) = self.minutes.get_mut(&minute_of(ended.from)) {
                minute.ends.add(&ended);
            }
        }
        Ok(())
    }

    /// What is known, as charts.
    pub(crate) fn charts(&self, now: Timestamp) -> Charts {
        let ends = |(minute, known): (&i64, &Minute)| (beginning(*minute), known.ends);
        let first = minute_of(now.minus(DAY));
        let last = self.minutes.last_key_value().map(|(last, _)| *last);
        Charts {
            hour: bars(self.minutes.iter().map(ends), now, MINUTE, MINUTES),
            day: bars(self.minutes.iter().map(ends), now, HALF_HOUR, HALF_HOURS),
            counted: self.latest.map(|(at, _)| at),
            is_whole: last.is_some_and(|last| (first..=last).all(|minute| self.minutes.contains_key(&minute))),
            failed: self.failed.as_ref().map(|(_, why)| why.clone()),
        }
    }
}

#[cfg(test)]
mod tests;
