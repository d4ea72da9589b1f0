//! The supervisor of `make up`, when something gets in its way.

use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;
use system_tests::System;
use system_tests::webhook::delivery;
use test_support::{eventually, free_port, signal};

use crate::background::{BusyLoops, left_behind, nothing_is_left_behind, process_of};
use crate::project;
use crate::shell::{Shell, works};

/// How often everything is restarted under load.
const RESTARTS: usize = 3;

fn processes(shell: &Shell<'_>, parts: &[&str]) -> Vec<Option<u32>> {
    parts.iter().map(|part| process_of(shell, part)).collect()
}

const PARTS: [&str; 4] = ["ingress", "console", "worker-1", "worker-2"];

/// The status of a delivery that is sent as Baserow sends it: again, where the connection was closed
/// before an answer. One that is refused is a failure.
async fn answered(system: &System, shell: &Shell<'_>, body: &str) -> anyhow::Result<u16> {
    let is_closed = |error: &anyhow::Error| {
        error
            .downcast_ref::<reqwest::Error>()
            .is_some_and(|error| !error.is_connect())
    };
    eventually("the ingress answers a delivery", async || {
        match system.caller_of(&shell.ingress_url()).post(body).await {
            Err(error) if is_closed(&error) => Err(error),
            other => Ok(other.map(|answer| answer.status)),
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_under_load_refuses_no_connection_and_every_row_gets_its_page() {
    let system = System::builder().workers(0).without_webhook().start().await.unwrap();
    let shell = Shell::of(&system).unwrap();
    let _busy = BusyLoops::start(2).unwrap();
    works(&shell, "make up WORKERS=2").unwrap();
    let before = processes(&shell, &PARTS);
    let restarted = AtomicBool::new(false);
    let load = async |caller: usize| {
        let mut rows = Vec::new();
        while !restarted.load(Ordering::Relaxed) {
            let row = project(&system, &format!("Projet {caller}-{}", rows.len()))
                .await
                .unwrap();
            let event = format!("{caller}-{}", rows.len());
            let body = delivery("rows.created", row.table, &event, &[json!({"id": row.row.get()})]);
            // A webhook of Baserow is a connection of its own.
            assert_eq!(answered(&system, &shell, &body.to_string()).await.unwrap(), 200);
            rows.push(row);
        }
        rows
    };
    // Whatever becomes of the restarts, the load ends with them.
    let restarts = || {
        let done = [(); RESTARTS].map(|()| shell.run("make restart"));
        restarted.store(true, Ordering::Relaxed);
        done
    };
    let (done, (first, second, third)) = tokio::task::block_in_place(|| {
        std::thread::scope(|scope| {
            let restarts = scope.spawn(restarts);
            let loads = async { tokio::join!(load(1), load(2), load(3)) };
            let rows = tokio::runtime::Handle::current().block_on(loads);
            (restarts.join().unwrap(), rows)
        })
    });
    for restart in done {
        let output = restart.unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    let after = processes(&shell, &PARTS);
    assert!(
        before
            .iter()
            .zip(&after)
            .all(|(before, after)| after.is_some() && before != after)
    );
    system.drain().await;
    for row in [first, second, third].concat() {
        assert_eq!(system.docmost.pages_of(row).await.unwrap().len(), 1, "{row}");
    }
    works(&shell, "make down").unwrap();
    nothing_is_left_behind(&shell).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_commands_that_start_a_bridge_at_once_start_one() {
    let system = System::builder().workers(0).without_webhook().start().await.unwrap();
    let shell = Shell::of(&system).unwrap();
    std::thread::scope(|scope| {
        let both = [(); 2].map(|()| scope.spawn(|| shell.run("make up WORKERS=2").unwrap()));
        for up in both {
            let output = up.join().unwrap();
            assert!(output.status.success(), "{output:?}");
        }
    });
    works(&shell, "make status").unwrap();
    // Its parts and the supervisor.
    let running = left_behind(&shell);
    assert_eq!(running.len(), PARTS.len() + 1, "{running:?}");
    works(&shell, "make down").unwrap();
    nothing_is_left_behind(&shell).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_killed_supervisor_make_up_finds_what_runs_and_looks_after_it_again() {
    let system = System::builder().workers(0).without_webhook().start().await.unwrap();
    let shell = Shell::without_a_redis(&system).unwrap();
    works(&shell, "make up WORKERS=2").unwrap();
    let before = processes(&shell, &PARTS);
    signal(process_of(&shell, "supervisor").unwrap(), "KILL").unwrap();
    eventually("the status tells of it", async || {
        let status = shell.typed("make status").unwrap();
        let told = String::from_utf8_lossy(&status.stdout).into_owned();
        let is_told = told
            .lines()
            .any(|line| line.starts_with("supervisor") && line.contains("has died"));
        if is_told && !status.status.success() {
            Ok(())
        } else {
            Err(told)
        }
    })
    .await;
    // Nobody is there who would start it again.
    signal(before[2].unwrap(), "KILL").unwrap();
    works(&shell, "make up WORKERS=2").unwrap();
    let after = processes(&shell, &PARTS);
    assert_eq!(after[..2], before[..2]);
    assert_eq!(after[3], before[3]);
    assert_ne!(after[2], before[2]);
    // One that it has not started itself.
    signal(after[0].unwrap(), "KILL").unwrap();
    eventually("the ingress runs again", async || {
        let status = shell.typed("make status").unwrap();
        if status.status.success() && process_of(&shell, "ingress") != after[0] {
            Ok(())
        } else {
            Err(status)
        }
    })
    .await;
    signal(process_of(&shell, "supervisor").unwrap(), "KILL").unwrap();
    works(&shell, "make down").unwrap();
    nothing_is_left_behind(&shell).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_make_up_did_not_reach_is_told_by_the_status_and_brought_by_a_restart() {
    let system = System::builder().workers(0).without_webhook().start().await.unwrap();
    let shell = Shell::of(&system).unwrap();
    let other = TcpListener::bind(shell.ingress_url().trim_start_matches("http://")).unwrap();
    let refused = shell.typed("make up WORKERS=2").unwrap();
    let complaint = String::from_utf8_lossy(&refused.stderr);
    assert!(
        !refused.status.success()
            && complaint.contains("set INGRESS_BIND to a free port")
            && complaint.contains("`passerelle down` stops what has started"),
        "{complaint}"
    );
    let status = shell.typed("make status").unwrap();
    assert!(!status.status.success(), "{status:?}");
    let told = String::from_utf8_lossy(&status.stdout);
    for part in PARTS {
        let is_told = |line: &str| line.starts_with(part) && line.contains("has died");
        assert!(told.lines().any(is_told), "{part}: {told}");
    }
    drop(other);
    works(&shell, "make restart").unwrap();
    works(&shell, "make status").unwrap();
    let running = processes(&shell, &PARTS);
    assert!(running.iter().all(Option::is_some), "{running:?}");
    works(&shell, "make down").unwrap();
    nothing_is_left_behind(&shell).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn make_down_does_not_wait_for_a_part_that_does_not_get_ready() {
    let system = System::builder().workers(0).without_webhook().start().await.unwrap();
    let shell = Shell::of(&system).unwrap();
    // A worker sends no heartbeat there.
    let nowhere = format!(
        "REDIS_URL=redis://127.0.0.1:{}/0 make up WORKERS=2",
        free_port().unwrap()
    );
    let starting = tokio::task::block_in_place(|| {
        std::thread::scope(|scope| {
            let starting = scope.spawn(|| shell.run(&nowhere).unwrap());
            let begins = eventually("the ingress has begun", async || {
                process_of(&shell, "ingress").ok_or("it has no process")
            });
            tokio::runtime::Handle::current().block_on(begins);
            works(&shell, "make down").unwrap();
            starting.join().unwrap()
        })
    });
    let told = String::from_utf8_lossy(&starting.stderr);
    assert!(
        !starting.status.success() && told.contains("another command has taken over"),
        "{told}"
    );
    nothing_is_left_behind(&shell).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bridge_outlives_the_terminal_that_started_it() {
    let system = System::builder().workers(0).without_webhook().start().await.unwrap();
    let shell = Shell::without_a_redis(&system).unwrap();
    // A terminal that is closed tells its session so.
    let hung_up = shell
        .typed("setsid --wait bash -c 'make up WORKERS=1 && kill -HUP 0'")
        .unwrap();
    assert!(!hung_up.status.success(), "{hung_up:?}");
    works(&shell, "make status").unwrap();
    works(&shell, "make down").unwrap();
    nothing_is_left_behind(&shell).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_supervisor_that_is_asked_to_end_stops_its_parts() {
    let system = System::builder().workers(0).without_webhook().start().await.unwrap();
    let shell = Shell::without_a_redis(&system).unwrap();
    works(&shell, "make up WORKERS=2").unwrap();
    signal(process_of(&shell, "supervisor").unwrap(), "TERM").unwrap();
    nothing_is_left_behind(&shell).await;
}
