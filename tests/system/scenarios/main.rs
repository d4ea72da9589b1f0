//! The story of every rule, played as people play it: `passerelle play`. The stories are data:
//! `tests/scenarios/*.toml`, `examples/*/scenario.toml`.

mod broken;
mod idle;
mod program;
mod schema;
mod shipped;
mod wrong;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;
use system_tests::builder::repository;
use system_tests::process::program_path;
use test_support::contract::{Page, Shape};
use tokio::process::Command;

/// What `passerelle play` has said.
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Said {
    /// The steps, as `--json` tells them: each has the fields that `docs/CLI.md` documents.
    fn steps(&self) -> anyhow::Result<Vec<Value>> {
        let steps: Vec<Value> = self.out.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
        let page = Page::read();
        for step in &steps {
            page.holds("play", &Shape::of(step))?;
        }
        Ok(steps)
    }

    /// The failure, as `--json` tells it.
    fn error(&self) -> Value {
        let last = self.err.lines().last().unwrap_or_default();
        serde_json::from_str::<Value>(last).unwrap_or_default()["error"].clone()
    }
}

/// Longer than any scenario takes.
const PLAYED_WITHIN: Duration = Duration::from_mins(4);

/// Types `passerelle play …`.
async fn play(arguments: &[&str]) -> anyhow::Result<Said> {
    let mut command = Command::new(program_path("passerelle")?);
    let command = command.arg("play").args(arguments).kill_on_drop(true);
    let output = tokio::time::timeout(PLAYED_WITHIN, command.output());
    let output = output.await.context("it does not end")??;
    Ok(Said {
        code: output.status.code(),
        out: String::from_utf8(output.stdout)?,
        err: String::from_utf8(output.stderr)?,
    })
}

/// Writes a scenario of the shipped rules into a folder.
fn write(folder: &Path, text: &str) -> anyhow::Result<PathBuf> {
    let path = folder.join("scenario.toml");
    let bridge = repository().canonicalize()?.join("bridge.toml");
    std::fs::write(&path, format!("bridge = {:?}\n{text}", bridge.display().to_string()))?;
    Ok(path)
}
