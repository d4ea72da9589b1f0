//! The mail server: one message per notice, handed over in one SMTP session.
//!
//! The session is driven step by step ([`session`]) instead of by lettre's transport, for two
//! reasons: that transport bounds only the connecting, so a server that hangs later would hold a
//! worker for ever; and only who knows the step can say what a lost answer means.
//!
//! **A mail twice is better than none.** When the answer after the message's last line is lost,
//! nobody knows whether the server took the message. Mail has no look-up, so the notice is sent
//! again; the repeated message has the same `Message-ID`, by which mail programs recognise it.

mod letter;
mod session;

use std::time::Instant;

use lettre::Address;
use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, TlsParameters};
use passerelle_model::config::{MailSettings, Problem, Problems, SmtpTls};
use passerelle_model::time::Timestamp;
use secrecy::ExposeSecret as _;

use crate::content::notice::{Audience, Notice};
use crate::content::rendered::Rendered;
use crate::failure::Failure;
use crate::journal::Journal;
use session::{Encryption, Server};

/// The mail server, with who writes and who is told about trouble.
#[derive(Debug)]
pub struct Mail {
    server: Server,
    from: Mailbox,
    admin: Vec<Mailbox>,
}

impl Mail {
    /// Prepares the client; nothing is sent.
    pub fn new(settings: &MailSettings) -> Result<Self, Problems> {
        let mut problems = Vec::new();
        let from = mailbox("MAIL_FROM", &settings.from, &mut problems);
        let admin = settings
            .admin
            .iter()
            .filter_map(|address| mailbox("ADMIN_EMAIL", address, &mut problems))
            .collect();
        let encryption = encryption(settings, &mut problems);
        match (from, encryption) {
            (Some(from), Some(encryption)) if problems.is_empty() => Ok(Self {
                server: Server {
                    host: settings.host.clone(),
                    port: settings.port,
                    encryption,
                    login: settings.login.as_ref().map(|login| {
                        let password = login.password.expose_secret().to_owned();
                        Credentials::new(login.username.clone(), password)
                    }),
                    timeout: settings.timeout,
                },
                from,
                admin,
            }),
            _ => Err(Problems(problems)),
        }
    }

    /// Sends a notice in these words. Recipients that the server refuses for good are noted, as
    /// long as one is left.
    pub async fn send(
        &self,
        journal: &mut Journal,
        notice: &Notice,
        words: &Rendered,
        now: Timestamp,
    ) -> Result<(), Failure> {
        let to = match &notice.to {
            Audience::Admin => self.admin.clone(),
            Audience::People(people) => letter::mailboxes(people)?,
        };
        let letter = letter::compose(&self.from, &to, &notice.key, words, now)?;
        let began = Instant::now();
        let result = self.server.hand_over(&letter).await;
        let request = format!(
            "smtp {}:{} to {} recipients",
            self.server.host,
            self.server.port,
            to.len()
        );
        journal.call("send_mail", request, began, &result);
        for refusal in result? {
            journal.note("recipient_refused", refusal.message);
        }
        Ok(())
    }

    /// Connects, encrypts and signs in as a mail would, and sends nothing.
    pub async fn check(&self) -> Result<(), Failure> {
        self.server.check().await
    }
}

fn mailbox(place: &str, text: &str, problems: &mut Vec<Problem>) -> Option<Mailbox> {
    let parsed = text.parse::<Mailbox>().ok();
    let usable = parsed.filter(|mailbox| is_plain(&mailbox.email));
    if usable.is_none() {
        problems.push(Problem {
            place: place.to_owned(),
            what: format!("{text:?} is no e-mail address"),
            hint: "give name@example.org or Name <name@example.org>, in ASCII".to_owned(),
        });
    }
    usable
}

/// Whether every mail server can be given this address as it is.
fn is_plain(address: &Address) -> bool {
    let address: &str = address.as_ref();
    address.len() <= 254
        && address
            .chars()
            .all(|c| c.is_ascii_graphic() && !matches!(c, '<' | '>' | '"'))
}

fn encryption(settings: &MailSettings, problems: &mut Vec<Problem>) -> Option<Encryption> {
    if settings.tls == SmtpTls::None {
        return Some(Encryption::None);
    }
    let mut parameters = TlsParameters::builder(settings.host.clone());
    if let Some(path) = &settings.ca_file {
        let certificate = std::fs::read(path)
            .map_err(|error| format!("{} cannot be read: {error}", path.display()))
            .and_then(|pem| Certificate::from_pem(&pem).map_err(|error| format!("{}: {error}", path.display())));
        match certificate {
            Ok(certificate) => parameters = parameters.add_root_certificate(certificate),
            Err(what) => {
                let hint = "give a PEM file with the certificate of the authority, or leave it out".to_owned();
                problems.push(Problem {
                    place: "SMTP_CA_FILE".to_owned(),
                    what,
                    hint,
                });
                return None;
            }
        }
    }
    match (parameters.build(), settings.tls) {
        (Ok(parameters), SmtpTls::Tls) => Some(Encryption::Tls(parameters)),
        (Ok(parameters), _) => Some(Encryption::Starttls(parameters)),
        (Err(error), _) => {
            let hint = "install the system's certificates, or check SMTP_CA_FILE".to_owned();
            let what = format!("encryption cannot be set up: {error}");
            problems.push(Problem {
                place: "SMTP_TLS".to_owned(),
                what,
                hint,
            });
            None
        }
    }
}
