//! How a stand-in is served: its routes, the fault switches around them, and the control routes under `/_sandbox/`.
//!
//! A product gives its [`Manners`] and a function that configures its routes, and gets a [`Running`] server:
//!
//! ```text
//! let state = web::Data::new(World::default());
//! serve(listener, MANNERS, move |routes| { routes.app_data(state.clone()).service(…); })
//! ```
//!
//! Two properties of the real products are kept here for both. A call is carried out to its end even when the caller hangs up,
//! so every call runs as a task of its own and its body is read in full before anything else. And a cut connection shows no byte
//! of an answer, so each connection keeps a second handle on its socket that a fault can shut down.

use std::collections::BTreeMap;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::time::Duration;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Extensions, Payload, ServerHandle, ServiceRequest, ServiceResponse};
use actix_web::error::{Error, ErrorInternalServerError, PayloadError};
use actix_web::http::StatusCode;
use actix_web::middleware::{Next, from_fn};
use actix_web::web::{self, Bytes, BytesMut, ServiceConfig};
use actix_web::{App, HttpMessage as _, HttpResponse, HttpServer, rt};
use futures::StreamExt as _;

use crate::calls::Calls;
use crate::control;
use crate::faults::{FaultKind, LoseContent, Switches, Target};

/// How long a stop waits for calls that are being answered. A hanging call must not hold a test's end.
const SHUTDOWN_SECONDS: u64 = 1;

/// What the skeleton must know about a product.
#[derive(Debug, Clone, Copy)]
pub struct Manners {
    /// The product's name, for people.
    pub name: &'static str,
    /// The routes that answer 200 whatever has happened behind them ([`FaultKind::Wedge`] spares them).
    pub sign_of_life: &'static [&'static str],
    /// Bodies longer than this are answered with 413, in bytes.
    pub body_limit: usize,
    /// The product's own words for a failure with this status, when a fault brings none.
    pub failure: fn(StatusCode) -> HttpResponse,
}

/// A stand-in that listens. Dropping it does not stop it; [`Running::stop`] does.
#[derive(Debug)]
pub struct Running {
    /// Its name, for people.
    pub name: &'static str,
    /// Where it listens.
    pub address: SocketAddr,
    /// Its fault switches.
    pub faults: Switches,
    /// The calls that came.
    pub calls: Calls,
    handle: ServerHandle,
    task: tokio::task::JoinHandle<io::Result<()>>,
}

impl Running {
    /// Its base URL, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops it: no new connections, and calls that hang are dropped after a second.
    pub async fn stop(self) -> io::Result<()> {
        self.handle.stop(true).await;
        self.task.await.unwrap_or_else(|error| Err(io::Error::other(error)))
    }
}

/// What the skeleton keeps for each product.
#[derive(Debug, Clone)]
struct Desk {
    manners: Manners,
    faults: Switches,
    calls: Calls,
}

/// Serves a product on `listener`. Must be called inside a tokio runtime.
pub fn serve<R>(listener: TcpListener, manners: Manners, routes: R) -> io::Result<Running>
where
    R: FnOnce(&mut ServiceConfig) + Clone + Send + 'static,
{
    let address = listener.local_addr()?;
    let desk = Desk {
        manners,
        faults: Switches::default(),
        calls: Calls::default(),
    };
    let (faults, calls) = (desk.faults.clone(), desk.calls.clone());
    let server = HttpServer::new(move || {
        App::new()
            .app_data(web::Data::new(desk.faults.clone()))
            .app_data(web::Data::new(desk.calls.clone()))
            .app_data(web::Data::new(desk.clone()))
            .wrap(from_fn(carry_out_or_fail))
            .configure(control::routes)
            .configure(routes.clone())
    })
    .on_connect(keep_a_handle)
    .workers(1)
    .disable_signals()
    .shutdown_timeout(SHUTDOWN_SECONDS)
    .listen(listener)?
    .run();
    Ok(Running {
        name: manners.name,
        address,
        faults,
        calls,
        handle: server.handle(),
        task: tokio::spawn(server),
    })
}

/// The second handle on a connection's socket.
#[derive(Debug, Clone)]
struct Wire(Arc<TcpStream>);

fn keep_a_handle(connection: &dyn std::any::Any, extensions: &mut Extensions) {
    let socket = connection.downcast_ref::<rt::net::TcpStream>();
    if let Some(handle) = socket.and_then(|socket| socket.as_fd().try_clone_to_owned().ok()) {
        extensions.insert(Wire(Arc::new(TcpStream::from(handle))));
    }
}

/// Ends the connection of a call; whatever is answered afterwards goes nowhere.
fn cut(wire: Option<&Wire>) -> HttpResponse {
    if let Some(Wire(socket)) = wire {
        // It fails only if the peer is gone already, which is what is wanted.
        let _ = socket.shutdown(Shutdown::Both);
    }
    HttpResponse::new(StatusCode::INTERNAL_SERVER_ERROR)
}

/// The middleware: notes the call, asks the switches, and carries it out, or not, or later.
async fn carry_out_or_fail<B>(mut request: ServiceRequest, next: Next<B>) -> Result<ServiceResponse<BoxBody>, Error>
where
    B: MessageBody + 'static,
{
    let Some(desk) = request.app_data::<web::Data<Desk>>().cloned() else {
        return Ok(next.call(request).await?.map_into_boxed_body());
    };
    if request.path().starts_with(control::PREFIX) {
        return Ok(next.call(request).await?.map_into_boxed_body());
    }
    let number = note(&desk.calls, &request);
    let wire = request.conn_data::<Wire>().cloned();
    let Some(body) = read(request.take_payload(), desk.manners.body_limit).await else {
        let too_large = (desk.manners.failure)(StatusCode::PAYLOAD_TOO_LARGE);
        desk.calls.answered(number, too_large.status().as_u16());
        return Ok(request.into_response(too_large));
    };
    let target = Target {
        method: request.method().as_str(),
        path: request.path(),
        body: &body,
        spared_by_wedge: desk.manners.sign_of_life.contains(&request.path()),
    };
    let met = desk.faults.choose(&target);
    if let Some((_, kind)) = &met {
        desk.calls.met(number, kind.word());
    }
    request.set_payload(once(body));
    // A task of its own: it goes on when the caller hangs up.
    let work = rt::spawn(async move {
        let (outcome, seen) = answer(&desk, request, next, (met, wire)).await;
        if seen {
            let status = outcome.as_ref().map_or_else(status_of, ServiceResponse::status);
            desk.calls.answered(number, status.as_u16());
        }
        outcome
    });
    work.await.unwrap_or_else(|panic| Err(ErrorInternalServerError(panic)))
}

type Outcome = Result<ServiceResponse<BoxBody>, Error>;

/// Does with one call what its fault says. The flag tells whether the caller can see the answer.
async fn answer<B>(
    desk: &Desk,
    request: ServiceRequest,
    next: Next<B>,
    fate: (Option<(u64, FaultKind)>, Option<Wire>),
) -> (Outcome, bool)
where
    B: MessageBody + 'static,
{
    let (met, wire) = fate;
    let Some((id, kind)) = met else {
        return (carry_out(request, &next).await, true);
    };
    let outcome = match kind {
        FaultKind::Status { status, headers, body } => {
            let failure = control::failure(&desk.manners, status, &headers, body);
            Ok(request.into_response(failure))
        }
        FaultKind::Delay { ms } => {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            carry_out(request, &next).await
        }
        FaultKind::Hang | FaultKind::Wedge => {
            desk.faults.released(id).await;
            return (Ok(request.into_response(cut(wire.as_ref()))), false);
        }
        FaultKind::Reset => return (Ok(request.into_response(cut(wire.as_ref()))), false),
        FaultKind::LostAnswer => {
            let carried_out = carry_out(request, &next).await;
            cut(wire.as_ref());
            return (carried_out, false);
        }
        FaultKind::ZombieWrite {
            after_ms,
            after_release_ms,
        } => {
            if after_ms.is_none() {
                desk.faults.released(id).await;
            }
            tokio::time::sleep(Duration::from_millis(after_ms.unwrap_or(after_release_ms))).await;
            carry_out(request, &next).await
        }
        FaultKind::FailedButDone { status } => carry_out(request, &next).await.map(|done| {
            let failure = control::failure(&desk.manners, status, &BTreeMap::new(), None);
            done.into_response(failure)
        }),
        FaultKind::ContentLost => {
            request.extensions_mut().insert(LoseContent);
            carry_out(request, &next).await
        }
    };
    (outcome, true)
}

async fn carry_out<B: MessageBody + 'static>(request: ServiceRequest, next: &Next<B>) -> Outcome {
    Ok(next.call(request).await?.map_into_boxed_body())
}

fn status_of(error: &Error) -> StatusCode {
    error.as_response_error().status_code()
}

fn note(calls: &Calls, request: &ServiceRequest) -> u64 {
    let origin = request.headers().get("x-bridge-origin");
    let origin = origin.and_then(|value| value.to_str().ok()).map(str::to_owned);
    calls.came(
        request.method().as_str(),
        (request.path(), request.query_string()),
        origin,
    )
}

/// The whole body, or none if it is longer than the limit. A body that breaks off counts as what came of it.
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
