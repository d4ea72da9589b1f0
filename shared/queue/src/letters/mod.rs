//! Dead letters: listed in pages, replayed or discarded by an operator; nothing else ever removes
//! one.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::accepting::accept::{Origin, Prepared};
use crate::accepting::answer::Taken;
use crate::ledger_stream::encode_fact;
use crate::server::keys::Keys;
use crate::server::scripts::{DISCARD, WEIGH, script};
use crate::{Queue, QueueError, QueueName, Redis};
use passerelle_model::event::{EventKind, OwnEvent};
use passerelle_model::id::JobKey;
use passerelle_model::ledger::{FailureRecord, LedgerRecord};
use passerelle_model::seq::Seq;
use passerelle_model::time::Timestamp;

script!(ALERT, "../server/scripts/clock.lua", "alert.lua");

/// Most letters that one call to Redis touches, so that it never blocks others for long.
const PAGE: usize = 500;
/// Most letters that are replayed or discarded at once.
const GROUP: usize = 50;

/// A dead letter. A job has one at most: when it dies again, the newer letter takes the place of
/// the older one and counts on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// Its id.
    pub id: String,
    /// The job that it was.
    pub job: JobKey,
    /// The word for filters: `permanent`, `exhausted`, `poison`.
    pub reason: String,
    /// The last failure.
    pub failure: FailureRecord,
    /// Counted attempts.
    pub attempts: u32,
    /// When it was buried.
    pub died: Timestamp,
    /// The last ledger entry that it answered for.
    pub covers: Seq,
    /// The last event that it answered for.
    pub last_event: String,
    /// How often its job has died since its first letter that nobody has replayed or discarded.
    #[serde(default = "once", skip_serializing_if = "is_once")]
    pub deaths: u32,
    /// The id of that first letter, where this is not the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<String>,
}

fn once() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_once(deaths: &u32) -> bool {
    *deaths == 1
}

impl DeadLetter {
    /// When its job died for the first time: the id of a letter carries the moment of its death.
    pub fn first_died(&self) -> Timestamp {
        let first = self.first.as_deref().and_then(|id| id.parse::<ulid::Ulid>().ok());
        let millis = first.and_then(|id| i64::try_from(id.timestamp_ms()).ok());
        millis.map_or(self.died, Timestamp::from_millis)
    }
}

/// What the dead letters of all queues weigh.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct DeadLoad {
    /// How many there are.
    pub letters: u64,
    /// Their bytes, as stored.
    pub bytes: u64,
}

impl Redis {
    /// What the dead letters of each queue weigh. The scripts keep count, so it costs the same for
    /// one letter and for a million.
    pub async fn dead_loads(&self) -> Result<Vec<(QueueName, DeadLoad)>, QueueError> {
        let mut call = WEIGH.call(2 * QueueName::ALL.len());
        for name in QueueName::ALL {
            let keys = Keys::new(self.prefix(), name);
            call.arg(&keys.dead).arg(keys.letter_bytes());
        }
        let numbers: Vec<i64> = call.send(self).await?;
        let mut numbers = numbers.into_iter().map(|number| u64::try_from(number).unwrap_or(0));
        let mut next = || numbers.next().unwrap_or(0);
        let load = |name| {
            (
                name,
                DeadLoad {
                    letters: next(),
                    bytes: next(),
                },
            )
        };
        Ok(QueueName::ALL.into_iter().map(load).collect())
    }

    /// The same of all queues together.
    pub async fn dead_load(&self) -> Result<DeadLoad, QueueError> {
        let loads = self.dead_loads().await?;
        Ok(loads.into_iter().map(|(_, load)| load).sum())
    }

    /// Since when the present alert about something (`dead`) stands. The first to ask begins one,
    /// and so does the first after so long: whoever names what it tells after this moment tells it
    /// once, however many ask and however often they die.
    pub async fn alert(&self, about: &str, lasts: Duration) -> Result<Timestamp, QueueError> {
        let mut call = ALERT.call(1);
        call.arg(format!("{{{}}}:{about}-alert", self.prefix()));
        call.arg(u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX).max(1));
        let since: String = call.send(self).await?;
        let since = since
            .parse()
            .map_err(|_| QueueError::Protocol(format!("{since:?} is no time")))?;
        Ok(Timestamp::from_millis(since))
    }
}

impl Queue {
    /// [`Redis::alert`] of the Redis that the queue is in.
    pub async fn alert(&self, about: &str, lasts: Duration) -> Result<Timestamp, QueueError> {
        self.inner.redis.alert(about, lasts).await
    }
}

impl std::iter::Sum for DeadLoad {
    fn sum<I: Iterator<Item = Self>>(loads: I) -> Self {
        loads.fold(Self::default(), |all, load| Self {
            letters: all.letters + load.letters,
            bytes: all.bytes + load.bytes,
        })
    }
}

pub(crate) fn encode_letter(letter: &DeadLetter) -> Result<(String, Vec<u8>), QueueError> {
    let bytes = serde_json::to_vec(letter).map_err(|error| QueueError::Protocol(error.to_string()))?;
    Ok((letter.id.clone(), bytes))
}

impl Queue {
    /// A page of dead letters, newest first; `after` is the last id of the page before. At most 500
    /// at a time.
    pub async fn dead_letters(&self, after: Option<&str>, count: usize) -> Result<Vec<DeadLetter>, QueueError> {
        let ids = self.dead_ids(after, count).await?;
        self.letters(&ids).await
    }

    /// The same for a search through many: only letters whose stored text passes the sieve are
    /// decoded. Also gives where the page ends; `None` behind the last letter.
    pub async fn sieved_letters(
        &self,
        after: Option<&str>,
        count: usize,
        sieve: impl Fn(&str) -> bool,
    ) -> Result<(Vec<DeadLetter>, Option<String>), QueueError> {
        let mut ids = self.dead_ids(after, count).await?;
        let letters = self.letters_that(&ids, sieve).await?;
        Ok((letters, ids.pop()))
    }

    /// The letters of jobs that died at this moment or later and whose stored text passes the
    /// sieve, newest first. Older ones are not read.
    pub async fn letters_since(
        &self,
        moment: Timestamp,
        sieve: impl Fn(&str) -> bool,
    ) -> Result<Vec<DeadLetter>, QueueError> {
        // The ids are in the order of time; one that died at the moment itself is not before it.
        let millis = u64::try_from(moment.as_millis()).unwrap_or(0);
        let oldest = ulid::Ulid::from_parts(millis, 0).to_string();
        let (mut found, mut after) = (Vec::new(), None::<String>);
        loop {
            let (page, last) = self.sieved_letters(after.as_deref(), PAGE, &sieve).await?;
            found.extend(page.into_iter().filter(|letter| letter.id >= oldest));
            match last {
                Some(last) if last >= oldest => after = Some(last),
                _ => return Ok(found),
            }
        }
    }

    /// One dead letter.
    pub async fn dead_letter(&self, id: &str) -> Result<Option<DeadLetter>, QueueError> {
        Ok(self.letters(&[id.to_owned()]).await?.into_iter().next())
    }

    /// The open dead letter of a job.
    pub async fn letter_of(&self, job: &JobKey) -> Result<Option<DeadLetter>, QueueError> {
        let mut command = redis::cmd("HGET");
        command.arg(self.inner.keys.letters_of()).arg(job.to_string());
        let open: Option<String> = self.inner.redis.query(&command).await?;
        match open.as_deref().and_then(|open| open.split(' ').next()) {
            Some(id) => self.dead_letter(id).await,
            None => Ok(None),
        }
    }

    /// Turns dead letters into new forced events; returns how many were there. Who and why are kept
    /// in the ledger.
    ///
    /// The letter is removed in the step that makes the event durable, so a repetition replays
    /// nothing twice. A letter that is not a row's cannot be replayed and stays.
    pub async fn replay(&self, ids: &[String], by: &str, why: &str) -> Result<u64, QueueError> {
        let mut replayed = 0;
        for group in ids.chunks(GROUP) {
            let letters = self.letters(group).await?;
            let prepared: Vec<Prepared> = letters
                .iter()
                .filter_map(|letter| replay_of(letter, by, why).transpose())
                .collect::<Result<_, _>>()?;
            for taken in futures::future::join_all(prepared.into_iter().map(|event| self.submit(event))).await {
                replayed += u64::from(taken? == Taken::New);
            }
        }
        Ok(replayed)
    }

    /// Removes dead letters; returns how many were there.
    pub async fn discard(&self, ids: &[String], by: &str, why: &str) -> Result<u64, QueueError> {
        let mut discarded = 0;
        for group in ids.chunks(GROUP) {
            let keys = &self.inner.keys;
            let mut call = DISCARD.call(4);
            call.arg(&keys.ledger)
                .arg(&keys.dead)
                .arg(&keys.letters)
                .arg(&keys.life);
            for letter in self.letters(group).await? {
                let job = letter.job.to_string();
                let fact = encode_fact(&LedgerRecord::Discarded {
                    letter: letter.id.clone(),
                    job: letter.job,
                    by: by.to_owned(),
                    why: why.to_owned(),
                    at: Timestamp::now(),
                })?;
                call.arg(letter.id).arg(job).arg(fact);
            }
            discarded += call.send::<u64>(&self.inner.redis).await?;
        }
        Ok(discarded)
    }

    async fn dead_ids(&self, after: Option<&str>, count: usize) -> Result<Vec<String>, QueueError> {
        let newest = after.map_or_else(|| "+".to_owned(), |id| format!("({id}"));
        let mut command = redis::cmd("ZREVRANGEBYLEX");
        command
            .arg(&self.inner.keys.dead)
            .arg(newest)
            .arg("-")
            .arg("LIMIT")
            .arg(0)
            .arg(count.min(PAGE));
        self.inner.redis.query(&command).await
    }

    async fn letters(&self, ids: &[String]) -> Result<Vec<DeadLetter>, QueueError> {
        self.letters_that(ids, |_| true).await
    }

    async fn letters_that(&self, ids: &[String], sieve: impl Fn(&str) -> bool) -> Result<Vec<DeadLetter>, QueueError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut command = redis::cmd("MGET");
        for id in ids {
            command.arg(self.inner.keys.letter(id));
        }
        let letters: Vec<Option<Vec<u8>>> = self.inner.redis.query(&command).await?;
        let read = |(id, bytes): (&String, Option<Vec<u8>>)| {
            let bytes = bytes?;
            if !std::str::from_utf8(&bytes).is_ok_and(&sieve) {
                return None;
            }
            serde_json::from_slice(&bytes)
                .inspect_err(
                    |error| tracing::error!(letter = id, %error, "a dead letter cannot be read; it stays where it is"),
                )
                .ok()
        };
        Ok(ids.iter().zip(letters).filter_map(read).collect())
    }
}

fn replay_of(letter: &DeadLetter, by: &str, why: &str) -> Result<Option<Prepared>, QueueError> {
    if !letter.job.can_be_requested() {
        return Ok(None);
    }
    let payload = json!({ "replayed_by": by, "why": why, "letter": letter.id })
        .to_string()
        .into_bytes();
    // The letter's id is unique: so is the event's, and a repetition is the same event again.
    let event = OwnEvent {
        source: "operator",
        name: &format!("replay-{}", letter.id),
        kind: EventKind::Forced,
        payload,
    }
    .asking_for([letter.job.clone()])?;
    let note = encode_fact(&LedgerRecord::Replayed {
        letter: letter.id.clone(),
        job: letter.job.clone(),
        event: event.key.clone(),
        by: by.to_owned(),
        why: why.to_owned(),
        at: Timestamp::now(),
    })?;
    let origin = Origin {
        kind: "letter",
        id: letter.id.clone(),
        note,
        letter: None,
    };
    Prepared::new(&event, Some(origin)).map(Some)
}
