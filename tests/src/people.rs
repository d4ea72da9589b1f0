//! What people got: the mails in the sandbox's mail server, the messages in its Slack.

use anyhow::Context as _;
use serde_json::{Value, json};
use test_support::eventually;

/// The admin of every test system.
pub const ADMIN: &str = "admin@example.org";

/// The ends of notices, as a test looks at them.
#[derive(Debug, Clone)]
pub struct People {
    http: reqwest::Client,
    smtp: String,
    slack: String,
}

/// A mail as its reader sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    pub to: Vec<String>,
    pub subject: String,
    pub text: String,
    /// By which mail programs recognise a message that comes again.
    pub message_id: String,
}

impl People {
    /// By the control port of the mail server and the port of Slack.
    pub fn new(http: reqwest::Client, (smtp_control, slack): (u16, u16)) -> Self {
        Self {
            http,
            smtp: format!("http://127.0.0.1:{smtp_control}"),
            slack: format!("http://127.0.0.1:{slack}"),
        }
    }

    /// The mails so far, oldest first.
    pub async fn mails(&self) -> anyhow::Result<Vec<Mail>> {
        let mails = self.get(&format!("{}/_sandbox/mails", self.smtp)).await?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let header = |mail: &Value, name: &str| {
            let headers = mail["headers"].as_array().into_iter().flatten();
            let mut named =
                headers.filter(|header| header[0].as_str().is_some_and(|found| found.eq_ignore_ascii_case(name)));
            named.next().map_or_else(String::new, |header| text(&header[1]))
        };
        let read = |mail: &Value| Mail {
            to: mail["envelope"]["to"]
                .as_array()
                .into_iter()
                .flatten()
                .map(text)
                .collect(),
            subject: text(&mail["subject"]),
            text: text(&mail["text"]),
            message_id: header(mail, "message-id"),
        };
        Ok(mails
            .as_array()
            .context("the mails are no list")?
            .iter()
            .map(read)
            .collect())
    }

    /// The mails, once there are at least so many.
    pub async fn mails_reach(&self, count: usize) -> Vec<Mail> {
        eventually(&format!("{count} mails"), async || match self.mails().await {
            Ok(mails) if mails.len() >= count => Ok(mails),
            other => Err(format!("{other:?}")),
        })
        .await
    }

    /// The texts that were posted to Slack so far, oldest first.
    pub async fn posts(&self) -> anyhow::Result<Vec<String>> {
        let messages = self.get(&format!("{}/_sandbox/messages", self.slack)).await?;
        let text = |message: &Value| message["text"].as_str().unwrap_or_default().to_owned();
        Ok(messages
            .as_array()
            .context("the messages are no list")?
            .iter()
            .map(text)
            .collect())
    }

    /// The mail server refuses every connection from now on.
    pub async fn break_mail(&self) -> anyhow::Result<()> {
        let faults = json!([{"path": "/connect", "kind": "reset"}]);
        let request = self.http.put(format!("{}/_sandbox/faults", self.smtp)).json(&faults);
        request.send().await?.error_for_status()?;
        Ok(())
    }

    /// The mail server works again.
    pub async fn mend_mail(&self) -> anyhow::Result<()> {
        let request = self.http.delete(format!("{}/_sandbox/faults", self.smtp));
        request.send().await?.error_for_status()?;
        Ok(())
    }

    async fn get(&self, url: &str) -> anyhow::Result<Value> {
        Ok(self.http.get(url).send().await?.error_for_status()?.json().await?)
    }
}
