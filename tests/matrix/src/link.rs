//! A TCP proxy on one line of a world: it can cut, hang, slow or shrink what passes, and send new
//! connections elsewhere.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How much is read at once; also the unit that a slow line delays.
const CHUNK: usize = 16 * 1024;

/// The state of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Pass,
    /// Connections end, new ones end at once.
    Cut,
    /// Connections stay and nothing passes; what was sent meanwhile arrives later.
    Hang,
    /// Each chunk waits so long.
    Slow(Duration),
    /// A request of more bytes ends its connection, as a proxy with a limit does it.
    Limit(u64),
}

/// One line. Dropped, it ends with its connections.
#[derive(Debug)]
pub(crate) struct Link {
    port: u16,
    shared: Arc<Shared>,
    acceptor: JoinHandle<()>,
    /// Whose fault it has: the end of one is not the end of another.
    pub(crate) turn: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Shared {
    mode: watch::Sender<Mode>,
    /// Raised to end the connections that there are, whatever the mode.
    generation: watch::Sender<u64>,
    targets: Mutex<Vec<SocketAddr>>,
    next: AtomicUsize,
    requests: AtomicU64,
    arrivals: watch::Sender<u64>,
    tripwire: Mutex<Option<String>>,
    trips: watch::Sender<u64>,
}

impl Link {
    /// Listens on a port and passes on to the targets in turn; one that refuses is left out.
    pub(crate) async fn open(port: u16, targets: Vec<SocketAddr>) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        let shared = Arc::new(Shared {
            mode: watch::Sender::new(Mode::Pass),
            generation: watch::Sender::new(0),
            targets: Mutex::new(targets),
            next: AtomicUsize::new(0),
            requests: AtomicU64::new(0),
            arrivals: watch::Sender::new(0),
            tripwire: Mutex::new(None),
            trips: watch::Sender::new(0),
        });
        let acceptor = tokio::spawn(accept(listener, shared.clone()));
        Ok(Self {
            port,
            shared,
            acceptor,
            turn: tokio::sync::Mutex::default(),
        })
    }

    /// Where to connect to.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Changes the state of the line, for the connections that there are too.
    pub(crate) fn set(&self, mode: Mode) {
        self.shared.mode.send_replace(mode);
    }

    /// Sends new connections to this address, and ends those that there are if they shall not stay
    /// where they are.
    pub(crate) fn redirect(&self, target: SocketAddr, ends_connections: bool) {
        *self.shared.targets() = vec![target];
        if ends_connections {
            self.shared.generation.send_modify(|generation| *generation += 1);
        }
    }

    /// Waits until so many chunks were sent over this line, counted from its opening.
    pub(crate) async fn carried(&self, chunks: u64) {
        let mut arrivals = self.shared.arrivals.subscribe();
        // An error would mean that the line is gone, and `self` holds it.
        let _ = arrivals.wait_for(|count| *count >= chunks).await;
    }

    /// Waits until a request with this text is on its way; it arrives all the same.
    pub(crate) async fn carries(&self, text: &str) {
        *self.shared.tripwire.lock().unwrap_or_else(PoisonError::into_inner) = Some(text.to_owned());
        let mut trips = self.shared.trips.subscribe();
        // An error would mean that the line is gone, and `self` holds it.
        let _ = trips.changed().await;
    }

    /// From now on texts are not looked for.
    pub(crate) fn carries_anything(&self) {
        *self.shared.tripwire.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// How many chunks were sent over it so far.
    pub(crate) fn count(&self) -> u64 {
        self.shared.requests.load(Ordering::Relaxed)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.acceptor.abort();
        self.set(Mode::Cut);
    }
}

impl Shared {
    fn targets(&self) -> std::sync::MutexGuard<'_, Vec<SocketAddr>> {
        self.targets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_chunk(&self, chunk: &[u8]) {
        let tripwire = self.tripwire.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if tripwire.is_some_and(|text| String::from_utf8_lossy(chunk).contains(&text)) {
            self.trips.send_modify(|count| *count += 1);
        }
        let count = self.requests.fetch_add(1, Ordering::Relaxed) + 1;
        self.arrivals.send_replace(count);
    }

    async fn connect(&self) -> Option<TcpStream> {
        let targets = self.targets().clone();
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        for place in 0..targets.len() {
            let target = targets[(first + place) % targets.len()];
            if let Ok(stream) = TcpStream::connect(target).await {
                return Some(stream);
            }
        }
        None
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((client, _)) = listener.accept().await {
        let shared = shared.clone();
        tokio::spawn(async move {
            let (mut mode, mut generation) = (shared.mode.subscribe(), shared.generation.subscribe());
            generation.mark_unchanged();
            let ended = async {
                tokio::select! {
                    _ = mode.wait_for(|mode| *mode == Mode::Cut) => {}
                    _ = generation.changed() => {}
                }
            };
            tokio::select! {
                () = ended => {}
                () = carry(client, &shared) => {}
            }
        });
    }
}

async fn carry(client: TcpStream, shared: &Shared) {
    passable(shared).await;
    let Some(server) = shared.connect().await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    // What was sent since something came back: the size of the present request.
    let sent = AtomicU64::new(0);
    tokio::select! {
        () = upstream(from_client, to_server, shared, &sent) => {}
        () = downstream(from_server, to_client, shared, &sent) => {}
    }
}

async fn upstream(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, shared: &Shared, sent: &AtomicU64) {
    let mut chunk = vec![0; CHUNK];
    while let Ok(length @ 1..) = from.read(&mut chunk).await {
        shared.note_chunk(&chunk[..length]);
        let total = sent.fetch_add(length as u64, Ordering::Relaxed) + length as u64;
        match *shared.mode.borrow() {
            Mode::Limit(most) if total > most => return,
            _ => {}
        }
        passable(shared).await;
        if to.write_all(&chunk[..length]).await.is_err() {
            return;
        }
    }
}

async fn downstream(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, shared: &Shared, sent: &AtomicU64) {
    let mut chunk = vec![0; CHUNK];
    while let Ok(length @ 1..) = from.read(&mut chunk).await {
        sent.store(0, Ordering::Relaxed);
        passable(shared).await;
        if to.write_all(&chunk[..length]).await.is_err() {
            return;
        }
    }
}

/// Waits for as long as the line holds a chunk back.
async fn passable(shared: &Shared) {
    let mut mode = shared.mode.subscribe();
    let now = *mode.borrow_and_update();
    match now {
        Mode::Pass | Mode::Limit(_) | Mode::Cut => {}
        Mode::Slow(delay) => tokio::time::sleep(delay).await,
        Mode::Hang => {
            let _ = mode.wait_for(|mode| *mode != Mode::Hang).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that gives back what it gets, and a line to it.
    async fn echo() -> (Link, TcpStream) {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = server.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = server.accept().await {
                tokio::spawn(async move {
                    let (mut read, mut write) = stream.split();
                    let _ = tokio::io::copy(&mut read, &mut write).await;
                });
            }
        });
        let link = Link::open(test_support::free_port().unwrap(), vec![target])
            .await
            .unwrap();
        let client = TcpStream::connect(("127.0.0.1", link.port())).await.unwrap();
        (link, client)
    }

    async fn says(client: &mut TcpStream, word: &[u8]) -> std::io::Result<Vec<u8>> {
        client.write_all(word).await?;
        let mut answer = vec![0; word.len()];
        client.read_exact(&mut answer).await?;
        Ok(answer)
    }

    #[tokio::test]
    async fn a_line_that_hangs_delivers_what_was_sent_meanwhile_once_it_passes_again() {
        let (link, mut client) = echo().await;
        assert_eq!(says(&mut client, b"one").await.unwrap(), b"one");
        link.set(Mode::Hang);
        let answer = says(&mut client, b"two");
        tokio::pin!(answer);
        tokio::select! {
            _ = &mut answer => panic!("it passed"),
            () = link.carried(2) => {}
        }
        link.set(Mode::Pass);
        assert_eq!(answer.await.unwrap(), b"two");
    }

    #[tokio::test]
    async fn a_line_that_is_cut_ends_its_connections_and_refuses_new_ones() {
        let (link, mut client) = echo().await;
        assert_eq!(says(&mut client, b"one").await.unwrap(), b"one");
        link.set(Mode::Cut);
        assert!(says(&mut client, b"two").await.is_err());
        let mut other = TcpStream::connect(("127.0.0.1", link.port())).await.unwrap();
        assert!(says(&mut other, b"three").await.is_err());
    }

    #[tokio::test]
    async fn a_line_with_a_limit_ends_the_connection_of_a_larger_request_only() {
        let (link, mut client) = echo().await;
        link.set(Mode::Limit(10));
        for _ in 0..5 {
            assert_eq!(says(&mut client, b"12345678").await.unwrap(), b"12345678");
        }
        assert!(says(&mut client, b"12345678901").await.is_err());
    }
}
