//! The server: all routes in one block, and the limits that keep one bad client from harming the
//! others.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use actix_web::web::{self, Data, get, post};
use actix_web::{App, HttpServer, Route};
use metrics_exporter_prometheus::{BuildError, PrometheusHandle};
use passerelle_queue::loops::Loops;
use passerelle_queue::{LifeWatch, Queue, QueueError, QueueName, Redis};

use crate::body::Bodies;
use crate::loop_guard::LoopGuard;
use crate::metrics;
use crate::routes::health::{alive, measured, ready};
use crate::routes::refused::{method_not_allowed, not_found};
use crate::routes::webhook::{Entrance, receive, receive_push};
use crate::settings::Settings;
use crate::spool::{Spool, drain_for_ever};

/// Where everything is. Baserow's sources are a plain prefix: a pattern would be a regular
/// expression, matched for every delivery.
fn routes(config: &mut web::ServiceConfig) {
    let only = |path: &str, route: Route| {
        web::resource(path)
            .route(route)
            .default_service(web::to(method_not_allowed))
    };
    config
        .service(web::scope("/api/webhooks/baserow").default_service(web::to(receive)))
        .service(only("/api/webhooks/docmost", post().to(receive_push)))
        .service(only("/healthz", get().to(alive)))
        .service(only("/readyz", get().to(ready)))
        .service(only("/metrics", get().to(measured)))
        .default_service(web::to(not_found));
}

/// Why the server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Another program has the address, or this machine does not.
    #[error("the address {0} cannot be taken (INGRESS_BIND): {1}")]
    Address(SocketAddr, #[source] io::Error),
    /// The URL of Redis is not usable.
    #[error(transparent)]
    Redis(#[from] QueueError),
    /// The thread of the spool cannot be started.
    #[error("the thread that writes the spool cannot be started: {0}")]
    Spool(#[source] io::Error),
    /// The numbers at `/metrics` cannot be prepared.
    #[error("the metrics cannot be prepared: {0}")]
    Metrics(#[from] BuildError),
}

/// A server that holds its address already, so that port 0 can be asked for the port that it got.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    settings: Settings,
    redis: Redis,
    spool: Arc<Spool>,
    export: PrometheusHandle,
}

impl Server {
    /// Takes the address and prepares the connection to Redis. Redis need not be there yet: the
    /// first delivery connects.
    pub fn bind(settings: Settings) -> Result<Self, StartError> {
        let listener = TcpListener::bind(settings.bind);
        let listener = listener.map_err(|error| StartError::Address(settings.bind, error))?;
        Ok(Self {
            address: listener
                .local_addr()
                .map_err(|error| StartError::Address(settings.bind, error))?,
            listener,
            redis: Redis::open(&settings.redis)?,
            spool: Arc::new(Spool::open(settings.spool.clone()).map_err(StartError::Spool)?),
            export: metrics::start()?,
            settings,
        })
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` ends, then finishes the requests that are under way.
    pub async fn run(self, stop: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
        let Settings {
            limits, bridge, loops, ..
        } = self.settings;
        let queue = Queue::new(self.redis.clone(), QueueName::Sync);
        let entrance = Entrance {
            sources: Arc::new(bridge.sources),
            quiet: Arc::new(bridge.quiet),
            limits,
            queue: queue.clone(),
            loop_guard: Arc::new(LoopGuard::new(Loops::new(self.redis.clone(), loops))),
            redis: self.redis.clone(),
            spool: Arc::clone(&self.spool),
            bodies: Arc::new(Bodies::new(limits)),
        };
        let (redis, export) = (Data::new(self.redis.clone()), Data::new(self.export.clone()));
        let spool = Data::from(Arc::clone(&self.spool));
        let measured = Arc::clone(&self.spool);
        let longest = Data::new(self.settings.longest_spooled);
        let app = move || {
            App::new()
                .app_data(Data::new(entrance.for_another_thread()))
                .app_data(redis.clone())
                .app_data(spool.clone())
                .app_data(export.clone())
                .app_data(longest.clone())
                .configure(routes)
        };
        let running = HttpServer::new(app)
            .workers(limits.threads)
            .max_connections(limits.connections.div_ceil(limits.threads))
            .client_request_timeout(limits.header_timeout)
            .keep_alive(limits.keep_alive)
            .shutdown_timeout(limits.shutdown_timeout.as_secs())
            .disable_signals()
            .shutdown_signal(stop)
            .listen(self.listener)?
            .run();
        tracing::info!(address = %self.address, threads = limits.threads, "the ingress listens");
        let watch = LifeWatch::new(queue.clone());
        let ended = tokio::select! {
            ended = running => ended,
            () = fold_samples(self.export, measured) => Ok(()),
            () = drain_for_ever(Arc::clone(&self.spool), queue, self.redis) => Ok(()),
            newer = watch.run() => Err(io::Error::other(newer)),
        };
        self.spool.seal().await;
        let waiting = self.spool.status().used;
        if waiting > 0 {
            tracing::warn!(
                bytes = waiting,
                "deliveries wait in the spool; the next ingress that starts here will drain them"
            );
        }
        tracing::info!("the ingress has stopped");
        ended
    }
}

/// Keeps the histogram's samples from piling up between two visits of Prometheus, and ages up to date; never ends.
async fn fold_samples(export: PrometheusHandle, spool: Arc<Spool>) {
    let mut ticks = tokio::time::interval(metrics::FOLDING_INTERVAL);
    loop {
        ticks.tick().await;
        export.run_upkeep();
        spool.measure();
    }
}
