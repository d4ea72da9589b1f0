//! `make bench`: the cost of the product, against the limits of the same machine in the same run.

mod accept;
mod backlog;
mod burst;
mod cpu;
mod drain;
mod jobs;
mod load;
mod noop;
mod pickup;
mod scenario;
mod server;
mod table;

use clap::Parser as _;
use scenario::{Options, Scenario};

fn main() -> anyhow::Result<()> {
    let scenario = Options::parse().scenario;
    if let Some(Scenario::NoopServer { port }) = scenario {
        return noop::serve(port);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        for scenario in scenario.map_or(Scenario::ALL.to_vec(), |scenario| vec![scenario]) {
            scenario.run().await?;
        }
        Ok(())
    })
}
