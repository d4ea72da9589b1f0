//! Ports of the test's own: nobody else takes them, not even while the server behind one is down.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::sync::{Mutex, PoisonError};

use anyhow::Context as _;

/// Below these nothing is looked for: well-known servers live there.
const FIRST: u16 = 10_000;
/// Linux's own lowest port for outgoing connections, where it does not say another.
const FIRST_OUTGOING: u16 = 32_768;

/// What holds this process's ports for as long as it lives.
static HELD: Mutex<Vec<UnixListener>> = Mutex::new(Vec::new());

/// A port that this process alone may use until it ends.
///
/// The kernel gives no such port to an outgoing connection, and no other test gets it: whoever holds the socket of its name has it. So a
/// server can be killed and started again on it.
pub fn free_port() -> anyhow::Result<u16> {
    let ports = FIRST..first_outgoing().max(FIRST + 1000);
    let start = RandomState::new().build_hasher().finish() % u64::try_from(ports.len())?;
    let start = FIRST + u16::try_from(start)?;
    let mut candidates = (start..ports.end).chain(ports.start..start);
    candidates.find(|port| hold(*port)).context("no free port")
}

/// Takes the port, unless another process has it or something listens there.
fn hold(port: u16) -> bool {
    let holder = SocketAddr::from_abstract_name(format!("passerelle-test-port-{port}"))
        .and_then(|name| UnixListener::bind_addr(&name));
    let Ok(holder) = holder else {
        return false;
    };
    let is_free = TcpListener::bind(("127.0.0.1", port)).is_ok();
    if is_free {
        HELD.lock().unwrap_or_else(PoisonError::into_inner).push(holder);
    }
    is_free
}

fn first_outgoing() -> u16 {
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let first = range.split_whitespace().next().and_then(|first| first.parse().ok());
    first.unwrap_or(FIRST_OUTGOING)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_port_is_given_once_also_while_nothing_listens_there() {
        let ports: BTreeSet<u16> = (0..200).map(|_| free_port().unwrap()).collect();
        assert_eq!(ports.len(), 200);
        assert!(ports.iter().all(|port| !hold(*port)));
    }

    #[test]
    fn no_outgoing_connection_gets_such_a_port() {
        assert!(free_port().unwrap() < first_outgoing());
    }
}
