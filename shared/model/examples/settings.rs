//! Writes `.env.example`, `docs/SETTINGS.md` and `docs/METRICS.md` from their tables, and
//! `bridge.schema.json` from the types that read `bridge.toml`: `make settings`.

use std::fs;

use passerelle_model::config::{bridge_file_schema, catalogue};
use passerelle_model::metrics;

fn main() -> std::io::Result<()> {
    fs::write(".env.example", catalogue::env_example())?;
    fs::write("docs/SETTINGS.md", catalogue::markdown())?;
    fs::write("bridge.schema.json", bridge_file_schema())?;
    fs::write("docs/METRICS.md", metrics::markdown())
}
