//! `notices`: messages to people by mail and Slack: sent, waiting, failed; and sending one again.

use std::fmt::Write as _;

use clap::{Args, Subcommand, ValueEnum};
use passerelle_model::id::{EventId, JobKey};
use passerelle_model::time::Timestamp;
use passerelle_store::{NoticeState, StoredNotice};
use serde::Serialize;

use crate::age::in_largest_unit;
use crate::arguments::By;
use crate::console::Console;
use crate::operator::Operator;
use crate::text::{Table, Text, Tone};
use crate::trouble::Trouble;

/// `notices`.
#[derive(Debug, Args)]
pub struct Notices {
    /// Sends one again, or discards those of a rule. Without it the notices are only listed.
    #[command(subcommand)]
    pub verb: Option<NoticesVerb>,
    /// Only notices in this state.
    #[arg(long, value_enum)]
    pub state: Option<State>,
    /// The number of notices to show, newest first.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub limit: u32,
}

/// `notices …`.
#[derive(Debug, Subcommand)]
pub enum NoticesVerb {
    /// Sends a notice that failed or whose channel was off.
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
    /// Discards all notices of a rule that wait to be sent. They are kept as failed, and each can
    /// be sent after all with `retry`.
    #[command(after_help = "Example: passerelle notices discard --rule attribution-mail --why \"a wrong formula\"")]
    Discard {
        /// The rule that made them, as `passerelle notices` shows it.
        #[arg(long)]
        rule: String,
        /// Why; kept in the ledger.
        #[arg(long)]
        why: String,
        /// Show how many there are, and do nothing.
        #[arg(long)]
        dry_run: bool,
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
    /// Not sent: its channel is not set up.
    Off,
    /// Cannot be sent as it is.
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
struct Discarded {
    rule: String,
    dry_run: bool,
    count: u64,
}

#[derive(Debug, Serialize)]
struct Retried {
    id: JobKey,
    retried: bool,
}

/// Shows the latest notices, or sends one again.
pub async fn run(operator: &Operator, verb: Notices, console: &mut Console) -> Result<(), Trouble> {
    match verb.verb {
        None => {}
        Some(NoticesVerb::Retry { id, why, by }) => {
            let by = operator.acting(by)?;
            return retry(operator, id, &by, why.trim(), console).await;
        }
        Some(NoticesVerb::Discard { rule, why, dry_run, by }) => {
            let by = operator.acting_unless(dry_run, by)?;
            let discarded = discard(operator, rule, &by, why.trim(), dry_run).await?;
            return console.answer(&discarded, |discarded| {
                let Discarded { rule, dry_run, count } = discarded;
                let done = if *dry_run {
                    "would be discarded; nothing was changed"
                } else {
                    "discarded"
                };
                format!("{count} waiting notices of rule {rule} {done}.")
            });
        }
    }
    let notices = operator
        .store()
        .await?
        .latest_notices(verb.state.map(Into::into), verb.limit)
        .await?;
    console.answer(&Shown { notices }, |shown| in_words(&shown.notices, Timestamp::now()))
}

async fn retry(operator: &Operator, id: JobKey, by: &str, why: &str, console: &mut Console) -> Result<(), Trouble> {
    let store = operator.store().await?;
    let Some(notice) = store.notice(&id).await? else {
        return Err(Trouble::NotFound(format!(
            "there is no notice {id}; `passerelle notices` lists those there are"
        )));
    };
    if notice.state == NoticeState::Sent {
        return Err(Trouble::Failed(format!(
            "the notice {id} was already sent: a notice is sent once"
        )));
    }
    operator.queue.note_act(&id.to_string(), "retried", by, why).await?;
    store
        .end_notice(&id, NoticeState::Waiting, None, Timestamp::now())
        .await?;
    let event = EventId::parse("retry").map_err(|error| Trouble::Failed(error.to_string()))?;
    operator.queue_of(notice.channel.into()).enqueue(&id, &event).await?;
    console.answer(&Retried { id, retried: true }, |retried| {
        format!("{} is queued; `passerelle notices` shows when it is sent.", retried.id)
    })
}

async fn discard(operator: &Operator, rule: String, by: &str, why: &str, dry_run: bool) -> Result<Discarded, Trouble> {
    if why.is_empty() {
        let advice = "give a reason with --why: the ledger keeps it";
        return Err(Trouble::Usage(advice.to_owned()));
    }
    let store = operator.store().await?;
    let count = store.waiting_notices(&rule).await?;
    if !dry_run && count > 0 {
        let what = format!("waiting notices of rule {rule}: {why}");
        operator.queue.note_act("notices", "discarded", by, &what).await?;
        let why = format!("discarded by {by}: {why}");
        store.discard_notices(&rule, &why, Timestamp::now()).await?;
    }
    Ok(Discarded { rule, dry_run, count })
}

fn in_words(notices: &[StoredNotice], now: Timestamp) -> Text {
    if notices.is_empty() {
        return "No notices.".to_owned().into();
    }
    let headings = ["id", "age", "state", "by", "rule", "about"];
    let mut table = Table::new(&headings).with_numbers(&["age"]);
    for notice in notices {
        let state = notice.state.as_str();
        table.row([
            notice.id.to_string().into(),
            in_largest_unit(now.since(notice.created)).into(),
            match notice.state {
                NoticeState::Sent => Tone::Good.of(state),
                NoticeState::Waiting => state.into(),
                NoticeState::Off => Tone::Notice.of(state),
                NoticeState::Failed => Tone::Bad.of(state),
            },
            notice.channel.as_str().into(),
            notice.rule.as_str().into(),
            about(notice).into(),
        ]);
    }
    let mut text = Text::default();
    text.table(table);
    text
}

/// What it is about, and what became of it.
fn about(notice: &StoredNotice) -> String {
    let mut text = notice.kind.clone();
    if let Some(row) = notice.row {
        let _ = write!(text, " of {row}");
    }
    let _ = write!(text, "{}", ending(notice));
    text
}

/// When it was sent, or why it was not.
fn ending(notice: &StoredNotice) -> String {
    let mut text = String::new();
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

/// A notice on one line, for `trace`.
pub(crate) fn line(notice: &StoredNotice) -> String {
    let (channel, state) = (notice.channel.as_str(), notice.state.as_str());
    format!(
        "{} by {channel} (rule {}): {state}{}",
        notice.kind,
        notice.rule,
        ending(notice)
    )
}
