//! Ports of the test's own: nobody else takes them, not even while the server behind one is down.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::net::TcpListener;
use std::ops::Range;
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
/// The kernel gives no such port to an outgoing connection, and no other test gets it: whoever
/// holds the socket of its name has it. So a server can be killed and started again on it.
pub fn free_port() -> anyhow::Result<u16> {
    free_ports(1)
}

/// The first of so many ports in a row, each as [`free_port`] gives them: for programs that count
/// on from a port.
pub fn free_ports(count: u16) -> anyhow::Result<u16> {
    let ports = FIRST..first_outgoing().max(FIRST + 1000) - count;
    let start = RandomState::new().build_hasher().finish() % u64::try_from(ports.len())?;
    let start = FIRST + u16::try_from(start)?;
    let mut candidates = (start..ports.end).chain(ports.start..start);
    candidates
        .find(|first| hold(*first..first + count))
        .context("no free port")
}

/// Takes all of these ports, or none if another process has one of them or something listens there.
fn hold(ports: Range<u16>) -> bool {
    let Some(holders) = ports.map(holder).collect::<Option<Vec<_>>>() else {
        return false;
    };
    HELD.lock().unwrap_or_else(PoisonError::into_inner).extend(holders);
    true
}

fn holder(port: u16) -> Option<UnixListener> {
    let name = SocketAddr::from_abstract_name(format!("passerelle-test-port-{port}")).ok()?;
    let holder = UnixListener::bind_addr(&name).ok()?;
    TcpListener::bind(("127.0.0.1", port)).is_ok().then_some(holder)
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
        assert!(ports.iter().all(|port| holder(*port).is_none()));
    }

    #[test]
    fn no_outgoing_connection_gets_such_a_port() {
        assert!(free_port().unwrap() < first_outgoing());
    }
}
