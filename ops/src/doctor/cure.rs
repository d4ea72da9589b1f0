//! What to do about a call that failed, by its kind.

use passerelle_model::ledger::FailureClass;
use passerelle_worker::failure::{Failure, Obstacle, Unanswered};

/// What was called, and the settings by which.
#[derive(Debug, Clone, Copy)]
pub(super) struct Called {
    pub(super) name: &'static str,
    /// The setting with its address.
    pub(super) address: &'static str,
    /// The settings of the login.
    pub(super) login: &'static str,
}

pub(super) const BASEROW: Called = Called {
    name: "Baserow",
    address: "BASEROW_URL",
    login: "BASEROW_TOKEN (Baserow: Settings → Database tokens)",
};

pub(super) const BASEROW_USER: Called = Called {
    login: "BASEROW_EMAIL or BASEROW_PASSWORD",
    ..BASEROW
};

pub(super) const DOCMOST: Called = Called {
    name: "Docmost",
    address: "DOCMOST_URL",
    login: "DOCMOST_EMAIL and DOCMOST_PASSWORD, or DOCMOST_TOKEN",
};

pub(super) const INGRESS: Called = Called {
    name: "passerelle-ingress (passerelle up, docker compose up -d)",
    address: "INGRESS_URL",
    login: "INGRESS_URL",
};

impl Called {
    /// What mends this failure.
    pub(super) fn cure(self, failure: &Failure) -> String {
        let Self { name, address, login } = self;
        match failure.unanswered {
            Some(Unanswered::NoConnection(obstacle)) => self.way_to(obstacle),
            Some(Unanswered::TimedOut) => {
                format!("find out why {name} is slow, or whether a firewall swallows calls to {address}")
            }
            Some(Unanswered::NotReached) => self.behind_proxy(failure.status),
            Some(Unanswered::TooLong) => format!("correct {address}: does it lead to {name}?"),
            None => match (failure.class, failure.status) {
                (FailureClass::Throttled, _) => {
                    let wait = failure.retry_after.map_or(60, |wait| wait.as_secs().max(1));
                    format!("wait {wait} s, and run it again: {name} asks for that")
                }
                (FailureClass::Auth, _) => format!("correct {login}"),
                (_, Some(500..)) => format!("read the log of {name}, and run it again when it is well"),
                _ => format!("correct {address}, or {login}"),
            },
        }
    }

    fn way_to(self, obstacle: Obstacle) -> String {
        let Self { name, address, .. } = self;
        match obstacle {
            Obstacle::UnknownHost => format!("correct the host in {address}, or the DNS of this machine"),
            Obstacle::NoTls => format!("begin {address} with http://, or name the port where TLS is spoken"),
            Obstacle::Certificate => {
                format!("give {name} a right certificate, or name its authority in EXTRA_CA_FILE")
            }
            Obstacle::Unreachable => {
                format!("start {name}, or correct host and port in {address}; mind firewalls between")
            }
        }
    }

    fn behind_proxy(self, status: Option<u16>) -> String {
        let Self { name, address, .. } = self;
        match status {
            Some(300..=399) => format!("write the address that it leads to into {address}"),
            Some(200..=299 | 401 | 403 | 407) => {
                format!("let calls of programs pass the proxy or login page before {name}")
            }
            Some(500..) => format!("start {name} behind its proxy, or correct where the proxy leads"),
            _ => format!("correct the path in {address}, or the proxy before {name}"),
        }
    }
}
