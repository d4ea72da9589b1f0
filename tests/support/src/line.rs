//! A TCP line between a client and a server that a test can cut and restore, or that is slow.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy, copy_bidirectional};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// What a slow line carries at once.
const CHUNK: usize = 64 << 10;

/// A line to one server. Dropped, it ends with its connections.
#[derive(Debug)]
pub struct Line {
    address: SocketAddr,
    is_cut: watch::Sender<bool>,
    acceptor: JoinHandle<()>,
}

impl Line {
    /// Listens on a free port of this machine and passes everything on to a port of it.
    ///
    /// # Errors
    /// No port is free.
    pub async fn to(port: u16) -> io::Result<Self> {
        Self::with_pace(port, None).await
    }

    /// The same; to the server it carries so many bytes in a millisecond.
    ///
    /// # Errors
    /// No port is free.
    pub async fn slow(port: u16, bytes_per_ms: usize) -> io::Result<Self> {
        Self::with_pace(port, Some(bytes_per_ms)).await
    }

    async fn with_pace(port: u16, pace: Option<usize>) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let is_cut = watch::Sender::new(false);
        let acceptor = tokio::spawn(accept(listener, is_cut.clone(), move |client| {
            carry(client, port, pace)
        }));
        Ok(Self {
            address,
            is_cut,
            acceptor,
        })
    }

    /// The port to connect to.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Ends all connections; new ones end at once.
    pub fn cut(&self) {
        self.is_cut.send_replace(true);
    }

    /// New connections pass again.
    pub fn restore(&self) {
        self.is_cut.send_replace(false);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.acceptor.abort();
        self.cut();
    }
}

async fn accept<F>(listener: TcpListener, is_cut: watch::Sender<bool>, carry: impl Fn(TcpStream) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    while let Ok((client, _)) = listener.accept().await {
        let (mut cut, carried) = (is_cut.subscribe(), carry(client));
        tokio::spawn(async move {
            tokio::select! {
                biased;
                _ = cut.wait_for(|cut| *cut) => {}
                () = carried => {}
            }
        });
    }
}

async fn carry(mut client: TcpStream, port: u16, pace: Option<usize>) {
    let Ok(mut server) = TcpStream::connect(("127.0.0.1", port)).await else {
        return;
    };
    // Either end may close; the other one then sees it.
    let Some(pace) = pace else {
        let _ = copy_bidirectional(&mut client, &mut server).await;
        return;
    };
    let ((from_client, mut to_client), (mut from_server, to_server)) = (client.split(), server.split());
    let answers = async {
        copy(&mut from_server, &mut to_client).await?;
        to_client.shutdown().await
    };
    let _ = tokio::try_join!(carry_slowly(from_client, to_server, pace), answers);
}

async fn carry_slowly(mut from: ReadHalf<'_>, mut to: WriteHalf<'_>, bytes_per_ms: usize) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK];
    loop {
        let length = from.read(&mut chunk).await?;
        if length == 0 {
            return to.shutdown().await;
        }
        let duration = length.div_ceil(bytes_per_ms);
        sleep(Duration::from_millis(u64::try_from(duration).unwrap_or(u64::MAX))).await;
        to.write_all(chunk.get(..length).unwrap_or_default()).await?;
    }
}
