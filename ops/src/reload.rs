//! `reload`: all workers and ingresses read `bridge.toml` again, each the files of its own machine.

use std::fmt::Write as _;
use std::time::Duration;

use clap::Args;
use passerelle_ingress::bridge;
use passerelle_model::config::{BridgeFileSettings, Locale};
use passerelle_queue::{IngressInfo, Queue, RulesInUse, WorkerInfo};
use passerelle_worker::rule_files;
use serde::Serialize;

use crate::arguments::By;
use crate::console::Console;
use crate::operator::Operator;
use crate::text::Text;
use crate::trouble::Trouble;

/// How long to wait for the processes, and how often to look.
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
    workers: Vec<Answer<WorkerInfo>>,
    ingresses: Vec<Answer<IngressInfo>>,
}

#[derive(Debug, Serialize)]
struct Answer<T> {
    #[serde(flatten)]
    process: T,
    end: End,
}

/// What a process did.
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

/// Checks the files here, asks all processes, and waits for their answers. Fails if one does not
/// follow them.
pub async fn run(operator: &Operator, verb: ReloadVerb, console: &mut Console) -> Result<(), Trouble> {
    let mut reader = operator.settings();
    let path = BridgeFileSettings::read(&reader).path;
    let locale = Locale::read(&mut reader);
    reader.finish(())?;
    let here = Here {
        rules: rule_files::load(&path, &locale)?.hash,
        of_ingresses: bridge::hash_of(&path)?,
    };
    let by = operator.acting(verb.by)?;
    let request = operator.queue.request_reload(&by, verb.why.trim()).await?;
    let mut looks = tokio::time::interval(LOOK_EVERY);
    let until = tokio::time::Instant::now() + WAIT;
    let reloaded = loop {
        looks.tick().await;
        let reloaded = here.compared(&operator.queue, request).await?;
        if reloaded.ends().all(|end| end != End::Silent) || tokio::time::Instant::now() >= until {
            break reloaded;
        }
    };
    console.answer(&reloaded, in_words)?;
    if reloaded.workers.is_empty() {
        return Err(Trouble::Failed(
            "no worker is alive: the rules are read when one starts".to_owned(),
        ));
    }
    match reloaded.ends().filter(|end| *end != End::Taken).count() {
        0 => Ok(()),
        some => Err(Trouble::Failed(format!(
            "{} not follow the rules that are here",
            if some == 1 {
                "1 process does".to_owned()
            } else {
                format!("{some} processes do")
            }
        ))),
    }
}

/// The hashes of the files that are here.
struct Here {
    rules: String,
    of_ingresses: String,
}

impl Here {
    async fn compared(&self, queue: &Queue, request: u64) -> Result<Reloaded, Trouble> {
        let (workers, ingresses) = tokio::try_join!(queue.workers(), queue.ingresses())?;
        let worker = |process: WorkerInfo| {
            let end = process.rules.as_ref().map(|rules| end(rules, request, &self.rules));
            let end = end.unwrap_or(End::Silent);
            Answer { process, end }
        };
        let ingress = |process: IngressInfo| {
            let end = end(&process.rules, request, &self.of_ingresses);
            Answer { process, end }
        };
        Ok(Reloaded {
            request,
            hash: self.rules.clone(),
            workers: workers.into_iter().map(worker).collect(),
            ingresses: ingresses.into_iter().map(ingress).collect(),
        })
    }
}

impl Reloaded {
    fn ends(&self) -> impl Iterator<Item = End> {
        let ingresses = self.ingresses.iter().map(|answer| answer.end);
        self.workers.iter().map(|answer| answer.end).chain(ingresses)
    }
}

fn end(rules: &RulesInUse, request: u64, hash: &str) -> End {
    match rules {
        rules if rules.answered < request => End::Silent,
        RulesInUse { refused: Some(_), .. } => End::Refused,
        rules if rules.hash == hash => End::Taken,
        _ => End::Differs,
    }
}

fn in_words(reloaded: &Reloaded) -> Text {
    let mut text = Text::from(format!(
        "the rules here are right ({})\n",
        RulesInUse::short(&reloaded.hash)
    ));
    for Answer { process, end } in &reloaded.workers {
        let (host, pid) = (&process.host, process.pid);
        let _ = write!(text, "{host}, process {pid}: ");
        let _ = told(&mut text, process.rules.as_ref(), *end);
    }
    for Answer { process, end } in &reloaded.ingresses {
        let (host, pid) = (&process.host, process.pid);
        let _ = write!(text, "{host}, process {pid} (ingress): ");
        let _ = told(&mut text, Some(&process.rules), *end);
    }
    let _ = writeln!(text, "Settings change at a restart.");
    text
}

fn told(text: &mut Text, rules: Option<&RulesInUse>, end: End) -> std::fmt::Result {
    let hash = rules.map_or("", |rules| RulesInUse::short(&rules.hash));
    match end {
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
        End::Silent => writeln!(text, "has not answered: its log says more"),
    }
}
