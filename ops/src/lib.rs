//! The operator's program. Each verb is one module: its words on the command line, what it does
//! over an [`operator::Operator`], and its answer, which the [`console`] writes for people or as
//! JSON.
//!
//! | module | decides |
//! |---|---|
//! | [`cli`] | which verbs there are |
//! | [`all`] | the whole bridge in one process |
//! | [`init`] | a new installation, step by step |
//! | [`supervise`] | the whole bridge in the background: up, restart, status, down |
//! | [`check`] | whether `bridge.toml` is right, and fits the real tables and spaces |
//! | [`reload`] | new rules for all processes |
//! | [`rules`] | what `bridge.toml` may say, for editors |
//! | [`doctor`] | whether everything that the bridge needs is there and sound |
//! | [`provision`] | the fields and webhooks that rules need, created in Baserow |
//! | [`preview`] | the page that a rule makes of a row |
//! | [`play`] | scenarios of rules, in a sandbox |
//! | [`trace`] | the history of an event or a row, and why it ended so |
//! | [`stats`] | the queue and the ledger in numbers |
//! | [`browser`] | the console, and who may use it |
//! | [`rulebook`] | the rules as the console shows them |
//! | [`sync`] | a forced sync of one row |
//! | [`reconcile`] | rows that differ from their pages |
//! | [`pause`] | pause and resume |
//! | [`workers`] | which workers are alive |
//! | [`jobs`] | jobs one by one: list, run now |
//! | [`manual`] | completions of shells; manual pages |
//! | [`dead`] | dead letters: list, show, replay, discard, export |
//! | [`notices`] | notices: list, retry |
//! | [`gates`] | outage mode: show, and by hand |
//! | [`acts`] | what operators have done, and why |
//! | [`operator`] | Redis, the store and the settings, as verbs need them |
//! | [`console`] | where answers go |
//! | [`text`], [`local_time`] | lines and tables for people; times in their zone |
//! | [`arguments`], [`rows`], [`age`] | shared arguments; names of rows; ages in words |
//! | [`changes`] | what a sync would change of the page of a row as it is |
//! | [`sample`] | what a rule makes of one row, without a worker |
//! | [`survey`] | what the rules need, compared with what both products have |
//! | [`trouble`] | what can go wrong, and its exit code |

pub mod acts;
pub mod age;
pub mod all;
pub mod arguments;
pub mod browser;
pub mod changes;
pub mod check;
pub mod cli;
pub mod console;
pub mod dead;
pub mod doctor;
pub mod gates;
pub mod init;
pub mod jobs;
pub mod local_time;
pub mod manual;
pub mod notices;
pub mod operator;
pub mod pause;
pub mod play;
pub mod preview;
pub mod provision;
pub mod reconcile;
pub mod reload;
pub mod rows;
pub mod rulebook;
pub mod rules;
pub mod sample;
pub mod stats;
pub mod supervise;
pub mod survey;
pub mod sync;
pub mod text;
pub mod trace;
pub mod trouble;
pub mod workers;

use std::ffi::OsString;

use clap::Parser as _;
use passerelle_model::config::Reader;

use cli::{Cli, Verb};
pub use console::Console;
pub use text::Screen;
use trouble::Trouble;

/// Runs one verb and returns its exit code: 0 done, 1 not found or failed, 2 wrong usage or
/// settings, 130 stopped by Ctrl-C or SIGTERM.
pub async fn run(arguments: impl IntoIterator<Item = OsString>, reader: Reader, console: &mut Console) -> u8 {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    console.look_at(&reader);
    let own = arguments.split(|argument| argument == "--").next().unwrap_or_default();
    console.json = own.iter().any(|argument| argument == "--json");
    let mut cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(usage) => {
            console.usage(&usage);
            return u8::try_from(usage.exit_code()).unwrap_or(2);
        }
    };
    console.json = cli.json;
    let reader = match &mut cli.verb {
        Verb::Init(verb) => verb.settings(reader, cli.env_file.as_deref()),
        _ => reader.with_env_file(cli.env_file.as_deref()),
    };
    let stop = console.stop.clone();
    let (ends_itself, stopped) = (cli.verb.ends_itself(), cli.verb.stopped());
    let interrupted = async {
        stop.cancelled().await;
        if ends_itself {
            std::future::pending::<()>().await;
        }
    };
    let result = tokio::select! {
        result = cli.verb.run(reader, console) => result,
        () = interrupted => Err(Trouble::Interrupted(stopped.to_owned())),
    };
    match result {
        Ok(()) => 0,
        Err(trouble) => {
            console.trouble(&trouble);
            trouble.exit_code()
        }
    }
}
