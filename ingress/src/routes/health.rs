//! Alive, ready, measured. None of it needs a proof and none of it shows a secret; keep it away
//! from the public all the same. As with every answer to an unproven caller, the connection ends
//! with it (see `rejection.rs`).

use std::time::Duration;

use actix_web::{HttpResponse, web};
use passerelle_model::metrics::PrometheusHandle;
use passerelle_queue::{QueueError, Redis, ServerFacts};
use serde::Serialize;
use tokio::time::timeout;

use crate::spool::Spool;

/// How long a look at Redis may take before it counts as away. Shorter than the usual time-out of a
/// readiness probe's caller.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);

/// What `/readyz` says.
#[derive(Serialize)]
struct Readiness {
    ready: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    warnings: Vec<String>,
}

/// The process lives and answers.
pub(crate) async fn alive() -> HttpResponse {
    HttpResponse::Ok()
        .force_close()
        .json(serde_json::json!({ "alive": true }))
}

/// Deliveries can be made durable: by a real write to Redis, or else in the spool. Settings of
/// Redis that endanger what it holds, and trouble of the one while the other works, are warnings,
/// not failures: taking the ingress out of service would lose more.
pub(crate) async fn ready(
    redis: web::Data<Redis>,
    spool: web::Data<Spool>,
    longest_spooled: web::Data<Duration>,
) -> HttpResponse {
    let status = spool.status();
    let mut warnings: Vec<String> = status.warnings(**longest_spooled);
    let written = timeout(CHECK_TIMEOUT, redis.check_write()).await;
    if let Ok(Ok(())) = written {
        match timeout(CHECK_TIMEOUT, redis.server_facts()).await {
            Ok(Ok(facts)) => warnings.extend(endangered(&facts)),
            Ok(Err(QueueError::Refused(_))) => {
                warnings.push("Redis does not say whether it keeps its data (it refuses INFO)".to_owned());
            }
            _ => warnings.push("Redis did not say in time whether it keeps its data (INFO)".to_owned()),
        }
        return HttpResponse::Ok().force_close().json(Readiness {
            ready: true,
            reason: None,
            warnings,
        });
    }
    let why = match written {
        Ok(Err(error)) => error.to_string(),
        _ => format!("no answer within {CHECK_TIMEOUT:?}"),
    };
    let place = redis.place();
    tracing::warn!(redis = place, why, "Redis does not take a write");
    if status.takes_more() {
        warnings.push(format!(
            "Redis ({place}) does not take a write, so deliveries are kept in the spool until it does: {why}"
        ));
        return HttpResponse::Ok().force_close().json(Readiness {
            ready: true,
            reason: None,
            warnings,
        });
    }
    HttpResponse::ServiceUnavailable().force_close().json(Readiness {
        ready: false,
        reason: Some("queue_unavailable"),
        warnings,
    })
}

pub(crate) async fn measured(export: web::Data<PrometheusHandle>) -> HttpResponse {
    HttpResponse::Ok()
        .force_close()
        .content_type("text/plain; version=0.0.4; charset=utf-8")
        .body(export.render())
}

fn endangered(facts: &ServerFacts) -> Vec<String> {
    let mut warnings = Vec::new();
    if !facts.append_only {
        warnings.push("Redis keeps no append-only file: a crash loses accepted events; set appendonly yes".to_owned());
    }
    if facts.eviction_policy != "noeviction" {
        warnings.push(format!(
            "Redis may drop jobs when its memory is full (maxmemory-policy {}); set it to noeviction",
            facts.eviction_policy
        ));
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redis_that_may_lose_what_it_holds_is_warned_about() {
        let safe = ServerFacts {
            version: "7.0.15".to_owned(),
            append_only: true,
            append_fsync: Some("always".to_owned()),
            append_only_works: true,
            eviction_policy: "noeviction".to_owned(),
            used_memory: 1,
            max_memory: 0,
            replicas: 0,
        };
        assert!(endangered(&safe).is_empty());
        let unsafe_twice = ServerFacts {
            append_only: false,
            eviction_policy: "allkeys-lru".to_owned(),
            ..safe
        };
        assert_eq!(endangered(&unsafe_twice).len(), 2);
    }
}
