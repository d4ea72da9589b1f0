//! The worker process: settings, surroundings, run until told to stop.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    match passerelle_worker::start::main().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
