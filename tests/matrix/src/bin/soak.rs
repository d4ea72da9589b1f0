//! `make soak`: whether anything grows in a world that lasts.

use clap::Parser as _;
use fault_matrix::soak::{Options, run};
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> anyhow::Result<std::process::ExitCode> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        ended = run(Options::parse()) => ended,
        // Everything that was started is killed as it is dropped.
        _ = tokio::signal::ctrl_c() => Ok(std::process::ExitCode::from(130)),
        _ = terminate.recv() => Ok(std::process::ExitCode::from(143)),
    }
}
