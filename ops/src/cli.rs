//! The command line: every verb, assembled. The words and the meaning of a verb are in its own
//! file.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use passerelle_model::config::Reader;

use crate::console::Console;
use crate::operator::Operator;
use crate::trouble::Trouble;
use crate::{
    acts, all, browser, check, dead, doctor, gates, init, jobs, manual, notices, pause, play, preview, provision,
    reconcile, reload, rules, stats, supervise, sync, trace, workers,
};

/// Operates the Passerelle bridge: shows what happened and what is waiting, and repairs what
/// failed.
///
/// Settings are environment variables, or stand in the file .env (docs/SETTINGS.md); most verbs
/// need REDIS_URL and DATABASE_URL. Exit codes: 0 done, 1 not found or failed, 2 wrong usage or
/// settings, 130 stopped by Ctrl-C or SIGTERM.
#[derive(Debug, Parser)]
#[command(name = "passerelle", version, max_term_width = 110)]
pub struct Cli {
    /// Print the answer as JSON, and failures too (docs/CLI.md).
    #[arg(long, global = true, help_heading = "Options of every command")]
    pub json: bool,
    /// The file with the settings. Default: PASSERELLE_ENV_FILE, else .env in the working
    /// directory, else /etc/passerelle/passerelle.env.
    #[arg(long, global = true, value_name = "FILE", help_heading = "Options of every command")]
    pub env_file: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Runs the whole bridge in this process: the ingress, a worker and the console. For a small
    /// server.
    ///
    /// Settings are those of the separate programs. SIGTERM or Ctrl-C ends all parts, and each
    /// finishes what it has in hand.
    #[command(after_help = "Example: passerelle all")]
    All(all::All),
    /// Starts a whole bridge in the background: an ingress, a console and any number of workers,
    /// and a Redis if none is named.
    ///
    /// It ends when all of them work. What dies later is started again. Typed again, it starts what
    /// is missing, and stops the workers that are too many.
    #[command(after_help = "Example: passerelle up --workers 4")]
    Up(supervise::Up),
    /// Restarts what `up` has started, one process after the other: for new settings, secrets or
    /// versions. No connection is refused meanwhile.
    #[command(after_help = "Example: passerelle restart")]
    Restart(supervise::Background),
    /// Shows how each part is that `up` has started. Exit code 0: all are ready.
    #[command(after_help = "Example: passerelle status")]
    Status(supervise::Background),
    /// Stops what `up` has started. What is in hand is finished.
    #[command(after_help = "Example: passerelle down")]
    Down(supervise::Background),
    /// Looks after the parts: `up` and `restart` start it.
    #[command(hide = true, after_help = "Example: passerelle supervise --workers 4")]
    Supervise(supervise::supervisor::Supervise),
    /// Fails if something of the bridge runs: for `make clean`.
    #[command(hide = true, after_help = "Example: passerelle idle target")]
    Idle(supervise::Idle),
    /// Sets the bridge up: logins, settings, tables, token, spaces, webhooks, and a row to try it.
    ///
    /// Asks at a terminal for what no option and no setting says. What is there is kept; run again,
    /// it goes on where it was broken off.
    #[command(after_help = "Example: passerelle init --example crm --tables make --dry-run")]
    Init(init::Init),
    /// Checks bridge.toml and its templates. Shows all problems at once, each with its line and its
    /// cure.
    #[command(after_help = "Example: passerelle check --live")]
    Check(check::Check),
    /// Has all processes read bridge.toml and its templates again, each those of its own machine. If
    /// they are wrong, the earlier rules stay.
    #[command(after_help = "Example: passerelle reload")]
    Reload(reload::ReloadVerb),
    /// What bridge.toml may say, for editors.
    #[command(subcommand, after_help = "Example: passerelle rules schema")]
    Rules(rules::RulesVerb),
    /// Shows the page that a rule makes of a row, and what a sync would change of the page. Changes
    /// nothing.
    #[command(after_help = "Example: passerelle preview projet/42")]
    Preview(preview::Preview),
    /// Plays scenarios of rules: what people do, and what must exist afterwards. In a sandbox, with a
    /// bridge of its own, which is thrown away.
    ///
    /// Tells of each step, and stops at the first claim that is not true. Without a file it is the
    /// playground: the same sandbox and bridge with pages for a browser.
    #[command(after_help = "Example: passerelle play examples/crm/scenario.toml")]
    Play(play::Play),
    /// Examines everything that the bridge needs and says what to do. Changes nothing.
    ///
    /// Exit codes for monitoring: 0 all is well, 1 there are warnings, 2 something is broken.
    #[command(after_help = "Example: passerelle doctor")]
    Doctor,
    /// Creates the fields and webhooks in Baserow that the rules need. Idempotent. Deletes nothing but
    /// webhooks of an earlier address, with --remove-earlier.
    #[command(after_help = "Example: passerelle provision --url https://bridge.example.org --dry-run")]
    Provision(provision::Provision),
    /// Shows the history of an event or a row, and why it ended as it did.
    #[command(after_help = "Example: passerelle trace t2/r42")]
    Trace(trace::Trace),
    /// Shows the queue and the ledger in numbers, and whether they add up.
    #[command(after_help = "Example: passerelle stats --watch")]
    Stats(stats::StatsVerb),
    /// Makes the page of a row equal to the row now, without waiting for a webhook.
    #[command(after_help = "Example: passerelle sync projet/42 --wait")]
    Sync(sync::SyncRow),
    /// Finds rows without a page, rows that differ from their page and pages without a row, and
    /// requests a sync of each.
    #[command(after_help = "Example: passerelle reconcile --table projet --dry-run")]
    Reconcile(reconcile::Reconcile),
    /// Lists what operators have done, to what, when and why.
    #[command(after_help = "Example: passerelle acts --limit 20")]
    Acts(acts::Acts),
    /// Stops taking jobs. Running jobs finish; new ones are accepted and wait.
    #[command(after_help = "Example: passerelle pause --why \"Docmost is being upgraded\"")]
    Pause(pause::Switch),
    /// Takes jobs again.
    #[command(after_help = "Example: passerelle resume --why \"the upgrade is done\"")]
    Resume(pause::Switch),
    /// Lists the live workers and their running jobs.
    #[command(after_help = "Example: passerelle workers")]
    Workers,
    /// Lists jobs one by one: running, queued, scheduled, held; each with what it waits for.
    #[command(after_help = "Example: passerelle jobs --table projet --state held")]
    Jobs(jobs::JobsVerb),
    /// Has jobs that wait for their time run now. One that runs, or whose table's rule is broken,
    /// is left alone.
    #[command(after_help = "Example: passerelle run-now projet/42 --why \"the space exists again\"")]
    RunNow(jobs::RunNowVerb),
    /// Shows which targets get no calls at present (outage mode), since when and why.
    #[command(after_help = "Example: passerelle gates")]
    Gates {
        /// Operates a gate by hand. Without it the gates are only shown.
        #[command(subcommand)]
        verb: Option<gates::GatesVerb>,
    },
    /// Lists notices by mail and Slack: sent, waiting or failed.
    #[command(after_help = "Example: passerelle notices --state failed")]
    Notices(notices::Notices),
    /// Serves the console: what the bridge does, and why, in a browser.
    #[command(after_help = "Example: passerelle console")]
    Console(browser::Browser),
    /// Dead letters: jobs that failed for good. Lists, replays or discards them.
    #[command(subcommand, after_help = "Example: passerelle dead list --reason permanent")]
    Dead(dead::Dead),
    /// Prints the script by which a shell completes commands and options.
    #[command(after_help = "Example: passerelle completions bash")]
    Completions(manual::Completions),
    /// Prints the manual page of the program, or writes one for each command.
    #[command(after_help = "Example: passerelle man --to /usr/local/share/man/man1")]
    Man(manual::Man),
}

impl Verb {
    /// Whether it ends by itself at a stop signal and says what it did until then; the others are
    /// dropped.
    pub fn ends_itself(&self) -> bool {
        matches!(
            self,
            Self::All(_)
                | Self::Supervise(_)
                | Self::Init(_)
                | Self::Stats(_)
                | Self::Sync(_)
                | Self::Reconcile(_)
                | Self::Console(_)
                | Self::Dead(dead::Dead::Replay { .. })
        )
    }

    /// What is told when it is dropped at a stop signal: how to go on.
    pub fn stopped(&self) -> &'static str {
        match self {
            Self::Up(_) | Self::Restart(_) => {
                "stopped waiting: what has begun goes on in the background. Run it again: it goes on where it was. \
                 `passerelle status` shows how far it is, `passerelle down` stops what has started"
            }
            Self::Down(_) | Self::Provision(_) => "stopped. Run it again: it goes on where it was",
            _ => "stopped. Run it again",
        }
    }

    /// Whether it decides itself if there is a Redis of our own.
    fn starts_or_stops_parts(&self) -> bool {
        matches!(
            self,
            Self::All(_)
                | Self::Up(_)
                | Self::Restart(_)
                | Self::Status(_)
                | Self::Down(_)
                | Self::Supervise(_)
                | Self::Idle(_)
                | Self::Init(_)
        )
    }

    /// Runs it.
    pub async fn run(self, reader: Reader, console: &mut Console) -> Result<(), Trouble> {
        let reader = if self.starts_or_stops_parts() {
            reader
        } else {
            supervise::with_own_redis(reader)
        };
        // Boxed, so that the future of the whole program stays small: each verb's is large, and one
        // of them runs.
        match self {
            Self::All(verb) => Box::pin(all::run(&verb, reader, console)).await,
            Self::Up(verb) => Box::pin(supervise::up(verb, reader, console)).await,
            Self::Restart(verb) => Box::pin(supervise::restart(verb, reader, console)).await,
            Self::Status(verb) => Box::pin(supervise::status(verb, reader, console)).await,
            Self::Down(verb) => Box::pin(supervise::down(verb, reader, console)).await,
            Self::Supervise(verb) => Box::pin(supervise::supervisor::run(verb, reader, &console.stop)).await,
            Self::Idle(verb) => supervise::idle(&verb, &reader, console),
            Self::Init(verb) => Box::pin(init::run(&verb, reader, console)).await,
            Self::Check(verb) => Box::pin(check::run(&verb, reader, console)).await,
            Self::Doctor => Box::pin(doctor::run(reader, console)).await,
            Self::Preview(verb) => Box::pin(preview::run(&verb, reader, console)).await,
            Self::Provision(verb) => Box::pin(provision::run(&verb, reader, console)).await,
            Self::Play(verb) => play::run(&verb, console),
            Self::Rules(verb) => rules::run(&verb, console),
            Self::Completions(verb) => manual::completions(&verb, console),
            Self::Man(verb) => manual::man(&verb, console),
            Self::Console(verb) => Box::pin(browser::run(verb, reader, console)).await,
            verb => Operator::during(reader, async |operator| verb.operate(operator, console).await).await,
        }
    }

    /// Runs a verb that needs Redis or the store.
    async fn operate(self, operator: &Operator, console: &mut Console) -> Result<(), Trouble> {
        operator.refuse_later_layout().await?;
        match self {
            Self::Trace(verb) => trace::run(operator, &verb, console).await,
            Self::Stats(verb) => stats::run(operator, &verb, console).await,
            Self::Sync(verb) => sync::run(operator, verb, console).await,
            Self::Reconcile(verb) => reconcile::run(operator, verb, console).await,
            Self::Acts(verb) => acts::run(operator, &verb, console).await,
            Self::Pause(verb) => pause::pause(operator, verb, console).await,
            Self::Resume(verb) => pause::resume(operator, verb, console).await,
            Self::Gates { verb } => gates::run(operator, verb, console).await,
            Self::Notices(verb) => notices::run(operator, verb, console).await,
            Self::Jobs(verb) => jobs::run(operator, verb, console).await,
            Self::RunNow(verb) => jobs::run_now(operator, verb, console).await,
            Self::Reload(verb) => reload::run(operator, verb, console).await,
            Self::Workers => workers::run(operator, console).await,
            Self::Dead(verb) => dead::run(operator, verb, console).await,
            Self::All(_)
            | Self::Up(_)
            | Self::Restart(_)
            | Self::Status(_)
            | Self::Down(_)
            | Self::Supervise(_)
            | Self::Idle(_)
            | Self::Init(_)
            | Self::Check(_)
            | Self::Rules(_)
            | Self::Preview(_)
            | Self::Play(_)
            | Self::Doctor
            | Self::Provision(_)
            | Self::Console(_)
            | Self::Completions(_)
            | Self::Man(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
