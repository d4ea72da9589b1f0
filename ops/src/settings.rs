//! `settings`: the table of settings as `.env.example` or as the settings page. `make settings`
//! writes both.

use clap::Args;
use passerelle_model::config::catalogue;

use crate::console::Console;
use crate::trouble::Trouble;

/// `settings`.
#[derive(Debug, Clone, Copy, Args)]
#[group(required = true, multiple = false)]
pub struct SettingsVerb {
    /// Print `.env.example`.
    #[arg(long)]
    pub env_example: bool,
    /// Print `docs/SETTINGS.md`.
    #[arg(long)]
    pub markdown: bool,
}

/// Prints it.
pub fn run(verb: SettingsVerb, console: &mut Console) -> Result<(), Trouble> {
    let text = if verb.env_example {
        catalogue::env_example()
    } else {
        catalogue::markdown()
    };
    write!(console.lines(), "{text}").map_err(|error| Trouble::Output(error.to_string()))
}
