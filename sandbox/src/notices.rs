//! The receivers of notices: the mail server and Slack, each started only if it has a port.

use std::io;
use std::net::{IpAddr, TcpListener};

use anyhow::Context as _;

use crate::{slack, smtp};

/// Which receivers of notices are started, and how they are set up.
#[derive(Debug, Clone, clap::Args)]
#[group(id = "notices")]
pub struct Options {
    /// The port of the mail server; 0 takes a free one. Absent: no mail server.
    #[arg(long)]
    pub smtp_port: Option<u16>,
    /// The port of the mail server's control routes; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    pub smtp_control_port: u16,
    /// The port of Slack; 0 takes a free one. Absent: no Slack.
    #[arg(long)]
    pub slack_port: Option<u16>,
    /// The options of the mail server.
    #[command(flatten)]
    pub smtp: smtp::Options,
    /// The options of Slack.
    #[command(flatten)]
    pub slack: slack::Options,
}

/// The receivers that were started.
#[derive(Debug)]
pub struct Ends {
    /// The mail server, if it has a port.
    pub smtp: Option<smtp::Server>,
    /// Slack, if it has a port.
    pub slack: Option<slack::Server>,
}

/// Starts the receivers that have a port. Must be called inside a tokio runtime.
pub fn start(host: IpAddr, options: Options) -> anyhow::Result<Ends> {
    let listen = |port| {
        TcpListener::bind((host, port)).with_context(|| format!("cannot listen on {host}:{port}: choose another port"))
    };
    let smtp = match options.smtp_port {
        Some(port) => Some(smtp::start(
            listen(port)?,
            listen(options.smtp_control_port)?,
            options.smtp,
        )?),
        None => None,
    };
    let slack = match options.slack_port {
        Some(port) => Some(slack::start(listen(port)?, options.slack)?),
        None => None,
    };
    Ok(Ends { smtp, slack })
}

impl Ends {
    /// One line for each port, in the form of the other products' lines.
    pub fn announcements(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(server) = &self.smtp {
            lines.push(format!("SMTP listens on {}", server.url()));
            lines.push(format!("{} listens on {}", server.control.name, server.control.url()));
        }
        if let Some(server) = &self.slack {
            lines.push(format!("{} listens on {}", server.running.name, server.running.url()));
        }
        lines
    }

    /// Stops what was started.
    pub async fn stop(self) -> io::Result<()> {
        if let Some(server) = self.smtp {
            server.stop().await?;
        }
        if let Some(server) = self.slack {
            server.running.stop().await?;
        }
        Ok(())
    }
}
