//! The operator's program. Every verb is a function over the open [`bridge::Bridge`] that returns what it found; only then is it
//! told, as text for people or as JSON for programs. A web console can use the same verbs.
//!
//! | module | decides |
//! |---|---|
//! | [`cli`] | the words of the command line |
//! | [`bridge`] | opening Redis and the store, and bringing the store up to date before looking |
//! | [`check`] | whether `bridge.toml` is right, and fits the real tables and spaces |
//! | [`doctor`] | whether everything that the bridge needs is there and sound |
//! | [`provision`] | the fields and webhooks that rules need, made in Baserow |
//! | [`survey`] | what the rules need, compared with what both products have |
//! | [`trace`] | the story of an event or a row, and why it ended so |
//! | [`stats`] | the queue and the ledger in numbers |
//! | [`sync`] | a forced sync of one row |
//! | [`reconcile`] | rows that differ from their pages |
//! | [`switch`] | pause and resume |
//! | [`workers`] | who is alive |
//! | [`rows`] | which row is meant |
//! | [`dead`] | dead letters: list, show, replay, discard, export |
//! | [`notices`] | what people were told |
//! | [`gates`] | outage mode: show, stop, ramp, release |
//! | [`trouble`] | what can go wrong, and the exit code of it |

pub mod age;
pub mod bridge;
pub mod check;
pub mod cli;
pub mod dead;
pub mod doctor;
pub mod gates;
pub mod notices;
pub mod provision;
pub mod reconcile;
pub mod rows;
pub mod stats;
pub mod survey;
pub mod switch;
pub mod sync;
pub mod trace;
pub mod trouble;
pub mod workers;

use std::ffi::OsString;
use std::io::Write;

use clap::Parser as _;
use passerelle_model::config::{DeadLetterSettings, Reader};
use passerelle_queue::gate::GatePolicy;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use bridge::Bridge;
use cli::{Cli, Operate, SetUp, Verb};
use rows::Source;
use trouble::Trouble;

/// Where a verb's answer and its complaints go.
pub struct Console {
    /// The answer.
    pub out: Box<dyn Write + Send>,
    /// Complaints and progress.
    pub err: Box<dyn Write + Send>,
    /// Whether a person watches the answer: then it may be redrawn.
    pub is_terminal: bool,
    /// Cancelled when the operator wants to stop (Ctrl-C).
    pub stop: CancellationToken,
}

impl Console {
    /// A line for the person at the desk, beside the answer.
    fn complain(&mut self, line: &str) {
        let _ = writeln!(self.err, "{line}");
    }

    /// Clears a terminal before an answer that replaces the last one.
    fn redraw(&mut self, json: bool) -> Result<(), Trouble> {
        if json || !self.is_terminal {
            return Ok(());
        }
        let cleared = write!(self.out, "\x1b[H\x1b[2J");
        cleared.map_err(|error| Trouble::Output(error.to_string()))
    }

    /// Tells an answer: as JSON, or in words.
    fn tell<T: Serialize>(&mut self, json: bool, answer: &T, words: impl FnOnce(&T) -> String) -> Result<(), Trouble> {
        let text = if json {
            serde_json::to_string_pretty(answer).map_err(|error| Trouble::Output(error.to_string()))?
        } else {
            words(answer)
        };
        writeln!(self.out, "{}", text.trim_end()).map_err(|error| Trouble::Output(error.to_string()))
    }
}

/// Runs one verb and returns its exit code: 0 done, 1 not found or failed, 2 wrong usage or settings, 130 told to stop.
pub async fn run(arguments: impl IntoIterator<Item = OsString>, reader: Reader, console: &mut Console) -> u8 {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(usage) => {
            let to = if usage.use_stderr() {
                &mut console.err
            } else {
                &mut console.out
            };
            let _ = write!(to, "{}", usage.render());
            return u8::try_from(usage.exit_code()).unwrap_or(2);
        }
    };
    let stop = console.stop.clone();
    let ends_itself = cli.verb.ends_itself();
    let interrupted = async {
        stop.cancelled().await;
        if ends_itself {
            std::future::pending::<()>().await;
        }
    };
    let result = tokio::select! {
        result = carry_out(cli, reader, console) => result,
        () = interrupted => Err(Trouble::Interrupted("stopped".to_owned())),
    };
    match result {
        Ok(()) => 0,
        Err(trouble) => {
            let _ = writeln!(console.err, "{trouble}");
            trouble.exit_code()
        }
    }
}

async fn carry_out(cli: Cli, reader: Reader, console: &mut Console) -> Result<(), Trouble> {
    // Boxed, so that the future of the whole program stays small: each verb's is large, and one of them runs.
    match cli.verb {
        Verb::SetUp(SetUp::Check(verb)) => Box::pin(check::run(&verb, reader, cli.json, console)).await,
        Verb::SetUp(SetUp::Doctor) => Box::pin(doctor::run(reader, cli.json, console)).await,
        Verb::SetUp(SetUp::Provision(verb)) => Box::pin(provision::run(&verb, reader, cli.json, console)).await,
        Verb::Operate(verb) => Box::pin(operate(verb, reader, cli.json, console)).await,
    }
}

async fn operate(verb: Operate, mut reader: Reader, json: bool, console: &mut Console) -> Result<(), Trouble> {
    let user = reader.optional("USER");
    let policy = GatePolicy::read(&mut reader);
    let source = Source::read(&mut reader);
    let settings = reader.clone();
    let dead_letters = DeadLetterSettings::read(&mut reader);
    let bridge = Bridge::open(Bridge::settings(&mut reader), reader).await?;
    match verb {
        Operate::Trace(verb) => trace::run(&bridge, (&verb, &source), json, console).await,
        Operate::Stats(verb) => stats::run(&bridge, (&verb, dead_letters), json, console).await,
        Operate::Sync(verb) => sync::run(&bridge, (verb, &source), user, json, console).await,
        Operate::Reconcile(verb) => reconcile::run(&bridge, (verb, settings), user, json, console).await,
        Operate::Pause(verb) => switch::run(&bridge, (true, verb), user, json, console).await,
        Operate::Resume(verb) => switch::run(&bridge, (false, verb), user, json, console).await,
        Operate::Gates { verb } => gates::run(&bridge, (verb, policy), user, json, console).await,
        Operate::Notices(verb) => notices::run(&bridge, verb, user, json, console).await,
        Operate::Workers => workers::run(&bridge, json, console).await,
        Operate::Dead(verb) => dead::run(&bridge, verb, user, json, console).await,
    }
}
