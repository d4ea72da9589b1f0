//! `compose.yaml` as an operator runs it, in a folder of its own with `.env` and `rules/`.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use passerelle_model::config::env_line;
use serde_json::Value;
use system_tests::builder::repository;
use tempfile::TempDir;
use test_support::needed_program;

/// The services that call Baserow and Docmost.
const CALLERS: [&str; 3] = ["worker", "console", "ops"];
/// By which containers reach this machine.
pub(crate) const THIS_MACHINE: &str = "host.docker.internal";

/// A bridge of containers, with everything that belongs to it. All of it goes when this is dropped.
pub(crate) struct Compose {
    folder: TempDir,
    project: String,
}

impl Compose {
    pub(crate) fn in_a_folder() -> anyhow::Result<Self> {
        let mut docker = needed_program("docker", "docker.io")?;
        let version = docker.args(["version", "--format", "{{.Server.Version}}"]).output()?;
        let why = String::from_utf8_lossy(&version.stderr);
        anyhow::ensure!(version.status.success(), "no container engine answers: {why}");
        let compose = Command::new("docker").args(["compose", "version"]).output()?;
        let is_there = compose.status.success();
        anyhow::ensure!(is_there, "docker compose was not found: install its plugin");
        let compose = Self {
            folder: tempfile::tempdir()?,
            project: format!("passerelle-test-{}", std::process::id()),
        };
        compose.write_sources()?;
        Ok(compose)
    }

    /// The images are built from this checkout; containers find this machine by its name.
    fn write_sources(&self) -> anyhow::Result<()> {
        let context = repository().canonicalize()?;
        let quoted = Value::from(context.to_str().context("the path of the checkout is not UTF-8")?);
        let mut services = String::from("services:\n");
        for service in ["ingress", "worker", "console", "ops"] {
            writeln!(services, "  {service}:\n    build: {{ context: {quoted} }}")?;
            if CALLERS.contains(&service) {
                writeln!(services, "    extra_hosts: [\"{THIS_MACHINE}:host-gateway\"]")?;
            }
        }
        fs::write(self.folder.path().join("sources.yaml"), services)?;
        let rules = self.folder.path().join("rules");
        fs::create_dir(&rules)?;
        fs::copy(context.join("bridge.toml"), rules.join("bridge.toml"))?;
        copy_folder(&context.join("templates"), &rules.join("templates"))
    }

    /// Writes `.env`.
    pub(crate) fn write_settings(&self, settings: &[(&str, String)]) -> anyhow::Result<()> {
        let mut lines = String::new();
        for (name, value) in settings {
            let line = env_line(name, value).with_context(|| format!("no line of .env says {name}"))?;
            writeln!(lines, "{line}")?;
        }
        Ok(fs::write(self.folder.path().join(".env"), lines)?)
    }

    /// Replaces a text of `bridge.toml` as editors do: by another file of this name.
    pub(crate) fn edit_rules(&self, earlier: &str, new: &str) -> anyhow::Result<()> {
        let path = self.folder.path().join("rules/bridge.toml");
        let text = fs::read_to_string(&path)?;
        anyhow::ensure!(text.contains(earlier), "{earlier} is not in the file");
        let beside = path.with_extension("new");
        fs::write(&beside, text.replace(earlier, new))?;
        Ok(fs::rename(beside, path)?)
    }

    /// Types `docker compose …`, which has to work. Returns what it printed.
    pub(crate) fn typed(&self, arguments: &[&str]) -> anyhow::Result<String> {
        ran(self.command().args(arguments))
    }

    fn command(&self) -> Command {
        let mut compose = Command::new("docker");
        compose
            .args(["compose", "--project-name", &self.project, "--project-directory"])
            .arg(self.folder.path())
            .arg("--file")
            .arg(repository().join("compose.yaml"))
            .arg("--file")
            .arg(self.folder.path().join("sources.yaml"))
            .args(["--profile", "ops"]);
        compose
    }

    /// Starts what is missing with so many workers, and waits until all parts are healthy.
    pub(crate) fn up(&self, workers: usize) -> anyhow::Result<()> {
        let scale = format!("worker={workers}");
        let services = ["ingress", "worker", "console"];
        let up = ["up", "--detach", "--wait", "--wait-timeout", "300", "--scale", &scale];
        self.typed(&[&up[..], &services[..]].concat()).map(drop)
    }

    /// Types a verb of the operator's program.
    pub(crate) fn operator(&self, verb: &[&str]) -> anyhow::Result<String> {
        self.typed(&[&["run", "--rm", "--no-TTY", "ops"][..], verb].concat())
    }

    /// The containers of a service, as the engine describes them.
    pub(crate) fn containers(&self, service: &str) -> anyhow::Result<Vec<Value>> {
        let ids = self.typed(&["ps", "--all", "--quiet", service])?;
        let described = ran(Command::new("docker").arg("inspect").args(ids.split_whitespace()))?;
        Ok(serde_json::from_str(&described)?)
    }

    /// Where the sandbox writes what it prints.
    pub(crate) fn log(&self) -> PathBuf {
        self.folder.path().join("sandbox.log")
    }

    /// Kills a container at once.
    pub(crate) fn kill(container: &Value) -> anyhow::Result<()> {
        let id = container["Id"].as_str().context("a container without an id")?;
        ran(Command::new("docker").args(["kill", id])).map(drop)
    }
}

impl Drop for Compose {
    #[expect(clippy::print_stdout, reason = "a test that fails shows what the containers logged")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            let logs = self.typed(&["logs", "--tail", "50"]);
            println!("{}", logs.unwrap_or_else(|error| error.to_string()));
        }
        let _ = self.typed(&["down", "--volumes", "--remove-orphans", "--rmi", "local"]);
    }
}

fn ran(command: &mut Command) -> anyhow::Result<String> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    let told = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "{command:?}: {told}");
    Ok(String::from_utf8(output.stdout)?)
}

fn copy_folder(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let copy = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &copy)?;
        } else {
            fs::copy(entry.path(), copy)?;
        }
    }
    Ok(())
}
