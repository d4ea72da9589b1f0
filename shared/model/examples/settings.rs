//! Writes `.env.example` and `docs/SETTINGS.md` from the table of settings: `make settings`.

use std::fs;

use passerelle_model::config::catalogue;

fn main() -> std::io::Result<()> {
    fs::write(".env.example", catalogue::env_example())?;
    fs::write("docs/SETTINGS.md", catalogue::markdown())
}
