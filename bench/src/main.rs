//! `make bench`: what the product costs, against the limits of the same machine in the same run.

mod accept;
mod backlog;
mod cpu;
mod drain;
mod jobs;
mod load;
mod noop;
mod pickup;
mod server;
mod table;

use clap::{Parser, Subcommand};

/// Measures Passerelle. Without a scenario: all of them.
#[derive(Debug, Parser)]
struct Options {
    #[command(subcommand)]
    scenario: Option<Scenario>,
}

#[derive(Debug, Clone, Subcommand)]
enum Scenario {
    /// Accepts through HTTP, against a no-op handler.
    Accept {
        /// How long each of the runs takes.
        #[arg(long, default_value_t = 5)]
        seconds: u64,
    },
    /// Jobs without work, drained by one worker process.
    Drain,
    /// From the accepted event to the start of its job, by an idle worker.
    Pickup,
    /// The cost of each operation with 1 k, 100 k and 1 M waiting jobs.
    Backlog,
    /// The no-op handler itself; started by `accept`.
    #[command(hide = true)]
    NoopServer {
        /// Where to listen.
        #[arg(long)]
        port: u16,
    },
    /// The worker without work; started by `drain`, `pickup` and `backlog`.
    #[command(hide = true)]
    NoopWorker {
        /// The queue's Redis.
        #[arg(long)]
        redis: String,
        /// Ends after so many jobs.
        #[arg(long)]
        jobs: u64,
    },
}

fn main() -> anyhow::Result<()> {
    match Options::parse().scenario {
        Some(Scenario::NoopServer { port }) => noop::serve(port),
        Some(scenario) => runtime()?.block_on(run(scenario)),
        None => runtime()?.block_on(async {
            for scenario in [
                Scenario::Accept { seconds: 5 },
                Scenario::Drain,
                Scenario::Pickup,
                Scenario::Backlog,
            ] {
                run(scenario).await?;
            }
            Ok(())
        }),
    }
}

async fn run(scenario: Scenario) -> anyhow::Result<()> {
    match scenario {
        Scenario::Accept { seconds } => accept::bench(seconds).await,
        Scenario::Drain => drain::bench().await,
        Scenario::Pickup => pickup::bench().await,
        Scenario::Backlog => backlog::bench().await,
        Scenario::NoopServer { port } => noop::serve(port),
        Scenario::NoopWorker { redis, jobs } => {
            jobs::work(&jobs::queue(&redis)?, jobs, tokio::sync::mpsc::unbounded_channel().0).await
        }
    }
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?)
}
