//! A stop signal while a command has a Redis of its own, or waits for one.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Lines};
use std::net::TcpStream;
use std::process::{Child, ChildStderr, Command, Output, Stdio};

use anyhow::{Context as _, ensure};
use serde_json::json;
use system_tests::process::program_path;
use test_support::{free_port, signal};

use crate::site::Site;

/// A command that waits. It is killed when this is dropped.
struct Waiting {
    child: Child,
    told: Lines<BufReader<ChildStderr>>,
}

impl Waiting {
    /// Starts it, and returns when it tells why it waits.
    fn at(words: &str, command: &mut Command) -> anyhow::Result<Self> {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        let told = child.stderr.take().context("no stderr")?;
        let mut waiting = Self {
            child,
            told: BufReader::new(told).lines(),
        };
        let mut seen = String::new();
        let is_told = waiting.told.by_ref().map_while(Result::ok).any(|line| {
            seen.push_str(&line);
            line.contains(words)
        });
        ensure!(is_told, "it did not tell {words:?}: {seen}");
        Ok(waiting)
    }

    /// As Ctrl-C does. Returns its exit code and what it told from then on.
    fn interrupted(mut self) -> anyhow::Result<(Option<i32>, String)> {
        signal(self.child.id(), "INT")?;
        let mut rest = String::new();
        for line in &mut self.told {
            rest.push_str(&line?);
            rest.push('\n');
        }
        Ok((self.child.wait()?.code(), rest))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Names no Redis; one of its own would listen at this port.
fn with_own_redis(command: &mut Command, port: u16) -> &mut Command {
    #[expect(clippy::disallowed_methods, reason = "PATH is no setting of the product")]
    let path = std::env::var_os("PATH").unwrap_or_default();
    let port = port.to_string();
    command
        .env_remove("REDIS_URL")
        .env("PATH", path)
        .env("OWN_REDIS_PORT", port)
}

fn listens(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

/// `init` with a Redis of its own, while Docmost takes no more logins.
async fn waiting_init(site: &Site, redis_port: u16) -> anyhow::Result<Waiting> {
    let refused = json!({"path": "/api/auth/login", "kind": "status", "status": 429,
        "headers": {"retry-after-auth": "60"}});
    let faults = site.http.post(format!("{}/_sandbox/faults", site.docmost));
    faults.json(&refused).send().await?.error_for_status()?;
    let mut options = site.options();
    options.push("--own-redis".to_owned());
    let mut command = site.command(&options)?;
    Waiting::at("takes no more logins", with_own_redis(&mut command, redis_port))
}

/// Another verb, in the folder and with the settings of `init`.
fn typed(site: &Site, redis_port: u16, verb: &str) -> anyhow::Result<Output> {
    let mut init = site.command(&[])?;
    with_own_redis(&mut init, redis_port);
    let mut command = Command::new(init.get_program());
    let settings = init.get_envs().filter_map(|(name, value)| Some((name, value?)));
    command
        .env_clear()
        .envs(settings)
        .current_dir(site.path(""))
        .stdin(Stdio::null());
    Ok(command.arg(verb).output()?)
}

#[tokio::test]
async fn who_stops_init_leaves_no_redis_behind_and_hears_how_to_go_on() {
    let site = Site::start().await.unwrap();
    let port = free_port().unwrap();
    let init = waiting_init(&site, port).await.unwrap();
    assert!(listens(port), "it has a Redis of its own");
    let (code, told) = init.interrupted().unwrap();
    assert_eq!(code, Some(130), "{told}");
    assert!(told.contains("Run it again: it goes on where it was"), "{told}");
    assert!(!listens(port), "its Redis is left behind: {told}");
}

#[tokio::test]
async fn a_redis_that_make_up_has_taken_over_outlives_the_command_that_brought_it() {
    let site = Site::start().await.unwrap();
    let port = free_port().unwrap();
    let init = waiting_init(&site, port).await.unwrap();
    // The settings of the other parts are not there yet: the supervisor goes on all the same.
    let up = typed(&site, port, "up").unwrap();
    let (code, told) = init.interrupted().unwrap();
    let goes_on = listens(port);
    let down = typed(&site, port, "down").unwrap();
    assert_eq!(code, Some(130), "{told}");
    assert!(!up.status.success() && down.status.success(), "{up:?}\n{down:?}");
    assert!(goes_on, "{told}");
    assert!(!listens(port), "{down:?}");
}

#[tokio::test]
async fn who_stops_a_command_that_waits_for_another_does_not_wait_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let run_folder = folder.path().join(".run");
    std::fs::create_dir_all(&run_folder).unwrap();
    let lock = File::create(run_folder.join("lock")).unwrap();
    lock.lock().unwrap();
    let port = free_port().unwrap();
    let mut command = Command::new(program_path("passerelle").unwrap());
    command
        .args(["all", "--own-redis"])
        .current_dir(folder.path())
        .env_clear();
    let waiting = Waiting::at("waiting for another command", with_own_redis(&mut command, port)).unwrap();
    let (code, told) = waiting.interrupted().unwrap();
    assert_eq!(code, Some(130), "{told}");
    assert!(told.contains("Run it again") && !listens(port), "{told}");
}
