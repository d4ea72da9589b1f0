//! Starts the ingress: settings from the environment, then the server until a stop signal.

use std::io::Write as _;
use std::process::ExitCode;

use passerelle_ingress::server::Server;
use passerelle_ingress::settings::Settings;
use passerelle_model::{config::Reader, shown, telemetry};
use tokio::signal::unix::{SignalKind, signal};

/// A delivery is received, copied into a call and forgotten a moment later on another thread: that
/// is what the system's allocator is slowest at (a fifth of the user time of an accept; see
/// docs/BENCHMARKS.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

// Deliveries are served by threads of their own: what is left for this one needs no others.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Plain text, not a line of JSON: what is wrong with the settings is for a person at a
            // terminal.
            let _ = writeln!(shown::Shown::new(std::io::stderr()), "{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> anyhow::Result<()> {
    let mut reader = Reader::from_process().with_env_file(None);
    telemetry::start(&reader.text("LOG_LEVEL", "info"));
    reader.warn_of_unknown();
    let settings = Settings::read(&mut reader);
    let settings = reader.finish(settings)?;

    // For `rediss://`. A second installation only says that there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();

    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stop = async move {
        tokio::select! { _ = terminate.recv() => (), _ = interrupt.recv() => () }
    };
    Ok(Server::bind(settings)?.run(stop).await?)
}
