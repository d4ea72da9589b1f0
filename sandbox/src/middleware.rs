//! What happens to each call of a product: it is logged, the fault switches decide, and it is
//! carried out, or not, or later.
//!
//! Two properties of the real products are kept here. A call is carried out to its end even when
//! the caller hangs up: every call runs in its own task, and its body is read in full first. A cut
//! connection shows no byte of an answer: each connection has a second handle on its socket, which
//! a fault can shut down.

use std::any::Any;
use std::collections::BTreeMap;
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::time::Duration;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Extensions, Payload, ServiceRequest, ServiceResponse};
use actix_web::error::{Error, ErrorInternalServerError, PayloadError};
use actix_web::http::StatusCode;
use actix_web::middleware::Next;
use actix_web::web::{self, Bytes, BytesMut};
use actix_web::{HttpMessage as _, HttpResponse, rt};
use futures::StreamExt as _;

use crate::calls::Calls;
use crate::control;
use crate::faults::{FaultKind, LoseContent, Met, Switches, Target};
use crate::manners::Manners;

/// What all calls of one product share.
#[derive(Debug, Clone)]
pub(crate) struct Desk {
    pub(crate) manners: Manners,
    pub(crate) faults: Switches,
    pub(crate) calls: Calls,
}

/// The second handle on a connection's socket.
#[derive(Debug, Clone)]
pub(crate) struct Wire(Arc<TcpStream>);

pub(crate) fn keep_a_handle(connection: &dyn Any, extensions: &mut Extensions) {
    let socket = connection.downcast_ref::<rt::net::TcpStream>();
    if let Some(handle) = socket.and_then(|socket| socket.as_fd().try_clone_to_owned().ok()) {
        extensions.insert(Wire(Arc::new(TcpStream::from(handle))));
    }
}

/// The middleware around the routes of a product. The sandbox's own routes pass through.
pub(crate) async fn carry_out_or_fail<B>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error>
where
    B: MessageBody + 'static,
{
    let desk = request.app_data::<web::Data<Desk>>().cloned();
    let Some(desk) = desk.filter(|_| !request.path().starts_with(control::PREFIX)) else {
        return Ok(next.call(request).await?.map_into_boxed_body());
    };
    let number = log(&desk.calls, &request);
    if is_for_a_socket(&request) {
        return open_socket(desk, request, next, number).await;
    }
    let Some(body) = read(request.take_payload(), desk.manners.body_limit).await else {
        let too_large = (desk.manners.failure)(StatusCode::PAYLOAD_TOO_LARGE);
        desk.calls.answered(number, too_large.status().as_u16());
        return Ok(request.into_response(too_large));
    };
    let met = desk.meet(&request, &body);
    if let Some(met) = &met {
        desk.calls.met(number, met.kind.word());
    }
    request.set_payload(once(body));
    let visit = Visit { desk, request, next };
    // A task of its own, so that it goes on when the caller hangs up.
    let work = rt::spawn(async move { visit.answer(met, number).await });
    work.await.unwrap_or_else(|panic| Err(ErrorInternalServerError(panic)))
}

fn is_for_a_socket(request: &ServiceRequest) -> bool {
    let upgrade = request.headers().get("upgrade").and_then(|value| value.to_str().ok());
    upgrade.is_some_and(|value| value.eq_ignore_ascii_case("websocket"))
}

/// A request for a socket has no body to read: what follows belongs to the socket. On any path but
/// the product's own the connection breaks.
async fn open_socket<B>(
    desk: web::Data<Desk>,
    request: ServiceRequest,
    next: Next<B>,
    number: u64,
) -> Result<ServiceResponse<BoxBody>, Error>
where
    B: MessageBody + 'static,
{
    let met = desk.meet(&request, &[]);
    if let Some(met) = &met {
        desk.calls.met(number, met.kind.word());
    }
    let is_known = desk.manners.socket == Some(request.path());
    let visit = Visit { desk, request, next };
    if is_known {
        visit.answer(met, number).await
    } else {
        Ok(visit.cut())
    }
}

impl Desk {
    /// The fault that a call meets.
    fn meet(&self, request: &ServiceRequest, body: &[u8]) -> Option<Met> {
        self.faults.choose(&Target {
            method: request.method().as_str(),
            path: request.path(),
            body,
            origin: origin(request),
            spared_by_wedge: self.manners.sign_of_life.contains(&request.path()),
        })
    }
}

type Outcome = Result<ServiceResponse<BoxBody>, Error>;

/// A call that was read and may now be carried out.
struct Visit<B> {
    desk: web::Data<Desk>,
    request: ServiceRequest,
    next: Next<B>,
}

impl<B: MessageBody + 'static> Visit<B> {
    /// Answers as the fault says, and logs the answer if the caller can see it.
    async fn answer(self, met: Option<Met>, number: u64) -> Outcome {
        let calls = self.desk.calls.clone();
        let cuts = met.as_ref().is_some_and(|met| met.kind.cuts());
        let outcome = match met {
            Some(met) => self.fail(met).await,
            None => self.carry_out().await,
        };
        if !cuts {
            let status = outcome.as_ref().map_or_else(status_of, ServiceResponse::status);
            calls.answered(number, status.as_u16());
        }
        outcome
    }

    async fn fail(self, met: Met) -> Outcome {
        let desk = self.desk.clone();
        match met.kind {
            FaultKind::Status { status, headers, body } => {
                let failure = desk.manners.failure(status, &headers, body);
                Ok(self.request.into_response(failure))
            }
            FaultKind::Delay { ms } => {
                tokio::time::sleep(Duration::from_millis(ms)).await;
                self.carry_out().await
            }
            FaultKind::Work { ms, at_once } => {
                desk.faults.hands.work(Duration::from_millis(ms), at_once).await;
                self.carry_out().await
            }
            FaultKind::Hang | FaultKind::Wedge => {
                desk.faults.released(met.id).await;
                Ok(self.cut())
            }
            FaultKind::Reset => Ok(self.cut()),
            FaultKind::LostAnswer => {
                let wire = self.wire();
                let carried_out = self.carry_out().await;
                shut_down(wire.as_ref());
                carried_out
            }
            FaultKind::ZombieWrite {
                after_ms,
                after_release_ms,
            } => {
                if after_ms.is_none() {
                    desk.faults.released(met.id).await;
                }
                tokio::time::sleep(Duration::from_millis(after_ms.unwrap_or(after_release_ms))).await;
                self.carry_out().await
            }
            FaultKind::FailedButDone { status } => self.carry_out().await.map(|done| {
                let failure = desk.manners.failure(status, &BTreeMap::new(), None);
                done.into_response(failure)
            }),
            // Meant for the frames of a socket.
            FaultKind::Close { .. } => self.carry_out().await,
            FaultKind::ContentLost => {
                self.request.extensions_mut().insert(LoseContent);
                self.carry_out().await
            }
        }
    }

    async fn carry_out(self) -> Outcome {
        Ok(self.next.call(self.request).await?.map_into_boxed_body())
    }

    /// Ends the connection without carrying anything out; this answer goes nowhere.
    fn cut(self) -> ServiceResponse<BoxBody> {
        shut_down(self.wire().as_ref());
        let nowhere = HttpResponse::new(StatusCode::INTERNAL_SERVER_ERROR);
        self.request.into_response(nowhere)
    }

    fn wire(&self) -> Option<Wire> {
        self.request.conn_data::<Wire>().cloned()
    }
}

pub(crate) fn shut_down(wire: Option<&Wire>) {
    if let Some(Wire(socket)) = wire {
        // It fails only if the peer is gone already, which is what is wanted.
        let _ = socket.shutdown(Shutdown::Both);
    }
}

fn status_of(error: &Error) -> StatusCode {
    error.as_response_error().status_code()
}

fn origin(request: &ServiceRequest) -> Option<&str> {
    request.headers().get("x-bridge-origin")?.to_str().ok()
}

fn log(calls: &Calls, request: &ServiceRequest) -> u64 {
    let origin = origin(request).map(str::to_owned);
    calls.came(
        request.method().as_str(),
        request.path(),
        request.query_string(),
        origin,
    )
}

/// The whole body, or none if it is longer than the limit. Of a body that breaks off, what came.
async fn read(mut payload: Payload, limit: usize) -> Option<Bytes> {
    let mut body = BytesMut::new();
    while let Some(Ok(chunk)) = payload.next().await {
        if body.len() + chunk.len() > limit {
            return None;
        }
        body.extend_from_slice(&chunk);
    }
    Some(body.freeze())
}

/// A payload that gives this body again.
fn once(body: Bytes) -> Payload {
    let stream = futures::stream::once(std::future::ready(Ok::<_, PayloadError>(body)));
    Payload::Stream {
        payload: Box::pin(stream),
    }
}
