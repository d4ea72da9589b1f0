//! The sandbox: see `--help`.

use clap::Parser as _;
use passerelle_sandbox::program::{Options, run};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let _ = rustls::crypto::ring::default_provider().install_default();
    run(options).await
}
