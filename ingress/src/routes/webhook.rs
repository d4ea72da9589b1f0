//! The way of one delivery: prove, parse, accept, answer.
//!
//! Nothing is answered 200 without an [`Accepted`], and only the queue makes one. An accepted delivery is logged at `debug` alone: the ledger
//! keeps every one of them with its outcome, and a line per delivery would cost a tenth of the ingress' throughput. Refusals are logged once,
//! here, with the path segment that was called but never with the proof or the body.

use std::time::Instant;

use actix_web::web::{Bytes, Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use passerelle_shared::event::NewEvent;
use passerelle_shared::queue::{Accepted, Queue};
use passerelle_shared::time::Timestamp;
use serde::Serialize;
use tokio::time::timeout;

use crate::echo::QuietFields;
use crate::metrics::{self, ItemCounts};
use crate::payload;
use crate::proof::Sources;
use crate::rejection::Rejection;
use crate::settings::Limits;

/// What the way of a delivery needs.
#[derive(Debug)]
pub(crate) struct Entrance {
    pub(crate) sources: Sources,
    pub(crate) quiet: QuietFields,
    pub(crate) limits: Limits,
    pub(crate) queue: Queue,
}

/// The answer to an accepted delivery.
#[derive(Serialize)]
struct Answer<'a> {
    accepted: bool,
    event_id: &'a str,
    status: &'a str,
}

/// `POST /api/webhooks/baserow/{source}`
pub(crate) async fn receive(
    entrance: Data<Entrance>,
    source: Path<String>,
    request: HttpRequest,
    body: Payload,
) -> HttpResponse {
    match entrance.admit(&source, &request, body).await {
        Ok(answer) => answer,
        Err(rejection) => {
            metrics::rejected(&rejection);
            log_refusal(&rejection, &source, &request);
            rejection.response()
        }
    }
}

impl Entrance {
    async fn admit(&self, source: &str, request: &HttpRequest, body: Payload) -> Result<HttpResponse, Rejection> {
        let received = Timestamp::now();
        let claim = self.sources.claim(source, request.headers())?;
        let proven = claim.prove(self.read(body).await?)?;
        let event = payload::parse(proven, &self.quiet, received)?;
        let event_id = event.key.event.clone();
        let accepted = self.make_durable(event).await?;

        let status = metrics::word(accepted.status());
        tracing::debug!(event.id = event_id.as_str(), source, status, "accepted");
        Ok(HttpResponse::Ok().json(Answer {
            accepted: true,
            event_id: event_id.as_str(),
            status,
        }))
    }

    /// The whole body, within its limits of size and time.
    async fn read(&self, body: Payload) -> Result<Bytes, Rejection> {
        let Limits {
            body_bytes,
            body_timeout,
            ..
        } = self.limits;
        match timeout(body_timeout, body.to_bytes_limited(body_bytes)).await {
            Ok(Ok(Ok(bytes))) => Ok(bytes),
            Ok(Ok(Err(_))) => Err(Rejection::BodyIncomplete),
            Ok(Err(_)) => Err(Rejection::BodyTooLarge { limit: body_bytes }),
            Err(_) => Err(Rejection::BodyTooSlow { limit: body_timeout }),
        }
    }

    /// The one place that decides what happens when the queue does not take a delivery: the caller is asked to come again, which is safe,
    /// since the same delivery accepted twice is one event. A time-out leaves the outcome open; the repeated call is then a duplicate.
    async fn make_durable(&self, event: NewEvent) -> Result<Accepted, Rejection> {
        let items = ItemCounts::of(&event.items);
        let began = Instant::now();
        let limit = self.limits.accept_timeout;
        let accepted = timeout(limit, self.queue.accept(event))
            .await
            .map_err(|_| Rejection::QueueTooSlow { limit })??;
        metrics::accepted(accepted.status(), &items, began.elapsed());
        Ok(accepted)
    }
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
