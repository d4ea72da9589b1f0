//! The server: all routes in one block, and the limits that keep one bad client from harming the
//! others.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::web::{self, Data, get, post};
use actix_web::{App, HttpServer, Resource, Route};
use futures::FutureExt as _;
use passerelle_model::metrics::{BuildError, FOLDING_INTERVAL, PrometheusHandle};
use passerelle_queue::loops::Loops;
use passerelle_queue::{LifeWatch, Queue, QueueError, QueueName, Redis};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::body::Bodies;
use crate::connections::Connections;
use crate::loop_guard::LoopGuard;
use crate::reload::{self, CurrentBridge, Reload};
use crate::routes::health::{alive, measured, ready};
use crate::routes::refused::{method_not_allowed, not_found};
use crate::routes::webhook::{Entrance, receive, receive_push};
use crate::settings::Settings;
use crate::spool::{Spool, drain_for_ever};

/// Where everything is. Baserow's sources are a plain prefix: a pattern would be a regular
/// expression, matched for every delivery.
fn deliveries(config: &mut web::ServiceConfig, health: Option<&Health>) {
    if let Some(health) = health {
        health.configure(config);
    }
    config
        .service(web::scope("/api/webhooks/baserow").default_service(web::to(receive)))
        .service(only("/api/webhooks/docmost", post().to(receive_push)))
        .service(only("/api/webhooks/docmost/", post().to(receive_push)))
        .default_service(web::to(not_found));
}

/// What is for ourselves, not for senders.
#[derive(Clone)]
struct Health {
    redis: Data<Redis>,
    spool: Data<Spool>,
    export: Data<PrometheusHandle>,
    longest: Data<Duration>,
}

impl Health {
    fn configure(&self, config: &mut web::ServiceConfig) {
        config
            .app_data(self.redis.clone())
            .app_data(self.spool.clone())
            .app_data(self.export.clone())
            .app_data(self.longest.clone())
            .service(only("/healthz", get().to(alive)))
            .service(only("/readyz", get().to(ready)))
            .service(only("/metrics", get().to(measured)));
    }
}

fn only(path: &str, route: Route) -> Resource {
    web::resource(path)
        .route(route)
        .default_service(web::to(method_not_allowed))
}

/// Why the server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Another program has the address, or this machine does not.
    #[error("the address {0} cannot be taken (INGRESS_BIND, INGRESS_HEALTH_BIND): {1}")]
    Address(SocketAddr, #[source] io::Error),
    /// The URL of Redis is not usable.
    #[error(transparent)]
    Redis(#[from] QueueError),
    /// The thread of the spool cannot be started.
    #[error("the thread that writes the spool cannot be started: {0}")]
    Spool(#[source] io::Error),
    /// SIGHUP cannot be listened to.
    #[error("the signal for a reload cannot be listened to: {0}")]
    Signal(#[source] io::Error),
    /// The numbers at `/metrics` cannot be prepared.
    #[error("the metrics cannot be prepared: {0}")]
    Metrics(#[from] BuildError),
}

/// A listening socket that whoever started this process holds and has passed as its standard input,
/// as `inetd` does in its mode `wait`. Such a socket outlives the process: while the process is
/// restarted, callers wait and are not refused.
pub fn inherited_listener() -> io::Result<Option<TcpListener>> {
    let given = io::stdin();
    // An error: it is no socket at all.
    if !rustix::net::sockopt::socket_acceptconn(&given).unwrap_or(false) {
        return Ok(None);
    }
    Ok(Some(given.as_fd().try_clone_to_owned()?.into()))
}

/// A server that holds its address already, so that port 0 can be asked for the port that it got.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    health: Option<TcpListener>,
    address: SocketAddr,
    settings: Settings,
    redis: Redis,
    spool: Arc<Spool>,
    export: PrometheusHandle,
    /// Until it is listened to, SIGHUP would end the process.
    hangup: Signal,
}

impl Server {
    /// Takes the address and prepares the connection to Redis. Redis need not be there yet: the
    /// first delivery connects.
    pub fn bind(settings: Settings) -> Result<Self, StartError> {
        let bind = |address| TcpListener::bind(address).map_err(|error| StartError::Address(address, error));
        let not_taken = |error| StartError::Address(settings.bind, error);
        let listener = match inherited_listener().map_err(not_taken)? {
            Some(listener) => listener,
            None => bind(settings.bind)?,
        };
        // Before the spool, which is measured as it opens.
        let export = passerelle_model::metrics::start()?;
        Ok(Self {
            address: listener
                .local_addr()
                .map_err(|error| StartError::Address(settings.bind, error))?,
            listener,
            health: settings.health_bind.map(bind).transpose()?,
            redis: Redis::open(&settings.redis)?,
            spool: Arc::new(Spool::open(settings.spool.clone()).map_err(StartError::Spool)?),
            export,
            hangup: signal(SignalKind::hangup()).map_err(StartError::Signal)?,
            settings,
        })
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    fn entrance(&self, queue: &Queue, bridge: &CurrentBridge) -> Entrance {
        let Settings { limits, loops, .. } = &self.settings;
        Entrance {
            bridge: bridge.clone(),
            limits: *limits,
            queue: queue.clone(),
            loop_guard: Arc::new(LoopGuard::new(Loops::new(self.redis.clone(), *loops))),
            redis: self.redis.clone(),
            spool: Arc::clone(&self.spool),
            bodies: Arc::new(Bodies::new(*limits)),
            sampled: self.settings.sampled,
        }
    }

    fn all_of_health(&self) -> Health {
        Health {
            redis: Data::new(self.redis.clone()),
            spool: Data::from(Arc::clone(&self.spool)),
            export: Data::new(self.export.clone()),
            longest: Data::new(self.settings.longest_spooled),
        }
    }

    /// Serves until `stop` ends, then finishes the requests that are under way.
    pub async fn run(mut self, stop: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
        let limits = self.settings.limits;
        let queue = Queue::new(self.redis.clone(), QueueName::Sync);
        let bridge = CurrentBridge::new(std::mem::take(&mut self.settings.bridge));
        let entrance = self.entrance(&queue, &bridge);
        let (health, measured) = (self.all_of_health(), Arc::clone(&self.spool));
        let reload = Reload::new(self.settings.reading, bridge, queue.clone());
        let (name, leaving) = (reload.name(), queue.clone());
        let here = self.health.is_none().then(|| health.clone());
        let stop = stop.shared();
        let elsewhere = serve_health(self.health, stop.clone(), health);
        let app = move || {
            App::new()
                .app_data(Data::new(entrance.for_another_thread()))
                .configure(|config| deliveries(config, here.as_ref()))
        };
        let connections = Connections::default();
        let running = HttpServer::new(app)
            .workers(limits.threads)
            .max_connections(limits.connections.div_ceil(limits.threads))
            .client_request_timeout(limits.header_timeout)
            .keep_alive(limits.keep_alive)
            .on_connect({
                let connections = connections.clone();
                move |stream, extensions| connections.note(stream, extensions)
            })
            .shutdown_timeout(limits.shutdown_timeout.as_secs())
            .disable_signals()
            .listen(self.listener)?
            .run();
        let stopping = stop_in_order(stop, running.handle(), connections.clone());
        tracing::info!(address = %self.address, threads = limits.threads, "the ingress listens");
        let watch = LifeWatch::new(queue.clone());
        let ended = tokio::select! {
            ended = running => ended,
            () = stopping => Ok(()),
            ended = elsewhere => ended,
            () = fold_samples(self.export, measured) => Ok(()),
            () = connections.end_idle(limits.keep_alive + limits.header_timeout) => Ok(()),
            () = drain_for_ever(Arc::clone(&self.spool), queue, self.redis) => Ok(()),
            () = reload.run(self.hangup) => Ok(()),
            newer = watch.run() => Err(io::Error::other(newer)),
        };
        reload::leave(&leaving, &name).await;
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

/// Takes no more connections once `stop` ends: who comes now waits for the next server that listens.
/// What was taken already is answered before the server stops.
async fn stop_in_order(stop: impl Future<Output = ()>, server: ServerHandle, connections: Connections) {
    stop.await;
    server.pause().await;
    connections.have_begun().await;
    server.stop(true).await;
}

/// Health and metrics at an address of their own, if they have one; else it never ends.
async fn serve_health(
    listener: Option<TcpListener>,
    stop: impl Future<Output = ()> + Send + 'static,
    health: Health,
) -> io::Result<()> {
    let Some(listener) = listener else {
        return std::future::pending().await;
    };
    let app = move || {
        App::new()
            .configure(|config| health.configure(config))
            .default_service(web::to(not_found))
    };
    let running = HttpServer::new(app)
        .workers(1)
        .disable_signals()
        .shutdown_signal(stop)
        .listen(listener)?
        .run();
    running.await?;
    // The deliveries end the process.
    std::future::pending().await
}

/// Keeps the histogram's samples from piling up between two visits of Prometheus, and ages up to
/// date; never ends.
async fn fold_samples(export: PrometheusHandle, spool: Arc<Spool>) {
    let mut ticks = tokio::time::interval(FOLDING_INTERVAL);
    loop {
        ticks.tick().await;
        export.run_upkeep();
        spool.measure();
    }
}
