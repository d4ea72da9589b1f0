//! The words of the verbs that must work where nothing else does.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Verbs that must work where nothing else does: each opens for itself what it can.
#[derive(Debug, Subcommand)]
pub enum SetUp {
    /// Whether bridge.toml and its templates are right: all problems at once, each with its line and what to do.
    Check(Check),
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
