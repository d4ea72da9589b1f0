//! The words of the command line. What they mean is in the module of each verb.

mod dead;
mod set_up;

use clap::{Args, Parser, Subcommand};
use passerelle_model::id::{EventId, JobKey};
use passerelle_queue::QueueName;
use passerelle_queue::gate::GateName;

pub use dead::{Dead, Filter, Order, Pace, Which};
pub use set_up::{Check, Provision, SetUp};

use crate::rows::RowName;
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

/// Verbs over the open bridge.
#[derive(Debug, Subcommand)]
pub enum Operate {
    /// The whole story of an event or of a row, and why it ended so.
    #[command(after_help = "Example: passerelle trace t2/r42")]
    Trace(Trace),
    /// The queue and the ledger in numbers, and whether they add up.
    #[command(after_help = "Example: passerelle stats --watch")]
    Stats(Stats),
    /// Makes the page of a row equal to the row now, whatever the webhooks did.
    #[command(after_help = "Example: passerelle sync projet/42 --wait")]
    Sync(SyncRow),
    /// Finds rows without a page, rows that differ from their page, and pages without a row, and asks for them: what webhooks never tell.
    #[command(after_help = "Example: passerelle reconcile --table projet --dry-run")]
    Reconcile(Reconcile),
    /// Stops taking jobs. What runs is finished, what arrives is accepted and waits.
    #[command(after_help = "Example: passerelle pause --why \"Docmost is being upgraded\"")]
    Pause(Switch),
    /// Takes jobs again.
    #[command(after_help = "Example: passerelle resume --why \"the upgrade is done\"")]
    Resume(Switch),
    /// Which worker processes are alive, and what they have in hand.
    #[command(after_help = "Example: passerelle workers")]
    Workers,
    /// What people were told, by mail and Slack, and what could not be sent.
    #[command(after_help = "Example: passerelle notices --state failed")]
    Notices(crate::notices::Notices),
    /// Dead letters: jobs that were given up.
    #[command(subcommand)]
    #[command(after_help = "Example: passerelle dead list --reason permanent")]
    Dead(Dead),
    /// Outage mode: which targets get no calls at present, since when and why.
    #[command(after_help = "Example: passerelle gates")]
    Gates {
        /// Changes a gate by hand; without it the gates are only shown.
        #[command(subcommand)]
        verb: Option<GatesVerb>,
    },
}

/// `gates …`.
#[derive(Debug, Subcommand)]
pub enum GatesVerb {
    /// Stops all jobs that need it, until you ramp or release it.
    #[command(after_help = "Example: passerelle gates stop docmost:write --why \"upgrade\"")]
    Stop(ByHand),
    /// Lets jobs through slowly, as after a recovery.
    #[command(after_help = "Example: passerelle gates ramp docmost:write --why \"upgrade done\"")]
    Ramp(ByHand),
    /// Lets jobs through at once, without a ramp: what waits is sent as fast as the workers can.
    #[command(after_help = "Example: passerelle gates release docmost:write --why \"it works again\"")]
    Release(ByHand),
    /// The former word for `stop`.
    #[command(
        hide = true,
        after_help = "Example: passerelle gates close docmost:write --why \"upgrade\""
    )]
    Close(ByHand),
    /// The former word for `release`.
    #[command(
        hide = true,
        after_help = "Example: passerelle gates open docmost:write --why \"it works again\""
    )]
    Open(ByHand),
}

/// Which gate, who and why.
#[derive(Debug, Args)]
pub struct ByHand {
    /// docmost:write, docmost:read, docmost:login, baserow:read, baserow:write, smtp, slack or store.
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
            Self::Operate(
                Operate::Stats(_) | Operate::Sync(_) | Operate::Reconcile(_) | Operate::Dead(Dead::Replay { .. })
            )
        )
    }
}

/// `trace`.
#[derive(Debug, Args)]
pub struct Trace {
    /// An event id (from Baserow's webhook log), or a row: t2/r5 or 2/5 (numbers from Baserow's address bar), or projet/5; or page/ID of a wiki page, share/ID.
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
    /// Why; kept in the ledger.
    #[arg(long, default_value = "asked for by hand")]
    pub why: String,
    /// Who acts.
    #[command(flatten)]
    pub by: By,
}

/// `reconcile`. Needs the settings of a worker.
#[derive(Debug, Args)]
pub struct Reconcile {
    /// Only this table: projet, t2 or 2.
    #[arg(long)]
    pub table: Option<String>,
    /// Only rows that have no page or do not name it; nothing is rendered.
    #[arg(long)]
    pub unmapped: bool,
    /// Say what would be asked for and why, and do nothing. Looks at everything, whatever an earlier run has finished.
    #[arg(long)]
    pub dry_run: bool,
    /// Where to begin, and whether letters count.
    #[command(flatten)]
    pub reach: Reach,
    /// Why; kept in the ledger with the events.
    #[arg(long)]
    pub why: Option<String>,
    /// Rows that are asked for per second, at most.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub rate: u32,
    /// Who acts.
    #[command(flatten)]
    pub by: By,
}

/// How far a reconciliation reaches.
#[derive(Debug, Clone, Copy, Args)]
pub struct Reach {
    /// Begin anew. Otherwise a run of the same tables that was broken off within the last day is gone on with; do this after a change of the rules.
    #[arg(long)]
    pub from_start: bool,
    /// Also rows that were refused for good within the last day and have a dead letter of it.
    #[arg(long)]
    pub with_dead: bool,
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
    /// The latest events of a wiki page or a share.
    Wiki(JobKey),
}

/// Who acts.
#[derive(Debug, Clone, Args)]
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
    if let Some(job) = JobKey::parse(text)
        .ok()
        .filter(|job| matches!(job, JobKey::Page(_) | JobKey::Share(_)))
    {
        return Ok(Subject::Wiki(job));
    }
    let event = EventId::parse(text).map_err(|error| format!("{error}; give an event id or a row such as t2/r5"))?;
    Ok(Subject::Event(event))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

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

    #[test]
    fn the_command_line_has_no_contradictions() {
        Cli::command().debug_assert();
    }

    /// Every verb with its words, e.g. `dead list`.
    fn verbs(command: &clap::Command, words: &str) -> Vec<(String, clap::Command)> {
        let below = command.get_subcommands().flat_map(|verb| {
            let words = format!("{words} {}", verb.get_name()).trim().to_owned();
            let mut found = verbs(verb, &words);
            found.push((words, verb.clone()));
            found
        });
        below.collect()
    }

    #[test]
    fn the_help_of_every_verb_has_an_example_that_can_be_typed() {
        for (words, verb) in verbs(&Cli::command(), "") {
            let help = verb.get_after_help().map(ToString::to_string).unwrap_or_default();
            let example = help.strip_prefix("Example: passerelle ");
            let example = example.unwrap_or_else(|| panic!("`passerelle {words} --help` has no example"));
            assert!(example.starts_with(&words), "{words}: {example}");
            let mut typed = vec!["passerelle".to_owned()];
            let parts = example.split('"').enumerate();
            typed.extend(parts.flat_map(|(number, part)| match number % 2 {
                0 => part.split_whitespace().map(str::to_owned).collect(),
                _ => vec![part.to_owned()],
            }));
            let parsed = Cli::try_parse_from(typed);
            assert!(parsed.is_ok(), "{example}: {}", parsed.unwrap_err());
        }
    }

    #[test]
    fn every_verb_has_a_make_target_with_a_line_of_help() {
        let makefile = include_str!("../../../Makefile");
        for (words, verb) in verbs(&Cli::command(), "") {
            let target = match words.as_str() {
                // `make check` is the developer's.
                "check" => "check-rules".to_owned(),
                // Shown and operated by one target, with ARGS.
                below if below.starts_with("gates ") => "gates".to_owned(),
                below if below.starts_with("notices ") => "notices".to_owned(),
                other => other.replace(' ', "-"),
            };
            let is_there = makefile
                .lines()
                .any(|line| line.starts_with(&format!("{target}:")) && line.contains("## "));
            assert!(
                is_there || verb.has_subcommands(),
                "no make target {target} for `passerelle {words}`"
            );
        }
    }
}
