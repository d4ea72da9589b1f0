//! How the sandbox's Baserow is set up, and which settings can change while it runs.

use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How the sandbox's Baserow is set up.
#[derive(Debug, Clone, clap::Args)]
#[group(id = "baserow")]
pub struct Options {
    /// The database token for Baserow's row API.
    #[arg(long, default_value = "sandbox-token")]
    pub baserow_token: String,
    /// The e-mail address of Baserow's one user (webhooks can be managed by users only).
    #[arg(long, default_value = "admin@example.com")]
    pub baserow_email: String,
    /// The password of that user.
    #[arg(long, default_value = "Baserow-pass-1")]
    pub baserow_password: String,
    /// A webhook from the start, e.g.
    /// projet=http://127.0.0.1:8080/api/webhooks/baserow/projet-changed. May be repeated.
    #[arg(long, value_name = "TABLE=URL")]
    pub webhook: Vec<WebhookAtStart>,
    /// Sign the deliveries of these webhooks with this secret, as a signing proxy behind Baserow
    /// would.
    #[arg(long)]
    pub webhook_secret: Option<String>,
    /// How many times faster than the real server Baserow waits between retries.
    #[arg(long, default_value_t = 1.0)]
    pub time_scale: f64,
}

/// A webhook for all events of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookAtStart {
    /// The name of the table.
    pub table: String,
    /// The URL that the webhook calls.
    pub url: String,
}

impl FromStr for WebhookAtStart {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((table, url)) if !table.is_empty() && url.starts_with("http://") => Ok(Self {
                table: table.to_owned(),
                url: url.to_owned(),
            }),
            _ => Err("write a table and an http address, like projet=http://127.0.0.1:8080/path".to_owned()),
        }
    }
}

/// Settings that `PATCH /_sandbox/baserow/settings` changes while the server runs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub(crate) email: String,
    pub(crate) password: String,
    /// The number of concurrent webhook calls. One keeps the order of events; real servers have
    /// several.
    pub(crate) export_workers: usize,
    /// The time-out of a webhook call, in milliseconds of real time.
    pub(crate) request_timeout_ms: u64,
    /// Whether a write is answered only after its webhooks were delivered once.
    pub(crate) echo_before_answer: bool,
    /// Whether to ignore `send_webhook_events`, as servers before 1.29.3 do.
    pub(crate) ignores_send_webhook_events: bool,
    /// Whether private addresses are refused as targets of webhooks, as on a server with its
    /// defaults.
    pub(crate) blocks_private_addresses: bool,
    /// The host names that the server accepts; any if empty.
    pub(crate) hosts: Vec<String>,
}

impl Settings {
    pub(crate) fn of(options: &Options) -> Self {
        Self {
            email: options.baserow_email.clone(),
            password: options.baserow_password.clone(),
            export_workers: 1,
            request_timeout_ms: 5_000,
            echo_before_answer: false,
            ignores_send_webhook_events: false,
            blocks_private_addresses: false,
            hosts: Vec::new(),
        }
    }

    pub(crate) fn request_timeout(&self) -> Duration {
        Duration::from_millis(self.request_timeout_ms)
    }

    /// Whether a `Host` header names this server.
    pub(crate) fn knows_host(&self, host: &str) -> bool {
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        self.hosts.is_empty() || self.hosts.iter().any(|known| known == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_to_begin_with_needs_a_table_and_an_address() {
        let webhook: WebhookAtStart = "projet=http://127.0.0.1:8080/x?a=b".parse().unwrap();
        assert_eq!(
            (webhook.table.as_str(), webhook.url.as_str()),
            ("projet", "http://127.0.0.1:8080/x?a=b")
        );
        for bad in ["projet", "=http://x", "projet=", "projet=https://x"] {
            assert!(bad.parse::<WebhookAtStart>().is_err(), "{bad}");
        }
    }
}
