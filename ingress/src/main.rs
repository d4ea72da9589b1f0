//! Starts the ingress: settings from the environment, then the server until a stop signal.

use passerelle_ingress::server::Server;
use passerelle_ingress::settings::Settings;
use passerelle_shared::config::Reader;
use passerelle_shared::telemetry;
use tokio::signal::unix::{SignalKind, signal};

// What is wrong with the settings is for a person at a terminal: it is returned, hence printed as plain text, and not logged as JSON.
#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut reader = Reader::from_process();
    telemetry::start(&reader.text("LOG_LEVEL", "info"));
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
