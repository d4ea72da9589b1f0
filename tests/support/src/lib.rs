//! Real servers for tests, each test's own: started on a free port, in a folder of their own,
//! stopped at the end.
//!
//! Tests never use a Redis or a PostgreSQL that they did not start, and never sleep: [`eventually`]
//! waits for a fact.

mod certificate;
mod clock;
mod collector;
pub mod contract;
mod errors;
mod fuzz;
mod line;
mod pgbouncer;
mod port;
mod postfix;
mod postgres;
mod power_cut;
mod preload;
mod prometheus;
mod redis_copy;
mod redis_sentinels;
mod redis_server;
mod signal;

use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;

pub use certificate::{TestCertificate, TlsFront};
pub use clock::WrongClock;
pub use collector::{Collecting, TestCollector, attribute, hex};
pub use errors::ErrorLog;
pub use fuzz::fuzz;
pub use line::Line;
pub use opentelemetry_proto::tonic::trace::v1::Span;
pub use pgbouncer::TestPgBouncer;
pub use port::{free_port, free_ports};
pub use postfix::{PostfixOptions, TestPostfix};
pub use postgres::TestPostgres;
pub use power_cut::FragileRedis;
pub use preload::build_preload;
pub use prometheus::{TestPrometheus, promtool};
pub use redis_copy::RedisCopy;
pub use redis_sentinels::TestSentinels;
pub use redis_server::{Fsync, RedisOptions, TestRedis};
pub use signal::{children_of, is_alive, signal};

/// The longest that a test waits for a fact before it fails: what takes two seconds takes many more
/// on a machine that does other things too. Leases and retries of seconds fit in several times, and
/// several such waits in the time that a test is given.
pub const PATIENCE: Duration = Duration::from_mins(2);

/// A program that the kernel kills when the thread which starts it ends, however that ends: whoever
/// is killed leaves no process behind. `setpriv` becomes the program, so the number stays the same.
pub fn bound_command(program: &Path) -> Command {
    let Some(setpriv) = find_program("setpriv", &[]) else {
        return Command::new(program);
    };
    let mut command = Command::new(setpriv);
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

/// Finds a program on `PATH` or in one of the folders where Debian hides its servers.
pub(crate) fn find_program(name: &str, hidden_in: &[PathBuf]) -> Option<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "PATH is no setting of the product")]
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(hidden_in.iter().cloned());
    folders
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file())
}

/// A program of which a test needs no more than to run it. `None`, said aloud, where it is missing.
pub fn program_of_package(name: &str, package: &str) -> Option<Command> {
    needed_program(name, package).map_or_else(|missing| skipped(&missing.to_string()), Some)
}

/// The same for a test that somebody asks for by name: it fails where its program is missing.
pub fn needed_program(name: &str, package: &str) -> anyhow::Result<Command> {
    let found = find_program(name, &[]).map(Command::new);
    found.with_context(|| format!("{name} was not found: run `make tools`, or install the package {package}"))
}

/// Nothing to test with, said aloud.
#[expect(clippy::print_stderr, reason = "a test that proves nothing says so")]
pub fn skipped<T>(why: &str) -> Option<T> {
    eprintln!("SKIPPED: {why}");
    None
}

/// Waits until `look` sees the fact, looking again every 10 ms; fails with what it saw last.
///
/// # Panics
/// After [`PATIENCE`]: the fact did not come true.
pub async fn eventually<T, S: Debug, F: AsyncFnMut() -> Result<T, S>>(fact: &str, mut look: F) -> T {
    let mut ticks = tokio::time::interval(Duration::from_millis(10));
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        ticks.tick().await;
        match look().await {
            Ok(value) => return value,
            Err(seen) => assert!(
                tokio::time::Instant::now() < deadline,
                "waited {PATIENCE:?} for: {fact}; saw last: {seen:?}"
            ),
        }
    }
}
