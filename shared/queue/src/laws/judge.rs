//! What must hold after each step and at the end of a history.

use passerelle_model::id::{JobKey, RowKey};
use passerelle_model::ledger::{LedgerRecord, Verdict};
use passerelle_model::seq::Seq;
use proptest::prelude::*;

use std::collections::BTreeMap;

use super::model::{Again, End, Place, ROWS, row_of};
use super::world::{Law, World, broken};
use crate::{DeadLetter, JobState, JobsOf, RunNow};

fn dead_row(letter: &DeadLetter) -> Result<u64, TestCaseError> {
    Ok(letter.job.row().ok_or_else(|| broken("no row"))?.row.get())
}

impl World {
    pub(super) async fn replay(&mut self) -> Law {
        let letters = self.queue.dead_letters(None, 1).await.map_err(broken)?;
        for letter in letters {
            let (row, ids) = (dead_row(&letter)?, [letter.id]);
            prop_assert_eq!(
                self.queue
                    .replay(&ids, "test", "the law says so")
                    .await
                    .map_err(broken)?,
                1
            );
            let before = self.snapshot().await?;
            prop_assert_eq!(
                self.queue
                    .replay(&ids, "test", "the law says so")
                    .await
                    .map_err(broken)?,
                0
            );
            prop_assert_eq!(before, self.snapshot().await?, "law 6: replay");
            self.model.dead.remove(&row);
            self.model.answered += 1;
            self.model.request(row);
        }
        Ok(())
    }

    pub(super) async fn discard(&mut self) -> Law {
        let letters = self.queue.dead_letters(None, 1).await.map_err(broken)?;
        for letter in letters {
            self.model.dead.remove(&dead_row(&letter)?);
            prop_assert_eq!(
                self.queue.discard(&[letter.id], "test", "why").await.map_err(broken)?,
                1
            );
        }
        Ok(())
    }

    /// Laws 1 and 2: the job is in its new place alone, and one that runs is left alone. What was
    /// done is one fact.
    pub(super) async fn run_now(&mut self, row: u64, repeat: bool) -> Law {
        let jobs = [JobKey::Row(row_of(row).map_err(broken)?)];
        let facts = async |world: &Self| {
            let ledger = world.queue.read_ledger(None, 100_000).await.map_err(broken)?;
            Ok::<usize, TestCaseError>(ledger.len())
        };
        let before = (self.snapshot().await?, facts(self).await?);
        let became = self
            .queue
            .run_now(&jobs, "test", "the law says so")
            .await
            .map_err(broken)?;
        prop_assert_eq!(&became, &[self.model.run_now(row)]);
        let after = (self.snapshot().await?, facts(self).await?);
        if became == [RunNow::Ready] {
            prop_assert_eq!(after.1, before.1 + 1, "what an operator did is one fact");
        } else {
            prop_assert_eq!(&after, &before, "nothing is changed of a job that does not wait");
        }
        if repeat {
            self.queue
                .run_now(&jobs, "test", "the law says so")
                .await
                .map_err(broken)?;
            prop_assert_eq!(self.snapshot().await?, after.0, "law 6: run_now");
        }
        Ok(())
    }

    /// Law 4, and that every job is in exactly one place: the one where the model has it.
    pub(super) async fn check(&self) -> Law {
        let stats = self.queue.stats().await.map_err(broken)?;
        let letters = self.queue.dead_letters(None, 100).await.map_err(broken)?;
        let of_row = |letter: &DeadLetter| Ok((dead_row(letter)?, letter.deaths));
        let letters: Vec<(u64, u32)> = letters.iter().map(of_row).collect::<Result<_, TestCaseError>>()?;
        prop_assert_eq!(stats.dead, letters.len() as u64);
        prop_assert_eq!(
            &letters.into_iter().collect::<BTreeMap<_, _>>(),
            &self.model.dead,
            "law 4"
        );
        prop_assert_eq!(stats.dead, self.model.dead.len() as u64, "law 4: one letter of a row");
        let count =
            |wanted: fn(&Place) -> bool| self.model.jobs.values().filter(|(place, ..)| wanted(place)).count() as u64;
        prop_assert_eq!(stats.active, count(|place| *place == Place::Ready), "one place: ready");
        prop_assert_eq!(
            stats.running,
            count(|place| matches!(place, Place::Running { .. })),
            "one place: running"
        );
        prop_assert_eq!(
            stats.scheduled,
            count(|place| matches!(place, Place::Waiting { .. })),
            "one place: waiting"
        );
        let seen = self.queue.jobs(&JobsOf::Queue, &[], None, 100).await.map_err(broken)?;
        let seen: BTreeMap<JobKey, JobState> = seen.jobs.into_iter().map(|seen| (seen.job.key, seen.state)).collect();
        prop_assert_eq!(seen, self.expected()?, "what is listed is what there is");
        let records = redis::cmd("HLEN").arg(&self.keys.records).to_owned();
        let records: usize = self.queue.inner.redis.query(&records).await.map_err(broken)?;
        prop_assert_eq!(records, self.model.jobs.len());
        Ok(())
    }

    /// What an operator ought to see.
    fn expected(&self) -> Result<BTreeMap<JobKey, JobState>, TestCaseError> {
        let seen = |(row, (place, ..)): (&u64, &(Place, u32, u32))| {
            let state = match place {
                Place::Ready => JobState::Queued,
                Place::Running { .. } => JobState::Running,
                Place::Waiting { is_kept: true } => JobState::Held,
                Place::Waiting { is_kept: false } => JobState::Scheduled,
            };
            Ok((JobKey::Row(row_of(*row).map_err(broken)?), state))
        };
        self.model.jobs.iter().map(seen).collect()
    }

    /// Everything that a job's life can change.
    pub(super) async fn snapshot(&self) -> Result<Vec<String>, TestCaseError> {
        let keys = &self.keys;
        let mut commands = vec![
            redis::cmd("LRANGE").arg(&keys.active).arg(0).arg(-1).to_owned(),
            redis::cmd("LRANGE")
                .arg(format!("{}:front", keys.active))
                .arg(0)
                .arg(-1)
                .to_owned(),
            redis::cmd("LRANGE")
                .arg(format!("{}:lanes", keys.active))
                .arg(0)
                .arg(-1)
                .to_owned(),
            redis::cmd("LRANGE")
                .arg(format!("{}:lane:t1", keys.active))
                .arg(0)
                .arg(-1)
                .to_owned(),
            redis::cmd("LRANGE")
                .arg(format!("{}:lane:t2", keys.active))
                .arg(0)
                .arg(-1)
                .to_owned(),
            redis::cmd("LRANGE").arg(&keys.suspects).arg(0).arg(-1).to_owned(),
            redis::cmd("ZRANGE")
                .arg(&keys.scheduled)
                .arg(0)
                .arg(-1)
                .arg("WITHSCORES")
                .to_owned(),
            redis::cmd("ZRANGE")
                .arg(&keys.leases)
                .arg(0)
                .arg(-1)
                .arg("WITHSCORES")
                .to_owned(),
            redis::cmd("ZRANGE").arg(&keys.dead).arg(0).arg(-1).to_owned(),
            redis::cmd("HGETALL").arg(format!("{}:of", keys.letters)).to_owned(),
            redis::cmd("XLEN").arg(&keys.ledger).to_owned(),
            redis::cmd("HGETALL").arg(&keys.life).to_owned(),
        ];
        for row in 1..=ROWS {
            commands.push(
                redis::cmd("HGET")
                    .arg(&keys.records)
                    .arg(row_of(row).map_err(broken)?.to_string())
                    .to_owned(),
            );
        }
        let mut state = Vec::new();
        for command in &commands {
            let value: redis::Value = self.queue.inner.redis.query(command).await.map_err(broken)?;
            state.push(format!("{value:?}"));
        }
        Ok(state)
    }

    /// Laws 1 and 3: workers run until nothing is left; then the ledger alone says that every
    /// accepted event ended exactly once.
    pub(super) async fn drain(&mut self) -> Law {
        for _ in 0..10 {
            for row in 1..=ROWS {
                self.settle(&[(row, End::Done)], Again::Nobody).await?;
            }
            self.wait().await?;
            self.fetch(10, false).await?;
        }
        prop_assert!(self.model.jobs.is_empty() && self.held.is_empty(), "{:?}", self.model);
        let mut open: Vec<(String, Seq)> = Vec::new();
        for (number, entry) in (1..).zip(self.queue.read_ledger(None, 100_000).await.map_err(broken)?) {
            prop_assert_eq!(entry.number, Some(number), "law 7");
            for record in entry.records {
                match record.map_err(|unreadable| broken(unreadable.error))? {
                    LedgerRecord::Accepted(event) => {
                        let row = event.items.first().and_then(|item| item.row);
                        let (row, table) = row.zip(event.table).ok_or_else(|| broken("no row"))?;
                        open.push((RowKey { table, row }.to_string(), entry.seq));
                    }
                    LedgerRecord::Attempt(attempt)
                        if matches!(attempt.verdict, Verdict::Done(_) | Verdict::Bury { .. }) =>
                    {
                        let before = open.len();
                        open.retain(|(row, seq)| *row != attempt.job.to_string() || *seq > attempt.covers);
                        prop_assert!(open.len() < before, "{} ended although nothing was open", attempt.job);
                    }
                    _ => {}
                }
            }
        }
        prop_assert!(open.is_empty(), "law 1: never ended: {:?}", open);
        Ok(())
    }
}
