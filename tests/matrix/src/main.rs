//! `make test-faults`: plays seeds, and shrinks those that are red.

use clap::Parser as _;
use fault_matrix::options::Options;

#[tokio::main]
async fn main() -> anyhow::Result<std::process::ExitCode> {
    fault_matrix::options::run(Options::parse()).await
}
