//! A PgBouncer of the test's own, in front of a PostgreSQL.

use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tempfile::TempDir;

use crate::postgres::server_user;
use crate::{PATIENCE, find_program, free_port};

/// A running `pgbouncer`, killed and removed when dropped. It refuses to run as root: then it runs
/// as the user of PostgreSQL.
#[derive(Debug)]
pub struct TestPgBouncer {
    child: Child,
    port: u16,
    _folder: TempDir,
}

impl TestPgBouncer {
    /// Starts one in front of the server at `port`; `mode` is its `pool_mode`.
    pub fn start(port: u16, mode: &str) -> anyhow::Result<Self> {
        let program = find_program("pgbouncer", &[PathBuf::from("/usr/sbin")])
            .context("pgbouncer was not found: run `make tools`, or install the package pgbouncer")?;
        let (folder, own_port) = (tempfile::tempdir()?, free_port()?);
        let settings = folder.path().join("pgbouncer.ini");
        let text = format!(
            "[databases]\n* = host=127.0.0.1 port={port} user=passerelle\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {own_port}\nunix_socket_dir =\nauth_type = any\npool_mode = {mode}\n\
             ignore_startup_parameters = extra_float_digits\n"
        );
        std::fs::write(&settings, text)?;
        open_to_all(&folder)?;
        let mut command = match server_user()? {
            Some(user) => {
                let mut command = Command::new("setpriv");
                command.args(["--reuid", user, "--regid", user, "--clear-groups", "--"]);
                command.arg(&program);
                command
            }
            None => Command::new(&program),
        };
        let child = command
            .arg("-q")
            .arg(&settings)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let mut pooler = Self {
            child,
            port: own_port,
            _folder: folder,
        };
        pooler.wait()?;
        Ok(pooler)
    }

    /// The URL of the same database, through the pooler.
    pub fn url(&self) -> String {
        format!("postgres://passerelle@127.0.0.1:{}/postgres", self.port)
    }

    fn wait(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            if let Some(status) = self.child.try_wait()? {
                bail!("pgbouncer ended at once ({status})");
            }
            if Instant::now() > deadline {
                bail!("pgbouncer does not answer");
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

impl Drop for TestPgBouncer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn open_to_all(folder: &TempDir) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755))?;
    Ok(())
}
