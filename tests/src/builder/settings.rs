//! What the processes of a system are told: their settings, arguments and ports.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use passerelle_model::config::BridgeFile;
use test_support::{TestRedis, free_port};

use super::{BASEROW_TOKEN, DOCMOST_EMAIL, Playground, SystemBuilder};
use crate::people;
use crate::system::SECRET;

/// Where everything of a system listens.
#[derive(Debug)]
pub(super) struct Ports {
    pub(super) baserow: u16,
    pub(super) docmost: u16,
    pub(super) ingress: u16,
    pub(super) smtp: u16,
    pub(super) smtp_control: u16,
    pub(super) slack: u16,
}

impl Ports {
    pub(super) fn free() -> anyhow::Result<Self> {
        Ok(Self {
            baserow: free_port()?,
            docmost: free_port()?,
            ingress: free_port()?,
            smtp: free_port()?,
            smtp_control: free_port()?,
            slack: free_port()?,
        })
    }
}

/// Writes a bridge file with the same rules into a folder, whose callers are all tables with the
/// tests' secret; its path.
pub(super) fn open_to_all_tables(bridge_file: &Path, folder: &Path) -> anyhow::Result<String> {
    let mut file: toml::Table = BridgeFile::read_text(bridge_file)?.parse()?;
    let everybody = toml::toml! {
        "*" = { proof = "hmac", secrets = "BASEROW_WEBHOOK_SECRET" }
    };
    file.insert("sources".to_owned(), everybody.into());
    let path = folder.join("callers.toml");
    std::fs::write(&path, file.to_string())?;
    path.to_str()
        .map(str::to_owned)
        .context("the temporary folder's name is not UTF-8")
}

impl SystemBuilder {
    pub(super) fn environment(
        &self,
        redis: &TestRedis,
        ports: &Ports,
        folder: &Path,
    ) -> anyhow::Result<BTreeMap<String, String>> {
        let folder = folder.to_str().context("the temporary folder's name is not UTF-8")?;
        let sqlite = format!("sqlite://{folder}/store.sqlite");
        let bridge_file = self
            .bridge_file
            .to_str()
            .context("the path of the bridge file is not UTF-8")?;
        let pairs = [
            ("REDIS_URL", redis.url()),
            ("DATABASE_URL", self.database_url.clone().unwrap_or(sqlite)),
            ("BRIDGE_FILE", bridge_file.to_owned()),
            ("BASEROW_WEBHOOK_SECRET", SECRET.to_owned()),
            ("BASEROW_URL", format!("http://127.0.0.1:{}", ports.baserow)),
            ("BASEROW_TOKEN", BASEROW_TOKEN.to_owned()),
            ("DOCMOST_URL", format!("http://127.0.0.1:{}", ports.docmost)),
            ("DOCMOST_EMAIL", DOCMOST_EMAIL.to_owned()),
            ("DOCMOST_PASSWORD", self.docmost_password.clone()),
            ("INGRESS_BIND", format!("127.0.0.1:{}", ports.ingress)),
            ("INGRESS_SPOOL_DIR", format!("{folder}/spool")),
            ("WORKER_HEALTH_BIND", "127.0.0.1:0".to_owned()),
            ("LOG_LEVEL", "info".to_owned()),
            ("PASSERELLE_ENV_FILE", "/dev/null".to_owned()),
        ];
        let pairs = pairs.into_iter().chain(self.notice_settings(ports));
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value));
        Ok(pairs.chain(self.environment.clone()).collect())
    }

    /// The settings of the ends of notices that the system has.
    fn notice_settings(&self, ports: &Ports) -> Vec<(&'static str, String)> {
        let mut settings = Vec::new();
        if self.has_mail {
            settings.extend([
                ("SMTP_URL", format!("smtp://127.0.0.1:{}", ports.smtp)),
                ("SMTP_TLS", "none".to_owned()),
                ("SMTP_TIMEOUT_SECONDS", "2".to_owned()),
                ("MAIL_FROM", "Passerelle <passerelle@example.org>".to_owned()),
                ("ADMIN_EMAIL", people::ADMIN.to_owned()),
            ]);
        }
        if self.has_slack {
            let webhook = "services/T00000001/B00000001/sandboxsandboxsandboxsan";
            let url = format!("http://127.0.0.1:{}/{webhook}", ports.slack);
            settings.push(("SLACK_WEBHOOK_URL", url));
        }
        settings
    }

    pub(super) fn sandbox_arguments(&self, ports: &Ports, ingress_url: &str) -> Vec<String> {
        let mut arguments = vec![
            format!("--baserow-port={}", ports.baserow),
            format!("--docmost-port={}", ports.docmost),
            format!("--baserow-token={BASEROW_TOKEN}"),
            format!("--docmost-email={DOCMOST_EMAIL}"),
            format!("--docmost-password={}", self.docmost_password),
            format!("--time-scale={}", self.time_scale),
        ];
        if !self.spaces.is_empty() {
            arguments.push(format!("--docmost-spaces={}", self.spaces.join(",")));
        }
        if self.has_mail {
            arguments.push(format!("--smtp-port={}", ports.smtp));
            arguments.push(format!("--smtp-control-port={}", ports.smtp_control));
        }
        if self.has_slack {
            arguments.push(format!("--slack-port={}", ports.slack));
        }
        if let Some(Playground { port, console_url }) = &self.playground {
            arguments.push(format!("--playground-port={port}"));
            arguments.push(format!("--console-url={console_url}"));
        }
        if self.webhook {
            for table in &self.webhook_tables {
                arguments.push(format!(
                    "--webhook={table}={ingress_url}/api/webhooks/baserow/{table}-changed"
                ));
            }
            arguments.push(format!("--webhook-secret={SECRET}"));
        }
        arguments
    }
}
