//! The ingress' settings. All that is wrong with them, and with the sources of `bridge.toml`, is
//! reported at once, each with the way to mend it.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::thread::available_parallelism;
use std::time::Duration;

use actix_web::http::header::HeaderName;
use passerelle_model::config::{
    BridgeFile, BridgeFileSettings, Problems, ProofKind, Reader, RedisSettings, ReplicaWait, SourceConfig,
    StallSettings, TraceSettings,
};
use passerelle_queue::loops::LoopPolicy;
use secrecy::{ExposeSecret as _, SecretString};

use crate::body::LONGEST_WHOLE;
use crate::echo::QuietFields;
use crate::proof::{Proof, Source, Sources, Way};
use crate::spool::SpoolSettings;

/// A shorter secret can be guessed.
const SHORTEST_SECRET: usize = 16;
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

/// What the ingress needs of `bridge.toml`.
#[derive(Debug, Default)]
pub(crate) struct Bridge {
    pub(crate) sources: Sources,
    pub(crate) quiet: QuietFields,
}

impl Settings {
    /// Reads everything; problems are noted in the reader.
    pub fn read(reader: &mut Reader) -> Self {
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
            bridge: Bridge::read(reader),
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

impl Bridge {
    fn read(reader: &mut Reader) -> Self {
        let path = BridgeFileSettings::read(reader).path;
        let place = path.display().to_string();
        let (file, problems) = match BridgeFile::read_text(&path) {
            Ok(text) => BridgeFile::parse_partly(&text, &place),
            Err(Problems(problems)) => (None, problems),
        };
        let is_whole = problems.is_empty();
        reader.add(Problems(problems));
        let Some(file) = file else { return Self::default() };
        let mut bridge = Self {
            sources: Sources::default(),
            quiet: QuietFields {
                owned: file.owned_fields,
                ignored: file.ignored_fields,
                order_is_shown: file.rules.iter().any(|rule| rule.get_ref().collection.is_some()),
            },
        };
        if file.sources.is_empty() && is_whole {
            let hint = "e.g. \"*\" = { proof = [\"hmac\", \"token\"], secrets = \"BASEROW_WEBHOOK_SECRET\" }";
            reader.problem(&place, "[sources] is empty: no call could be accepted", hint);
        }
        for (name, config) in &file.sources {
            let path = ["sources".to_owned(), name.clone()];
            let place = format!("{} (source {name})", file.positions.of(&path, &[]));
            let Some(proof) = proof(reader, &place, config) else {
                continue;
            };
            if config.tables.as_ref().is_some_and(BTreeSet::is_empty) {
                let hint = "give the numbers of its tables, or leave `tables` out for all";
                reader.problem(&place, "`tables` names no table: no call could be accepted", hint);
            }
            let tables = config.tables.clone();
            if let Err(error) = bridge.sources.add(name, Source { proof, tables }) {
                let hint =
                    "use letters, digits, - _ . as in the address that Baserow calls, or \"*\" for every other source";
                reader.problem(&place, &error.to_string(), hint);
            }
        }
        bridge
    }
}

/// The proof of a source, unless something is wrong with it.
fn proof(reader: &mut Reader, place: &str, config: &SourceConfig) -> Option<Proof> {
    let kinds = config.proof.kinds();
    if config.header.is_some() && kinds.len() > 1 {
        let hint = "leave `header` out, or name one proof";
        reader.problem(place, "`header` names one header for several proofs", hint);
        return None;
    }
    let headers: Vec<_> = kinds.iter().map(|kind| header(reader, place, config, *kind)).collect();
    let secrets = secrets(reader, place, &config.secrets)?;
    let ways = kinds
        .iter()
        .zip(headers)
        .map(|(kind, header)| Some(Way::new(*kind, header?, &secrets)));
    match ways.collect::<Option<Result<Vec<Way>, _>>>()? {
        Ok(ways) => Some(Proof::by(ways)),
        Err(error) => {
            reader.problem(&config.secrets, &error.to_string(), "use another secret");
            None
        }
    }
}

fn header(reader: &mut Reader, place: &str, config: &SourceConfig, kind: ProofKind) -> Option<HeaderName> {
    let name = config.header_of(kind);
    let header = HeaderName::try_from(name).ok();
    if header.is_none() {
        let hint = format!("leave `header` out for {}", kind.default_header());
        reader.problem(place, &format!("{name:?} cannot be the name of a header"), &hint);
    }
    header
}

/// The live secrets of a variable, if there are any and all are long enough to resist guessing.
fn secrets(reader: &mut Reader, place: &str, variable: &str) -> Option<Vec<SecretString>> {
    let secrets = reader.secrets(variable);
    if secrets.is_empty() {
        let hint = format!("make one with `openssl rand -hex 32` and set {variable} to it ({place} asks for it)");
        reader.problem(variable, "is not set", &hint);
        return None;
    }
    let short = secrets
        .iter()
        .filter(|secret| secret.expose_secret().len() < SHORTEST_SECRET);
    let count = short.count();
    if count > 0 {
        let what = format!(
            "{count} of its {} secrets have fewer than {SHORTEST_SECRET} characters",
            secrets.len()
        );
        reader.problem(variable, &what, "make a long one with `openssl rand -hex 32`");
        return None;
    }
    Some(secrets)
}

#[cfg(test)]
mod tests;
