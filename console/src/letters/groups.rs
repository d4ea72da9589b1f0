//! Dead letters by their cause. To count a hundred thousand takes longer than a page may, so the
//! groups are kept in mind and counted again in the background.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use passerelle_model::time::Timestamp;
use passerelle_queue::{DeadLetter, Queue, QueueError, QueueName};
use sha2::{Digest as _, Sha256};
use tokio::sync::Mutex;
use tokio::task::AbortHandle;

/// How long a count is good enough.
const FRESH: Duration = Duration::from_secs(5);
/// How long a page waits for a new one.
const PATIENCE: Duration = Duration::from_millis(100);
/// Letters per call to Redis.
const PAGE: usize = 500;
/// Characters of a message that tell causes apart.
const TOLD_APART: usize = 120;

/// Letters with one cause.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    /// Names the group in an address.
    pub(crate) name: String,
    pub(crate) queue: QueueName,
    /// The newest of them.
    pub(crate) newest: DeadLetter,
    /// All of them, the newest first.
    pub(crate) ids: Vec<String>,
}

/// All groups at one moment, the largest first.
#[derive(Debug, Clone)]
pub(crate) struct Counted {
    /// When the count began.
    pub(crate) at: Timestamp,
    pub(crate) groups: Vec<Group>,
}

/// The latest count.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    last: Arc<Mutex<Last>>,
}

#[derive(Debug, Default)]
struct Last {
    counted: Option<(Instant, Arc<Counted>)>,
    counting: Option<AbortHandle>,
}

impl Groups {
    /// The groups; `None` while they are counted for the first time.
    pub(crate) async fn now(&self, queues: Vec<Queue>) -> Option<Arc<Counted>> {
        let mut last = self.last.lock().await;
        let known = last.counted.as_ref().map(|(_, counted)| Arc::clone(counted));
        let is_fresh = last.counted.as_ref().is_some_and(|(at, _)| at.elapsed() < FRESH);
        if is_fresh || last.counting.as_ref().is_some_and(|task| !task.is_finished()) {
            return known;
        }
        let shared = Arc::clone(&self.last);
        let counting = tokio::spawn(async move {
            let counted = Arc::new(count(&queues).await.ok()?);
            shared.lock().await.counted = Some((Instant::now(), Arc::clone(&counted)));
            Some(counted)
        });
        last.counting = Some(counting.abort_handle());
        drop(last);
        match tokio::time::timeout(PATIENCE, counting).await {
            Ok(Ok(Some(counted))) => Some(counted),
            _ => known,
        }
    }

    /// What an act has changed is seen by the next page.
    pub(crate) async fn forget(&self) {
        self.last.lock().await.counted = None;
    }
}

async fn count(queues: &[Queue]) -> Result<Counted, QueueError> {
    let at = Timestamp::now();
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    for queue in queues {
        let mut after: Option<String> = None;
        loop {
            let page = queue.dead_letters(after.as_deref(), PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.id.clone());
            for letter in page {
                let name = name_of(queue.name(), &letter);
                let id = letter.id.clone();
                let group = groups.entry(name.clone()).or_insert_with(|| Group {
                    name,
                    queue: queue.name(),
                    newest: letter,
                    ids: Vec::new(),
                });
                group.ids.push(id);
            }
        }
    }
    let mut groups: Vec<Group> = groups.into_values().collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.ids.len()));
    Ok(Counted { at, groups })
}

/// What letters of one cause share: queue, reason, system, kind of failure, and the message but for
/// its numbers.
fn name_of(queue: QueueName, letter: &DeadLetter) -> String {
    let failure = &letter.failure;
    let mut message = String::new();
    for character in failure.message.chars().take(TOLD_APART) {
        match character {
            '0'..='9' if message.ends_with('#') => {}
            '0'..='9' => message.push('#'),
            other => message.push(other),
        }
    }
    let parts = [
        queue.as_str(),
        &letter.reason,
        &failure.target,
        failure.class.as_str(),
        &message,
    ];
    hex::encode(Sha256::digest(parts.join("\n")))[..16].to_owned()
}

#[cfg(test)]
mod tests {
    use passerelle_model::id::JobKey;
    use passerelle_model::ledger::{FailureClass, FailureRecord};
    use passerelle_model::seq::Seq;

    use super::*;

    fn letter(reason: &str, message: &str) -> DeadLetter {
        DeadLetter {
            id: "1".to_owned(),
            job: JobKey::parse("t2/r5").unwrap(),
            reason: reason.to_owned(),
            failure: FailureRecord {
                class: FailureClass::Permanent,
                target: "docmost".to_owned(),
                message: message.to_owned(),
                status: Some(400),
                body: None,
            },
            attempts: 1,
            died: Timestamp::from_millis(0),
            covers: Seq::ZERO,
            last_event: "e".to_owned(),
            deaths: 1,
            first: None,
        }
    }

    #[test]
    fn letters_of_one_cause_are_one_group_whatever_numbers_their_messages_have() {
        let name = |reason, message| name_of(QueueName::Sync, &letter(reason, message));
        assert_eq!(
            name("permanent", "page 12 is gone"),
            name("permanent", "page 3456 is gone")
        );
        assert_ne!(
            name("permanent", "page 12 is gone"),
            name("exhausted", "page 12 is gone")
        );
        assert_ne!(
            name("permanent", "page 12 is gone"),
            name("permanent", "space 12 is gone")
        );
    }
}
