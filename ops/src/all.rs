//! `all`: the ingress, a worker and the console in one process, for a small server.
//!
//! Each part is what its own program runs, with its own settings. They end together: at a stop
//! signal, or when one of them ends.

use std::fmt::Display;
use std::sync::Arc;

use clap::Args;
use passerelle_console::{Bound, ConsoleSettings};
use passerelle_ingress::server::Server;
use passerelle_ingress::settings::Settings as IngressSettings;
use passerelle_model::config::Reader;
use passerelle_model::telemetry;
use passerelle_worker::maintenance::health::MetricsPage;
use passerelle_worker::settings::Settings as WorkerSettings;
use passerelle_worker::start::Worker;
use tokio_util::sync::CancellationToken;

use crate::console::Console;
use crate::rulebook::RuleFile;
use crate::supervise::OwnRedis;
use crate::trouble::Trouble;

/// `all`.
#[derive(Debug, Args)]
pub struct All {
    #[command(flatten)]
    pub redis: OwnRedis,
}

/// Runs all parts until a stop signal; each finishes what it has in hand.
pub async fn run(verb: &All, mut reader: Reader, console: &mut Console) -> Result<(), Trouble> {
    telemetry::start(&reader.text("LOG_LEVEL", "info"));
    let brought = verb.redis.bring(&mut reader, console).await?;
    let ended = Box::pin(parts(reader, &console.stop)).await;
    if let Some(redis) = brought {
        redis.stop().await;
    }
    ended
}

pub(crate) async fn parts(mut reader: Reader, stop: &CancellationToken) -> Result<(), Trouble> {
    reader.warn_of_unknown();
    let ingress = IngressSettings::read(&mut reader);
    let rules = RuleFile::read(&reader);
    let console = ConsoleSettings::read(&mut reader);
    // Last, because it reports what is wrong with the settings of all.
    let worker = WorkerSettings::read(reader)?;

    let ingress = Server::bind(ingress).map_err(|error| not_started("ingress", error))?;
    let worker = Worker::bind(worker, MetricsPage::Elsewhere).map_err(|error| not_started("worker", error))?;
    let console = Bound::take(console).map_err(|error| not_started("console", error))?;

    let stopped = || stop.clone().cancelled_owned();
    // Deliveries are accepted while the database is away, too; the other parts wait for it.
    let with_store = async {
        let store = match worker.open_store(stop).await {
            Ok(Some(store)) => store,
            Ok(None) => return [None, None],
            Err(error) => return [part("worker", stop, async { Err(error) }).await, None],
        };
        let console = async { Ok::<_, StartOrRun>(console.open(Arc::new(rules)).await?.run(stopped()).await?) };
        let working = part("worker", stop, worker.run(store, stop.clone()));
        <[_; 2]>::from(tokio::join!(working, part("console", stop, console)))
    };
    let (ingress, others) = tokio::join!(part("ingress", stop, ingress.run(stopped())), with_store);
    let complaints: Vec<String> = ingress.into_iter().chain(others.into_iter().flatten()).collect();
    if complaints.is_empty() {
        return Ok(());
    }
    Err(Trouble::Failed(complaints.join("\n")))
}

/// Why the console has ended.
#[derive(Debug, thiserror::Error)]
enum StartOrRun {
    #[error(transparent)]
    Start(#[from] passerelle_console::StartError),
    #[error(transparent)]
    Run(#[from] std::io::Error),
}

fn not_started(name: &str, error: impl Display) -> Trouble {
    Trouble::Failed(format!("the {name} cannot start: {error:#}"))
}

/// Runs a part to its end, which is the end of all. Returns what there is to complain of.
async fn part<E: Display>(
    name: &str,
    stop: &CancellationToken,
    running: impl Future<Output = Result<(), E>>,
) -> Option<String> {
    let ended = running.await;
    let was_asked = stop.is_cancelled();
    stop.cancel();
    match ended {
        Err(error) => Some(format!("the {name} cannot go on: {error:#}")),
        Ok(()) if !was_asked => Some(format!("the {name} has ended by itself")),
        Ok(()) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_part_that_ends_stops_the_others_and_is_named() {
        let stop = CancellationToken::new();
        let waits = async {
            stop.cancelled().await;
            Ok::<_, String>(())
        };
        let fails = async { Err("its disk is full".to_owned()) };
        let (other, failed) = tokio::join!(part("worker", &stop, waits), part("ingress", &stop, fails));
        assert_eq!(other, None);
        assert_eq!(failed.as_deref(), Some("the ingress cannot go on: its disk is full"));
    }

    #[tokio::test]
    async fn a_part_that_ends_unasked_is_named_and_one_that_was_asked_is_not() {
        let stop = CancellationToken::new();
        let ended = part("console", &stop, async { Ok::<_, String>(()) }).await;
        assert_eq!(ended.as_deref(), Some("the console has ended by itself"));
        assert!(stop.is_cancelled());
        assert_eq!(part("worker", &stop, async { Ok::<_, String>(()) }).await, None);
    }
}
