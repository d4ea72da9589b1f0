//! The commands that docs/RUNBOOK.md tells people to type, typed: each in the order of the page, against a real bridge.
//!
//! A fence of the page that begins with ```` ```sh ```` is typed; other fences are for systems that a test does not have. `t2/r42`, `<event id>` and
//! `<letter>` stand for things that the operator has found before.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Output};

use anyhow::Context as _;
use system_tests::System;
use system_tests::builder::repository;
use system_tests::process::program_path;
use tempfile::TempDir;
use test_support::free_port;

use crate::{dead_rows, project};

/// The lines of all fences that are to be typed.
fn commands(page: &str) -> Vec<String> {
    let (mut found, mut is_typed, mut is_fenced) = (Vec::new(), false, false);
    for line in page.lines() {
        let line = line.trim();
        if let Some(language) = line.strip_prefix("```") {
            is_typed = !is_fenced && language == "sh";
            is_fenced = !is_fenced;
        } else if is_typed && !line.is_empty() && !line.starts_with('#') {
            found.push(line.to_owned());
        }
    }
    found
}

/// An operator's shell in a checkout, with the settings of a running system. What `make up` starts in it is stopped with it.
struct Shell<'a> {
    system: &'a System,
    folder: TempDir,
    programs: PathBuf,
    ports: [u16; 3],
    /// Whether the settings name the system's Redis.
    names_redis: bool,
}

impl<'a> Shell<'a> {
    fn of(system: &'a System) -> anyhow::Result<Self> {
        let program = program_path("passerelle")?;
        Ok(Self {
            system,
            folder: tempfile::tempdir()?,
            programs: program.parent().context("no folder")?.to_owned(),
            ports: [free_port()?, free_port()?, free_port()?],
            names_redis: true,
        })
    }

    /// The same, where the settings name no Redis.
    fn without_a_redis(system: &'a System) -> anyhow::Result<Self> {
        let mut shell = Self::of(system)?;
        shell.names_redis = false;
        Ok(shell)
    }

    /// A command, typed while the system goes on.
    fn typed(&self, command: &str) -> anyhow::Result<Output> {
        tokio::task::block_in_place(|| self.run(command))
    }

    fn run(&self, command: &str) -> anyhow::Result<Output> {
        let [ingress, workers, _] = self.ports.map(|port| format!("127.0.0.1:{port}"));
        let program = self.programs.join("passerelle");
        // The programs of this build: a runbook is tested, not cargo.
        let command = command.replacen(
            "make ",
            &format!(
                "make --no-print-directory WITH_ENV= PROGRAM='{}' BUILD=true ",
                program.display()
            ),
            1,
        );
        #[expect(clippy::disallowed_methods, reason = "PATH is no setting of the product")]
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut shell = std::process::Command::new("bash");
        shell
            .args(["-c", &command])
            .current_dir(repository())
            .env_clear()
            .envs(self.system.environment())
            .env("PATH", path)
            .env("USER", "lea")
            .env("BASEROW_EMAIL", "admin@example.com")
            .env("BASEROW_PASSWORD", "Baserow-pass-1")
            .env("INGRESS_BIND", ingress)
            .env("WORKER_HEALTH_BIND", workers)
            .env("RUN_FOLDER", self.folder.path())
            .env("INGRESS_SPOOL_DIR", self.folder.path().join("spool"))
            .env("PROGRAM_FOLDER", &self.programs)
            .env("OWN_REDIS_PORT", self.ports[2].to_string());
        if !self.names_redis {
            shell.env_remove("REDIS_URL");
        }
        Ok(shell.output()?)
    }
}

impl Drop for Shell<'_> {
    fn drop(&mut self) {
        let _ = self.run("scripts/bridge down");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_of_the_runbook_works_when_it_is_typed() {
    let system = System::builder().start().await.unwrap();
    let row = project(&system, "cherché").await.unwrap();
    system.drain().await;
    dead_rows(&system, &["un", "deux", "trois", "quatre"]).await.unwrap();
    let event = system
        .operator(&["sync", &row.to_string(), "--wait", "--by", "lea", "--json"])
        .await
        .unwrap();
    let event: serde_json::Value = serde_json::from_str(&event).unwrap();
    let event = event["event"].as_str().unwrap().to_owned();

    let page = std::fs::read_to_string(repository().join("docs/RUNBOOK.md")).unwrap();
    let commands = commands(&page);
    assert!(commands.len() > 20, "the page tells what to type: {commands:?}");
    let shell = Shell::of(&system).unwrap();
    for command in commands {
        let mut typed = command
            .replace("t2/r42", &row.to_string())
            .replace("<event id>", &event);
        if typed.contains("<letter>") {
            let letters = system.queue.dead_letters(None, 1).await.unwrap();
            typed = typed.replace("<letter>", &letters.first().expect("a dead letter is left").id);
        }
        let output = shell.typed(&typed).unwrap();
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        // `doctor` ends with another code where it finds something, and here it does: mail is not set up.
        let is_examined = typed.starts_with("make doctor") && printed.contains("conservation");
        assert!(
            output.status.success() || is_examined,
            "the runbook says `{command}`, and that fails:\n{printed}{complaint}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_redis_is_named_make_up_brings_one_and_every_verb_finds_it_until_make_down() {
    let system = System::builder().workers(0).without_webhook().start().await.unwrap();
    let shell = Shell::without_a_redis(&system).unwrap();
    let typed = |command: &str| shell.typed(command).unwrap();
    let works = |command: &str| {
        let output = typed(command);
        assert!(output.status.success(), "{command}: {output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    works("make up WORKERS=1");
    assert!(works("make stats").contains("nothing is lost"));
    assert!(works("make workers").contains("worker-"));
    works("make restart");
    works("make down");
    assert!(!typed("make stats").status.success(), "there is none any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn make_up_and_make_down_leave_alone_what_others_have_started() {
    let system = System::builder().workers(0).without_webhook().start().await.unwrap();
    let shell = Shell::without_a_redis(&system).unwrap();
    let typed = |command: &str| shell.typed(command).unwrap();
    // Another program listens where our Redis would.
    let other = TcpListener::bind(("127.0.0.1", shell.ports[2])).unwrap();
    let refused = typed("make up");
    let complaint = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        !refused.status.success() && complaint.contains("is taken by another program"),
        "{complaint}"
    );
    drop(other);

    // After a restart of the machine the number of a process may be another's: here, one that would end by a signal.
    let mut stranger = Command::new("sleep").arg("600").spawn().unwrap();
    std::fs::write(shell.folder.path().join("worker-1.pid"), stranger.id().to_string()).unwrap();
    let up = typed("make up");
    assert!(up.status.success(), "{up:?}");
    assert!(typed("make status").status.success(), "the worker was not started");
    std::fs::write(shell.folder.path().join("worker-2.pid"), stranger.id().to_string()).unwrap();
    assert!(typed("make down").status.success());
    assert_eq!(stranger.try_wait().unwrap(), None, "a stranger was stopped");
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

#[test]
fn only_fences_that_are_to_be_typed_are() {
    let page = "text\n```sh\nmake a\n# no command\n\nmake b\n```\n```text\npg_dump x\n```\n  ```sh\n  make c\n  ```\n";
    assert_eq!(commands(page), ["make a", "make b", "make c"]);
}
