//! Looks after one part: starts it, waits until it works, and starts it again when it has died.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;

use super::own_redis;
use super::part::Part;
use super::plan::Plan;
use super::process::{End, Process};
use super::ready::Readiness;
use crate::trouble::Trouble;

/// How often a part that starts is asked whether it works.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// What takes a second may take minutes on a busy machine; a process that ends is noticed at once.
const START_LIMIT: Duration = Duration::from_mins(5);
/// What dies again and again is left alone for longer and longer, up to this.
const LONGEST_REST: Duration = Duration::from_mins(1);
/// How many lines of a log tell why a part did not start.
const LAST_LINES: usize = 15;

/// The socket of the deliveries. It outlives each ingress: while one is restarted, callers wait for
/// the next and are not refused.
#[derive(Debug, Clone, Default)]
pub(crate) struct Entrance(Arc<Mutex<Option<TcpListener>>>);

impl Entrance {
    pub(crate) fn of(listener: Option<TcpListener>) -> Self {
        Self(Arc::new(Mutex::new(listener)))
    }

    /// Takes it away, for the next supervisor.
    pub(crate) fn leave(&self) -> Option<TcpListener> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Takes a copy from an ingress that runs, where its last supervisor was killed. Without the
    /// right to it, callers are refused while the ingress is restarted for the first time.
    fn copy_from(&self, ingress: &Process) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if held.is_none() {
            let given = ingress.stdin().ok();
            *held = given
                .filter(|given| rustix::net::sockopt::socket_acceptconn(given).unwrap_or(false))
                .map(TcpListener::from);
        }
    }

    /// For an ingress at this address; the address is taken if it is not held yet.
    fn for_ingress(&self, address: std::net::SocketAddr) -> std::io::Result<OwnedFd> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let listener = match held.take() {
            Some(listener) if listener.local_addr().is_ok_and(|own| own == address) => listener,
            other => {
                drop(other);
                TcpListener::bind(address)?
            }
        };
        Ok(held.insert(listener).try_clone()?.into())
    }
}

/// Who waits for a part, and hears that it works or why it does not.
pub(crate) type Asking = oneshot::Sender<Result<String, String>>;

/// Looks after one part.
#[derive(Debug)]
pub(crate) struct Keeper {
    part: Part,
    plan: Arc<Plan>,
    readiness: Readiness,
    entrance: Entrance,
}

impl Keeper {
    pub(crate) fn new(part: Part, plan: Arc<Plan>) -> Result<Self, Trouble> {
        Ok(Self {
            part,
            readiness: Readiness::new(&plan)?,
            plan,
            entrance: Entrance::default(),
        })
    }

    /// With a socket of the deliveries that outlives it.
    pub(crate) fn with(self, entrance: Entrance) -> Self {
        Self { entrance, ..self }
    }

    /// Keeps the part running until the task is dropped. Each order restarts it.
    pub(crate) async fn keep(self, first: Asking, mut orders: mpsc::Receiver<Asking>) {
        let name = self.part.to_string();
        let mut asking = Some(first);
        let mut rest = Duration::ZERO;
        let mut running = self.plan.folders.process_of(&name);
        if let Some(ingress) = running.as_ref().filter(|_| self.part == Part::Ingress) {
            self.entrance.copy_from(ingress);
        }
        loop {
            let since = Instant::now();
            let life = async {
                self.life(running.take(), &mut asking).await;
                if since.elapsed() > LONGEST_REST {
                    rest = Duration::ZERO;
                }
                sleep(rest).await;
                rest = (rest * 2).clamp(Duration::from_secs(1), LONGEST_REST);
            };
            tokio::select! {
                () = life => (),
                Some(order) = orders.recv() => {
                    self.stop().await;
                    // It may not have been looked at yet.
                    running = None;
                    asking = Some(order);
                    rest = Duration::ZERO;
                }
            }
        }
    }

    /// From its start to its end.
    async fn life(&self, running: Option<Process>, asking: &mut Option<Asking>) {
        let started = match running {
            Some(process) => {
                let log_was = self.log_size();
                match self.until_it_works(&process, log_was).await {
                    Ok(()) => Ok(process),
                    Err(why) => Err((Some(process), why)),
                }
            }
            None => self.launch_and_wait().await,
        };
        let (process, told) = match started {
            Ok(process) => {
                let told = format!(
                    "{} runs (process {}, {})",
                    self.part,
                    process.pid,
                    self.plan.address(self.part)
                );
                (Some(process), Ok(told))
            }
            Err((process, why)) => (process, Err(why)),
        };
        let works = told.is_ok();
        match &told {
            Ok(what) => tracing::info!("{what}"),
            Err(why) => tracing::error!("{why}"),
        }
        if let Some(asking) = asking.take() {
            // Whoever asked may have gone.
            let _ = asking.send(told);
        }
        if let Some(process) = process {
            process.ended().await;
            if works {
                tracing::warn!(part = %self.part, pid = process.pid, "{} has died and is started again", self.part);
            }
        }
    }

    async fn stop(&self) {
        if let Some(process) = self.plan.folders.process_of(&self.part.to_string()) {
            let told = stopped(self.part, process.stop(self.plan.patience).await, self.plan.patience);
            tracing::info!("{}", told.unwrap_or_else(|stays| stays));
        }
    }

    /// Starts it, and waits until it works.
    pub(crate) async fn started(&self) -> Result<Process, String> {
        self.launch_and_wait().await.map_err(|(_, why)| why)
    }

    async fn launch_and_wait(&self) -> Result<Process, (Option<Process>, String)> {
        let log_was = self.log_size();
        let process = self.launch(log_was).map_err(|why| (None, why))?;
        match self.until_it_works(&process, log_was).await {
            Ok(()) => Ok(process),
            Err(why) => Err((Some(process), why)),
        }
    }

    fn launch(&self, log_was: u64) -> Result<Process, String> {
        let (part, address) = (self.part, self.plan.address(self.part));
        let failed = |error: std::io::Error| format!("{part} cannot be started: {error}");
        let mut command = self.plan.command(part).map_err(failed)?;
        let taken = |error| {
            let fix = part.if_taken();
            format!("{address}, where {part} would listen, is taken by another program: {fix} ({error})")
        };
        if part == Part::Ingress {
            command.stdin(Stdio::from(self.entrance.for_ingress(address).map_err(taken)?));
        } else {
            TcpListener::bind(address).map_err(taken)?;
        }
        if part == Part::Redis {
            own_redis::prepare(&self.plan)?;
        }
        let program = command.get_program().display().to_string();
        // The runtime collects its exit status.
        let child = tokio::process::Command::from(command).spawn();
        let mut child = child.map_err(|error| format!("{part} cannot be started: {program}: {error}"))?;
        let pid = child.id().unwrap_or_default();
        if let Err(error) = self.plan.folders.note(&part.to_string(), pid) {
            // Nobody would find it again.
            let _ = child.start_kill();
            return Err(format!(
                "{part} cannot be started: its process cannot be noted (RUN_FOLDER): {error}"
            ));
        }
        Process::open(pid).map_err(|_| self.last_words(log_was))
    }

    async fn until_it_works(&self, process: &Process, log_was: u64) -> Result<(), String> {
        let works = async {
            while !self.readiness.of(&self.plan, self.part, process.pid).await {
                sleep(LOOK_EVERY).await;
            }
        };
        let is_late = tokio::select! {
            () = works => false,
            () = process.ended() => false,
            () = sleep(START_LIMIT) => true,
        };
        if is_late {
            let log = self.plan.folders.log(&self.part.to_string());
            let limit = START_LIMIT.as_secs();
            let part = self.part;
            return Err(format!(
                "{part} is not ready after {limit} seconds and goes on starting; see {}",
                log.display()
            ));
        }
        // Another program may have answered in its place.
        if process.runs() {
            Ok(())
        } else {
            Err(self.last_words(log_was))
        }
    }

    fn log_size(&self) -> u64 {
        let log = self.plan.folders.log(&self.part.to_string());
        log.metadata().map_or(0, |log| log.len())
    }

    /// What it has said since its log had this size.
    fn last_words(&self, log_was: u64) -> String {
        let log = self.plan.folders.log(&self.part.to_string());
        let mut said = Vec::new();
        let _ = std::fs::File::open(&log).and_then(|mut file| {
            file.seek(SeekFrom::Start(log_was))?;
            file.read_to_end(&mut said)
        });
        let said = String::from_utf8_lossy(&said);
        let lines: Vec<&str> = said.lines().collect();
        let end = lines[lines.len().saturating_sub(LAST_LINES)..].join("\n");
        format!("{} did not start. The end of {}:\n{end}", self.part, log.display())
    }
}

/// How a part has stopped, in words; an error if it has not.
pub(crate) fn stopped(part: Part, end: End, patience: Duration) -> Result<String, String> {
    let seconds = patience.as_secs();
    match end {
        End::Asked => Ok(format!("{part} has stopped")),
        End::Killed => Ok(format!(
            "{part} did not stop within {seconds} seconds and was killed; its jobs are taken over by others"
        )),
        End::None => Err(format!(
            "{part} does not end, not even when it is killed: see what its disk waits for"
        )),
    }
}
