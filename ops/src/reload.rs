//! `reload`: all workers read their rules again, each the files of its own machine.

use std::fmt::Write as _;
use std::time::Duration;

use clap::Args;
use passerelle_model::config::{BridgeFileSettings, Locale};
use passerelle_queue::{RulesInUse, WorkerInfo};
use passerelle_worker::rule_files;
use serde::Serialize;

use crate::arguments::By;
use crate::console::Console;
use crate::operator::Operator;
use crate::text::Text;
use crate::trouble::Trouble;

/// How long to wait for the workers, and how often to look.
const WAIT: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// `reload`.
#[derive(Debug, Args)]
pub struct ReloadVerb {
    /// Why; kept in the ledger.
    #[arg(long, default_value = "new rules")]
    pub why: String,
    /// Who acts.
    #[command(flatten)]
    pub by: By,
}

/// The answer.
#[derive(Debug, Serialize)]
struct Reloaded {
    /// The number of the request.
    request: u64,
    /// The hash of the files here.
    hash: String,
    workers: Vec<Answer>,
}

#[derive(Debug, Serialize)]
struct Answer {
    #[serde(flatten)]
    worker: WorkerInfo,
    end: End,
}

/// What a worker did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum End {
    /// It works by the files that are here.
    Taken,
    /// It works by other files.
    Differs,
    /// Its files are wrong: it works by the earlier ones.
    Refused,
    /// It has not answered in time, or is of a version that cannot.
    Silent,
}

/// Checks the files here, asks all workers, and waits for their answers. Fails if one does not
/// follow them.
pub async fn run(operator: &Operator, verb: ReloadVerb, console: &mut Console) -> Result<(), Trouble> {
    let mut reader = operator.settings();
    let path = BridgeFileSettings::read(&reader).path;
    let locale = Locale::read(&mut reader);
    reader.finish(())?;
    let loaded = rule_files::load(&path, &locale)?;
    let by = operator.acting(verb.by)?;
    let request = operator.queue.request_reload(&by, verb.why.trim()).await?;
    let mut looks = tokio::time::interval(LOOK_EVERY);
    let until = tokio::time::Instant::now() + WAIT;
    let answers = loop {
        looks.tick().await;
        let workers = operator.queue.workers().await?.into_iter();
        let answers: Vec<Answer> = workers.map(|worker| answer(worker, request, &loaded.hash)).collect();
        let is_complete = answers.iter().all(|answer| answer.end != End::Silent);
        if is_complete || tokio::time::Instant::now() >= until {
            break answers;
        }
    };
    let reloaded = Reloaded {
        request,
        hash: loaded.hash,
        workers: answers,
    };
    console.answer(&reloaded, in_words)?;
    if reloaded.workers.is_empty() {
        return Err(Trouble::Failed(
            "no worker is alive: the rules are read when one starts".to_owned(),
        ));
    }
    let others = reloaded
        .workers
        .iter()
        .filter(|answer| answer.end != End::Taken)
        .count();
    match others {
        0 => Ok(()),
        some => Err(Trouble::Failed(format!(
            "{some} workers do not follow the rules that are here"
        ))),
    }
}

fn answer(worker: WorkerInfo, request: u64, hash: &str) -> Answer {
    let end = match &worker.rules {
        Some(rules) if rules.answered < request => End::Silent,
        Some(RulesInUse { refused: Some(_), .. }) => End::Refused,
        Some(rules) if rules.hash == hash => End::Taken,
        Some(_) => End::Differs,
        None => End::Silent,
    };
    Answer { worker, end }
}

fn in_words(reloaded: &Reloaded) -> Text {
    let mut text = Text::from(format!(
        "the rules here are right ({})\n",
        RulesInUse::short(&reloaded.hash)
    ));
    for Answer { worker, end } in &reloaded.workers {
        let (host, pid) = (&worker.host, worker.pid);
        let _ = write!(text, "{host}, process {pid}: ");
        let rules = worker.rules.as_ref();
        let hash = rules.map_or("", |rules| RulesInUse::short(&rules.hash));
        let _ = match end {
            End::Taken => writeln!(text, "follows them"),
            End::Differs => writeln!(
                text,
                "follows other files ({hash}): copy the same to that machine, and reload"
            ),
            End::Refused => {
                let why = rules.and_then(|rules| rules.refused.as_deref()).unwrap_or_default();
                writeln!(
                    text,
                    "keeps the earlier ones ({hash}), because its files are wrong: {why}"
                )
            }
            End::Silent => writeln!(
                text,
                "has not answered: `passerelle workers` shows what it does, its log says more"
            ),
        };
    }
    let _ = writeln!(
        text,
        "Settings, [sources], owned_fields and ignored_fields change at a restart."
    );
    text
}
