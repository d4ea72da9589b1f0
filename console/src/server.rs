//! The server: all routes, the headers of every answer, and the limits that keep one bad client
//! from harming the others.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::middleware::DefaultHeaders;
use actix_web::web::{self, Data, FormConfig};
use actix_web::{App, HttpServer};
use passerelle_queue::{QueueError, Redis};
use passerelle_store::{Store, StoreError};

use crate::desk::Desk;
use crate::entrance::{login, visitor::Caller};
use crate::pages::{
    Pages, examination, export, letters, lists, operate, overview, reconcile, rows, rules, story, waiting,
};
use crate::rulebook::ReadsRules;
use crate::settings::ConsoleSettings;
use crate::{assets, live};

/// Threads that serve.
const THREADS: usize = 2;
/// Most connections of each thread.
const CONNECTIONS: usize = 1024;
/// How long the head of a request may take.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a connection may be idle.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// How long requests may take to end at a stop.
const SHUTDOWN: Duration = Duration::from_secs(2);
/// The largest form.
const FORM_BYTES: usize = 64 * 1024;
/// How often the depth of the queue is noted while nobody looks.
const NOTED_EVERY: Duration = Duration::from_secs(10);

/// Only what this site sends itself: no script, style, image or frame from elsewhere, and none
/// within a page.
const CONTENT_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
     form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// Why the console cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Another program has the address, or this machine does not.
    #[error("the address {0} cannot be taken (CONSOLE_BIND): {1}")]
    Address(SocketAddr, #[source] io::Error),
    /// The URL of Redis is not usable.
    #[error(transparent)]
    Redis(#[from] QueueError),
    /// The database cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A template of this build is wrong.
    #[error("a page cannot be read: {0}")]
    Pages(#[from] minijinja::Error),
}

/// The address of a console, taken before its store is there.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    address: SocketAddr,
    settings: ConsoleSettings,
}

impl Bound {
    /// Takes the address.
    ///
    /// # Errors
    /// If another program has it, or this machine does not.
    pub fn take(settings: ConsoleSettings) -> Result<Self, StartError> {
        let not_taken = |error| StartError::Address(settings.bind, error);
        let listener = TcpListener::bind(settings.bind).map_err(not_taken)?;
        Ok(Self {
            address: listener.local_addr().map_err(not_taken)?,
            listener,
            settings,
        })
    }

    /// Opens the store as it is: a worker creates and updates its tables. Redis need not be there
    /// yet.
    ///
    /// # Errors
    /// If the store or the URL of Redis cannot be used.
    pub async fn open(self, rules: Arc<dyn ReadsRules>) -> Result<Server, StartError> {
        let store = Store::open_as_is(&self.settings.store).await?;
        let redis = Redis::open(&self.settings.redis)?;
        Ok(Server {
            listener: self.listener,
            address: self.address,
            desk: Data::from(Arc::new(Desk::new(self.settings, store, redis, Pages::new()?, rules))),
        })
    }
}

/// A console that holds its address already, so that port 0 can be asked for the port that it got.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    desk: Data<Desk>,
}

impl Server {
    /// Takes the address and opens the store.
    ///
    /// # Errors
    /// See [`Bound`].
    pub async fn bind(settings: ConsoleSettings, rules: Arc<dyn ReadsRules>) -> Result<Self, StartError> {
        Bound::take(settings)?.open(rules).await
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` ends.
    pub async fn run(self, stop: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
        let desk = self.desk.clone();
        let app = move || {
            App::new()
                .app_data(desk.clone())
                .app_data(FormConfig::default().limit(FORM_BYTES))
                .wrap(headers(desk.settings.is_by_tls()))
                .configure(assets::routes)
                .configure(login::routes)
                .configure(overview::routes)
                .configure(live::routes)
                .configure(story::routes)
                .configure(lists::routes)
                .configure(letters::routes)
                .configure(operate::routes)
                .configure(waiting::routes)
                .configure(rows::routes)
                .configure(rules::routes)
                .configure(examination::routes)
                .configure(reconcile::routes)
                .configure(export::routes)
                .route("/healthz", web::get().to(|| async { "ok\n" }))
                .default_service(web::to(not_found))
        };
        let running = HttpServer::new(app)
            .workers(THREADS)
            .max_connections(CONNECTIONS)
            .client_request_timeout(HEAD_TIMEOUT)
            .keep_alive(KEEP_ALIVE)
            .shutdown_timeout(SHUTDOWN.as_secs())
            .disable_signals()
            .shutdown_signal(stop)
            .listen(self.listener)?
            .run();
        tracing::info!(address = %self.address, "the console listens");
        tokio::select! {
            ended = running => ended,
            () = note_for_ever(&self.desk) => Ok(()),
        }
    }
}

/// Of every answer: nobody but this site's own pages can use it, and no cache keeps it.
fn headers(is_by_tls: bool) -> DefaultHeaders {
    let headers = DefaultHeaders::new()
        .add(("Content-Security-Policy", CONTENT_POLICY))
        .add(("X-Content-Type-Options", "nosniff"))
        .add(("X-Frame-Options", "DENY"))
        .add(("Referrer-Policy", "same-origin"))
        .add(("Cross-Origin-Opener-Policy", "same-origin"))
        .add(("Cross-Origin-Resource-Policy", "same-origin"))
        .add((
            "Permissions-Policy",
            "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        ))
        .add(("Cache-Control", "no-store"))
        .add(("Vary", "Accept-Language, Cookie"));
    if is_by_tls {
        headers.add(("Strict-Transport-Security", "max-age=31536000"))
    } else {
        headers
    }
}

async fn not_found(caller: Caller) -> Result<actix_web::HttpResponse, actix_web::Error> {
    Err(caller
        .refuse(actix_web::http::StatusCode::NOT_FOUND, "refused.nothing", "")
        .into())
}

/// Looks now and then, so that the chart of what waits has no gap; never ends.
async fn note_for_ever(desk: &Desk) {
    let mut ticks = tokio::time::interval(NOTED_EVERY);
    loop {
        ticks.tick().await;
        desk.pulse.fresh(desk).await;
    }
}
