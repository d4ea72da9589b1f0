//! A Redis of our own, where none is named.

use std::fs;
use std::io;
use std::time::Duration;

use clap::Args;
use passerelle_model::config::Reader;
use tokio::time::sleep;

use super::TRY_EVERY;
use super::folders::{Folders, OtherFolders, SUPERVISOR};
use super::keeper::Keeper;
use super::part::Part;
use super::plan::Plan;
use super::process::Process;
use crate::console::Console;
use crate::trouble::Trouble;

/// Makes the folder of its data, and tells its address to other commands.
pub(crate) fn prepare(plan: &Plan) -> Result<(), String> {
    let folders = &plan.folders;
    keep_data(folders)?;
    let made = fs::create_dir_all(folders.data_folder.join("redis"));
    // Where the settings name another meanwhile, there is none of our own to tell.
    let told = made.and_then(|()| match plan.own_redis_url() {
        Some(url) => fs::write(folders.redis_url(), url),
        None => Ok(()),
    });
    told.map_err(|error| format!("the folders of Redis cannot be made (RUN_FOLDER, DATA_FOLDER): {error}"))
}

/// Earlier versions had the queue where `make clean` removes it.
pub(crate) fn keep_data(folders: &Folders) -> Result<(), String> {
    let (earlier, now) = (folders.run_folder.join("redis"), folders.data_folder.join("redis"));
    if !earlier.exists() {
        return Ok(());
    }
    if now.exists() {
        return Err(format!(
            "{} and {} both hold a queue: keep the right one in the latter, and remove the other",
            earlier.display(),
            now.display()
        ));
    }
    let moved = fs::create_dir_all(&folders.data_folder).and_then(|()| fs::rename(&earlier, &now));
    moved.map_err(|error: io::Error| format!("{} cannot be moved: {error}", earlier.display()))
}

/// The settings; where they name no Redis, with the one of our own that runs.
pub(crate) fn with_own_redis(reader: Reader) -> Reader {
    if reader.optional("REDIS_URL").is_some() {
        return reader;
    }
    let told = OtherFolders::default().or(&reader).redis_url();
    match fs::read_to_string(told) {
        Ok(url) => reader.with("REDIS_URL", url.trim()),
        Err(_) => reader,
    }
}

/// Whether a verb brings a Redis.
#[derive(Debug, Args)]
pub struct OwnRedis {
    /// Bring a Redis for as long as this runs, if the settings name none and none was brought by `up`.
    #[arg(long)]
    pub own_redis: bool,
    #[command(flatten)]
    pub folders: OtherFolders,
}

impl OwnRedis {
    /// Brings it, if it is wanted.
    pub(crate) async fn bring(&self, reader: &mut Reader, console: &mut Console) -> Result<Option<Brought>, Trouble> {
        if !self.own_redis {
            return Ok(None);
        }
        let folders = self.folders.or(reader);
        Brought::unless_named(reader, &folders, console).await
    }
}

/// The Redis that a bridge in one process brings for as long as it runs.
#[derive(Debug)]
pub(crate) struct Brought {
    folders: Folders,
    process: Process,
    patience: Duration,
}

impl Brought {
    /// Names the Redis of our own to the settings, where they name none: the one that runs already,
    /// or one that is started now. A stop signal ends the wait, and no Redis is left behind.
    async fn unless_named(
        reader: &mut Reader,
        folders: &Folders,
        console: &mut Console,
    ) -> Result<Option<Self>, Trouble> {
        let plan = Plan::read(reader.clone(), folders, 0)?;
        let Some(url) = plan.own_redis_url().filter(|_| plan.has_redis).map(str::to_owned) else {
            return Ok(None);
        };
        *reader = reader.clone().with("REDIS_URL", &url);
        let stop = console.stop.clone();
        let stopped = || Trouble::Interrupted("stopped before its Redis was there. Run it again".to_owned());
        let _alone = tokio::select! {
            alone = folders.alone(console) => alone?,
            () = stop.cancelled() => return Err(stopped()),
        };
        let name = Part::Redis.to_string();
        if folders.process_of(&name).is_some() {
            return Ok(None);
        }
        let patience = plan.patience;
        let keeper = Keeper::new(Part::Redis, plan.into())?;
        let started = tokio::select! {
            started = keeper.started() => started.map_err(Trouble::Failed),
            () = stop.cancelled() => Err(stopped()),
        };
        match started {
            Ok(process) => Ok(Some(Self {
                folders: folders.clone(),
                process,
                patience,
            })),
            Err(trouble) => {
                put_away(folders, folders.process_of(&name), patience).await;
                Err(trouble)
            }
        }
    }

    /// Stops it, unless a bridge in the background has taken it over.
    pub(crate) async fn stop(self) {
        loop {
            let alone = self.folders.try_alone();
            if !matches!(alone, Ok(None)) {
                return put_away(&self.folders, Some(self.process), self.patience).await;
            }
            // The command that starts or stops parts may go on for long; its supervisor is there soon.
            if is_taken_over(&self.folders) {
                return;
            }
            sleep(TRY_EVERY).await;
        }
    }
}

/// Stops a Redis that was brought, if it runs, and forgets it, unless it is taken over. Meanwhile no
/// other command starts or stops parts.
async fn put_away(folders: &Folders, process: Option<Process>, patience: Duration) {
    if is_taken_over(folders) {
        return;
    }
    if let Some(process) = process {
        process.stop(patience).await;
    }
    folders.forget(&Part::Redis.to_string());
    let _ = fs::remove_file(folders.redis_url());
}

/// Whether a supervisor looks after the parts by now.
fn is_taken_over(folders: &Folders) -> bool {
    folders.process_of(SUPERVISOR).is_some()
}
