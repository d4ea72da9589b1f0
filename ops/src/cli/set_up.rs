//! The words of the verbs that must work where nothing else does.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::By;

/// Verbs that must work where nothing else does: each opens for itself what it can.
#[derive(Debug, Subcommand)]
pub enum SetUp {
    /// Whether bridge.toml and its templates are right: all problems at once, each with its line and what to do.
    #[command(after_help = "Example: passerelle check --live")]
    Check(Check),
    /// Everything that the bridge needs, looked at once, with what to do where something is wrong. Nothing is changed.
    ///
    /// Exit codes for monitoring: 0 all well, 1 somebody should look, 2 something is broken.
    #[command(after_help = "Example: passerelle doctor")]
    Doctor,
    /// Makes the fields and webhooks in Baserow that the rules need. A second run finds nothing to do; nothing is ever deleted.
    #[command(after_help = "Example: passerelle provision --url https://bridge.example.org --dry-run")]
    Provision(Provision),
}

/// `check`.
#[derive(Debug, Args)]
pub struct Check {
    /// Also ask Baserow and Docmost whether the tables, fields and spaces exist and are what the rules need.
    #[arg(long)]
    pub live: bool,
    /// Check this file instead of the one that BRIDGE_FILE names.
    #[arg(long)]
    pub file: Option<PathBuf>,
}

/// `provision`.
#[derive(Debug, Args)]
pub struct Provision {
    /// The address by which Baserow reaches the ingress, e.g. `https://bridge.example.org`. Without it webhooks are left out.
    #[arg(long)]
    pub url: Option<String>,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Who acts.
    #[command(flatten)]
    pub by: By,
}
