//! `notices`: what people were told, what waits, what could not be sent; and sending it again.

use std::fmt::Write as _;

use clap::{Args, Subcommand, ValueEnum};
use passerelle_model::config::Channel;
use passerelle_model::id::{EventId, JobKey};
use passerelle_model::time::Timestamp;
use passerelle_queue::QueueName;
use passerelle_store::{NoticeState, StoredNotice};
use serde::Serialize;

use crate::Console;
use crate::age::in_largest_unit;
use crate::bridge::Bridge;
use crate::cli::By;
use crate::trouble::Trouble;

/// `notices`.
#[derive(Debug, Args)]
pub struct Notices {
    /// Sends again; without it the notices are only shown.
    #[command(subcommand)]
    pub verb: Option<NoticesVerb>,
    /// Only those in this state.
    #[arg(long, value_enum)]
    pub state: Option<State>,
    /// How many of the latest to show.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub limit: u32,
}

/// `notices …`.
#[derive(Debug, Subcommand)]
pub enum NoticesVerb {
    /// Sends a notice that failed, or whose channel was off.
    #[command(after_help = "Example: passerelle notices retry notice/e1/capacity/mail")]
    Retry {
        /// Its id, as `passerelle notices` shows it.
        #[arg(value_parser = JobKey::parse)]
        id: JobKey,
        /// Why; kept in the ledger.
        #[arg(long, default_value = "sent again by hand")]
        why: String,
        /// Who acts.
        #[command(flatten)]
        by: By,
    },
}

/// A state, as a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum State {
    /// To be sent.
    Waiting,
    /// Sent.
    Sent,
    /// Its channel was not set up.
    Off,
    /// It can never be sent as it is.
    Failed,
}

impl From<State> for NoticeState {
    fn from(state: State) -> Self {
        match state {
            State::Waiting => Self::Waiting,
            State::Sent => Self::Sent,
            State::Off => Self::Off,
            State::Failed => Self::Failed,
        }
    }
}

#[derive(Debug, Serialize)]
struct Shown {
    notices: Vec<StoredNotice>,
}

#[derive(Debug, Serialize)]
struct Retried {
    id: JobKey,
    retried: bool,
}

/// Shows the latest notices, or sends one again.
pub async fn run(
    bridge: &Bridge,
    verb: Notices,
    user: Option<String>,
    json: bool,
    console: &mut Console,
) -> Result<(), Trouble> {
    if let Some(NoticesVerb::Retry { id, why, by }) = verb.verb {
        let by = by.who(user)?;
        return retry(bridge, (id, (&by, why.trim())), json, console).await;
    }
    let notices = bridge
        .store
        .latest_notices(verb.state.map(Into::into), verb.limit)
        .await?;
    console.tell(json, &Shown { notices }, |shown| {
        in_words(&shown.notices, Timestamp::now())
    })
}

async fn retry(
    bridge: &Bridge,
    (id, who): (JobKey, (&str, &str)),
    json: bool,
    console: &mut Console,
) -> Result<(), Trouble> {
    let Some(notice) = bridge.store.notice(&id).await? else {
        return Err(Trouble::NotFound(format!(
            "there is no notice {id}: see `passerelle notices`"
        )));
    };
    if notice.state == NoticeState::Sent {
        return Err(Trouble::Failed(format!(
            "the notice {id} was sent already: nobody is told twice"
        )));
    }
    bridge.queue.note_act(&id.to_string(), "retried", who.0, who.1).await?;
    bridge
        .store
        .end_notice(&id, (NoticeState::Waiting, None), Timestamp::now())
        .await?;
    let queue = match notice.channel {
        Channel::Mail => QueueName::Mail,
        Channel::Slack => QueueName::Slack,
    };
    let event = EventId::parse("retry").map_err(|error| Trouble::Failed(error.to_string()))?;
    bridge.queue_of(queue).enqueue(&id, &event).await?;
    console.tell(json, &Retried { id, retried: true }, |retried| {
        format!(
            "{} waits to be sent; `passerelle notices` tells whether it was.",
            retried.id
        )
    })
}

fn in_words(notices: &[StoredNotice], now: Timestamp) -> String {
    if notices.is_empty() {
        return "No notices.".to_owned();
    }
    let mut text = String::new();
    for notice in notices {
        let age = in_largest_unit(now.since(notice.created));
        let _ = writeln!(text, "{}  {age} ago", notice.id);
        let _ = writeln!(text, "  {}", line(notice));
    }
    text
}

/// A notice on one line, as `trace` shows it too.
pub(crate) fn line(notice: &StoredNotice) -> String {
    let (channel, state) = (notice.channel.as_str(), notice.state.as_str());
    let mut text = format!("{} by {channel} (rule {}): {state}", notice.kind, notice.rule);
    if let Some(ended) = notice.ended.filter(|_| notice.state == NoticeState::Sent) {
        let _ = write!(text, " at {ended}");
    }
    if notice.tries > 0 {
        let _ = write!(text, ", {} attempts failed", notice.tries);
    }
    if let Some(error) = &notice.error {
        let _ = write!(text, ": {error}");
    }
    text
}
