//! From one ingress to the next, over one listening socket, as `make restart` does it.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use anyhow::Context as _;
use futures::future::try_join_all;
use passerelle_model::id::TableId;
use serde_json::json;
use system_tests::process::{program_path, search_path};
use system_tests::system::{SECRET, STOPS_WITHIN};
use system_tests::webhook::delivery;
use system_tests::{Caller, System};
use test_support::{eventually, skipped};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::background::{nothing_is_left_behind, process_of};
use crate::shell::{Shell, works};

const RESTARTS: usize = 10;
const SENDERS: usize = 8;

/// An ingress that listens at a socket of the test; killed when dropped.
fn ingress(system: &System, listener: &TcpListener) -> anyhow::Result<Child> {
    let log = std::fs::File::options()
        .create(true)
        .append(true)
        .open(system.spool().with_extension("log"))?;
    let child = Command::new(program_path("passerelle-ingress")?)
        .env_clear()
        .env("PATH", search_path())
        .envs(system.environment())
        .stdin(Stdio::from(OwnedFd::from(listener.try_clone()?)))
        .stdout(log.try_clone()?)
        .stderr(log)
        .kill_on_drop(true)
        .spawn()?;
    Ok(child)
}

/// What the senders have seen.
#[derive(Default)]
struct Seen {
    is_over: AtomicBool,
    answered: AtomicUsize,
    /// How often a connection was refused or closed before an answer.
    unanswered: AtomicUsize,
}

/// Sends deliveries, one after the other, until the restarts are over.
async fn send(http: reqwest::Client, url: &str, sender: usize, seen: &Seen) -> anyhow::Result<()> {
    let caller = Caller::new(http, url, "projet-changed", SECRET);
    let (table, mut number) = (TableId::new(2)?, 0);
    while !seen.is_over.load(Ordering::Relaxed) {
        let row = json!({"id": sender * 100_000 + number + 1});
        let body = delivery("rows.updated", table, &format!("{sender}-{number}"), &[row]);
        // Baserow sends again what was not answered.
        eventually("a delivery is answered", async || {
            match caller.post(body.to_string()).await {
                Ok(answer) if answer.status == 200 => Ok(()),
                Ok(answer) => Err(format!("{answer:?}")),
                Err(error) => {
                    seen.unanswered.fetch_add(1, Ordering::Relaxed);
                    Err(format!("{error:#}"))
                }
            }
        })
        .await;
        seen.answered.fetch_add(1, Ordering::Relaxed);
        number += 1;
    }
    Ok(())
}

/// Waits until so many more deliveries were answered.
async fn come_through(seen: &Seen, more: usize) {
    let before = seen.answered.load(Ordering::Relaxed);
    eventually("deliveries come through", async || {
        let since = seen.answered.load(Ordering::Relaxed) - before;
        if since >= more { Ok(()) } else { Err(since) }
    })
    .await;
}

/// Restarts the ingress again and again; the last one goes on.
async fn restart(system: &System, listener: &TcpListener, seen: &Seen) -> anyhow::Result<Child> {
    let mut running = ingress(system, listener)?;
    for _ in 0..RESTARTS {
        come_through(seen, 3 * SENDERS).await;
        test_support::signal(running.id().context("it has ended")?, "TERM")?;
        let ended = timeout(STOPS_WITHIN, running.wait()).await??;
        anyhow::ensure!(ended.success(), "{ended}");
        running = ingress(system, listener)?;
    }
    come_through(seen, SENDERS).await;
    Ok(running)
}

/// Restarts an ingress under load; returns what its senders have seen.
async fn restarted(system: &mut System, http: &reqwest::Client) -> anyhow::Result<Seen> {
    system.ingress.stop(STOPS_WITHIN).await?;
    let listener = TcpListener::bind(system.ingress_url.trim_start_matches("http://"))?;
    let seen = Seen::default();
    let senders = (0..SENDERS).map(|sender| send(http.clone(), &system.ingress_url, sender, &seen));
    let restarts = async {
        let running = restart(system, &listener, &seen).await;
        seen.is_over.store(true, Ordering::Relaxed);
        running
    };
    // The last ingress goes on until all senders have their answer.
    let (running, sent) = tokio::join!(restarts, try_join_all(senders));
    sent?;
    drop(running?);
    system.expect_open(u64::try_from(seen.answered.load(Ordering::Relaxed))?);
    Ok(seen)
}

/// A webhook of Baserow is a connection of its own.
#[tokio::test(flavor = "multi_thread")]
async fn ten_restarts_under_load_leave_no_connection_unanswered() {
    let mut system = System::builder().workers(0).without_webhook().start().await.unwrap();
    let fresh = reqwest::Client::builder().pool_max_idle_per_host(0).build().unwrap();
    let seen = restarted(&mut system, &fresh).await.unwrap();
    assert_eq!(seen.unanswered.load(Ordering::Relaxed), 0);
}

/// Whether a process may look into another one of the same user that it has not started. `None`,
/// said aloud, where it may not.
fn may_look_into_others() -> Option<()> {
    let scope = std::fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").unwrap_or_default();
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let may = matches!(scope.trim(), "" | "0") || status.lines().any(|line| line.starts_with("Uid:\t0\t"));
    may.then_some(())
        .or_else(|| skipped("kernel.yama.ptrace_scope keeps processes apart"))
}

/// The socket at which the ingress of a shell listens: its number stays as long as it is held.
fn socket_of(shell: &Shell<'_>) -> anyhow::Result<PathBuf> {
    let ingress = process_of(shell, "ingress").context("no ingress")?;
    Ok(std::fs::read_link(format!("/proc/{ingress}/fd/0"))?)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_socket_of_the_deliveries_outlives_a_killed_supervisor_too() {
    if may_look_into_others().is_none() {
        return;
    }
    let system = System::builder().workers(0).without_webhook().start().await.unwrap();
    let shell = Shell::of(&system).unwrap();
    works(&shell, "make up WORKERS=1").unwrap();
    let (ingress, socket) = (process_of(&shell, "ingress"), socket_of(&shell).unwrap());
    test_support::signal(process_of(&shell, "supervisor").unwrap(), "KILL").unwrap();
    works(&shell, "make up WORKERS=1").unwrap();
    works(&shell, "make restart").unwrap();
    assert_ne!(process_of(&shell, "ingress"), ingress);
    assert_eq!(socket_of(&shell).unwrap(), socket);
    works(&shell, "make down").unwrap();
    nothing_is_left_behind(&shell).await;
}
