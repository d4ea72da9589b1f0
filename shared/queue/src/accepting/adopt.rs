//! Tasks that a stock apalis-redis producer pushed become forced events of ours, in bounded steps.
//!
//! Such a producer writes its arguments into `data`, its bookkeeping into `meta:<task id>` and the
//! task's id, by the second, into `scheduled` (its every push goes there). All three are removed in
//! the step that makes the event durable; two workers that adopt at once do no harm.

use serde::Deserialize;
use tokio::time::Instant;

use crate::accepting::accept::{Origin, Prepared};
use crate::letters::{DeadLetter, encode_letter};
use crate::working::ending::{POISON, poison};
use crate::{Queue, QueueError};
use passerelle_model::event::{Disposition, EventKind, Item, OwnEvent};
use passerelle_model::id::{EventId, JobKey, RowId, RowKey, TableId};
use passerelle_model::outcome::Outcome;
use passerelle_model::seq::Seq;
use passerelle_model::time::Timestamp;

/// Most tasks that one step adopts.
const STEP: usize = 100;
const SOURCE: &str = "apalis";
/// Longer ids of tasks are shortened: what is before them must fit too.
const LONGEST_NAME: usize = 100;

/// What a task must ask for: `{"table":12,"row":345}`.
#[derive(Deserialize)]
struct Arguments {
    table: TableId,
    row: RowId,
}

impl Queue {
    /// Adopts tasks that are due; returns how many it looked at.
    pub(crate) async fn adopt(&self, now: Timestamp) -> Result<usize, QueueError> {
        let began = Instant::now();
        let keys = &self.inner.keys;
        let mut due = redis::cmd("ZRANGEBYSCORE");
        due.arg(&keys.scheduled)
            .arg("-inf")
            .arg(now.as_millis() / 1000)
            .arg("LIMIT")
            .arg(0)
            .arg(STEP);
        let ids: Vec<Vec<u8>> = self.inner.redis.query(&due).await?;
        if ids.is_empty() {
            return Ok(0);
        }
        let mut arguments = redis::cmd("HMGET");
        arguments.arg(&keys.stock_data).arg(&ids);
        let arguments: Vec<Option<Vec<u8>>> = self.inner.redis.query(&arguments).await?;
        let mut adopting = Vec::with_capacity(ids.len());
        let mut orphans = Vec::new();
        for (id, arguments) in ids.iter().zip(arguments) {
            match (std::str::from_utf8(id), arguments) {
                (Ok(id), Some(arguments)) => adopting.push(self.submit(adoption_of(id, arguments)?)),
                _ => orphans.push(id),
            }
        }
        if !orphans.is_empty() {
            tracing::warn!(
                count = orphans.len(),
                "tasks without arguments were removed from the waiting set"
            );
            self.inner
                .redis
                .query::<()>(redis::cmd("ZREM").arg(&keys.scheduled).arg(orphans))
                .await?;
        }
        for taken in futures::future::join_all(adopting).await {
            let _new_or_gone = taken?;
        }
        metrics::counter!("passerelle_queue_adopted_total").increment(ids.len() as u64);
        tracing::debug!(
            count = ids.len(),
            duration_ms = began.elapsed().as_millis(),
            "tasks adopted"
        );
        Ok(ids.len())
    }
}

fn adoption_of(task: &str, arguments: Vec<u8>) -> Result<Prepared, QueueError> {
    let name = if EventId::parse(task).is_ok() && task.len() <= LONGEST_NAME {
        format!("task-{task}")
    } else {
        format!("task-{}", hex::encode(task.bytes().take(50).collect::<Vec<u8>>()))
    };
    let origin = |letter| Origin {
        kind: "task",
        id: task.to_owned(),
        note: Vec::new(),
        letter,
    };
    match serde_json::from_slice::<Arguments>(&arguments) {
        Ok(Arguments { table, row }) => {
            let event = own(&name, EventKind::Forced, arguments).asking_for([JobKey::Row(RowKey { table, row })])?;
            Prepared::new(&event, Some(origin(None)))
        }
        Err(error) => {
            tracing::error!(task, %error, "a task's arguments cannot be read; it is now a dead letter");
            let letter = unreadable_letter(&name, &error.to_string(), &arguments)?;
            let mut event = own(&name, EventKind::Other, arguments).asking_for([])?;
            event.items = vec![Item {
                row: None,
                disposition: Disposition::Closed(Outcome::Dead(POISON.to_owned())),
            }];
            Prepared::new(&event, Some(origin(Some(letter))))
        }
    }
}

fn own(name: &str, kind: EventKind, payload: Vec<u8>) -> OwnEvent<'_> {
    OwnEvent {
        source: SOURCE,
        name,
        kind,
        payload,
    }
}

fn unreadable_letter(name: &str, error: &str, arguments: &[u8]) -> Result<(String, Vec<u8>), QueueError> {
    let mut body = arguments.escape_ascii().to_string();
    body.truncate(4096);
    encode_letter(&DeadLetter {
        id: ulid::Ulid::generate().to_string(),
        job: JobKey::parse(&format!("apalis/{name}"))?,
        reason: POISON.to_owned(),
        failure: poison(
            &format!("the task's arguments are not a table and a row: {error}"),
            Some(body),
        ),
        attempts: 0,
        died: Timestamp::now(),
        covers: Seq::ZERO,
        last_event: EventId::own(name)?.as_str().to_owned(),
        deaths: 1,
        first: None,
    })
}
