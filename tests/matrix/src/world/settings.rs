//! The settings of each process of a world. Times are shorter than in production, in the same
//! proportions.

use std::collections::BTreeMap;
use std::path::Path;

use super::links::Links;
use super::sandbox::{Doors, SECRET};
use crate::schedule::Line;

pub(crate) const BASEROW_TOKEN: &str = "sandbox-database-token";
pub(crate) const DOCMOST_EMAIL: &str = "bridge@example.org";
pub(crate) const DOCMOST_PASSWORD: &str = "bridge-password";
/// Who is told of trouble.
pub(crate) const ADMIN: &str = "admin@example.org";

/// What is not a default: a second here is about ten of production.
const SCALED: [(&str, &str); 22] = [
    ("BASEROW_TIMEOUT_SECONDS", "1"),
    ("DOCMOST_TIMEOUT_SECONDS", "1"),
    ("SMTP_TIMEOUT_SECONDS", "1"),
    ("DATABASE_TIMEOUT_SECONDS", "4"),
    ("REDIS_RESPONSE_SECONDS", "1"),
    ("INGRESS_ACCEPT_TIMEOUT_SECONDS", "1"),
    ("WORKER_LEASE_SECONDS", "2"),
    ("WORKER_GRACE_SECONDS", "2"),
    ("WORKER_ZOMBIE_WINDOW_SECONDS", "2"),
    ("WORKER_CONCURRENCY", "4"),
    ("WORKER_WIKI_SECONDS", "0"),
    ("WORKER_SOURCES_SECONDS", "2"),
    ("WORKER_SWEEP_SECONDS", "3"),
    // A comparison of everything would hide what was lost on the way.
    ("WORKER_RECONCILE_SECONDS", "0"),
    ("GATE_WINDOW_SECONDS", "5"),
    ("GATE_PROBE_SECONDS", "0.2"),
    ("GATE_PROBE_LONGEST_SECONDS", "1"),
    ("GATE_PROBE_LEASE_SECONDS", "2"),
    ("GATE_STEP_SECONDS", "0.1"),
    ("GATE_TICK_SECONDS", "0.1"),
    ("GATE_DECISION_SECONDS", "0.2"),
    ("GATE_QUIET_SECONDS", "3"),
];

/// Where the servers of a world are, whatever becomes of the lines to them.
#[derive(Debug, Clone)]
pub(crate) struct Servers {
    pub(crate) redis: u16,
    pub(crate) database_url: String,
    pub(crate) doors: Doors,
}

/// What every process has in common.
fn common(folder: &Path) -> BTreeMap<String, String> {
    let bridge = Path::new(env!("CARGO_MANIFEST_DIR")).join("bridge/bridge.toml");
    let scaled = SCALED.map(|(name, value)| (name, value.to_owned()));
    let own = [
        ("BRIDGE_FILE", bridge.display().to_string()),
        ("BASEROW_WEBHOOK_SECRET", SECRET.to_owned()),
        ("BASEROW_TOKEN", BASEROW_TOKEN.to_owned()),
        ("BASEROW_EMAIL", "admin@example.com".to_owned()),
        ("BASEROW_PASSWORD", "Baserow-pass-1".to_owned()),
        ("DOCMOST_EMAIL", DOCMOST_EMAIL.to_owned()),
        ("DOCMOST_PASSWORD", DOCMOST_PASSWORD.to_owned()),
        ("SMTP_TLS", "none".to_owned()),
        ("MAIL_FROM", "Passerelle <passerelle@example.org>".to_owned()),
        ("ADMIN_EMAIL", ADMIN.to_owned()),
        ("INGRESS_SPOOL_DIR", folder.join("spool").display().to_string()),
        ("WORKER_HEALTH_BIND", "127.0.0.1:0".to_owned()),
        ("LOG_LEVEL", "info".to_owned()),
        ("PASSERELLE_ENV_FILE", "/dev/null".to_owned()),
    ];
    let all = scaled.into_iter().chain(own);
    all.map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The settings of an ingress.
pub(crate) fn of_ingress(folder: &Path, links: &Links, number: usize, port: u16) -> BTreeMap<String, String> {
    let mut settings = common(folder);
    let mut set = |name: &str, value: String| settings.insert(name.to_owned(), value);
    set("REDIS_URL", redis_url(links.port(Line::IngressRedis(number))));
    set("INGRESS_BIND", format!("127.0.0.1:{port}"));
    set("INGRESS_THREADS", "1".to_owned());
    set(
        "INGRESS_SPOOL_DIR",
        folder.join(format!("spool-{number}")).display().to_string(),
    );
    settings
}

/// The settings of a worker.
pub(crate) fn of_worker(
    folder: &Path,
    links: &Links,
    servers: &Servers,
    (number, health): (usize, u16),
) -> BTreeMap<String, String> {
    let mut settings = common(folder);
    let mut set = |name: &str, value: String| settings.insert(name.to_owned(), value);
    let database = links.port(Line::WorkerDatabase(number));
    set("REDIS_URL", redis_url(links.port(Line::WorkerRedis(number))));
    set("DATABASE_URL", through(&servers.database_url, database));
    set("BASEROW_URL", http_url(links.port(Line::WorkerBaserow(number))));
    set("DOCMOST_URL", http_url(links.port(Line::WorkerDocmost(number))));
    set("DOCMOST_PUBLIC_URL", http_url(servers.doors.docmost));
    set(
        "SMTP_URL",
        format!("smtp://127.0.0.1:{}", links.port(Line::WorkerMail(number))),
    );
    set("WORKER_HEALTH_BIND", format!("127.0.0.1:{health}"));
    settings
}

/// The settings of an operator, who reaches every server directly.
pub(crate) fn of_operator(folder: &Path, servers: &Servers) -> BTreeMap<String, String> {
    let mut settings = common(folder);
    let mut set = |name: &str, value: String| settings.insert(name.to_owned(), value);
    set("REDIS_URL", redis_url(servers.redis));
    set("DATABASE_URL", servers.database_url.clone());
    set("BASEROW_URL", http_url(servers.doors.baserow));
    set("DOCMOST_URL", http_url(servers.doors.docmost));
    set("SMTP_URL", format!("smtp://127.0.0.1:{}", servers.doors.smtp));
    settings
}

pub(crate) fn redis_url(port: u16) -> String {
    format!("redis://127.0.0.1:{port}/0")
}

pub(crate) fn http_url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

/// The same database by another port; a file has none.
fn through(url: &str, port: u16) -> String {
    let Some((head, tail)) = url.split_once("@127.0.0.1:") else {
        return url.to_owned();
    };
    let database = tail.split_once('/').map_or("", |(_, database)| database);
    format!("{head}@127.0.0.1:{port}/{database}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_reaches_a_database_server_by_its_line_and_a_file_directly() {
        let url = "postgres://passerelle@127.0.0.1:5432/postgres";
        assert_eq!(through(url, 17), "postgres://passerelle@127.0.0.1:17/postgres");
        assert_eq!(through("sqlite:///tmp/store.sqlite", 17), "sqlite:///tmp/store.sqlite");
    }
}
