//! The process that looks after the parts. It is started by `up` and `restart`, and goes on when
//! these have ended; the next one takes its place.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use passerelle_ingress::server::inherited_listener;
use passerelle_model::config::Reader;
use passerelle_model::telemetry;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::folders::{Folders, OtherFolders, SUPERVISOR};
use super::handover::{Follower, give};
use super::keeper::{Asking, Entrance, Keeper, stopped};
use super::part::Part;
use super::plan::Plan;
use crate::trouble::Trouble;

/// `supervise`.
#[derive(Debug, Args)]
pub struct Supervise {
    /// How many workers.
    #[arg(long)]
    pub workers: u16,
    /// Whether what runs is restarted, one process after the other.
    #[arg(long)]
    pub renew: bool,
    #[command(flatten)]
    pub folders: OtherFolders,
}

/// What a supervisor reports to the command that started it, a line of JSON each.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Report {
    Progress(String),
    /// All is as it was wanted.
    Done,
    Failed(String),
}

impl Report {
    /// Nobody listens any more once `up` was interrupted.
    fn send(&self) {
        let line = serde_json::to_string(self).unwrap_or_default();
        let _ = writeln!(std::io::stdout(), "{line}");
    }
}

/// Looks after the parts until another supervisor follows, or `stop` is cancelled: then they stop,
/// too.
pub async fn run(verb: Supervise, reader: Reader, stop: &CancellationToken) -> Result<(), Trouble> {
    telemetry::start(&reader.text("LOG_LEVEL", "info"));
    // It has one of its own already where it was started by hand.
    let _ = rustix::process::setsid();
    let supervised = supervise(&verb, reader, stop).await;
    if let Err(trouble) = &supervised {
        Report::Failed(trouble.to_string()).send();
    }
    supervised
}

async fn supervise(verb: &Supervise, reader: Reader, stop: &CancellationToken) -> Result<(), Trouble> {
    let folders = &verb.folders.or(&reader);
    let failed = |error: std::io::Error| Trouble::Failed(format!("the supervisor cannot start: {error}"));
    let entrance = Entrance::of(inherited_listener().map_err(failed)?);
    // Else it would listen for ever there.
    rustix::stdio::dup2_stdin(File::open("/dev/null").map_err(failed)?).map_err(|error| failed(error.into()))?;
    let plan = Arc::new(Plan::read(reader, folders, verb.workers)?);
    let patience = plan.patience;
    let follower = Follower::expect_at(folders.socket()).map_err(failed)?;
    folders.note(SUPERVISOR, std::process::id()).map_err(failed)?;

    let mut kept = Kept {
        plan,
        entrance: entrance.clone(),
        tasks: JoinSet::new(),
        parts: BTreeMap::new(),
    };
    let works = async {
        match kept.bring_about(verb).await {
            Ok(()) => Report::Done.send(),
            Err(why) => Report::Failed(why).send(),
        }
        // What it has to say from now on is in its log.
        let _ = rustix::stdio::dup2_stdout(std::io::stderr());
        std::future::pending::<()>().await;
    };
    let followed_by = tokio::select! {
        () = works => None,
        stream = follower.comes() => Some(stream),
        () = stop.cancelled() => None,
    };
    kept.tasks.shutdown().await;
    if let Some(stream) = followed_by {
        tracing::info!("another supervisor follows");
        return give(&stream, entrance.leave()).map_err(failed);
    }
    stop_all(folders, patience, |line| tracing::info!("{line}")).await?;
    folders.forget(SUPERVISOR);
    Ok(())
}

/// The parts, and who looks after each.
struct Kept {
    plan: Arc<Plan>,
    entrance: Entrance,
    tasks: JoinSet<()>,
    parts: BTreeMap<Part, Orders>,
}

/// How a part is restarted, and how it started.
struct Orders {
    renew: mpsc::Sender<Asking>,
    first: Option<oneshot::Receiver<Result<String, String>>>,
}

impl Kept {
    /// Starts what is missing, restarts what shall be, stops what is too many. It ends at the first
    /// part that does not work: the others go on as they are.
    async fn bring_about(&mut self, verb: &Supervise) -> Result<(), String> {
        let plan = self.plan.clone();
        let before = plan.folders.parts();
        let wanted = self.wanted(verb);
        // Also what is not reached is shown by `status`, and restarted.
        for part in &wanted {
            let noted = plan.folders.note_wanted(&part.to_string());
            noted.map_err(|error| format!("{part} cannot be noted (RUN_FOLDER): {error}"))?;
        }
        // Also what waits for its turn is started again if it dies meanwhile.
        for part in before.iter().filter(|part| !part.is_worker_above(verb.workers)) {
            self.keep(*part)?;
        }
        for part in wanted {
            if !self.parts.contains_key(&part) {
                self.keep(part)?;
            }
            let renews = verb.renew && part != Part::Redis && before.contains(&part);
            let line = self.works(part, renews).await?;
            Report::Progress(line).send();
        }
        for part in before.into_iter().filter(|part| part.is_worker_above(verb.workers)) {
            Report::Progress(stop(&plan.folders, part, plan.patience).await?).send();
        }
        Ok(())
    }

    /// In the order in which they start; in a restart, the workers come first. The console reads the
    /// store that the workers make.
    fn wanted(&self, verb: &Supervise) -> Vec<Part> {
        let mut parts = vec![Part::Ingress, Part::Console];
        let workers = (1..=verb.workers).map(Part::Worker);
        parts.splice(if verb.renew { 0..0 } else { 1..1 }, workers);
        if self.plan.has_redis {
            parts.insert(0, Part::Redis);
        }
        parts
    }

    fn keep(&mut self, part: Part) -> Result<(), String> {
        let keeper = Keeper::new(part, Arc::clone(&self.plan)).map_err(|trouble| trouble.to_string())?;
        let ((asking, first), (renew, orders)) = (oneshot::channel(), mpsc::channel(1));
        self.tasks
            .spawn(keeper.with(self.entrance.clone()).keep(asking, orders));
        let first = Some(first);
        self.parts.insert(part, Orders { renew, first });
        Ok(())
    }

    async fn works(&mut self, part: Part, renews: bool) -> Result<String, String> {
        let is_gone = || format!("nobody looks after {part}");
        let orders = self.parts.get_mut(&part).ok_or_else(is_gone)?;
        let mut first = orders.first.take();
        if renews {
            let (asking, answer) = oneshot::channel();
            orders.renew.send(asking).await.map_err(|_| is_gone())?;
            first = Some(answer);
        }
        first.ok_or_else(is_gone)?.await.map_err(|_| is_gone())?
    }
}

/// Stops a part that nobody looks after any more.
async fn stop(folders: &Folders, part: Part, patience: Duration) -> Result<String, String> {
    let name = part.to_string();
    let told = match folders.process_of(&name) {
        Some(process) => stopped(part, process.stop(patience).await, patience)?,
        None => format!("{part} had ended"),
    };
    folders.forget(&name);
    Ok(told)
}

/// Stops all parts: first the workers, all at once, last the Redis. One that does not end keeps no
/// other running; the error names each.
pub(crate) async fn stop_all(folders: &Folders, patience: Duration, mut say: impl FnMut(&str)) -> Result<(), Trouble> {
    let mut stopping = JoinSet::new();
    let (workers, mut others): (Vec<_>, Vec<_>) = folders
        .parts()
        .into_iter()
        .partition(|part| matches!(part, Part::Worker(_)));
    others.reverse();
    for part in workers {
        let folders = folders.clone();
        stopping.spawn(async move { stop(&folders, part, patience).await });
    }
    let mut staying = Vec::new();
    let mut hear = |told: Result<String, String>| match told {
        Ok(line) => say(&line),
        Err(why) => staying.push(why),
    };
    while let Some(told) = stopping.join_next().await {
        hear(told.unwrap_or_else(|error| Err(error.to_string())));
    }
    for part in others {
        hear(stop(folders, part, patience).await);
    }
    if !staying.is_empty() {
        return Err(Trouble::Failed(staying.join("\n")));
    }
    let _ = std::fs::remove_file(folders.redis_url());
    Ok(())
}
