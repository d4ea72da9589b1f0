//! What the fault switches do to an SMTP command. [`super`] describes how a command looks to them.

use std::time::Duration;

use serde_json::Value;
use tokio_rustls::TlsAcceptor;

use super::mails::Mails;
use super::options::Options;
use crate::calls::Calls;
use crate::faults::{FaultKind, Met, Switches, Target};

/// What every session of a server shares.
pub(super) struct Desk {
    pub(super) options: Options,
    pub(super) mails: Mails,
    pub(super) faults: Switches,
    pub(super) calls: Calls,
    pub(super) acceptor: TlsAcceptor,
}

/// What happens to a command.
pub(super) enum Fate {
    /// Carried out and answered.
    Obeyed,
    /// Answered with this; not carried out.
    Refused(u16, String),
    /// Neither carried out nor answered: the connection is cut.
    Cut,
    /// Carried out, then the connection is cut.
    ObeyedThenCut,
    /// Carried out, but answered with this.
    ObeyedButRefused(u16, String),
    /// Answered as if carried out.
    Pretended,
}

impl Desk {
    /// Logs the command, waits or decides as its fault says, and gives its number in the log.
    pub(super) async fn fate(&self, verb: &str, said: &[u8]) -> (u64, Fate) {
        let place = format!("/{}", verb.to_ascii_lowercase());
        let number = self.calls.came(verb, &place, "", None);
        let target = Target {
            method: verb,
            path: &place,
            body: said,
            origin: None,
            spared_by_wedge: false,
        };
        let Some(met) = self.faults.choose(&target) else {
            return (number, Fate::Obeyed);
        };
        self.calls.met(number, met.kind.word());
        (number, self.carry_out(met).await)
    }

    async fn carry_out(&self, met: Met) -> Fate {
        let pause = |ms| tokio::time::sleep(Duration::from_millis(ms));
        match met.kind {
            FaultKind::Status { status, body, .. } => Fate::Refused(status, wording(status, body)),
            FaultKind::Delay { ms } => {
                pause(ms).await;
                Fate::Obeyed
            }
            FaultKind::Work { ms, at_once } => {
                self.faults.hands.work(Duration::from_millis(ms), at_once).await;
                Fate::Obeyed
            }
            FaultKind::Hang | FaultKind::Wedge => {
                self.faults.released(met.id).await;
                Fate::Cut
            }
            FaultKind::Reset => Fate::Cut,
            FaultKind::LostAnswer => Fate::ObeyedThenCut,
            FaultKind::ZombieWrite {
                after_ms,
                after_release_ms,
            } => {
                if after_ms.is_none() {
                    self.faults.released(met.id).await;
                }
                pause(after_ms.unwrap_or(after_release_ms)).await;
                Fate::Obeyed
            }
            FaultKind::FailedButDone { status } => Fate::ObeyedButRefused(status, wording(status, None)),
            FaultKind::ContentLost => Fate::Pretended,
            // Meant for the frames of a socket.
            FaultKind::Close { .. } => Fate::Obeyed,
        }
    }
}

/// The text after a code: the fault's own, or a general one for the kind of code.
fn wording(code: u16, own: Option<Value>) -> String {
    match own {
        Some(Value::String(text)) => text,
        _ if code < 500 => "4.3.0 try again later".to_owned(),
        _ => "5.3.0 refused".to_owned(),
    }
}
