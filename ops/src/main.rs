//! The operator's program: hands its arguments, environment and outputs to the library.

use std::io::{IsTerminal as _, stderr, stdout};
use std::process::ExitCode;

use passerelle_model::config::Reader;
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> ExitCode {
    // Fails only if a provider is installed already, which then serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let stop = CancellationToken::new();
    let told = stop.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            told.cancel();
        }
    });
    let mut console = passerelle_ops::Console {
        out: Box::new(stdout()),
        err: Box::new(stderr()),
        is_terminal: stdout().is_terminal(),
        stop,
    };
    ExitCode::from(passerelle_ops::run(std::env::args_os(), Reader::from_process(), &mut console).await)
}
