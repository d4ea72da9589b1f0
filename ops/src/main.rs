//! The operator's program: hands its arguments, environment and outputs to the library.

use std::io::{IsTerminal as _, stderr, stdout};
use std::process::ExitCode;

use passerelle_model::config::Reader;
use passerelle_model::telemetry;
use passerelle_ops::{Console, Screen};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> ExitCode {
    // Fails only if a provider is installed already, which then serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let stop = CancellationToken::new();
    for kind in [SignalKind::interrupt(), SignalKind::terminate()] {
        // Where the signal cannot be caught, it ends the program at once.
        if let Ok(mut asked) = signal(kind) {
            let stop = stop.clone();
            tokio::spawn(async move {
                asked.recv().await;
                stop.cancel();
            });
        }
    }
    telemetry::outlive_full_files();
    let screen = Screen::new(stdout().is_terminal());
    let mut console = Console::new(Box::new(stdout()), Box::new(stderr()), screen, stop);
    ExitCode::from(passerelle_ops::run(std::env::args_os(), Reader::from_process(), &mut console).await)
}
