//! The life of a notice's job: look it up, put it into words, send it, remember that it was sent.
//! The counterpart of [`process`](crate::process) for the queues `mail` and `slack`.
//!
//! Trouble here never touches a sync: the queues are others, and so are the gates. What fails is
//! tried again by the same schedule as anything else (see [`failure`]); what can never be sent is
//! kept as `failed` in the table of notices, where `passerelle notices` shows it. **Once, whatever
//! the store does:** the attempt writes to the store before it sends, and after it has sent it
//! waits until the store knows.
//!
//! **Twice rather than never:** a worker that dies after sending and before remembering leads to a
//! second message (a mail with the same `Message-ID`).

use std::time::Duration;

use passerelle_model::config::Channel;
use passerelle_model::id::JobKey;
use passerelle_model::job::Job;
use passerelle_model::ledger::{Settlement, Verdict};
use passerelle_model::outcome::Outcome;
use passerelle_model::time::Timestamp;
use passerelle_queue::gate::GateName;
use passerelle_store::NoticeState;
use tokio::time::sleep;

use crate::clients::guard::Guard;
use crate::content::notice::Notice;
use crate::context::Context;
use crate::crash::CrashPoint;
use crate::failure::{self, Failure, Target};
use crate::journal::Journal;
use crate::outage;

/// The first wait for a store that cannot be written after a notice was sent; each is twice the one
/// before.
const FIRST_WAIT: Duration = Duration::from_millis(200);
/// The longest wait between two tries.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Attempts to send a notice and says how it ended.
pub async fn deliver(context: &Context, job: &Job, channel: Channel, chance: f64) -> Settlement {
    let started = Timestamp::now();
    let mut journal = Journal::default();
    let verdict = match attempt(context, &job.key, channel, &mut journal).await {
        Ok(outcome) => Verdict::Done(outcome),
        Err(failure) => {
            let verdict = failure::verdict(&failure, outage::history(&context.gates, job, &failure).await, chance);
            remember(context, job, &failure, verdict).await
        }
    };
    Settlement {
        verdict,
        steps: journal.into_steps(),
        started,
    }
}

async fn attempt(context: &Context, id: &JobKey, channel: Channel, journal: &mut Journal) -> Result<Outcome, Failure> {
    let Some(stored) = context.store.notice(id).await? else {
        return Ok(Outcome::Rejected("no such notice is stored".to_owned()));
    };
    if stored.state != NoticeState::Waiting {
        journal.note("nothing_to_send", format!("the notice is {}", stored.state.as_str()));
        return Ok(Outcome::NoChange);
    }
    let notice = Notice::from_args(&stored.args).map_err(|error| Failure::unmappable(error.to_string()))?;
    if channel == Channel::Mail {
        context.mail_cap.admit(context, id, &notice).await?;
    }
    // A store that cannot be written ends the attempt here, before anything is sent.
    if !context.store.begin_sending(id, Timestamp::now()).await? {
        journal.note("nothing_to_send", "the notice has been ended meanwhile".to_owned());
        return Ok(Outcome::NoChange);
    }
    send(context, &notice, channel, journal).await?;
    CrashPoint::AfterNoticeSent.pass();
    remember_sent(context, id).await?;
    count(channel, "sent");
    Ok(Outcome::Synced)
}

/// Waits until the store knows that the notice was sent, because another attempt would send it
/// again. A stop or a lost lease ends the wait.
async fn remember_sent(context: &Context, id: &JobKey) -> Result<(), Failure> {
    let mut wait = FIRST_WAIT;
    loop {
        match context
            .store
            .end_notice(id, NoticeState::Sent, None, Timestamp::now())
            .await
        {
            Ok(_) => return Ok(()),
            Err(error) if error.is_outage() => {
                tracing::warn!(%error, "a notice was sent, and the store cannot be written: its job waits for the store");
                sleep(wait).await;
                wait = (wait * 2).min(LONGEST_WAIT);
            }
            Err(error) => return Err(error.into()),
        }
    }
}

async fn send(context: &Context, notice: &Notice, channel: Channel, journal: &mut Journal) -> Result<(), Failure> {
    let words = context.templates.render(notice)?;
    let (gate, target) = match channel {
        Channel::Mail => (GateName::Smtp, Target::Smtp),
        Channel::Slack => (GateName::Slack, Target::Slack),
    };
    let guard = Guard::new(context.gates.clone(), target);
    guard.admit(gate).await?;
    let result = match (channel, &context.outbox.channels.mail, &context.outbox.channels.slack) {
        (Channel::Mail, Some(mail), _) => mail.send(journal, notice, &words, Timestamp::now()).await,
        (Channel::Slack, _, Some(slack)) => slack.post(journal, &words).await,
        _ => Err(Failure::unmappable(
            "the channel was switched off after the notice was made; set it up and run `passerelle notices retry`",
        )),
    };
    let was_asked = result.as_ref().err().is_none_or(|failure| failure.target == target);
    if was_asked {
        guard.report(gate, &result);
    }
    result
}

/// Keeps what is needed to see why a notice waits. One that is given up stays in the table of
/// notices: there is no second place to look.
async fn remember(context: &Context, job: &Job, failure: &Failure, verdict: Verdict) -> Verdict {
    let text = failure.to_string();
    let (kept, verdict) = if let Verdict::Bury { .. } = verdict {
        tracing::error!(
            target_system = failure.target.as_str(),
            "a notice is given up: {}",
            failure.message
        );
        metrics::counter!("passerelle_notices_total", "channel" => failure.target.as_str(), "result" => "failed")
            .increment(1);
        let kept = context
            .store
            .end_notice(&job.key, NoticeState::Failed, Some(text.as_str()), Timestamp::now())
            .await;
        (kept.map(drop), Verdict::Done(Outcome::Rejected(text)))
    } else {
        (context.store.delay_notice(&job.key, &text).await, verdict)
    };
    if let Err(error) = kept {
        tracing::warn!(%error, "why a notice was not sent could not be stored");
    }
    verdict
}

fn count(channel: Channel, result: &'static str) {
    metrics::counter!("passerelle_notices_total", "channel" => channel.as_str(), "result" => result).increment(1);
}
