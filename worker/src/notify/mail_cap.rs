//! Mails to people whose addresses come from rows are capped: a formula that goes wrong over ten
//! thousand rows must not write to ten thousand people before somebody can stop it.
//!
//! What is above the cap is held, and goes out as earlier mails fall out of the hour; nothing is
//! dropped but by hand (`passerelle notices discard`). The admin is told once a day at most, and is
//! never capped.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use passerelle_model::id::{EventId, JobKey};
use passerelle_model::ledger::FailureClass;
use passerelle_model::time::Timestamp;
use passerelle_queue::{Budget, Redis};
use serde_json::{Value, json};

use crate::content::notice::{Audience, Notice, NoticeKind, notice_values};
use crate::context::Context;
use crate::failure::{Failure, Target};

/// The window of the cap.
const WINDOW: Duration = Duration::from_hours(1);
/// The admin hears of it once in so long.
const NOTIFIED_ONCE_IN: Duration = Duration::from_hours(24);

/// The cap, as one process keeps it.
#[derive(Debug)]
pub struct MailCap {
    redis: Redis,
    /// `NOTICE_MAILS_PER_HOUR`; 0: no cap.
    most: u32,
    /// The alert of which this process knows that the admin was told.
    told: Mutex<Option<Timestamp>>,
}

impl MailCap {
    /// Over this Redis, which all workers share.
    pub fn new(redis: Redis, most: u32) -> Self {
        Self {
            redis,
            most,
            told: Mutex::new(None),
        }
    }

    /// Holds a mail that is one too many within the hour. No attempt is counted.
    pub(super) async fn admit(&self, context: &Context, id: &JobKey, notice: &Notice) -> Result<(), Failure> {
        if self.most == 0 || notice.to == Audience::Admin {
            return Ok(());
        }
        let budget = Budget {
            most: self.most,
            window: WINDOW,
        };
        let Some(wait) = self.redis.spend("mails-to-people", &id.to_string(), budget).await? else {
            return Ok(());
        };
        metrics::counter!("passerelle_notices_total", "channel" => "mail", "result" => "held").increment(1);
        self.tell(context).await?;
        let message = format!(
            "{} mails were sent to people within an hour, which is the most (NOTICE_MAILS_PER_HOUR): it waits",
            self.most
        );
        Err(Failure::new(FailureClass::Throttled, Target::Bridge, message).after(wait))
    }

    /// Tells the admin, unless that was done for the present alert.
    async fn tell(&self, context: &Context) -> Result<(), Failure> {
        let since = self.redis.alert("mails-held", NOTIFIED_ONCE_IN).await?;
        if *self.told.lock().unwrap_or_else(PoisonError::into_inner) == Some(since) {
            return Ok(());
        }
        let waiting = context.store.waiting_mails().await?;
        let all: i64 = waiting.iter().map(|(_, count)| count).sum();
        tracing::error!(
            most = self.most,
            waiting = all,
            "more mails to people than NOTICE_MAILS_PER_HOUR allows: the others wait; is a rule or a formula wrong?"
        );
        let rules: Vec<Value> = waiting
            .iter()
            .map(|(rule, count)| json!({"rule": rule, "waiting": count}))
            .collect();
        let values = notice_values(json!({"most": self.most, "waiting": all, "rules": rules}));
        let event = EventId::parse(&format!("mails-held-{}", since.as_millis()));
        let kind = NoticeKind::MailsHeld;
        context
            .outbox
            .notify_admin_of_own(kind, &values, "mail-cap", event)
            .await?;
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = Some(since);
        Ok(())
    }
}
