//! Writes `.env.example`, `docs/SETTINGS.md` and `docs/METRICS.md` from their tables: `make
//! settings`.

use std::fs;

use passerelle_model::config::catalogue;
use passerelle_model::metrics;

fn main() -> std::io::Result<()> {
    fs::write(".env.example", catalogue::env_example())?;
    fs::write("docs/SETTINGS.md", catalogue::markdown())?;
    fs::write("docs/METRICS.md", metrics::markdown())
}
