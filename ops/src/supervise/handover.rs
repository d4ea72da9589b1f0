//! From one supervisor to the next: what runs goes on, and the socket of the deliveries is passed
//! on, so that no caller is refused meanwhile.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::TcpListener;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use tokio::net::UnixListener;
use tokio::time::timeout;

use super::folders::{Folders, SUPERVISOR};

/// How long the earlier supervisor may take to leave. It holds nothing that it would lose.
const LEAVES_WITHIN: Duration = Duration::from_secs(20);
/// The supervisor of earlier versions, a shell script.
const EARLIER: &str = "watch";

/// Has the supervisor that runs leave, and its parts as they are. Returns the socket of the
/// deliveries, if it held one.
pub(crate) async fn dismiss(folders: &Folders) -> Option<TcpListener> {
    if let Some(earlier) = folders.process_of(EARLIER) {
        earlier.stop(LEAVES_WITHIN).await;
    }
    folders.forget(EARLIER);
    let supervisor = folders.process_of(SUPERVISOR)?;
    let socket = folders.socket();
    let received = tokio::task::spawn_blocking(move || received(&socket)).await;
    let listener = match received {
        Ok(Ok(listener)) => listener,
        _ => None,
    };
    if timeout(LEAVES_WITHIN, supervisor.ended()).await.is_err() {
        supervisor.kill().await;
    }
    folders.forget(SUPERVISOR);
    listener
}

fn received(socket: &Path) -> io::Result<Option<TcpListener>> {
    let stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(LEAVES_WITHIN))?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut word = [0; 1];
    recvmsg(
        &stream,
        &mut [IoSliceMut::new(&mut word)],
        &mut control,
        RecvFlags::CMSG_CLOEXEC,
    )?;
    let descriptors = control.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
        _ => None,
    });
    Ok(descriptors.flatten().next().map(TcpListener::from))
}

/// Where the next supervisor reports. The file is removed when this is dropped.
#[derive(Debug)]
pub(crate) struct Follower {
    socket: UnixListener,
    path: PathBuf,
}

impl Follower {
    pub(crate) fn expect_at(path: PathBuf) -> io::Result<Self> {
        // Of one that was killed.
        let _ = std::fs::remove_file(&path);
        Ok(Self {
            socket: UnixListener::bind(&path)?,
            path,
        })
    }

    /// Waits for it. Only who runs as the same user, or root, may take over.
    pub(crate) async fn comes(&self) -> UnixStream {
        loop {
            let Ok((stream, _)) = self.socket.accept().await else {
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let own = rustix::process::geteuid().as_raw();
            let may = stream
                .peer_cred()
                .is_ok_and(|peer| peer.uid() == own || peer.uid() == 0);
            if may && let Ok(stream) = stream.into_std() {
                return stream;
            }
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Passes the socket of the deliveries on.
pub(crate) fn give(stream: &UnixStream, listener: Option<TcpListener>) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    let descriptor = listener.map(OwnedFd::from);
    let descriptors: Vec<_> = descriptor.iter().map(|descriptor| descriptor.as_fd()).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() {
        control.push(SendAncillaryMessage::ScmRights(&descriptors));
    }
    sendmsg(stream, &[IoSlice::new(b".")], &mut control, SendFlags::empty())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_listening_socket_passes_from_one_supervisor_to_the_next_with_who_waits_at_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("supervisor.socket");
        let follower = Follower::expect_at(path.clone()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let caller = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let asking = tokio::task::spawn_blocking(move || received(&path).unwrap());
        give(&follower.comes().await, Some(listener)).unwrap();
        let passed = asking.await.unwrap().unwrap();
        let (accepted, _) = passed.accept().unwrap();
        assert_eq!(accepted.peer_addr().unwrap(), caller.local_addr().unwrap());
    }
}
