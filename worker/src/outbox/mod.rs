//! From a fact that people should know to a job that tells them: stored first, then queued.
//!
//! **Once.** A notice is named after what it is about (event, rule, person), so a repeated attempt finds it stored and adds nothing.
//! **Not lost.** A crash between the store and the queue leaves a stored notice without a job. The repeated attempt queues it again, and so does
//! the sweep, which looks for notices that wait for more than [`SWEPT_AFTER`]: a job that is there already is not made twice.
//! **Not silent.** A notice whose channel is not set up is stored as `off`, with the setting that is missing.

pub mod templates;

use std::time::Duration;

use passerelle_model::config::Channel;
use passerelle_model::id::{EventId, JobKey, RowKey};
use passerelle_model::time::Timestamp;
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
use templates::Templates;

/// How often the notices that wait are looked through, and how old they are by then: a job gets to its worker far sooner.
const SWEEP_EVERY: Duration = Duration::from_mins(1);
const SWEPT_AFTER: Duration = Duration::from_mins(2);
/// Most notices that one sweep queues again; the others are looked at a minute later.
const SWEPT_AT_ONCE: u32 = 100;

/// Where notices go out.
#[derive(Debug)]
pub struct Outbox {
    /// The words.
    pub templates: Templates,
    /// The mail server, if it is set up.
    pub mail: Option<Mail>,
    /// Slack, if it is set up.
    pub slack: Option<Slack>,
    store: Store,
    mail_queue: Queue,
    slack_queue: Queue,
}

/// What a notice is about.
#[derive(Debug, Clone, Copy)]
pub struct Cause<'a> {
    /// The rule, or the part of the bridge that tells it.
    pub rule: &'a str,
    /// The event, or what stands for it in the notice's name.
    pub event: &'a EventId,
    /// The row that it is about.
    pub row: Option<RowKey>,
    /// The event's place in the ledger, if it is one of the ledger's.
    pub at: Option<EventPlace>,
}

impl Outbox {
    /// Over this store and Redis.
    pub fn new(
        templates: Templates,
        (mail, slack): (Option<Mail>, Option<Slack>),
        redis: &Redis,
        store: Store,
    ) -> Self {
        Self {
            templates,
            mail,
            slack,
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

    /// The channels by which the admin is told what no rule chose a channel for: every one that is set up; by mail (which is then off) if none is.
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

    /// Tells the admin by every such channel, once however often it is called. `about` tells several notices of one cause apart. Returns what became of each.
    pub async fn notify_admin(
        &self,
        (kind, values): (NoticeKind, &Map<String, Value>),
        cause: Cause<'_>,
        about: &[&str],
    ) -> Result<Vec<(Channel, NoticeState)>, Failure> {
        let mut told = Vec::new();
        for channel in self.admin_channels() {
            let key = notice_key(cause.event, &[about, &[channel.as_str()]].concat())?;
            let notice = Notice::new(key, kind, Audience::Admin, values.clone());
            told.push((channel, self.post(&notice, channel, cause).await?));
        }
        Ok(told)
    }

    /// Stores a notice and queues it. A notice that was stored before keeps its state, and is queued again if it still waits.
    pub async fn post(&self, notice: &Notice, channel: Channel, cause: Cause<'_>) -> Result<NoticeState, Failure> {
        let missing = self.missing(channel);
        let state = if missing.is_some() {
            NoticeState::Off
        } else {
            NoticeState::Waiting
        };
        self.add(notice, channel, (cause, state, missing.map(str::to_owned)))
            .await
    }

    /// Stores a notice that can never be sent, so that people can find it.
    pub async fn bury(
        &self,
        notice: &Notice,
        channel: Channel,
        cause: Cause<'_>,
        why: String,
    ) -> Result<NoticeState, Failure> {
        self.add(notice, channel, (cause, NoticeState::Failed, Some(why))).await
    }

    async fn add(
        &self,
        notice: &Notice,
        channel: Channel,
        (cause, state, error): (Cause<'_>, NoticeState, Option<String>),
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
            error,
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
            Channel::Mail if self.mail.is_none() => Some("SMTP_URL is not set: no mail is sent"),
            Channel::Slack if self.slack.is_none() => Some("SLACK_WEBHOOK_URL is not set: nothing is posted to Slack"),
            Channel::Mail | Channel::Slack => None,
        }
    }

    /// Queues notices again that have been waiting for long, in case their jobs were lost. Runs until it is dropped.
    pub async fn sweep_for_ever(&self) {
        let mut rounds = tokio::time::interval(SWEEP_EVERY);
        rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            rounds.tick().await;
            if let Err(error) = self.sweep(Timestamp::now().minus(SWEPT_AFTER)).await {
                tracing::debug!(%error, "waiting notices could not be looked through; it is tried again");
            }
        }
    }

    /// Queues the notices that wait since before a moment, unless they are queued. One whose job has become a dead letter has broken its workers:
    /// it has failed, and is not queued to break more of them.
    pub async fn sweep(&self, before: Timestamp) -> Result<(), SweepError> {
        let event = EventId::parse("sweep").map_err(|error| QueueError::Protocol(error.to_string()))?;
        for (id, channel) in self.store.unsent_notices(before, SWEPT_AT_ONCE).await? {
            let queue = self.queue(channel);
            if queue.has_job(&id).await? {
                continue;
            }
            let letters = queue.letters_since(Timestamp::from_millis(0), |_| true).await?;
            match letters.iter().find(|letter| letter.job == id) {
                Some(letter) => {
                    let failed = (NoticeState::Failed, Some(letter.failure.message.as_str()));
                    self.store.end_notice(&id, failed, Timestamp::now()).await?;
                }
                None => queue.enqueue(&id, &event).await?,
            }
        }
        Ok(())
    }
}

/// Why a sweep failed. It may be repeated.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] passerelle_store::StoreError),
    /// Nothing could be queued.
    #[error(transparent)]
    Queue(#[from] QueueError),
}

/// The name of a notice: `notice/<event>/<hash of what it is about>`.
pub fn notice_key(event: &EventId, about: &[&str]) -> Result<JobKey, Failure> {
    let mut hasher = Sha256::new();
    for text in about {
        hasher.update(text.len().to_le_bytes());
        hasher.update(text);
    }
    let hash = hex::encode(hasher.finalize());
    let hash = hash.get(..16).unwrap_or_default();
    JobKey::parse(&format!("notice/{event}/{hash}")).map_err(|error| Failure::unmappable(error.to_string()))
}
