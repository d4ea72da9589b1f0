//! A Prometheus of the test's own, and the program that tests its rules.

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

use crate::{find_program, free_port, skipped};

const NOT_FOUND: &str = "Prometheus was not found: run `make tools`, or install the package prometheus";

/// Runs `promtool` in a folder. `None`, said aloud, where there is none.
pub fn promtool(arguments: &[&str], folder: &Path) -> io::Result<Option<Output>> {
    let Some(program) = find_program("promtool", &[]) else {
        return Ok(skipped(NOT_FOUND));
    };
    let ran = Command::new(program).args(arguments).current_dir(folder).output()?;
    Ok(Some(ran))
}

/// A running Prometheus, stopped and removed when dropped.
#[derive(Debug)]
pub struct TestPrometheus {
    server: Child,
    folder: TempDir,
    url: String,
}

impl TestPrometheus {
    /// Starts one with this configuration; `rules` lies beside it as `alerts.yml`. `None`, said
    /// aloud, where there is no Prometheus.
    pub fn start(configuration: &str, rules: &Path) -> anyhow::Result<Option<Self>> {
        let Some(program) = find_program("prometheus", &[]) else {
            return Ok(skipped(NOT_FOUND));
        };
        let (folder, port) = (tempfile::tempdir()?, free_port()?);
        fs::write(folder.path().join("prometheus.yml"), configuration)?;
        fs::copy(rules, folder.path().join("alerts.yml"))?;
        let log = fs::File::create(folder.path().join("log"))?;
        let address = format!("127.0.0.1:{port}");
        let server = Command::new(program)
            .arg("--config.file=prometheus.yml")
            .arg("--storage.tsdb.path=data")
            .arg(format!("--web.listen-address={address}"))
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        Ok(Some(Self {
            server,
            folder,
            url: format!("http://{address}"),
        }))
    }

    /// Where it answers.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What it has written of its work.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for TestPrometheus {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
