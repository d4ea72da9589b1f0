//! One SMTP session, each step within its time, and what each failure means at its step.
//!
//! | step | 4xx | 5xx | time-out, cut or unreadable |
//! |---|---|---|---|
//! | opening: connect, greet, encrypt, sign in, name the sender | transient | auth: we are refused, the notice is innocent | transient |
//! | recipient, and the command `DATA` | transient | permanent | transient |
//! | after the message's last line | transient | permanent | ambiguous |
//!
//! A server that lacks what the settings ask for (`STARTTLS`, a way to sign in, a certificate that
//! we trust) is `auth` too: the settings must be mended, not the notice.

use std::future::Future;
use std::time::Duration;

use lettre::Message;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use passerelle_model::ledger::FailureClass;
use tokio::time::timeout;

use crate::clients::certificate;
use crate::failure::{Failure, Target};

/// How long the farewell may take; the message is delivered by then.
const FAREWELL: Duration = Duration::from_secs(2);

/// How the connection is encrypted.
#[derive(Clone)]
pub(super) enum Encryption {
    None,
    Starttls(TlsParameters),
    Tls(TlsParameters),
}

impl std::fmt::Debug for Encryption {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Starttls(_) => "Starttls",
            Self::Tls(_) => "Tls",
        })
    }
}

/// Where mail is handed over.
pub(super) struct Server {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) encryption: Encryption,
    pub(super) login: Option<Credentials>,
    pub(super) timeout: Duration,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Not the login: lettre's credentials are hidden, and shall stay so.
        write!(f, "{}:{} ({:?})", self.host, self.port, self.encryption)
    }
}

/// How far a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Opening,
    Recipient,
    Content,
    Delivery,
}

impl Stage {
    fn doing(self) -> &'static str {
        match self {
            Self::Opening => "opening the session",
            Self::Recipient => "naming a recipient",
            Self::Content => "announcing the message",
            Self::Delivery => "delivering the message",
        }
    }

    /// The class of a failure without an answer.
    fn unanswered(self) -> FailureClass {
        match self {
            Self::Opening | Self::Recipient | Self::Content => FailureClass::Transient,
            Self::Delivery => FailureClass::Ambiguous,
        }
    }
}

impl Server {
    /// Hands the message over. Gives the recipients that were refused for good, if others were not.
    pub(super) async fn hand_over(&self, letter: &Message) -> Result<Vec<Failure>, Failure> {
        let mut session = self.open().await?;
        let sender = Mail::new(letter.envelope().from().cloned(), Vec::new());
        self.step(Stage::Opening, session.command(sender)).await?;
        let mut refused = Vec::new();
        for recipient in letter.envelope().to() {
            let command = Rcpt::new(recipient.clone(), Vec::new());
            match self.step(Stage::Recipient, session.command(command)).await {
                Ok(_) => {}
                Err(mut failure) => {
                    failure.message = format!("{recipient}: {}", failure.message);
                    // One that may be taken later is worth waiting for; nobody has got anything
                    // yet.
                    if failure.class != FailureClass::Permanent {
                        return Err(failure);
                    }
                    refused.push(failure);
                }
            }
        }
        if refused.len() == letter.envelope().to().len() {
            return Err(refused.swap_remove(0));
        }
        self.step(Stage::Content, session.command(Data)).await?;
        self.step(Stage::Delivery, session.message(&letter.formatted())).await?;
        farewell(session).await;
        Ok(refused)
    }

    /// Opens a session and ends it.
    pub(super) async fn check(&self) -> Result<(), Failure> {
        farewell(self.open().await?).await;
        Ok(())
    }

    async fn open(&self) -> Result<AsyncSmtpConnection, Failure> {
        let hello = ClientId::default();
        let at_once = match &self.encryption {
            Encryption::Tls(parameters) => Some(parameters.clone()),
            Encryption::None | Encryption::Starttls(_) => None,
        };
        let address = (self.host.as_str(), self.port);
        let connect = AsyncSmtpConnection::connect_tokio1(address, None, &hello, at_once, None);
        let mut session = self.step(Stage::Opening, connect).await?;
        if let Encryption::Starttls(parameters) = &self.encryption {
            self.step(Stage::Opening, session.starttls(parameters.clone(), &hello))
                .await?;
        }
        if let Some(login) = &self.login {
            self.step(Stage::Opening, session.auth(DEFAULT_MECHANISMS, login))
                .await?;
        }
        Ok(session)
    }

    async fn step<T>(&self, stage: Stage, work: impl Future<Output = Result<T, Error>>) -> Result<T, Failure> {
        match timeout(self.timeout, work).await {
            Ok(result) => result.map_err(|error| classify(stage, &error)),
            Err(_) => Err(Failure::new(
                stage.unanswered(),
                Target::Smtp,
                format!("no answer in time while {}", stage.doing()),
            )),
        }
    }
}

/// Ends a session politely; whatever comes of it changes nothing.
async fn farewell(mut session: AsyncSmtpConnection) {
    let _ = timeout(FAREWELL, session.quit()).await;
}

fn classify(stage: Stage, error: &Error) -> Failure {
    let code: Option<u16> = error.status().and_then(|code| code.to_string().parse().ok());
    let trouble = certificate::trouble(Target::Smtp, error);
    let class = match code {
        Some(code) => refusal(stage, code, &error.to_string()),
        None if trouble.is_some() => FailureClass::Auth,
        None if error.is_client() && stage == Stage::Opening => FailureClass::Auth,
        None => stage.unanswered(),
    };
    let what = trouble.unwrap_or_else(|| error.to_string());
    Failure {
        status: code,
        ..Failure::new(class, Target::Smtp, format!("while {}: {what}", stage.doing()))
    }
}

/// What a 4xx or 5xx means at this stage.
fn refusal(stage: Stage, code: u16, text: &str) -> FailureClass {
    match stage {
        _ if code < 500 => FailureClass::Transient,
        Stage::Opening => FailureClass::Auth,
        Stage::Recipient if concerns_us(code, text) => FailureClass::Auth,
        Stage::Recipient | Stage::Content | Stage::Delivery => FailureClass::Permanent,
    }
}

/// Whether a recipient was refused because of us: servers say only then that they relay nothing for
/// us, do not take our sender, or have our address on a block list.
fn concerns_us(code: u16, text: &str) -> bool {
    const WORDS: [&str; 10] = [
        "relay",
        "sender",
        "client host",
        "helo",
        "authenticat",
        "starttls",
        "block list",
        "blocklist",
        "blacklist",
        "blocked using",
    ];
    let text = text.to_lowercase();
    let is_of_recipient = text.contains("5.1.1") || text.contains("recipient address rejected");
    matches!(code, 530 | 535 | 538) || (!is_of_recipient && WORDS.iter().any(|word| text.contains(word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_means_what_its_stage_says() {
        for stage in [Stage::Opening, Stage::Recipient, Stage::Content, Stage::Delivery] {
            assert_eq!(refusal(stage, 421, ""), FailureClass::Transient);
            assert_eq!(refusal(stage, 451, ""), FailureClass::Transient);
        }
        assert_eq!(refusal(Stage::Opening, 535, ""), FailureClass::Auth);
        assert_eq!(refusal(Stage::Recipient, 550, ""), FailureClass::Permanent);
        assert_eq!(refusal(Stage::Delivery, 554, ""), FailureClass::Permanent);
    }

    /// In the words of Postfix, which refuses us only when it knows the recipient.
    #[test]
    fn a_recipient_that_is_refused_because_of_us_is_no_fault_of_the_address() {
        for (code, text) in [
            (554, "5.7.1 <zoe@example.org>: Relay access denied"),
            (
                554,
                "5.7.1 Service unavailable; Client host [192.0.2.7] blocked using zen.example.org",
            ),
            (
                553,
                "5.7.1 <a@example.org>: Sender address rejected: not owned by user b",
            ),
            (550, "5.1.8 <a@example.org>: Sender address rejected: Domain not found"),
            (504, "5.5.2 <x>: Helo command rejected: need fully-qualified hostname"),
            (530, "5.7.0 Must issue a STARTTLS command first"),
        ] {
            assert_eq!(refusal(Stage::Recipient, code, text), FailureClass::Auth, "{text}");
        }
        for (code, text) in [
            (
                550,
                "5.1.1 <sender@example.org>: Recipient address rejected: User unknown in local recipient table",
            ),
            (
                554,
                "5.7.1 <zoe@example.org>: Recipient address rejected: Access denied",
            ),
            (552, "5.2.2 Mailbox full"),
        ] {
            assert_eq!(refusal(Stage::Recipient, code, text), FailureClass::Permanent, "{text}");
        }
    }

    #[test]
    fn only_a_lost_answer_to_the_message_is_ambiguous() {
        assert_eq!(Stage::Content.unanswered(), FailureClass::Transient);
        assert_eq!(Stage::Delivery.unanswered(), FailureClass::Ambiguous);
    }
}
