//! The settings of the ends of notices: the mail server and Slack's webhook. Each end is off while
//! its URL is not set.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use super::authorities::Authorities;
use super::reader::Reader;

/// Variables that mean nothing without `SMTP_URL`.
const NEED_A_SERVER: [&str; 6] = [
    "SMTP_TLS",
    "SMTP_CA_FILE",
    "SMTP_USERNAME",
    "SMTP_PASSWORD",
    "MAIL_FROM",
    "ADMIN_EMAIL",
];
const SERVER_HINT: &str =
    "the mail server, e.g. smtp://mail.example.org:587 (STARTTLS) or smtps://mail.example.org:465 (TLS)";
const TLS_HINT: &str = "give none, starttls or tls; leave it out for tls with smtps:// and starttls with smtp://";
const FROM_HINT: &str = "who mails come from, e.g. Passerelle <passerelle@example.org>";
const ADMIN_HINT: &str = "who is told about trouble; several addresses are separated by commas";

/// How the connection to the mail server is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpTls {
    /// Not at all: only for a relay on the same machine or network.
    None,
    /// From the moment of `STARTTLS`; a server that does not offer it is refused.
    Starttls,
    /// From the first byte.
    Tls,
}

/// How the bridge signs in to the mail server.
#[derive(Debug, Clone)]
pub struct SmtpLogin {
    /// `SMTP_USERNAME`.
    pub username: String,
    /// `SMTP_PASSWORD`.
    pub password: SecretString,
}

/// How to send mail, and to whom in case of trouble.
#[derive(Debug, Clone)]
pub struct MailSettings {
    /// The host in `SMTP_URL`: also the name that its certificate must have.
    pub host: String,
    /// The port in `SMTP_URL`; 25 without encryption, 587 with STARTTLS, 465 with TLS if it names
    /// none.
    pub port: u16,
    /// `SMTP_TLS`.
    pub tls: SmtpTls,
    /// `SMTP_CA_FILE`, or else `EXTRA_CA_FILE`: a PEM file with a certificate authority to trust
    /// besides the system's.
    pub ca_file: Option<PathBuf>,
    /// `SMTP_USERNAME` and `SMTP_PASSWORD`, if the server wants them.
    pub login: Option<SmtpLogin>,
    /// `MAIL_FROM`.
    pub from: String,
    /// `ADMIN_EMAIL`: at least one address.
    pub admin: Vec<String>,
    /// `SMTP_TIMEOUT_SECONDS` for one answer of the server.
    pub timeout: Duration,
}

impl MailSettings {
    /// Reads `SMTP_*`, `MAIL_FROM`, `ADMIN_EMAIL`. `None` if `SMTP_URL` is not set: no mail is sent
    /// then.
    pub fn read(reader: &mut Reader) -> Option<Self> {
        let Some(url) = reader.optional("SMTP_URL") else {
            if let Some(name) = NEED_A_SERVER.into_iter().find(|name| reader.optional(name).is_some()) {
                reader.problem("SMTP_URL", &format!("is not set, but {name} is"), SERVER_HINT);
            }
            return None;
        };
        let server = Server::parse(&url).unwrap_or_else(|what| {
            reader.problem("SMTP_URL", what, SERVER_HINT);
            Server::default()
        });
        let tls = tls(reader, &server);
        let login = login(reader, tls, &server.host);
        Some(Self {
            port: server.port.unwrap_or(match tls {
                SmtpTls::None => 25,
                SmtpTls::Starttls => 587,
                SmtpTls::Tls => 465,
            }),
            host: server.host,
            tls,
            ca_file: ca_file(reader),
            login,
            from: address(reader, "MAIL_FROM", FROM_HINT),
            admin: admin(reader),
            timeout: reader.seconds("SMTP_TIMEOUT_SECONDS", 20),
        })
    }
}

fn ca_file(reader: &mut Reader) -> Option<PathBuf> {
    let own = reader.optional("SMTP_CA_FILE").map(PathBuf::from);
    own.or_else(|| Authorities::read(reader).map(|authorities| authorities.path))
}

/// What `SMTP_URL` says.
#[derive(Debug, Default, PartialEq, Eq)]
struct Server {
    encrypted: bool,
    host: String,
    port: Option<u16>,
}

impl Server {
    fn parse(url: &str) -> Result<Self, &'static str> {
        let (encrypted, rest) = match (url.strip_prefix("smtps://"), url.strip_prefix("smtp://")) {
            (Some(rest), _) => (true, rest),
            (None, Some(rest)) => (false, rest),
            (None, None) => return Err("does not begin with smtp:// or smtps://"),
        };
        let rest = rest.trim_end_matches('/');
        if rest.contains('@') {
            return Err("has a user name in it; that goes into SMTP_USERNAME and SMTP_PASSWORD");
        }
        if rest.contains(['/', '?', '#']) || rest.contains(char::is_whitespace) {
            return Err("has more in it than a host and a port");
        }
        // An IPv6 address stands in brackets, so that its colons are not taken for the port's.
        let (host, port) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, port)) => (host, port.strip_prefix(':')),
            None => rest
                .split_once(':')
                .map_or((rest, None), |(host, port)| (host, Some(port))),
        };
        if host.is_empty() {
            return Err("has no host");
        }
        let port = match port.map(str::parse) {
            None => None,
            Some(Ok(port)) if port > 0 => Some(port),
            Some(_) => return Err("has a port that is not a number from 1 to 65535"),
        };
        Ok(Self {
            encrypted,
            host: host.to_owned(),
            port,
        })
    }
}

fn tls(reader: &mut Reader, server: &Server) -> SmtpTls {
    let wanted = match reader.optional("SMTP_TLS").as_deref() {
        None if server.encrypted => SmtpTls::Tls,
        None | Some("starttls") => SmtpTls::Starttls,
        Some("none") => SmtpTls::None,
        Some("tls") => SmtpTls::Tls,
        Some(other) => {
            reader.problem("SMTP_TLS", &format!("{other:?} is not known"), TLS_HINT);
            return SmtpTls::Starttls;
        }
    };
    if server.encrypted && wanted != SmtpTls::Tls {
        reader.problem("SMTP_TLS", "contradicts smtps:// in SMTP_URL", TLS_HINT);
    }
    wanted
}

fn login(reader: &mut Reader, tls: SmtpTls, host: &str) -> Option<SmtpLogin> {
    let both = "set SMTP_USERNAME and SMTP_PASSWORD, or neither";
    match (reader.optional("SMTP_USERNAME"), reader.secret("SMTP_PASSWORD")) {
        (None, None) => None,
        (Some(username), Some(password)) => {
            let on_this_machine = matches!(host, "localhost" | "::1") || host.starts_with("127.");
            if tls == SmtpTls::None && !on_this_machine {
                let what = "would travel unencrypted to another machine";
                reader.problem("SMTP_PASSWORD", what, "set SMTP_TLS to starttls or tls");
            }
            Some(SmtpLogin { username, password })
        }
        (Some(_), None) => {
            reader.problem("SMTP_PASSWORD", "is not set, but SMTP_USERNAME is", both);
            None
        }
        (None, Some(_)) => {
            reader.problem("SMTP_USERNAME", "is not set, but SMTP_PASSWORD is", both);
            None
        }
    }
}

fn admin(reader: &mut Reader) -> Vec<String> {
    let list = reader.required("ADMIN_EMAIL", ADMIN_HINT);
    let addresses: Vec<String> = list
        .split(',')
        .map(|address| address.trim().to_owned())
        .filter(|address| !address.is_empty())
        .collect();
    for wrong in addresses.iter().filter(|address| !looks_like_an_address(address)) {
        reader.problem("ADMIN_EMAIL", &format!("{wrong:?} is no e-mail address"), ADMIN_HINT);
    }
    addresses
}

fn address(reader: &mut Reader, name: &str, hint: &str) -> String {
    let text = reader.required(name, hint);
    if !text.is_empty() && !looks_like_an_address(&text) {
        reader.problem(name, &format!("{text:?} is no e-mail address"), hint);
    }
    text
}

/// The rough form, for an early report; the mail client parses it fully when it is made.
fn looks_like_an_address(text: &str) -> bool {
    let bare = text
        .rsplit_once('<')
        .map_or(text, |(_, rest)| rest.trim_end_matches('>'));
    let parts = bare.split_once('@');
    parts.is_some_and(|(user, domain)| !user.is_empty() && !domain.is_empty())
        && !bare.contains(char::is_whitespace)
        && !text.contains(char::is_control)
}

/// How to post to a Slack channel.
#[derive(Debug, Clone)]
pub struct SlackSettings {
    /// `SLACK_WEBHOOK_URL`: an incoming webhook. Whoever knows it can post, so it is a secret.
    pub webhook: SecretString,
    /// `SLACK_TIMEOUT_SECONDS` for one call.
    pub timeout: Duration,
    /// `EXTRA_CA_FILE`.
    pub authorities: Option<Authorities>,
}

impl SlackSettings {
    /// Reads `SLACK_*`. `None` if `SLACK_WEBHOOK_URL` is not set: nothing is posted then.
    pub fn read(reader: &mut Reader) -> Option<Self> {
        let webhook = reader.optional("SLACK_WEBHOOK_URL")?;
        let plain_but_local = ["http://127.", "http://localhost"]
            .iter()
            .any(|start| webhook.starts_with(start));
        if !webhook.starts_with("https://") && !plain_but_local {
            reader.problem(
                "SLACK_WEBHOOK_URL",
                "does not begin with https://",
                "an incoming webhook of Slack, e.g. https://hooks.slack.com/services/…",
            );
        }
        Some(Self {
            webhook: SecretString::from(webhook),
            timeout: reader.seconds("SLACK_TIMEOUT_SECONDS", 10),
            authorities: Authorities::read(reader),
        })
    }
}

#[cfg(test)]
mod tests;
