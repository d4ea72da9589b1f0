//! The worker process: settings, surroundings, then jobs until a stop signal.

use std::process::ExitCode;

use clap::Parser as _;
use passerelle_worker::start::{Options, run};

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("the worker cannot run: {error:#}");
            ExitCode::FAILURE
        }
    }
}
