//! `rules`: what `bridge.toml` may say, for editors.

use clap::Subcommand;
use passerelle_model::config::bridge_file_schema;

use crate::console::Console;
use crate::trouble::Trouble;

/// `rules`.
#[derive(Debug, Subcommand)]
pub enum RulesVerb {
    /// Prints the JSON Schema of bridge.toml, by which an editor completes and checks it.
    #[command(after_help = "Example: passerelle rules schema")]
    Schema,
}

/// Prints it.
pub fn run(verb: &RulesVerb, console: &mut Console) -> Result<(), Trouble> {
    match verb {
        RulesVerb::Schema => console.text(bridge_file_schema().as_bytes()),
    }
}
