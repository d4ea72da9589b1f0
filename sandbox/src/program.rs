//! The program: its options, and the products from start to stop.

use std::io::Write as _;
use std::net::{IpAddr, TcpListener};

use anyhow::Context as _;
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

use crate::server::Running;
use crate::{baserow, docmost, notices, playground};

/// Stand-ins for Baserow, Docmost, a mail server and Slack, with fault switches under
/// /_sandbox/faults on each port.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Options {
    /// The address to listen on.
    #[arg(long, default_value = "127.0.0.1")]
    host: IpAddr,
    /// The port of Baserow; 0 takes a free one.
    #[arg(long, default_value_t = 8100)]
    baserow_port: u16,
    /// The port of Docmost; 0 takes a free one.
    #[arg(long, default_value_t = 3100)]
    docmost_port: u16,
    #[command(flatten)]
    baserow: baserow::Options,
    #[command(flatten)]
    docmost: docmost::Options,
    #[command(flatten)]
    notices: notices::Options,
    #[command(flatten)]
    playground: playground::Options,
}

/// Starts the products, each on its own port, and serves until SIGTERM or SIGINT.
pub async fn run(options: Options) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let token = options.baserow.baserow_token.clone();
    let baserow = baserow::start(listen(options.host, options.baserow_port)?, options.baserow)?;
    announce(&baserow)?;
    let docmost = docmost::start(listen(options.host, options.docmost_port)?, options.docmost)?;
    announce(&docmost)?;
    let notices = notices::start(options.host, options.notices)?;
    for line in notices.announcements() {
        writeln!(std::io::stdout(), "{line}")?;
    }
    let playground = match options.playground.playground_port {
        Some(port) => {
            let listener = listen(options.host, port)?;
            Some(playground::start(
                listener,
                options.playground,
                (&baserow, token),
                &docmost,
            )?)
        }
        None => None,
    };
    if let Some(playground) = &playground {
        announce(playground)?;
    }
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    if let Some(playground) = playground {
        playground.stop().await?;
    }
    let (first, second) = tokio::join!(baserow.stop(), docmost.stop());
    first?;
    second?;
    notices.stop().await?;
    Ok(())
}

fn listen(host: IpAddr, port: u16) -> anyhow::Result<TcpListener> {
    TcpListener::bind((host, port)).with_context(|| format!("cannot listen on {host}:{port}: choose another port"))
}

/// Prints one line for a product, which scripts wait for.
fn announce(product: &Running) -> std::io::Result<()> {
    writeln!(std::io::stdout(), "{} listens on {}", product.name, product.url())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_options_of_all_products_fit_one_command() {
        super::Options::command().debug_assert();
    }
}
