//! A Redis of our own, where none is named.

use std::fs;
use std::io;
use std::time::Duration;

use clap::Args;
use passerelle_model::config::Reader;

use super::folders::Folders;
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
    // Where the settings name another meanwhile, that one is told.
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

/// Whether a verb brings a Redis.
#[derive(Debug, Args)]
pub struct OwnRedis {
    /// Bring a Redis for as long as this runs, if the settings name none and none was brought by `up`.
    #[arg(long)]
    pub own_redis: bool,
    #[command(flatten)]
    pub folders: Folders,
}

impl OwnRedis {
    /// Brings it, if it is wanted.
    pub(crate) async fn bring(&self, reader: &mut Reader, console: &mut Console) -> Result<Option<Brought>, Trouble> {
        if !self.own_redis {
            return Ok(None);
        }
        Brought::unless_named(reader, &self.folders, console).await
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
    /// or one that is started now.
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
        let _alone = folders.alone(console).await?;
        if folders.process_of(&Part::Redis.to_string()).is_some() {
            return Ok(None);
        }
        let patience = plan.patience;
        let process = Keeper::new(Part::Redis, plan.into())?.started().await;
        let process = process.map_err(Trouble::Failed)?;
        Ok(Some(Self {
            folders: folders.clone(),
            process,
            patience,
        }))
    }

    /// Stops it.
    pub(crate) async fn stop(self) {
        self.process.stop(self.patience).await;
        self.folders.forget(&Part::Redis.to_string());
        let _ = fs::remove_file(self.folders.redis_url());
    }
}
