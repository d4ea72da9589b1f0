//! `make bench`: what the product costs, against the limits of the same machine in the same run.

mod accept;
mod cpu;
mod load;
mod noop;
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
    /// The no-op handler itself; started by `accept`.
    #[command(hide = true)]
    NoopServer {
        /// Where to listen.
        #[arg(long)]
        port: u16,
    },
}

fn main() -> anyhow::Result<()> {
    match Options::parse().scenario {
        Some(Scenario::NoopServer { port }) => noop::serve(port),
        Some(scenario) => runtime()?.block_on(run(scenario)),
        None => runtime()?.block_on(async { run(Scenario::Accept { seconds: 5 }).await }),
    }
}

async fn run(scenario: Scenario) -> anyhow::Result<()> {
    match scenario {
        Scenario::Accept { seconds } => accept::bench(seconds).await,
        Scenario::NoopServer { port } => noop::serve(port),
    }
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?)
}
