//! What the surroundings may ask a worker: does it live, can it work, and the numbers. No secrets,
//! no verbs.
//!
//! `/healthz` is 200 as long as the process answers, perhaps `degraded`: starting it anew cures no
//! outage. `/readyz` says what it waits for.

use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use actix_web::{App, HttpResponse, HttpServer, web};
use passerelle_model::metrics::{self, FOLDING_INTERVAL, PrometheusHandle};
use passerelle_queue::Redis;
use passerelle_store::Store;
use tokio::time::timeout;

use super::stalls::Stalls;

/// How long Redis and the database may take to answer `/readyz`, each.
const PATIENCE: Duration = Duration::from_secs(2);

/// The store, once it has been opened.
pub type OpenedStore = Arc<OnceLock<Store>>;

/// Whether the metrics of this process are shown beside the worker's health.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricsPage {
    /// At `/metrics`.
    Here,
    /// Another part of this process shows them, so that nobody counts them twice.
    Elsewhere,
}

struct Health {
    metrics: PrometheusHandle,
    redis: Redis,
    store: OpenedStore,
    stalls: Stalls,
}

/// Starts counting and answers on the address until the process ends. `store` is filled once the
/// store is open, `stalls` as long as there are some.
///
/// # Errors
/// If the address is taken.
pub fn start(
    bind: SocketAddr,
    page: MetricsPage,
    redis: Redis,
    store: OpenedStore,
    stalls: Stalls,
) -> anyhow::Result<SocketAddr> {
    let metrics = metrics::start()?;
    tokio::spawn(fold_samples(metrics.clone()));
    let health = web::Data::new(Health {
        metrics,
        redis,
        store,
        stalls,
    });
    let listener = TcpListener::bind(bind)
        .map_err(|error| anyhow::anyhow!("the address {bind} cannot be taken (WORKER_HEALTH_BIND): {error}"))?;
    let address = listener.local_addr()?;
    let server = HttpServer::new(move || {
        let app = App::new()
            .app_data(health.clone())
            .route("/healthz", web::get().to(alive))
            .route("/readyz", web::get().to(ready));
        match page {
            MetricsPage::Here => app.route("/metrics", web::get().to(numbers)),
            MetricsPage::Elsewhere => app,
        }
    })
    .workers(1)
    .disable_signals()
    .listen(listener)?
    .run();
    tokio::spawn(server);
    Ok(address)
}

/// Keeps samples from piling up between two visits of Prometheus, or where there is none; never
/// ends.
async fn fold_samples(metrics: PrometheusHandle) {
    let mut ticks = tokio::time::interval(FOLDING_INTERVAL);
    loop {
        ticks.tick().await;
        metrics.run_upkeep();
    }
}

/// Alive means: this process answers. What it cannot do at present it says as `degraded`, still
/// with 200: a restart would mend nothing.
async fn alive(health: web::Data<Health>) -> HttpResponse {
    let troubles = health.troubles().await;
    HttpResponse::Ok().body(match troubles {
        Some(trouble) => format!("degraded: {trouble}"),
        None => "ok".to_owned(),
    })
}

impl Health {
    async fn troubles(&self) -> Option<String> {
        let Some(store) = self.store.get() else {
            return Some("the store is not open yet".to_owned());
        };
        match timeout(PATIENCE, store.overdue_notices()).await {
            Ok(Ok(None)) => None,
            Ok(Ok(Some(overdue))) => Some(format!(
                "{} notices could not be sent yet and wait: {}",
                overdue.count, overdue.error
            )),
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some("the store does not answer".to_owned()),
        }
    }
}

/// Ready means: queue and store answer. A wiki that is down is no reason to restart a worker, it
/// holds its jobs. What waits too long is a warning behind the first line.
async fn ready(health: web::Data<Health>) -> HttpResponse {
    let (redis, store) = tokio::join!(health.redis(), health.store());
    let missing: Vec<String> = [redis, store].into_iter().filter_map(Result::err).collect();
    if missing.is_empty() {
        let stalls = health
            .stalls
            .list()
            .into_iter()
            .map(|stall| format!("\nwarning: {stall}"));
        return HttpResponse::Ok().body(format!("ready{}", stalls.collect::<String>()));
    }
    HttpResponse::ServiceUnavailable().body(missing.join("\n"))
}

impl Health {
    async fn redis(&self) -> Result<(), String> {
        match timeout(PATIENCE, self.redis.check_write()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(format!("waiting for Redis: {error}")),
            Err(_) => Err(format!("waiting for Redis: no answer within {PATIENCE:?}")),
        }
    }

    async fn store(&self) -> Result<(), String> {
        let Some(store) = self.store.get() else {
            return Err("waiting for the database: it could not be opened yet".to_owned());
        };
        match timeout(PATIENCE, store.check_write()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(format!("waiting for the database: {error}")),
            Err(_) => Err(format!("waiting for the database: no answer within {PATIENCE:?}")),
        }
    }
}

async fn numbers(health: web::Data<Health>) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4")
        .body(health.metrics.render())
}
