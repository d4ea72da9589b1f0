//! Connections that may carry more than one request: only those on which a delivery was proven (see
//! `rejection.rs`). Even they are bounded. One ends after [`MOST_REQUESTS`], and one on which no
//! request begins is shut down: the server itself limits the time for a head only on the first
//! request of a connection, so whoever dawdles over a later one would hold its connection for ever.

use std::any::Any;
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use actix_web::dev::Extensions;
use actix_web::rt::net::TcpStream as ServedStream;
use tokio::time::{Instant, interval, sleep, timeout};

/// The answer to this request ends the connection. What its sender has sent already is answered
/// too.
const MOST_REQUESTS: u32 = 100;
/// How often idle connections are looked for.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How often connections without a request are looked for before a stop, and how often in a row
/// there must be none: one that was taken a moment ago is not noted yet.
const LOOK_BEFORE_STOP: Duration = Duration::from_millis(10);
const QUIET_LOOKS: usize = 20;
/// Who has not begun a request by then is not waited for.
const BEGINS_WITHIN: Duration = Duration::from_secs(2);

/// All connections of a server.
#[derive(Debug, Clone, Default)]
pub(crate) struct Connections {
    kept: Arc<Mutex<Vec<Weak<Connection>>>>,
    /// How many have not begun a request.
    waiting: Arc<AtomicUsize>,
}

/// One connection, as its requests see it.
#[derive(Debug)]
pub(crate) struct Connection {
    all: Connections,
    /// A handle of our own, to end it from outside.
    socket: Option<TcpStream>,
    requests: AtomicU32,
    has_begun: AtomicBool,
    /// Since when no request has been under way.
    idle_since: Mutex<Option<Instant>>,
}

impl Connections {
    /// Notes a new connection, for the requests that it will carry.
    pub(crate) fn note(&self, stream: &dyn Any, extensions: &mut Extensions) {
        let stream = stream.downcast_ref::<ServedStream>();
        let socket = stream.and_then(|stream| stream.as_fd().try_clone_to_owned().ok());
        self.waiting.fetch_add(1, Ordering::Relaxed);
        extensions.insert(Arc::new(Connection {
            all: self.clone(),
            socket: socket.map(TcpStream::from),
            requests: AtomicU32::new(0),
            has_begun: AtomicBool::new(false),
            idle_since: Mutex::new(None),
        }));
    }

    /// Shuts down connections on which no request has begun for so long; never ends.
    pub(crate) async fn end_idle(self, longest: Duration) {
        let mut looks = interval(LOOK_EVERY);
        loop {
            looks.tick().await;
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.retain(|connection| {
                let Some(connection) = connection.upgrade() else {
                    return false;
                };
                let idle = *connection.idle_since();
                let is_over = idle.is_some_and(|since| since.elapsed() > longest);
                if is_over && let Some(socket) = &connection.socket {
                    // It may have ended meanwhile.
                    let _ = socket.shutdown(Shutdown::Both);
                }
                !is_over
            });
        }
    }

    /// Waits until each connection has begun its first request, once no more are taken: a server
    /// that stops closes those that have not, and their senders get no answer.
    pub(crate) async fn have_begun(&self) {
        let begun = async {
            let mut quiet = 0;
            while quiet < QUIET_LOOKS {
                // No interval: after a stall it makes up for its ticks, and many looks are one.
                sleep(LOOK_BEFORE_STOP).await;
                let is_quiet = self.waiting.load(Ordering::Relaxed) == 0;
                quiet = if is_quiet { quiet + 1 } else { 0 };
            }
        };
        let _ = timeout(BEGINS_WITHIN, begun).await;
    }
}

impl Connection {
    /// A request is under way.
    pub(crate) fn begin(&self) {
        self.waits_no_more();
        *self.idle_since() = None;
    }

    /// It was answered, and the connection may be kept. Returns whether it is.
    pub(crate) fn keep(self: &Arc<Self>) -> bool {
        let before = self.requests.fetch_add(1, Ordering::Relaxed);
        if before == 0 {
            let mut kept = self.all.kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.push(Arc::downgrade(self));
        }
        *self.idle_since() = Some(Instant::now());
        before + 1 < MOST_REQUESTS
    }

    fn waits_no_more(&self) {
        if !self.has_begun.swap(true, Ordering::Relaxed) {
            self.all.waiting.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn idle_since(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.idle_since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.waits_no_more();
    }
}
