//! A place for a new installation: both products on their first day, and an operator's folder.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};

use anyhow::Context as _;
use serde_json::{Value, json};
use system_tests::Process;
use system_tests::process::{program_path, search_path};
use tempfile::TempDir;
use test_support::{TestRedis, eventually, free_port};

const BASEROW_PASSWORD: &str = "Baserow-pass-1";
pub(crate) const ADMIN_PASSWORD: &str = "sandbox-owner";

/// Both products as they are on their first day, and a folder with nothing but two passwords.
pub(crate) struct Site {
    folder: TempDir,
    redis: TestRedis,
    _sandbox: Process,
    pub(crate) http: reqwest::Client,
    pub(crate) baserow: String,
    pub(crate) docmost: String,
    bridge: String,
}

pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Site {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir()?;
        let (baserow, docmost) = (free_port()?, free_port()?);
        let arguments = [
            format!("--baserow-port={baserow}"),
            format!("--docmost-port={docmost}"),
            "--docmost-spaces=General".to_owned(),
            "--time-scale=20".to_owned(),
        ];
        let log = folder.path().join("sandbox.log");
        let sandbox = Process::start("passerelle-sandbox", &arguments, &BTreeMap::new(), &log)?;
        std::fs::write(folder.path().join("baserow.password"), BASEROW_PASSWORD)?;
        std::fs::write(folder.path().join("admin.password"), ADMIN_PASSWORD)?;
        let site = Self {
            folder,
            redis: TestRedis::start()?,
            _sandbox: sandbox,
            http: reqwest::Client::builder().build()?,
            baserow: format!("http://127.0.0.1:{baserow}"),
            docmost: format!("http://127.0.0.1:{docmost}"),
            bridge: format!("127.0.0.1:{}", free_port()?),
        };
        for url in [
            format!("{}/api/_health/", site.baserow),
            format!("{}/api/health", site.docmost),
        ] {
            eventually(&format!("{url} answers"), async || {
                site.http.get(&url).send().await.map(drop)
            })
            .await;
        }
        let workspaces = format!("{}/_sandbox/baserow/workspaces", site.baserow);
        site.http.delete(workspaces).send().await?.error_for_status()?;
        Ok(site)
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    pub(crate) fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// All that an operator types.
    pub(crate) fn options(&self) -> Vec<String> {
        let options = [
            ("--baserow", self.baserow.clone()),
            ("--baserow-email", "admin@example.com".to_owned()),
            ("--baserow-password-file", self.path("baserow.password")),
            ("--docmost", self.docmost.clone()),
            ("--docmost-admin-email", "owner@passerelle.test".to_owned()),
            ("--docmost-admin-password-file", self.path("admin.password")),
            ("--url", format!("http://{}", self.bridge)),
            ("--tables", "make".to_owned()),
        ];
        options
            .into_iter()
            .flat_map(|(name, value)| [name.to_owned(), value])
            .collect()
    }

    /// `passerelle init` in the folder, with only what the machine needs among its settings.
    pub(crate) fn command(&self, options: &[String]) -> anyhow::Result<Command> {
        let mut command = self.passerelle()?;
        command.arg("init").args(options);
        Ok(command)
    }

    /// The program without a verb, likewise.
    pub(crate) fn passerelle(&self) -> anyhow::Result<Command> {
        let mut command = Command::new(program_path("passerelle")?);
        command
            .args(["--env-file", ".env"])
            .current_dir(self.folder.path())
            .env_clear()
            .env("USER", "lea")
            .env("REDIS_URL", self.redis.url())
            .env("INGRESS_BIND", &self.bridge)
            .env("WORKER_HEALTH_BIND", "127.0.0.1:0")
            .env("CONSOLE_BIND", "127.0.0.1:0")
            .env("WORKER_LEASE_SECONDS", "2")
            .stdin(Stdio::null());
        Ok(command)
    }

    pub(crate) async fn run(&self, options: &[String]) -> anyhow::Result<Said> {
        // Docmost allows ten logins a minute; a person is not that quick.
        let logins = format!("{}/_sandbox/logins", self.docmost);
        self.http.delete(logins).send().await?;
        let mut command = tokio::process::Command::from(self.command(options)?);
        let output = command.kill_on_drop(true).output().await?;
        Ok(Said {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// The same at a terminal, where a person answers each question as it comes. Returns the exit
    /// code and what was to be seen.
    pub(crate) fn typed(&self, options: &[String], answers: &[(&str, &str)]) -> anyhow::Result<(Option<i32>, String)> {
        self.typed_before(options, answers, "true")
    }

    /// The same, with a command of the shell that follows at this terminal.
    pub(crate) fn typed_before(
        &self,
        options: &[String],
        answers: &[(&str, &str)],
        next: &str,
    ) -> anyhow::Result<(Option<i32>, String)> {
        let plain = self.command(options)?;
        let quoted = std::iter::once(plain.get_program()).chain(plain.get_args());
        let quoted = quoted.map(|word| format!("'{}'", word.to_string_lossy()));
        let line = quoted.collect::<Vec<_>>().join(" ");
        let line = format!("trap : INT; {line}; code=$?; {next}; exit $code");
        let mut terminal = Command::new("timeout");
        terminal
            .args(["300", "script", "-qec", &line, "/dev/null"])
            .env_clear()
            .env("PATH", search_path())
            .env("TERM", "xterm");
        for (name, value) in plain.get_envs() {
            terminal.env(name, value.unwrap_or_default());
        }
        let mut terminal = terminal
            .current_dir(self.folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut keys = terminal.stdin.take().context("no stdin")?;
        let mut screen = terminal.stdout.take().context("no stdout")?;
        let (mut seen, mut answered) = (String::new(), 0);
        let mut left = answers.iter();
        let mut next = left.next();
        let mut bytes = [0; 1024];
        loop {
            let count = screen.read(&mut bytes)?;
            if count == 0 {
                break;
            }
            seen.push_str(&String::from_utf8_lossy(bytes.get(..count).unwrap_or_default()));
            let unanswered = seen.get(answered..).unwrap_or_default();
            if let Some((_, answer)) = next.filter(|(question, _)| unanswered.contains(question)) {
                answered = seen.len();
                next = left.next();
                keys.write_all(format!("{answer}\n").as_bytes())?;
                keys.flush()?;
            }
        }
        anyhow::ensure!(next.is_none(), "{next:?} was not asked: {seen}");
        Ok((terminal.wait()?.code(), seen))
    }

    pub(crate) async fn with(&self, more: &[&str]) -> anyhow::Result<Said> {
        let mut options = self.options();
        options.extend(more.iter().map(|option| (*option).to_owned()));
        self.run(&options).await
    }

    /// The same with another value of an option.
    pub(crate) async fn but(&self, option: &str, value: &str) -> anyhow::Result<Said> {
        let mut options = self.options();
        let place = options
            .iter()
            .position(|known| known == option)
            .context("no such option")?;
        value.clone_into(options.get_mut(place + 1).context("it has no value")?);
        self.run(&options).await
    }

    pub(crate) async fn baserow(&self, path: &str) -> anyhow::Result<Value> {
        let login = json!({"email": "admin@example.com", "password": BASEROW_PASSWORD});
        let session = self
            .http
            .post(format!("{}/api/user/token-auth/", self.baserow))
            .json(&login);
        let session: Value = session.send().await?.error_for_status()?.json().await?;
        let token = session["access_token"].as_str().unwrap_or_default();
        let request = self.http.get(format!("{}/api/{path}", self.baserow));
        let answer = request.header("Authorization", format!("JWT {token}")).send().await?;
        Ok(answer.error_for_status()?.json().await?)
    }

    pub(crate) async fn control(&self, url: &str) -> anyhow::Result<Value> {
        Ok(self.http.get(url).send().await?.error_for_status()?.json().await?)
    }

    /// Pages, each with its title and whether it is in the trash.
    pub(crate) async fn pages(&self) -> anyhow::Result<Vec<(String, bool)>> {
        let pages = self.control(&format!("{}/_sandbox/pages", self.docmost)).await?;
        let pages = pages.as_array().context("no list")?.iter();
        let shown = |page: &Value| (page["title"].to_string(), page["deletedAt"].is_string());
        Ok(pages.map(shown).collect())
    }

    /// Everything that an installation makes, to be compared.
    pub(crate) async fn everything(&self) -> anyhow::Result<Vec<String>> {
        let hooks = self
            .control(&format!("{}/_sandbox/baserow/webhooks", self.baserow))
            .await?;
        let rows = self
            .control(&format!("{}/_sandbox/baserow/tables/projet/rows", self.baserow))
            .await?;
        let hooks = hooks.as_array().context("no list")?.iter();
        let hooks: Vec<String> = hooks.map(|hook| format!("{} {}", hook["id"], hook["url"])).collect();
        Ok(vec![
            self.text(".env"),
            self.text("bridge.toml"),
            self.baserow("applications/").await?.to_string(),
            self.baserow("database/tokens/").await?.to_string(),
            hooks.join("\n"),
            rows.to_string(),
            format!("{:?}", self.pages().await?),
        ])
    }
}
