//! The scenarios, and the commands that start the measured processes.

use clap::{Parser, Subcommand};

use crate::{accept, backlog, burst, drain, jobs, noop, pickup};

/// Measures Passerelle. Without a scenario: all of them.
#[derive(Debug, Parser)]
pub(crate) struct Options {
    #[command(subcommand)]
    pub(crate) scenario: Option<Scenario>,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Scenario {
    /// Accepts through HTTP, with appendfsync everysec and always, against a no-op handler.
    Accept {
        /// The duration of each run, in seconds.
        #[arg(long, default_value_t = 5)]
        seconds: u64,
    },
    /// Drains jobs without work with one worker process.
    Drain,
    /// The time from the accepted event to the start of its job, by an idle worker.
    Pickup,
    /// The cost of each operation with 1 k, 100 k, 1 M, 1.1 M and 1.4 M waiting jobs.
    Backlog,
    /// Two hundred new rows to pages, against bare creates, with products as slow as the real ones.
    Burst,
    /// The no-op handler itself; started by `accept`.
    #[command(hide = true)]
    NoopServer {
        /// The port to listen on.
        #[arg(long)]
        port: u16,
    },
    /// The worker without work; started by `drain`, `pickup` and `backlog`.
    #[command(hide = true)]
    NoopWorker {
        /// The URL of the queue's Redis.
        #[arg(long)]
        redis: String,
        /// The number of jobs after which it ends.
        #[arg(long)]
        jobs: u64,
    },
}

impl Scenario {
    /// The scenarios that run without being named.
    pub(crate) const ALL: [Self; 5] = [
        Self::Accept { seconds: 5 },
        Self::Drain,
        Self::Pickup,
        Self::Backlog,
        Self::Burst,
    ];

    /// Runs the scenario, or the measured process.
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        match self {
            Scenario::Accept { seconds } => accept::bench(seconds).await,
            Scenario::Drain => drain::bench().await,
            Scenario::Pickup => pickup::bench().await,
            Scenario::Backlog => backlog::bench().await,
            Scenario::Burst => burst::bench().await,
            Scenario::NoopServer { port } => noop::serve(port),
            Scenario::NoopWorker { redis, jobs } => {
                jobs::work(&jobs::queue(&redis)?, jobs, tokio::sync::mpsc::unbounded_channel().0).await
            }
        }
    }
}
