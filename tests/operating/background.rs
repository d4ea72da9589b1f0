//! `make up`, `restart`, `status` and `down`: a whole bridge in the background of a machine that does other things too.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command};

use system_tests::System;
use test_support::eventually;

use crate::shell::Shell;

const RESTARTS: usize = 4;

/// Processes that do nothing but keep the machine busy, killed when dropped.
struct BusyLoops(Vec<Child>);

impl BusyLoops {
    fn start(count: usize) -> std::io::Result<Self> {
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

/// Between its fork and its exec a process has its shell's name, for longer on a busy machine. This `setsid` makes the time long.
const LATE_SETSID: &str = r#"#!/bin/sh
shift
printf '%s' "$1" >"$0.$$"
program=$0.$$ exec sh -c 'sleep 1; exec "$(cat "$program")"'
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_process_whose_exec_is_late_is_not_taken_for_dead() {
    let system = System::builder().workers(0).without_webhook().start().await.unwrap();
    let shell = Shell::of(&system).unwrap();
    let setsid = shell.folder.path().join("setsid");
    std::fs::write(&setsid, LATE_SETSID).unwrap();
    std::fs::set_permissions(&setsid, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("PATH='{}':$PATH", shell.folder.path().display());
    for command in ["make up WORKERS=1", "make restart", "make status"] {
        let output = shell.typed(&format!("export {path}; {command}")).unwrap();
        assert!(output.status.success(), "{command}: {output:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_busy_machine_every_start_and_restart_waits_for_its_processes_and_takes_none_for_dead() {
    let system = System::builder().workers(0).without_webhook().start().await.unwrap();
    let shell = Shell::without_a_redis(&system).unwrap();
    let works = |command: &str| {
        let output = shell.typed(command).unwrap();
        assert!(output.status.success(), "{command}: {output:?}");
    };
    let _busy = BusyLoops::start(4).unwrap();
    works("make up WORKERS=2");
    for _ in 0..RESTARTS {
        works("make restart");
        works("make status");
    }
    works("make down");
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
    let typed = |command: &str| shell.typed(command).unwrap();
    let works = |command: &str| {
        let output = typed(command);
        assert!(output.status.success(), "{command}: {output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    works("make up WORKERS=1");
    assert!(works("make stats").contains("nothing is lost"));
    eventually("the worker has sent a heartbeat", async || {
        let output = typed("make workers");
        if String::from_utf8_lossy(&output.stdout).contains("worker-") {
            Ok(())
        } else {
            Err(output)
        }
    })
    .await;
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
    let other = TcpListener::bind(("127.0.0.1", shell.redis_port())).unwrap();
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
