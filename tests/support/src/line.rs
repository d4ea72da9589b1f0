//! A TCP line between a client and a server that a test can cut and restore.

use std::net::SocketAddr;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

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
    pub async fn to(port: u16) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let is_cut = watch::Sender::new(false);
        let acceptor = tokio::spawn(accept(listener, port, is_cut.clone()));
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

async fn accept(listener: TcpListener, port: u16, is_cut: watch::Sender<bool>) {
    while let Ok((client, _)) = listener.accept().await {
        let mut cut = is_cut.subscribe();
        tokio::spawn(async move {
            tokio::select! {
                biased;
                _ = cut.wait_for(|cut| *cut) => {}
                () = carry(client, port) => {}
            }
        });
    }
}

async fn carry(mut client: TcpStream, port: u16) {
    if let Ok(mut server) = TcpStream::connect(("127.0.0.1", port)).await {
        // Either end may close; the other one then sees it.
        let _ = copy_bidirectional(&mut client, &mut server).await;
    }
}
