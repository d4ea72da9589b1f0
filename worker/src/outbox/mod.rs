//! From a fact that people should know to the job of a notice: stored first, then queued.
//!
//! - **Once.** A notice is named after what it is about (event, rule, person): a repeated attempt
//!   finds it stored and adds nothing.
//! - **Not lost.** A crash between the store and the queue leaves a stored notice without a job.
//!   The repeated attempt queues it again. So does
//!   [`Outbox::requeue`], for notices that wait for more than [`REQUEUE_AFTER`]; a job that exists is not made twice.
//! - **Not silent.** A notice whose channel is not set up is stored as `off`, with the missing
//!   setting.

pub mod templates;

use std::time::Duration;

use passerelle_model::config::Channel;
use passerelle_model::id::{EventId, InvalidId, JobKey, RowKey};
use passerelle_model::time::{LongAgo, Timestamp};
use passerelle_queue::{Queue, QueueError, QueueName, Redis};
use passerelle_store::{EventPlace, NoticeState, Store, StoredNotice};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use tokio::time::MissedTickBehavior;

use crate::clients::mail::Mail;
use crate::clients::slack::Slack;
use crate::content::notice::{Audience, Notice, NoticeKind};
use crate::crash::CrashPoint;
use crate::failure::Failure;

/// How often the notices that wait are looked through, and how old they are by then: a job gets to
/// its worker far sooner.
const REQUEUE_EVERY: Duration = Duration::from_mins(1);
const REQUEUE_AFTER: Duration = Duration::from_mins(2);
/// Most notices that one look queues again; the next look takes the others.
const REQUEUED_AT_ONCE: u32 = 100;

/// Where notices go out.
#[derive(Debug)]
pub struct Outbox {
    pub channels: Channels,
    store: Store,
    mail_queue: Queue,
    slack_queue: Queue,
}

/// The ways out. A channel that is not set up keeps its notices as `off`.
#[derive(Debug)]
pub struct Channels {
    pub mail: Option<Mail>,
    pub slack: Option<Slack>,
}

/// What a notice is about.
#[derive(Debug, Clone, Copy)]
pub struct Cause<'a> {
    /// The rule, or the part of the bridge that makes it.
    pub rule: &'a str,
    /// The event, or an id in its place: the notice's idempotency key.
    pub event: &'a EventId,
    /// The row that it is about.
    pub row: Option<RowKey>,
    /// The event's place in the ledger, if it is one of the ledger's.
    pub at: Option<EventPlace>,
}

/// The state in which a notice is stored, and why it is not to be sent.
struct Fate {
    state: NoticeState,
    why: Option<String>,
}

impl Outbox {
    /// Over this store and Redis.
    pub fn new(channels: Channels, redis: &Redis, store: Store) -> Self {
        Self {
            channels,
            store,
            mail_queue: Queue::new(redis.clone(), QueueName::Mail),
            slack_queue: Queue::new(redis.clone(), QueueName::Slack),
        }
    }

    /// The queue of a channel.
    pub fn queue(&self, channel: Channel) -> &Queue {
        match channel {
            Channel::Mail => &self.mail_queue,
            Channel::Slack => &self.slack_queue,
        }
    }

    /// The channels to the admin for notices without a rule: every one that is set up; mail (which
    /// is then off) if none is.
    fn admin_channels(&self) -> Vec<Channel> {
        let set_up = Channel::ALL
            .into_iter()
            .filter(|channel| self.missing(*channel).is_none());
        let channels: Vec<Channel> = set_up.collect();
        if channels.is_empty() {
            vec![Channel::Mail]
        } else {
            channels
        }
    }

    /// Posts a notice to the admin by every such channel. Idempotent: the same kind and event are
    /// the same notice. Returns the state of each.
    pub async fn notify_admin(
        &self,
        kind: NoticeKind,
        values: &Map<String, Value>,
        cause: Cause<'_>,
    ) -> Result<Vec<(Channel, NoticeState)>, Failure> {
        let mut posted = Vec::new();
        for channel in self.admin_channels() {
            let key = match kind {
                // An outage has several notices, all named after one event.
                NoticeKind::OutageOpened | NoticeKind::OutageOver | NoticeKind::Digest => {
                    notice_key(cause.event.as_str(), &[kind.as_str(), channel.as_str()])?
                }
                _ => notice_key(cause.event.as_str(), &[channel.as_str()])?,
            };
            let notice = Notice::new(key, kind, Audience::Admin, values.clone());
            posted.push((channel, self.post(&notice, channel, cause).await?));
        }
        Ok(posted)
    }

    /// The same for what the bridge itself has noticed: no row and no event of the ledger is its
    /// cause.
    pub async fn notify_admin_of_own(
        &self,
        kind: NoticeKind,
        values: &Map<String, Value>,
        rule: &str,
        event: Result<EventId, InvalidId>,
    ) -> Result<Vec<(Channel, NoticeState)>, Failure> {
        let event = event.map_err(|error| Failure::unmappable(error.to_string()))?;
        let cause = Cause {
            rule,
            event: &event,
            row: None,
            at: None,
        };
        self.notify_admin(kind, values, cause).await
    }

    /// Stores a notice and queues it. A notice that was stored before keeps its state, and is
    /// queued again if it still waits.
    pub async fn post(&self, notice: &Notice, channel: Channel, cause: Cause<'_>) -> Result<NoticeState, Failure> {
        let fate = match self.missing(channel) {
            Some(setting) => Fate {
                state: NoticeState::Off,
                why: Some(setting.to_owned()),
            },
            None => Fate {
                state: NoticeState::Waiting,
                why: None,
            },
        };
        self.add(notice, channel, cause, fate).await
    }

    /// Stores a notice that can never be sent, so that people can find it.
    pub async fn bury(
        &self,
        notice: &Notice,
        channel: Channel,
        cause: Cause<'_>,
        why: String,
    ) -> Result<NoticeState, Failure> {
        let fate = Fate {
            state: NoticeState::Failed,
            why: Some(why),
        };
        self.add(notice, channel, cause, fate).await
    }

    async fn add(
        &self,
        notice: &Notice,
        channel: Channel,
        cause: Cause<'_>,
        Fate { state, why }: Fate,
    ) -> Result<NoticeState, Failure> {
        let now = Timestamp::now();
        let stored = StoredNotice {
            id: notice.key.clone(),
            kind: notice.template.as_str().to_owned(),
            channel,
            rule: cause.rule.to_owned(),
            row: cause.row,
            event: cause.at,
            args: notice
                .to_args()
                .map_err(|error| Failure::unmappable(error.to_string()))?,
            created: now,
            state,
            ended: (state != NoticeState::Waiting).then_some(now),
            tries: 0,
            error: why,
        };
        let state = self.store.add_notice(&stored).await?;
        CrashPoint::AfterNoticeStored.pass();
        if state == NoticeState::Waiting {
            self.queue(channel).enqueue(&notice.key, cause.event).await?;
        }
        Ok(state)
    }

    /// The setting without which a channel is off; `None` if it is set up.
    fn missing(&self, channel: Channel) -> Option<&'static str> {
        match channel {
            Channel::Mail if self.channels.mail.is_none() => Some("SMTP_URL is not set: no mail is sent"),
            Channel::Slack if self.channels.slack.is_none() => {
                Some("SLACK_WEBHOOK_URL is not set: nothing is posted to Slack")
            }
            Channel::Mail | Channel::Slack => None,
        }
    }

    /// Queues notices again that have been waiting for long, in case their jobs were lost. Runs
    /// until it is dropped.
    pub async fn requeue_for_ever(&self) {
        let mut looks = tokio::time::interval(REQUEUE_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            let old = LongAgo::of_age(REQUEUE_AFTER, Timestamp::now());
            if let Err(error) = self.requeue(old).await {
                tracing::debug!(%error, "waiting notices could not be queued again; the next look tries again");
            }
        }
    }

    /// Queues the notices that have been waiting for long, unless they are queued. One whose job
    /// has become a dead letter has broken its workers: it has failed, and is not queued to break
    /// more of them.
    pub async fn requeue(&self, old: LongAgo) -> Result<(), RequeueError> {
        let event = EventId::parse("sweep").map_err(|error| QueueError::Protocol(error.to_string()))?;
        for (id, channel) in self.store.unsent_notices(old, REQUEUED_AT_ONCE).await? {
            let queue = self.queue(channel);
            if queue.has_job(&id).await? {
                continue;
            }
            let letters = queue.letters_since(Timestamp::from_millis(0), |_| true).await?;
            match letters.iter().find(|letter| letter.job == id) {
                Some(letter) => {
                    let (failed, why) = (NoticeState::Failed, letter.failure.message.as_str());
                    let now = Timestamp::now();
                    self.store.end_notice(&id, failed, Some(why), now).await?;
                }
                None => queue.enqueue(&id, &event).await?,
            }
        }
        Ok(())
    }
}

/// Why notices could not be queued again. Idempotent: it may be repeated.
#[derive(Debug, thiserror::Error)]
pub enum RequeueError {
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] passerelle_store::StoreError),
    /// Nothing could be queued.
    #[error(transparent)]
    Queue(#[from] QueueError),
}

/// The name of a notice: `notice/<event>/<hash of what it is about>`.
pub fn notice_key(event: &str, about: &[&str]) -> Result<JobKey, Failure> {
    let mut hasher = Sha256::new();
    for text in about {
        hasher.update(text.len().to_le_bytes());
        hasher.update(text);
    }
    let hash = hex::encode(hasher.finalize());
    let hash = hash.get(..16).unwrap_or_default();
    JobKey::parse(&format!("notice/{event}/{hash}")).map_err(|error| Failure::unmappable(error.to_string()))
}
