//! A log or an answer that cannot be written: a full disk, a limit, a reader that has gone.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::Context as _;
use rstest::rstest;
use system_tests::System;
use system_tests::process::{program_path, search_path};
use system_tests::system::STOPS_WITHIN;
use test_support::{eventually, free_port};
use tokio::process::{Child, Command};

use crate::background::{nothing_is_left_behind, process_of};
use crate::project;
use crate::shell::{Shell, works};

/// Nobody who works for minutes writes as much.
const LIMIT: u64 = 64 * 1024 * 1024;

/// Takes not one byte, like a file of a disk that is full.
const FULL: &str = "/dev/full";

/// A log that has reached the limit of its process.
fn grown(folder: &Path) -> anyhow::Result<PathBuf> {
    let path = folder.join("grown.log");
    File::create(&path)?.set_len(LIMIT)?;
    Ok(path)
}

/// Starts a program of the system that may write nothing more to its log; killed when dropped.
fn started(system: &System, program: &[&str], log: &Path) -> anyhow::Result<Child> {
    let (program, verb) = program.split_first().context("no program")?;
    let log = File::options().append(true).open(log)?;
    let binds = ["WORKER_HEALTH_BIND", "CONSOLE_BIND"];
    let binds = binds.map(|name| anyhow::Ok((name, format!("127.0.0.1:{}", free_port()?))));
    let child = Command::new("prlimit")
        .arg(format!("--fsize={LIMIT}"))
        .arg(program_path(program)?)
        .args(verb)
        .env_clear()
        .env("PATH", search_path())
        .envs(system.environment())
        .envs(binds.into_iter().collect::<Result<Vec<_>, _>>()?)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .kill_on_drop(true)
        .spawn()?;
    Ok(child)
}

#[rstest]
#[case::each_alone(&["passerelle-ingress", "passerelle-worker", "passerelle console"])]
#[case::all_in_one(&["passerelle all"])]
#[tokio::test]
async fn programs_whose_logs_take_nothing_more_work_on(
    #[case] programs: &[&str],
    #[values(false, true)] is_limited: bool,
) {
    let mut system = System::builder().workers(0).start().await.unwrap();
    system.ingress.stop(STOPS_WITHIN).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let log = if is_limited {
        grown(folder.path()).unwrap()
    } else {
        PathBuf::from(FULL)
    };
    let words = programs.iter().map(|program| program.split(' ').collect::<Vec<_>>());
    let mut running: Vec<Child> = words.map(|words| started(&system, &words, &log).unwrap()).collect();
    let ready = format!("{}/readyz", system.ingress_url);
    eventually("the ingress is ready", async || {
        for child in &mut running {
            assert_eq!(child.try_wait().unwrap(), None, "it ended");
        }
        match system.get(&ready).await {
            Ok((200, _)) => Ok(()),
            other => Err(other),
        }
    })
    .await;
    for name in ["Toiture", "Façade"] {
        let row = project(&system, name).await.unwrap();
        system.drain().await;
        assert_eq!(system.docmost.pages_of(row).await.unwrap().len(), 1);
    }
    system.every_item_has_one_outcome().await.unwrap();
    for child in &mut running {
        assert_eq!(child.try_wait().unwrap(), None, "it ended");
        let pid = child.id().unwrap();
        test_support::signal(pid, "TERM").unwrap();
        let ended = child.wait().await.unwrap();
        assert!(ended.success(), "{ended}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_supervisor_whose_log_takes_nothing_more_starts_again_what_dies() {
    let system = System::builder().workers(0).without_webhook().start().await.unwrap();
    let shell = Shell::of(&system).unwrap();
    let logs = shell.run_folder().join("log");
    std::fs::create_dir_all(&logs).unwrap();
    std::os::unix::fs::symlink(FULL, logs.join("supervisor.log")).unwrap();
    works(&shell, "make up WORKERS=1").unwrap();
    for _ in 0..2 {
        let killed = process_of(&shell, "worker-1").unwrap();
        test_support::signal(killed, "KILL").unwrap();
        eventually("the worker runs again", async || {
            let status = shell.typed("make status").unwrap();
            if process_of(&shell, "worker-1") != Some(killed) && status.status.success() {
                Ok(())
            } else {
                Err(status)
            }
        })
        .await;
    }
    works(&shell, "make down").unwrap();
    nothing_is_left_behind(&shell).await;
}

#[rstest]
#[case::a_list(&["jobs"])]
#[case::json(&["--json", "workers"])]
#[case::a_watch(&["stats", "--watch"])]
#[case::a_text(&["rules", "schema"])]
#[tokio::test]
async fn a_verb_whose_answer_nobody_reads_ends_without_a_word(#[case] verb: &[&str]) {
    let system = System::builder().start().await.unwrap();
    let _row = project(&system, "Toiture").await.unwrap();
    system.drain().await;
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = Command::new(program_path("passerelle").unwrap())
        .args(verb)
        .env_clear()
        .envs(system.environment())
        .stdout(writer)
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
        .wait_with_output()
        .await
        .unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(complaint.is_empty(), "{complaint}");
    assert_eq!(output.status.code(), Some(141));
}
