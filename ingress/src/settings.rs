//! The ingress' settings. All that is wrong with them, and with the sources of `bridge.toml`, is
//! reported at once, each with the way to mend it.

use std::net::SocketAddr;
use std::thread::available_parallelism;
use std::time::Duration;

use passerelle_model::config::{Reader, RedisSettings, ReplicaWait, StallSettings, TraceSettings};
use passerelle_queue::loops::LoopPolicy;

use crate::body::LONGEST_WHOLE;
use crate::bridge::{Bridge, Reading};
use crate::spool::SpoolSettings;

/// actix-web refuses more threads.
const MOST_THREADS: usize = 512;

/// The settings of the ingress.
#[derive(Debug)]
pub struct Settings {
    /// `INGRESS_BIND`: address and port, default `127.0.0.1:8080`.
    pub(crate) bind: SocketAddr,
    /// `INGRESS_HEALTH_BIND`: where health and metrics answer, if not there too.
    pub(crate) health_bind: Option<SocketAddr>,
    /// What one client, and all together, may cost.
    pub(crate) limits: Limits,
    /// Where the queue lives.
    pub(crate) redis: RedisSettings,
    /// `LOOP_…`: when a row gets too many identical events.
    pub(crate) loops: LoopPolicy,
    /// Where deliveries wait while Redis is away.
    pub(crate) spool: SpoolSettings,
    /// `STALL_SPOOLED_SECONDS`: how long the oldest spooled delivery may wait before `/readyz`
    /// warns.
    pub(crate) longest_spooled: Duration,
    /// `OTEL_TRACES_SAMPLER_ARG`: of which share of the deliveries spans are made; `None` while no
    /// collector is set.
    pub(crate) sampled: Option<f64>,
    /// What the ingress needs of `bridge.toml`.
    pub(crate) bridge: Bridge,
    /// How that is read again.
    pub(crate) reading: Reading,
}

/// What one client, and all together, may cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// `INGRESS_THREADS`: default one per core.
    pub(crate) threads: usize,
    /// `INGRESS_CONNECTIONS`: most connections at once, default 1024; further ones wait.
    pub(crate) connections: usize,
    /// `INGRESS_BODY_LIMIT_BYTES`: the longest body that is kept whole, default 2 MiB. Longer ones
    /// lose their long values.
    pub(crate) body_bytes: usize,
    /// `INGRESS_LARGEST_BODY_BYTES`: the longest body that is read, default 128 MiB.
    pub(crate) largest_body_bytes: usize,
    /// `INGRESS_HEADER_TIMEOUT_SECONDS`: for the head of a connection's first request, default 5.
    /// Only who has proven a delivery has a second.
    pub(crate) header_timeout: Duration,
    /// `INGRESS_BODY_TIMEOUT_SECONDS`: for a whole body, default 10; longer while it arrives fast.
    pub(crate) body_timeout: Duration,
    /// `INGRESS_ACCEPT_TIMEOUT_SECONDS`: for the queue to take a delivery, default 3; the spool is
    /// asked long before. Baserow waits 5 s in all.
    pub(crate) accept_timeout: Duration,
    /// `INGRESS_KEEP_ALIVE_SECONDS`: how long a connection may idle, default 60.
    pub(crate) keep_alive: Duration,
    /// `INGRESS_SHUTDOWN_SECONDS`: for requests under way at a stop, default 10.
    pub(crate) shutdown_timeout: Duration,
}

impl Settings {
    /// Reads everything; problems are noted in the reader.
    pub fn read(reader: &mut Reader) -> Self {
        let reading = Reading::by(reader);
        Self {
            bind: reader.parsed("INGRESS_BIND", SocketAddr::from(([127, 0, 0, 1], 8080))),
            health_bind: health_bind(reader),
            limits: Limits::read(reader),
            redis: RedisSettings {
                replicas: ReplicaWait::read(reader),
                ..RedisSettings::read(reader)
            },
            loops: LoopPolicy::read(reader),
            longest_spooled: StallSettings::longest_spooled(reader),
            spool: SpoolSettings {
                folder: reader.text("INGRESS_SPOOL_DIR", "data/spool").into(),
                most_bytes: reader.parsed("INGRESS_SPOOL_BYTES", 512 * 1024 * 1024),
            },
            sampled: TraceSettings::sampled(reader),
            bridge: reading.read(reader),
            reading,
        }
    }
}

impl Limits {
    fn read(reader: &mut Reader) -> Self {
        let cores = available_parallelism().map_or(1, usize::from);
        let threads = at_least_one(reader, "INGRESS_THREADS", cores);
        if threads > MOST_THREADS {
            reader.problem("INGRESS_THREADS", "is more than 512", "leave it out for one per core");
        }
        let body_bytes = at_least_one(reader, "INGRESS_BODY_LIMIT_BYTES", 2 * 1024 * 1024);
        if body_bytes > LONGEST_WHOLE {
            reader.problem(
                "INGRESS_BODY_LIMIT_BYTES",
                &format!("is more than {LONGEST_WHOLE}: the bodies in hand would need more than 64 MiB"),
                &format!("give at most {LONGEST_WHOLE}: longer bodies are accepted too, without their long values"),
            );
        }
        let largest = at_least_one(reader, "INGRESS_LARGEST_BODY_BYTES", 128 * 1024 * 1024);
        Self {
            threads: threads.min(MOST_THREADS),
            connections: at_least_one(reader, "INGRESS_CONNECTIONS", 1024),
            body_bytes: body_bytes.min(LONGEST_WHOLE),
            largest_body_bytes: largest.max(body_bytes),
            header_timeout: reader.seconds("INGRESS_HEADER_TIMEOUT_SECONDS", 5),
            body_timeout: reader.seconds("INGRESS_BODY_TIMEOUT_SECONDS", 10),
            accept_timeout: reader.seconds("INGRESS_ACCEPT_TIMEOUT_SECONDS", 3),
            keep_alive: reader.seconds("INGRESS_KEEP_ALIVE_SECONDS", 60),
            shutdown_timeout: reader.seconds("INGRESS_SHUTDOWN_SECONDS", 10),
        }
    }
}

fn health_bind(reader: &mut Reader) -> Option<SocketAddr> {
    let text = reader.optional("INGRESS_HEALTH_BIND")?;
    let address = text.parse().ok();
    if address.is_none() {
        reader.problem("INGRESS_HEALTH_BIND", "is no address and port", "e.g. 127.0.0.1:8081");
    }
    address
}

fn at_least_one(reader: &mut Reader, name: &str, default: usize) -> usize {
    let number = reader.parsed(name, default);
    if number == 0 {
        reader.problem(name, "must not be 0", &format!("give a number like {default}"));
    }
    number.max(1)
}

#[cfg(test)]
mod tests;
