//! `make up`, `restart`, `status` and `down`: a whole bridge in the background of a machine that
//! does other things too.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command};

use system_tests::System;
use system_tests::process::program_path;
use test_support::eventually;

use crate::shell::{Shell, works};

const RESTARTS: usize = 30;

/// Processes that do nothing but keep the machine busy, killed when dropped.
pub(crate) struct BusyLoops(Vec<Child>);

impl BusyLoops {
    pub(crate) fn start(count: usize) -> std::io::Result<Self> {
        let busy = || Command::new("sh").args(["-c", "while :; do :; done"]).spawn();
        Ok(Self((0..count).map(|_| busy()).collect::<Result<_, _>>()?))
    }
}

impl Drop for BusyLoops {
    fn drop(&mut self) {
        for busy in &mut self.0 {
            let _ = busy.kill();
            let _ = busy.wait();
        }
    }
}

/// Processes that a shell has started and that still run: all have the name of its folder in their
/// environment.
pub(crate) fn left_behind(shell: &Shell<'_>) -> Vec<String> {
    let folder = shell.run_folder().display().to_string();
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let text_of = |path: PathBuf| String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned();
    let left = processes.filter(|process| text_of(process.path().join("environ")).contains(&folder));
    left.map(|process| text_of(process.path().join("cmdline")).replace('\0', " "))
        .collect()
}

pub(crate) async fn nothing_is_left_behind(shell: &Shell<'_>) {
    eventually("nothing is left behind", async || match left_behind(shell) {
        left if left.is_empty() => Ok(()),
        left => Err(left),
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn thirty_restarts_beside_busy_loops_take_no_process_for_dead_and_leave_nothing_behind() {
    let system = System::builder().workers(0).without_webhook().start().await.unwrap();
    let shell = Shell::without_a_redis(&system).unwrap();
    let _busy = BusyLoops::start(2).unwrap();
    works(&shell, "make up WORKERS=1").unwrap();
    for _ in 0..RESTARTS {
        works(&shell, "make restart").unwrap();
        works(&shell, "make status").unwrap();
    }
    let log = std::fs::read_to_string(shell.run_folder().join("log/supervisor.log")).unwrap();
    assert!(!log.contains("has died") && !log.contains("did not start"), "{log}");
    works(&shell, "make down").unwrap();
    nothing_is_left_behind(&shell).await;
}

/// The number of a part's process, as its file has it.
pub(crate) fn process_of(shell: &Shell<'_>, part: &str) -> Option<u32> {
    let text = std::fs::read_to_string(shell.run_folder().join(format!("{part}.pid"))).ok()?;
    text.split_whitespace().next()?.parse().ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_dies_is_started_again_and_what_was_stopped_is_not() {
    let system = System::builder().workers(0).without_webhook().start().await.unwrap();
    let shell = Shell::without_a_redis(&system).unwrap();
    let typed = |command: &str| shell.typed(command).unwrap();
    assert!(typed("make up WORKERS=2").status.success());
    for part in ["redis", "ingress", "console", "worker-1"] {
        let killed = process_of(&shell, part).unwrap();
        test_support::signal(killed, "KILL").unwrap();
        eventually(&format!("{part} runs again"), async || {
            let status = typed("make status");
            if process_of(&shell, part) != Some(killed) && status.status.success() {
                Ok(())
            } else {
                Err(status)
            }
        })
        .await;
    }
    assert!(typed("make up WORKERS=1").status.success());
    let died = std::fs::read_to_string(shell.run_folder().join("log/supervisor.log")).unwrap();
    assert!(
        died.contains("worker-1 has died") && !died.contains("worker-2 has died"),
        "{died}"
    );
    assert_eq!(process_of(&shell, "worker-2"), None);
    assert!(typed("make down").status.success());
    nothing_is_left_behind(&shell).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_start_makes_the_store_before_the_console_reads_it() {
    let system = System::builder().workers(0).without_webhook().start().await.unwrap();
    let shell = Shell::without_a_redis(&system).unwrap();
    let store = shell.folder.path().join("first/store.sqlite");
    let up = format!("DATABASE_URL='sqlite://{}' make up WORKERS=1", store.display());
    works(&shell, &up).unwrap();
    assert!(process_of(&shell, "console").is_some() && store.exists());
    works(&shell, "make down").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_verb_finds_the_redis_that_up_has_brought() {
    let system = System::builder().workers(0).without_webhook().start().await.unwrap();
    let shell = Shell::without_a_redis(&system).unwrap();
    works(&shell, "make up WORKERS=1").unwrap();
    let program = program_path("passerelle").unwrap();
    let workers = works(&shell, &format!("'{}' --json workers", program.display())).unwrap();
    let workers: serde_json::Value = serde_json::from_str(&workers).unwrap();
    assert_eq!(workers["workers"].as_array().map(Vec::len), Some(1), "{workers}");
    works(&shell, "make down").unwrap();
    nothing_is_left_behind(&shell).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn make_clean_refuses_while_something_runs_and_never_removes_the_data() {
    let system = System::builder().workers(0).without_webhook().start().await.unwrap();
    let shell = Shell::without_a_redis(&system).unwrap();
    let built = shell.folder.path().join("target");
    let programs = built.join("release");
    std::fs::create_dir_all(&programs).unwrap();
    // Not this build, which the system runs from: another, with a program of its own.
    let clean = format!("CARGO_TARGET_DIR='{}' make clean", built.display());
    let is_refused = |what: &str| {
        let refused = shell.typed(&clean).unwrap();
        let complaint = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success() && complaint.contains(what), "{complaint}");
        assert!(built.exists());
    };
    assert!(shell.typed("make up WORKERS=1").unwrap().status.success());
    is_refused("worker-1 runs");
    assert!(shell.typed("make status").unwrap().status.success());
    assert!(shell.typed("make down").unwrap().status.success());

    let program = programs.join("passerelle");
    std::fs::copy("/bin/sleep", &program).unwrap();
    let mut running = Command::new(&program).arg("600").spawn().unwrap();
    is_refused("release/passerelle runs");
    running.kill().unwrap();
    running.wait().unwrap();

    // Where an earlier version had the queue.
    let queue = shell.data_folder().join("redis");
    std::fs::rename(&queue, shell.run_folder().join("redis")).unwrap();
    // The file alone names the folder.
    let file = shell.folder.path().join("clean.env");
    std::fs::write(&file, format!("RUN_FOLDER={}\n", shell.run_folder().display())).unwrap();
    let by_file = format!("env -u RUN_FOLDER PASSERELLE_ENV_FILE='{}' {clean}", file.display());
    let cleaned = shell.typed(&by_file).unwrap();
    assert!(cleaned.status.success(), "{cleaned:?}");
    assert!(!built.exists() && !shell.run_folder().exists());
    assert!(queue.join("appendonlydir").exists(), "the queue is there");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_ends_at_once_is_noticed_at_once_and_its_own_last_words_are_shown() {
    let system = System::builder().workers(0).without_webhook().start().await.unwrap();
    let shell = Shell::of(&system).unwrap();
    assert!(shell.typed("make up WORKERS=1").unwrap().status.success());
    assert!(shell.typed("make down").unwrap().status.success());
    let refused = shell.typed("BRIDGE_FILE=nowhere.toml make up WORKERS=1").unwrap();
    let complaint = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        !refused.status.success() && complaint.contains("did not start") && complaint.contains("nowhere.toml"),
        "{complaint}"
    );
    assert!(!complaint.contains("stopped"), "lines of an earlier life: {complaint}");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_redis_is_named_make_up_brings_one_and_every_verb_finds_it_until_make_down() {
    let system = System::builder().workers(0).without_webhook().start().await.unwrap();
    let shell = Shell::without_a_redis(&system).unwrap();
    works(&shell, "make up WORKERS=1").unwrap();
    assert!(works(&shell, "make stats").unwrap().contains("nothing is lost"));
    eventually("the worker has sent a heartbeat", async || {
        let output = shell.typed("make workers").unwrap();
        if String::from_utf8_lossy(&output.stdout).contains("worker-") {
            Ok(())
        } else {
            Err(output)
        }
    })
    .await;
    works(&shell, "make restart").unwrap();
    works(&shell, "make down").unwrap();
    let stats = shell.typed("make stats").unwrap();
    assert!(!stats.status.success(), "there is none any more: {stats:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn make_up_and_make_down_leave_alone_what_others_have_started() {
    let system = System::builder().workers(0).without_webhook().start().await.unwrap();
    let shell = Shell::without_a_redis(&system).unwrap();
    let typed = |command: &str| shell.typed(command).unwrap();
    // Another program listens where our Redis would.
    let other = TcpListener::bind(("127.0.0.1", shell.redis_port())).unwrap();
    let refused = typed("make up");
    let complaint = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        !refused.status.success() && complaint.contains("is taken by another program"),
        "{complaint}"
    );
    drop(other);

    // After a restart of the machine the number of a process may be another's: here, one that would
    // end by a signal.
    let mut stranger = Command::new("sleep").arg("600").spawn().unwrap();
    let noted = |part: &str, start: &str| {
        let note = format!("{}{start}\n", stranger.id());
        std::fs::write(shell.run_folder().join(format!("{part}.pid")), note).unwrap();
    };
    std::fs::create_dir_all(shell.run_folder()).unwrap();
    noted("worker-1", "");
    noted("supervisor", " 1@8d0c59c5-b7a5-4e26-b1d8-34bcb9ad1e0f");
    let up = typed("make up");
    assert!(up.status.success(), "{up:?}");
    assert!(typed("make status").status.success(), "the worker was not started");
    noted("worker-2", " 1@8d0c59c5-b7a5-4e26-b1d8-34bcb9ad1e0f");
    noted("watch", "");
    assert!(typed("make down").status.success());
    let ended = stranger.try_wait().unwrap();
    assert_eq!(ended, None, "a stranger was stopped");
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

/// As it stands in the file: a shell would run half of it.
const PASSWORD: &str = "tr0ub 4dor;m`id`L<p>(1)&o'clock#tail";

#[tokio::test(flavor = "multi_thread")]
async fn a_password_with_special_characters_means_the_same_to_every_program_that_reads_the_file() {
    let system = System::builder()
        .workers(0)
        .docmost_password(PASSWORD)
        .start()
        .await
        .unwrap();
    let shell = Shell::with_env_file(&system).unwrap();
    let row = crate::project(&system, "Refonte").await.unwrap();
    for command in ["make up WORKERS=1", "make check-rules ARGS=--live"] {
        let output = shell.typed(command).unwrap();
        assert!(output.status.success(), "{command}: {output:?}");
    }
    eventually("the worker has signed in and made the page", async || {
        match system.docmost.pages_of(row).await {
            Ok(pages) if pages.len() == 1 => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    system.drain().await;
    assert!(shell.typed("make down").unwrap().status.success());
}
