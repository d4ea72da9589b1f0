//! The conversation with one client of `/collab`.

use std::collections::BTreeSet;
use std::time::Duration;

use actix_web::web::{Data, Payload};
use actix_web::{Error, HttpRequest, HttpResponse, rt};
use actix_ws::{AggregatedMessage, AggregatedMessageStream, CloseReason, Session};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use yrs::StateVector;
use yrs::updates::decoder::Decode as _;

use super::super::Docmost;
use super::documents::Outgoing;
use super::rooms::Knock;
use super::wire::{self, Answer, Said};
use crate::faults::{FaultKind, Switches, Target};
use crate::middleware::{Wire, shut_down};

/// The largest frame.
const MOST_BYTES: usize = 5 * 1024 * 1024;
/// How long an acknowledgement needs to leave the process.
const FLUSH: Duration = Duration::from_millis(20);

/// Answers the request for a socket.
pub(in super::super) async fn connect(
    request: HttpRequest,
    body: Payload,
    docmost: Data<Docmost>,
    faults: Data<Switches>,
) -> Result<HttpResponse, Error> {
    let (response, session, stream) = actix_ws::handle(&request, body)?;
    let stream = stream
        .max_frame_size(MOST_BYTES)
        .aggregate_continuations()
        .max_continuation_size(MOST_BYTES);
    let (outbox, letters) = unbounded_channel();
    let client = docmost.world().collab.new_client();
    let visit = Visit {
        docmost,
        faults,
        client,
        outbox,
        wire: request.conn_data::<Wire>().cloned(),
        entered: BTreeSet::new(),
        early: Vec::new(),
    };
    rt::spawn(visit.run(session, stream, letters));
    Ok(response)
}

/// One connection.
struct Visit {
    docmost: Data<Docmost>,
    faults: Data<Switches>,
    client: u64,
    outbox: UnboundedSender<Outgoing>,
    wire: Option<Wire>,
    /// The names of the documents that it has open.
    entered: BTreeSet<String>,
    /// Frames to documents that it has not entered yet.
    early: Vec<(String, Said)>,
}

impl Visit {
    async fn run(
        mut self,
        mut session: Session,
        mut stream: AggregatedMessageStream,
        mut letters: UnboundedReceiver<Outgoing>,
    ) {
        let patience = self.docmost.world().options.docmost_socket_patience_ms;
        let patience = Duration::from_millis(patience);
        loop {
            tokio::select! {
                // What is to be sent goes first: an answer before the next question is read.
                biased;
                letter = letters.recv() => match letter {
                    Some(Outgoing::Frame(frame)) => if session.binary(frame).await.is_err() { break },
                    Some(Outgoing::Close(code, why)) => {
                        let reason = CloseReason { code: code.into(), description: Some(why.to_owned()) };
                        let _ = session.close(Some(reason)).await;
                        break;
                    }
                    Some(Outgoing::Cut) | None => {
                        rt::time::sleep(FLUSH).await;
                        shut_down(self.wire.as_ref());
                        break;
                    }
                },
                message = tokio::time::timeout(patience, stream.recv()) => match message {
                    Ok(Some(Ok(AggregatedMessage::Binary(frame)))) => self.hear(&frame).await,
                    Ok(Some(Ok(AggregatedMessage::Text(_)))) => self.send(Outgoing::Close(4401, "Unauthorized")),
                    Ok(Some(Ok(AggregatedMessage::Ping(bytes)))) => { let _ = session.pong(&bytes).await; }
                    Ok(Some(Ok(AggregatedMessage::Pong(_)))) => {}
                    Ok(Some(Ok(AggregatedMessage::Close(_)) | Err(_)) | None) => break,
                    Err(_) => {
                        for name in &self.entered {
                            self.answer(name, &Answer::Closed("Connection Timeout".to_owned()));
                        }
                        self.send(Outgoing::Close(4408, "Connection Timeout"));
                    }
                },
            }
        }
        let mut world = self.docmost.world();
        for name in &self.entered {
            world.leave_document(name, self.client);
        }
    }

    async fn hear(&mut self, frame: &[u8]) {
        let Ok((name, said)) = wire::read(frame) else {
            return self.send(Outgoing::Close(4401, "Unauthorized"));
        };
        if let Said::Token(token) = &said {
            if self
                .meets("/collab/auth")
                .await
                .is_some_and(|kind| self.fails(&name, &kind))
            {
                return;
            }
            let knock = Knock {
                client: self.client,
                name: &name,
                token,
                outbox: &self.outbox,
            };
            if self.docmost.world().enter(&knock) {
                self.entered.insert(name.clone());
                let (now, later) = std::mem::take(&mut self.early)
                    .into_iter()
                    .partition(|(to, _)| *to == name);
                self.early = later;
                let now: Vec<(String, Said)> = now;
                for (name, said) in now {
                    self.heed(&name, said).await;
                }
            }
        } else if self.entered.contains(&name) {
            self.heed(&name, said).await;
        } else {
            self.early.push((name, said));
        }
    }

    /// A frame to a document that it has open.
    async fn heed(&mut self, name: &str, said: Said) {
        match said {
            Said::Has(vector) => {
                if self
                    .meets("/collab/sync")
                    .await
                    .is_none_or(|kind| !self.fails_silently(&kind))
                {
                    self.synchronise(name, &vector);
                }
            }
            Said::Update(update) => self.take(name, &update).await,
            Said::Awareness(states) => self.pass_on(name, states),
            Said::Leave => {
                self.answer(name, &Answer::Closed("provider_initiated".to_owned()));
                self.entered.remove(name);
                self.docmost.world().leave_document(name, self.client);
            }
            Said::Token(_) | Said::Other => {}
        }
    }

    fn synchronise(&self, name: &str, vector: &[u8]) {
        let mut world = self.docmost.world();
        if let Some(document) = world.collab.document(name) {
            for states in document.awareness.values() {
                self.answer(name, &Answer::Awareness(states.clone()));
            }
            self.answer(name, &Answer::Has(document.vector()));
            let vector = StateVector::decode_v1(vector).unwrap_or_default();
            self.answer(name, &Answer::Lacks(document.lacking(&vector)));
        }
    }

    async fn take(&mut self, name: &str, update: &[u8]) {
        let met = self.meets("/collab/update").await;
        match met {
            Some(FaultKind::Status { .. }) => return self.answer(name, &Answer::Taken(false)),
            Some(FaultKind::Reset) => return self.send(Outgoing::Cut),
            Some(FaultKind::Close { code }) => return self.send(Outgoing::Close(code, "Unauthorized")),
            _ => {}
        }
        let is_answered = !matches!(met, Some(FaultKind::LostAnswer));
        self.apply(name, update, is_answered);
        match met {
            Some(FaultKind::ContentLost) => self.docmost.world().collab.kill(),
            Some(FaultKind::LostAnswer) => self.send(Outgoing::Cut),
            _ => {}
        }
    }

    fn apply(&self, name: &str, update: &[u8], is_answered: bool) {
        let mut world = self.docmost.world();
        let Some(document) = world.collab.document(name) else {
            return;
        };
        let Some(client) = document.clients.get(&self.client) else {
            return;
        };
        if !client.may_write {
            return self.answer(name, &Answer::Taken(false));
        }
        let user = client.user.clone();
        if is_answered {
            self.answer(name, &Answer::Taken(true));
        }
        document.apply(name, update, &user);
        let after = world.options.docmost_store_after_ms;
        drop(world);
        self.store_later(name, after);
    }

    /// Looks after a while whether the document has been quiet since.
    fn store_later(&self, name: &str, after: i64) {
        let (docmost, faults, name) = (self.docmost.clone(), self.faults.clone(), name.to_owned());
        let after = Duration::from_millis(u64::try_from(after).unwrap_or_default());
        rt::spawn(async move {
            rt::time::sleep(after).await;
            docmost.world().store_if_due(&name, || store_fails(&faults));
        });
    }

    fn pass_on(&self, name: &str, states: Vec<u8>) {
        let mut world = self.docmost.world();
        if let Some(document) = world.collab.document(name) {
            let frame = wire::write(name, &Answer::Awareness(states.clone()));
            for client in document.clients.iter().filter(|(id, _)| **id != self.client) {
                let _ = client.1.outbox.send(Outgoing::Frame(frame.clone()));
            }
            document.awareness.insert(self.client, states);
        }
    }

    /// The fault that a step meets, after the wait that it may be.
    async fn meets(&self, path: &str) -> Option<FaultKind> {
        let met = self.faults.choose(&step(path))?;
        match met.kind {
            FaultKind::Delay { ms } => {
                rt::time::sleep(Duration::from_millis(ms)).await;
                None
            }
            FaultKind::Work { ms, at_once } => {
                self.faults.hands.work(Duration::from_millis(ms), at_once).await;
                None
            }
            FaultKind::Hang | FaultKind::Wedge => {
                self.faults.released(met.id).await;
                None
            }
            kind => Some(kind),
        }
    }

    /// Whether a token is not looked at any more.
    fn fails(&self, name: &str, kind: &FaultKind) -> bool {
        if matches!(kind, FaultKind::Status { .. }) {
            self.answer(name, &Answer::Denied);
            return true;
        }
        self.fails_silently(kind)
    }

    fn fails_silently(&self, kind: &FaultKind) -> bool {
        match kind {
            FaultKind::Reset | FaultKind::LostAnswer => self.send(Outgoing::Cut),
            FaultKind::Close { code } => self.send(Outgoing::Close(*code, "Unauthorized")),
            FaultKind::Status { .. } => {}
            _ => return false,
        }
        true
    }

    fn answer(&self, name: &str, answer: &Answer) {
        self.send(Outgoing::Frame(wire::write(name, answer)));
    }

    fn send(&self, letter: Outgoing) {
        let _ = self.outbox.send(letter);
    }
}

const fn step(path: &str) -> Target<'_> {
    Target {
        method: "WS",
        path,
        body: &[],
        origin: None,
        spared_by_wedge: false,
    }
}

/// Whether a store meets a fault.
pub(in super::super) fn store_fails(faults: &Switches) -> bool {
    faults.choose(&step("/collab/store")).is_some()
}
