//! The words of the command line. What they mean is in the module of each verb.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use passerelle_shared::gate::GateName;
use passerelle_shared::id::{EventId, TableId};
use passerelle_shared::queue::QueueName;

use crate::rows::{RowName, table_number};
use crate::trouble::Trouble;

/// Operates the Passerelle bridge: what happened, what is waiting, what was given up.
///
/// Settings come from the environment: REDIS_URL, DATABASE_URL (see .env.example). Exit codes: 0 done, 1 not found or failed, 2 wrong usage or settings, 130 stopped by Ctrl-C.
#[derive(Debug, Parser)]
#[command(name = "passerelle", version, max_term_width = 110)]
pub struct Cli {
    /// Answer as JSON.
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Verbs that must work where nothing else does.
    #[command(flatten)]
    SetUp(SetUp),
    /// Verbs over the open bridge.
    #[command(flatten)]
    Operate(Operate),
}

/// Verbs that must work where nothing else does: each opens for itself what it can.
#[derive(Debug, Subcommand)]
pub enum SetUp {
    /// Whether bridge.toml and its templates are right: all problems at once, each with its line and what to do.
    Check(Check),
}

/// Verbs over the open bridge.
#[derive(Debug, Subcommand)]
pub enum Operate {
    /// The whole story of an event or of a row, and why it ended so.
    Trace(Trace),
    /// The queue and the ledger in numbers, and whether they add up.
    Stats(Stats),
    /// Makes the page of a row equal to the row now, whatever the webhooks did.
    Sync(SyncRow),
    /// Stops taking jobs. What runs is finished, what arrives is accepted and waits.
    Pause(Switch),
    /// Takes jobs again.
    Resume(Switch),
    /// Which worker processes are alive, and what they have in hand.
    Workers,
    /// Dead letters: jobs that were given up.
    #[command(subcommand)]
    Dead(Dead),
    /// Outage mode: which targets are spared at present, since when and why.
    Gates {
        /// Changes a gate by hand; without it the gates are only shown.
        #[command(subcommand)]
        verb: Option<GatesVerb>,
    },
}

/// `gates …`.
#[derive(Debug, Subcommand)]
pub enum GatesVerb {
    /// Stops all jobs that need it, until somebody opens or ramps it.
    Close(ByHand),
    /// Opens it at once, without a ramp: everything that waits may be sent as fast as the workers can.
    Open(ByHand),
    /// Opens it slowly, as after a recovery.
    Ramp(ByHand),
}

/// Which gate, who and why.
#[derive(Debug, Args)]
pub struct ByHand {
    /// docmost:write, docmost:read, docmost:login, baserow:read, baserow:write, smtp or slack.
    #[arg(value_parser = crate::gates::parse)]
    pub gate: GateName,
    /// Why; kept in the list of incidents.
    #[arg(long)]
    pub why: String,
    /// Who acts.
    #[command(flatten)]
    pub by: By,
}

impl Verb {
    /// Whether it stops by itself when told to, having said what was done; the others are simply dropped.
    pub fn ends_itself(&self) -> bool {
        matches!(
            self,
            Self::Operate(Operate::Stats(_) | Operate::Sync(_) | Operate::Dead(Dead::Replay { .. }))
        )
    }
}

/// `check`.
#[derive(Debug, Args)]
pub struct Check {
    /// Also ask Baserow and Docmost whether the tables, fields and spaces exist and are what the rules need.
    #[arg(long)]
    pub live: bool,
    /// Check this file instead of the one that BRIDGE_FILE names.
    #[arg(long)]
    pub file: Option<PathBuf>,
}

/// `trace`.
#[derive(Debug, Args)]
pub struct Trace {
    /// An event id (from Baserow's webhook log), or a row: t2/r5 or 2/5 (numbers from Baserow's address bar), or projet/5.
    #[arg(value_parser = subject)]
    pub subject: Subject,
    /// For a row: how many of its latest events to show.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub limit: u32,
}

/// `stats`.
#[derive(Debug, Args)]
pub struct Stats {
    /// Show it anew each second, until Ctrl-C.
    #[arg(long)]
    pub watch: bool,
}

/// `sync`.
#[derive(Debug, Args)]
pub struct SyncRow {
    /// The row: projet/42, t2/r42 or 2/42 (a table's name needs BASEROW_URL and BASEROW_TOKEN).
    #[arg(value_parser = RowName::parse)]
    pub row: RowName,
    /// Wait until it has ended, and tell how; Ctrl-C ends the waiting, not the sync.
    #[arg(long)]
    pub wait: bool,
    /// Who acts.
    #[command(flatten)]
    pub by: By,
}

/// `pause` and `resume`.
#[derive(Debug, Args)]
pub struct Switch {
    /// Which queue.
    #[arg(long, value_enum, default_value_t = OfQueue::Sync)]
    pub queue: OfQueue,
    /// Why; kept in the ledger.
    #[arg(long)]
    pub why: String,
    /// Who acts.
    #[command(flatten)]
    pub by: By,
}

/// A queue, as a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum OfQueue {
    /// Rows to pages.
    Sync,
    /// E-mail notices.
    Mail,
    /// Slack notices.
    Slack,
}

impl From<OfQueue> for QueueName {
    fn from(queue: OfQueue) -> Self {
        match queue {
            OfQueue::Sync => Self::Sync,
            OfQueue::Mail => Self::Mail,
            OfQueue::Slack => Self::Slack,
        }
    }
}

/// What to trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// All deliveries with this event id.
    Event(EventId),
    /// The latest events of this row.
    Row(RowName),
}

/// `dead …`.
#[derive(Debug, Subcommand)]
pub enum Dead {
    /// The dead letters, newest first.
    List {
        /// Which of them.
        #[command(flatten)]
        filter: Filter,
        /// In which order.
        #[arg(long, value_enum, default_value_t = Order::Newest)]
        sort: Order,
    },
    /// One dead letter: what failed, and the story of its row.
    Show {
        /// Its id, from `dead list`.
        id: String,
    },
    /// Tries again: each letter becomes a new event of its row, which is read anew, so that an old letter never overwrites newer data.
    Replay {
        /// Which of them.
        #[command(flatten)]
        which: Which,
        /// How fast.
        #[command(flatten)]
        pace: Pace,
        /// Who acts.
        #[command(flatten)]
        by: By,
    },
    /// Writes the letters out, newest first, one JSON object per line. Nothing is changed.
    Export {
        /// Which of them.
        #[command(flatten)]
        filter: Filter,
        /// Into this file, which must not exist yet; else to the output.
        #[arg(long)]
        to: Option<PathBuf>,
    },
    /// Gives up for good: the letters are removed, and the ledger keeps who decided it and why.
    Discard {
        /// Which of them.
        #[command(flatten)]
        which: Which,
        /// Why it shall never be done; kept in the ledger.
        #[arg(long)]
        why: String,
        /// Who acts.
        #[command(flatten)]
        by: By,
    },
}

/// Which dead letters.
#[derive(Debug, Clone, Default, Args)]
pub struct Filter {
    /// Only those of this table: 2 or t2 (from Baserow's address bar).
    #[arg(long, value_parser = table)]
    pub table: Option<TableId>,
    /// Only those with this reason: permanent, exhausted, poison, ….
    #[arg(long)]
    pub reason: Option<String>,
    /// Only those that were given up longer ago than this: 30m, 12h, 3d.
    #[arg(long, value_parser = age)]
    pub older_than: Option<Duration>,
    /// Only those that were given up within this time: 30m, 12h, 3d.
    #[arg(long, value_parser = age)]
    pub newer_than: Option<Duration>,
    /// Only those with this text in the job, the cause, the target's answer or the last event; case does not matter.
    #[arg(long)]
    pub text: Option<String>,
    /// At most so many, the newest first.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: Option<u32>,
}

/// Which dead letters to act on.
#[derive(Debug, Args)]
pub struct Which {
    /// Their ids, from `dead list`.
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    pub ids: Vec<String>,
    /// All that match the filters.
    #[arg(long)]
    pub all: bool,
    /// Narrows the choice.
    #[command(flatten)]
    pub filter: Filter,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    pub dry_run: bool,
}

/// The order of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Order {
    /// The latest given up first.
    Newest,
    /// The earliest given up first.
    Oldest,
    /// By table and row.
    Job,
    /// By reason, then newest first.
    Reason,
}

/// How fast to replay.
#[derive(Debug, Clone, Copy, Args)]
pub struct Pace {
    /// Letters per second.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub rate: u32,
    /// Replay all of them at once. Otherwise the first three go ahead, and the others follow only if these end well.
    #[arg(long)]
    pub no_canary: bool,
}

/// Who acts.
#[derive(Debug, Args)]
pub struct By {
    /// Who does it; kept in the ledger. The user of this session if not given.
    #[arg(long)]
    pub by: Option<String>,
}

impl By {
    /// The name that is kept; `user` is that of the session.
    pub fn who(self, user: Option<String>) -> Result<String, Trouble> {
        let name = self.by.or(user).map(|name| name.trim().to_owned()).unwrap_or_default();
        if name.is_empty() {
            return Err(Trouble::Usage(
                "say with --by who does this: it is kept in the ledger".to_owned(),
            ));
        }
        Ok(name)
    }
}

/// A row in any of its spellings, or else an event id.
fn subject(text: &str) -> Result<Subject, String> {
    if let Ok(row) = RowName::parse(text) {
        return Ok(Subject::Row(row));
    }
    let event = EventId::parse(text).map_err(|error| format!("{error}; give an event id or a row such as t2/r5"))?;
    Ok(Subject::Event(event))
}

fn table(text: &str) -> Result<TableId, String> {
    table_number(text).ok_or_else(|| format!("{text:?} is no table number; give one such as 2 or t2"))
}

fn age(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no age; give one such as 30m, 12h or 3d");
    let span: jiff::Span = text.parse().map_err(|_| wrong())?;
    let days = jiff::SpanRelativeTo::days_are_24_hours();
    let duration = span.to_duration(days).map_err(|_| wrong())?;
    Duration::try_from(duration).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn a_row_is_known_by_its_stroke() {
        assert_eq!(
            subject("projet/5"),
            Ok(Subject::Row(RowName::parse("projet/5").unwrap()))
        );
    }

    #[test]
    fn anything_else_is_an_event_id_if_it_can_be_one() {
        let id = "3e0c9d1a-0000-4000-8000-000000000001";
        assert_eq!(subject(id), Ok(Subject::Event(EventId::parse(id).unwrap())));
        assert!(subject("a b").unwrap_err().contains("t2/r5"));
    }

    #[rstest]
    #[case("30m", 1800)]
    #[case("12h", 43_200)]
    #[case("3d", 259_200)]
    fn an_age_is_read_as_people_write_it(#[case] text: &str, #[case] seconds: u64) {
        assert_eq!(age(text), Ok(Duration::from_secs(seconds)));
    }

    #[test]
    fn a_wrong_age_is_explained() {
        assert!(age("soon").unwrap_err().contains("12h"));
        assert!(age("-3d").is_err());
    }

    #[test]
    fn the_command_line_has_no_contradictions() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }
}
