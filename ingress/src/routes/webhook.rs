//! The way of one delivery: prove, parse, accept, answer.
//!
//! Nothing is answered 200 without proof that it is [`Durable`]: an [`Accepted`], which only the
//! queue makes, or a [`Spooled`], which only the spool makes. Every delivery is logged once, here:
//! accepted at `info`, refused at `warn`, not made durable at `error`; with the path segment that
//! was called, never with the proof or the body. (The ledger keeps every accepted delivery anyway:
//! under a heavy load `LOG_LEVEL=warn` saves the writing of the lines.)

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::http::header::CONTENT_LENGTH;
use actix_web::http::{ConnectionType, Method};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use futures::future::{Either, select};
use passerelle_model::event::NewEvent;
use passerelle_model::time::Timestamp;
use passerelle_model::trace_context::TraceContext;
use passerelle_queue::{AcceptStatus, Accepted, Queue, Redis};
use serde::Serialize;
use tokio::time::timeout;

use crate::body::{Bodies, Reading, Share};
use crate::connections::Connection;
use crate::echo::QuietFields;
use crate::loop_guard::LoopGuard;
use crate::metrics::{self, ItemCounts};
use crate::payload::{self, Understood};
use crate::proof::ProvenBody;
use crate::rejection::Rejection;
use crate::reload::CurrentBridge;
use crate::routes::refused::{method_not_allowed, not_found};
use crate::settings::Limits;
use crate::spool::{Spool, Spooled};
use crate::wiki_payload;

/// What the way of a delivery needs. Each thread that serves has one of its own, with a queue of
/// its own: a delivery is received, grouped, sent and answered by one thread, and none is woken for
/// another's sake.
#[derive(Debug, Clone)]
pub(crate) struct Entrance {
    pub(crate) bridge: CurrentBridge,
    pub(crate) limits: Limits,
    pub(crate) queue: Queue,
    pub(crate) loop_guard: Arc<LoopGuard>,
    pub(crate) redis: Redis,
    pub(crate) spool: Arc<Spool>,
    pub(crate) bodies: Arc<Bodies>,
    /// Of which share of the deliveries spans are made, if of any.
    pub(crate) sampled: Option<f64>,
}

impl Entrance {
    /// For one more thread.
    pub(crate) fn for_another_thread(&self) -> Self {
        let redis = self.redis.by_another_connection();
        Self {
            queue: self.queue.on(redis.clone()),
            redis,
            ..self.clone()
        }
    }
}

/// The licence to answer 200: the queue has the delivery, or the disk of this machine until the
/// queue takes it.
enum Durable {
    Accepted(Accepted),
    Spooled(Spooled),
}

/// The answer to an accepted delivery.
#[derive(Serialize)]
struct Answer<'a> {
    accepted: bool,
    event_id: &'a str,
    status: &'a str,
}

/// Makes an event of a proven body.
type Parse = fn(ProvenBody, &QuietFields, Timestamp) -> Result<Understood, Rejection>;

/// Who calls, and in which wire format.
#[derive(Clone, Copy)]
struct Caller<'a> {
    /// The name of a source in `bridge.toml`.
    source: &'a str,
    parse: Parse,
}

/// How long a caller waits for the queue alone. After that the disk is asked too: so a Redis that
/// hangs, or fails over, costs a caller little.
const SPOOLED_AFTER: Duration = Duration::from_millis(500);
/// A large delivery waits longer, as long as its upload over 8 Mbit/s takes: it is in memory once
/// for each of the two that are asked.
const UPLOAD_BYTES_PER_MS: usize = 1000;
/// Even a large one leaves the disk its time within the five seconds of the caller.
const SPOOLED_AFTER_AT_MOST: Duration = Duration::from_secs(2);

/// The name of the wiki among the sources of `bridge.toml`.
const WIKI: &str = "docmost";

/// `POST /api/webhooks/baserow/{source}`: the rest of the path is the name of a source.
pub(crate) async fn receive(entrance: Data<Entrance>, request: HttpRequest, body: Payload) -> HttpResponse {
    let rest = request.match_info().unprocessed();
    // Baserow's form takes an address with a slash at its end, and people paste such.
    let source = rest
        .strip_prefix('/')
        .map(|rest| rest.strip_suffix('/').unwrap_or(rest));
    let Some(source) = source.filter(|name| !name.is_empty() && !name.contains('/')) else {
        return not_found().await;
    };
    if request.method() != Method::POST {
        return method_not_allowed().await;
    }
    let parse = payload::parse;
    entrance.answer(Caller { source, parse }, &request, body).await
}

/// `POST /api/webhooks/docmost`
pub(crate) async fn receive_push(entrance: Data<Entrance>, request: HttpRequest, body: Payload) -> HttpResponse {
    let caller = Caller {
        source: WIKI,
        parse: wiki_payload::parse,
    };
    entrance.answer(caller, &request, body).await
}

impl Entrance {
    async fn answer(&self, caller: Caller<'_>, request: &HttpRequest, body: Payload) -> HttpResponse {
        let connection = request.conn_data::<Arc<Connection>>();
        if let Some(connection) = connection {
            connection.begin();
        }
        let answer = self.admit(caller, request, body).await.map(|mut answer| {
            if connection.is_some_and(|connection| !connection.keep()) {
                answer.head_mut().set_connection_type(ConnectionType::Close);
            }
            answer
        });
        answer.unwrap_or_else(|rejection| {
            metrics::refused(rejection.reason());
            log_refusal(&rejection, caller.source, request);
            rejection.response()
        })
    }

    async fn admit(
        &self,
        Caller { source, parse }: Caller<'_>,
        request: &HttpRequest,
        body: Payload,
    ) -> Result<HttpResponse, Rejection> {
        let received = Timestamp::now();
        let bridge = self.bridge.get();
        let claim = bridge.sources.claim(source, request.headers())?;
        let reading = self.bodies.read(claim, announced_length(request), body).await?;
        let Reading {
            body,
            is_unfinished,
            share,
        } = reading;
        let Understood { mut event, contents } = parse(body, &bridge.quiet, received)?;
        event.trace = self.trace_of(request);
        bridge.sources.check_table(&event.source, event.table)?;
        let (event_id, table) = (event.key.event.clone(), event.table);
        let status = match self.make_durable(event, share).await? {
            Durable::Accepted(accepted) => {
                if accepted.status() == AcceptStatus::Queued {
                    self.loop_guard.note(table, &contents);
                }
                let status = metrics::word(accepted.status());
                tracing::info!(event.id = event_id.as_str(), source, status, "accepted");
                status
            }
            // The loop guard counts in Redis, and Redis is away.
            Durable::Spooled(spooled) => {
                let status = metrics::word(spooled.status());
                tracing::info!(event.id = event_id.as_str(), source, status, "accepted into the spool");
                status
            }
        };
        let mut answer = HttpResponse::Ok();
        if is_unfinished {
            answer.force_close();
        }
        Ok(answer.json(Answer {
            accepted: true,
            event_id: event_id.as_str(),
            status,
        }))
    }

    /// The trace of a delivery: its caller's, or one that begins here.
    fn trace_of(&self, request: &HttpRequest) -> Option<TraceContext> {
        let given = request.headers().get("traceparent");
        let given = given.and_then(|given| TraceContext::of_caller(given.as_bytes()));
        given.or_else(|| TraceContext::begun(rand::random(), rand::random_bool(self.sampled?)))
    }

    /// A delivery keeps its share of the memory until it is durable, or in no hands here any more.
    ///
    /// The one place that decides what happens when the queue does not take a delivery, or not
    /// soon: it is spooled, and drained into the queue when Redis is back. If that is not possible
    /// either, the caller is asked to come again. All is safe, since the same delivery accepted
    /// twice is one event. That includes a delivery that the queue took and whose answer was lost,
    /// and one that both have taken.
    async fn make_durable(&self, event: NewEvent, share: Share) -> Result<Durable, Rejection> {
        let began = Instant::now();
        let mut accepting = pin!(self.accept(&event, Arc::clone(&share)));
        let durable = if self.spool.is_on() {
            match timeout(spooled_after(&event), accepting.as_mut()).await {
                Ok(Ok(accepted)) => Durable::Accepted(accepted),
                Ok(Err(_)) => Durable::Spooled(self.spool.keep(&event).await?),
                Err(_) => self.whichever_is_sooner(accepting, &event).await?,
            }
        } else {
            Durable::Accepted(accepting.await?)
        };
        match &durable {
            Durable::Accepted(accepted) => {
                metrics::accepted(accepted.status(), &ItemCounts::of(&event.items), began.elapsed());
            }
            Durable::Spooled(_) => metrics::spooled(),
        }
        Ok(durable)
    }

    /// The queue is slow: the disk is asked too. Only if neither takes the delivery it is refused.
    async fn whichever_is_sooner(
        &self,
        accepting: Pin<&mut impl Future<Output = Result<Accepted, Rejection>>>,
        event: &NewEvent,
    ) -> Result<Durable, Rejection> {
        let keeping = pin!(self.spool.keep(event));
        match select(accepting, keeping).await {
            Either::Left((Ok(accepted), _)) => Ok(Durable::Accepted(accepted)),
            Either::Left((Err(_), keeping)) => Ok(Durable::Spooled(keeping.await?)),
            Either::Right((Ok(spooled), _)) => Ok(Durable::Spooled(spooled)),
            Either::Right((Err(not_spooled), accepting)) => match accepting.await {
                Ok(accepted) => Ok(Durable::Accepted(accepted)),
                Err(_) => Err(not_spooled.into()),
            },
        }
    }

    /// With a spool, a Redis that is known to be away is not asked: the spool's drain notices its
    /// return.
    async fn accept(&self, event: &NewEvent, share: Share) -> Result<Accepted, Rejection> {
        if self.spool.is_on() && !self.redis.is_up() {
            return Err(Rejection::QueueAway);
        }
        let limit = self.limits.accept_timeout;
        let accepted = timeout(limit, self.queue.accept_keeping(event, share)).await;
        Ok(accepted.map_err(|_| Rejection::QueueTooSlow { limit })??)
    }
}

/// How long a delivery waits for the queue alone.
fn spooled_after(event: &NewEvent) -> Duration {
    let upload = u64::try_from(event.payload.len() / UPLOAD_BYTES_PER_MS).unwrap_or(u64::MAX);
    SPOOLED_AFTER
        .saturating_add(Duration::from_millis(upload))
        .min(SPOOLED_AFTER_AT_MOST)
}

/// What the request says of its body's length; a body in chunks says nothing.
fn announced_length(request: &HttpRequest) -> Option<usize> {
    request.headers().get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn log_refusal(rejection: &Rejection, source: &str, request: &HttpRequest) {
    let reason = rejection.reason();
    let peer = request.peer_addr().map(|address| address.ip().to_string());
    if rejection.is_ours() {
        tracing::error!(source, reason, peer, "refused: {rejection}");
    } else {
        tracing::warn!(source, reason, peer, "refused: {rejection}");
    }
}
