//! A PostgreSQL of the test's own.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context as _, bail};
use tempfile::TempDir;

use crate::signal::{children_of, signal};
use crate::{TestCertificate, find_program, free_port};

/// A running PostgreSQL cluster with an empty database, stopped and removed when dropped.
///
/// PostgreSQL refuses to run as root: then the server runs as the user `postgres` (or `nobody`).
#[derive(Debug)]
pub struct TestPostgres {
    programs: PathBuf,
    folder: TempDir,
    port: u16,
    user: Option<&'static str>,
}

impl TestPostgres {
    /// Creates a cluster in a folder of its own and starts it on a free port.
    pub fn start() -> anyhow::Result<Self> {
        Self::start_with(&["-A", "trust"])
    }

    /// The same, but it asks for this password.
    pub fn start_asking_for(password: &str) -> anyhow::Result<Self> {
        let mut file = tempfile::NamedTempFile::new()?;
        std::io::Write::write_all(&mut file, password.as_bytes())?;
        // The server's user reads it.
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o644))?;
        Self::start_with(&["-A", "scram-sha-256", "--pwfile", path_text(file.path())?])
    }

    fn start_with(login: &[&str]) -> anyhow::Result<Self> {
        let initdb = find_program("initdb", &debian_folders())
            .context("PostgreSQL was not found: run `make tools`, or install the package postgresql")?;
        let programs = initdb.parent().context("initdb has no folder")?.to_owned();
        let server = Self {
            programs,
            folder: tempfile::tempdir()?,
            port: free_port()?,
            user: server_user()?,
        };
        std::fs::set_permissions(server.folder.path(), std::fs::Permissions::from_mode(0o777))?;
        let data = server.data();
        let data = path_text(&data)?;
        let options = ["-U", "passerelle", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"];
        server.run("initdb", &[&["-D", data][..], &options, login].concat())?;
        server.boot()?;
        Ok(server)
    }

    /// Takes encrypted connections too, with this certificate, after a new start.
    pub fn secure(&self, certificate: &TestCertificate) -> anyhow::Result<()> {
        self.kill()?;
        for (from, to) in [(certificate.path(), "server.crt"), (certificate.key(), "server.key")] {
            // PostgreSQL wants a key that is its own and that nobody else may read.
            let mut install = Command::new("install");
            install.args(self.user.map(|user| ["-o", user]).into_iter().flatten());
            let status = install
                .args(["-m", "600"])
                .arg(from)
                .arg(self.data().join(to))
                .status()?;
            anyhow::ensure!(status.success(), "install failed ({status})");
        }
        let configuration = self.data().join("postgresql.conf");
        let text = std::fs::read_to_string(&configuration)?;
        std::fs::write(configuration, text + "\nssl = on\n")?;
        self.boot()
    }

    /// Starts it again on the same port with the same data.
    pub fn boot(&self) -> anyhow::Result<()> {
        let options = format!(
            "-p {} -c listen_addresses=127.0.0.1 -c fsync=off -c unix_socket_directories=''",
            self.port
        );
        let (data, log) = (self.data(), self.folder.path().join("log"));
        let (data, log) = (path_text(&data)?, path_text(&log)?);
        self.run(
            "pg_ctl",
            &["-D", data, "-o", &options, "-l", log, "-w", "-t", "60", "start"],
        )
    }

    /// Stops it at once, without a word to its clients; the data stays.
    pub fn kill(&self) -> anyhow::Result<()> {
        self.run(
            "pg_ctl",
            &["-D", path_text(&self.data())?, "-m", "immediate", "-w", "stop"],
        )
    }

    /// Stops all of its processes where they are, as a frozen disk or a paused machine would:
    /// connections stay, answers do not come.
    pub fn freeze(&self) -> anyhow::Result<()> {
        self.signal("STOP")
    }

    /// Lets them go on.
    pub fn thaw(&self) -> anyhow::Result<()> {
        self.signal("CONT")
    }

    /// The postmaster first, so that it starts no others meanwhile.
    fn signal(&self, name: &str) -> anyhow::Result<()> {
        let file = self.data().join("postmaster.pid");
        let text = std::fs::read_to_string(&file).context("PostgreSQL does not run")?;
        let postmaster = text.lines().next().unwrap_or_default().trim().parse()?;
        signal(postmaster, name)?;
        for child in children_of(postmaster)? {
            // One that has ended meanwhile is no failure.
            let _ = signal(child, name);
        }
        Ok(())
    }

    /// Its port on this machine.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL of its empty database.
    pub fn url(&self) -> String {
        format!("postgres://passerelle@127.0.0.1:{}/postgres", self.port)
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn run(&self, program: &str, arguments: &[&str]) -> anyhow::Result<()> {
        let path = self.programs.join(program);
        let mut command = match self.user {
            Some(user) => {
                let mut command = Command::new("setpriv");
                command
                    .args(["--reuid", user, "--regid", user, "--clear-groups", "--"])
                    .arg(&path);
                command
            }
            None => Command::new(&path),
        };
        // Files, not pipes: the server inherits them, and a pipe would stay open for as long as it
        // runs.
        let transcript = self.folder.path().join(format!("{program}.out"));
        let out = std::fs::File::create(&transcript)?;
        let status = command
            .args(arguments)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            .status()
            .with_context(|| format!("{program} could not be started"))?;
        if !status.success() {
            bail!(
                "{program} failed ({status}): {}",
                std::fs::read_to_string(&transcript).unwrap_or_default()
            );
        }
        Ok(())
    }
}

impl Drop for TestPostgres {
    fn drop(&mut self) {
        let _ = self.thaw();
        let _ = self.kill();
    }
}

fn path_text(path: &Path) -> anyhow::Result<&str> {
    path.to_str().context("the temporary folder's name is not UTF-8")
}

/// Where Debian keeps PostgreSQL's servers, newest version first.
fn debian_folders() -> Vec<PathBuf> {
    let versions = std::fs::read_dir(Path::new("/usr/lib/postgresql"))
        .into_iter()
        .flatten()
        .flatten();
    let mut folders: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    folders.sort();
    folders.reverse();
    folders
}

/// Which user to become: none unless this is root.
pub(crate) fn server_user() -> anyhow::Result<Option<&'static str>> {
    let id = |arguments: &[&str]| -> anyhow::Result<Output> { Ok(Command::new("id").args(arguments).output()?) };
    if id(&["-u"])?.stdout.trim_ascii() != b"0" {
        return Ok(None);
    }
    Ok(Some(if id(&["-u", "postgres"])?.status.success() {
        "postgres"
    } else {
        "nobody"
    }))
}
