//! What the surroundings may ask a worker: does it live, can it work, and the numbers. No secrets, no verbs.

use std::net::{SocketAddr, TcpListener};

use actix_web::{App, HttpResponse, HttpServer, web};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use passerelle_shared::queue::Redis;

struct Health {
    metrics: PrometheusHandle,
    redis: Redis,
}

/// Installs the metrics recorder and answers on the address until the process ends.
///
/// # Errors
/// If the address is taken, or a recorder is installed already.
pub fn start(bind: SocketAddr, redis: Redis) -> anyhow::Result<SocketAddr> {
    let metrics = PrometheusBuilder::new().install_recorder()?;
    let health = web::Data::new(Health { metrics, redis });
    let listener = TcpListener::bind(bind).map_err(|error| anyhow::anyhow!("WORKER_HEALTH_BIND {bind}: {error}"))?;
    let address = listener.local_addr()?;
    let server = HttpServer::new(move || {
        App::new()
            .app_data(health.clone())
            .route("/healthz", web::get().to(async || HttpResponse::Ok().body("ok")))
            .route("/readyz", web::get().to(ready))
            .route("/metrics", web::get().to(numbers))
    })
    .workers(1)
    .disable_signals()
    .listen(listener)?
    .run();
    tokio::spawn(server);
    Ok(address)
}

/// Ready means: the queue answers. A wiki that is down is no reason to restart a worker, it holds its jobs.
async fn ready(health: web::Data<Health>) -> HttpResponse {
    match health.redis.check_write().await {
        Ok(()) => HttpResponse::Ok().body("ready"),
        Err(error) => HttpResponse::ServiceUnavailable().body(error.to_string()),
    }
}

async fn numbers(health: web::Data<Health>) -> HttpResponse {
    health.metrics.run_upkeep();
    HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4")
        .body(health.metrics.render())
}
