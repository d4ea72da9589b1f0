//! What may break.

use std::fmt;
use std::time::Duration;

/// A process of the bridge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// The ingress of this number, from 0.
    Ingress(usize),
    /// The worker of this number, from 0.
    Worker(usize),
}

/// A line between two of a world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// From Baserow's webhooks to the ingresses.
    Webhooks,
    /// From an ingress to Redis.
    IngressRedis(usize),
    /// From a worker to Redis.
    WorkerRedis(usize),
    /// From a worker to the database, if that is a server.
    WorkerDatabase(usize),
    /// From a worker to Baserow.
    WorkerBaserow(usize),
    /// From a worker to Docmost.
    WorkerDocmost(usize),
    /// From a worker to the mail server.
    WorkerMail(usize),
}

/// What may be done to a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// It ends its connections and refuses new ones.
    Cut,
    /// Nothing passes for a while.
    Hang,
    /// Each chunk takes so long.
    Slow(Duration),
    /// Requests of more bytes end their connection.
    Limit(u64),
}

/// What may be done to Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RedisFault {
    /// It is stopped in order, and started again.
    Restart,
    /// It is killed, and started again.
    Kill,
    /// It does not go on for a while.
    Freeze,
    /// It ends the connections of its clients.
    DropClients,
    /// It has no memory for another write.
    OutOfMemory,
    /// It takes no writes.
    ReadOnly,
    /// Its user may not write.
    NoPermission,
    /// It is killed, and comes back without the last writes.
    TailLost,
    /// A replica that lags takes its place; the old one is gone.
    Failover,
    /// A replica that lags takes its place; the old one stays, read-only, and so do the connections
    /// to it.
    FailoverByAddress,
}

/// What may be done to the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SqlFault {
    /// Somebody else has the lock.
    Locked,
    /// It takes no writes.
    ReadOnly,
    /// It is killed, and started again.
    Kill,
    /// It does not go on for a while.
    Freeze,
    /// The disk of the workers is full: files do not grow.
    Full,
    /// The workers stop, a copy of some moments ago is put in its place, and they start again.
    Restored,
}

/// A product that the bridge calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Product {
    Baserow,
    Docmost,
}

/// What may become of the bridge's calls of a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApiFault {
    /// Answered 500.
    Error,
    /// Answered 503 by a proxy that speaks HTML.
    ProxyPage,
    /// Answered 404 by a proxy that has lost its route.
    NoRoute,
    /// Redirected to a page for signing in.
    SignInPage,
    /// Answered 429 with `Retry-After`, in seconds.
    RetryAfter(&'static str),
    Hang,
    /// Cut before the answer, not carried out.
    Reset,
    /// Carried out, and cut before the answer.
    LostAnswer,
    /// Carried out, and answered 500.
    FailedButDone,
    /// Carried out long after the caller has given up.
    Zombie(Duration),
    /// Carried out after a while.
    Slow(Duration),
}

/// Whose clock is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// That of a process of the bridge.
    Of(Program),
    OfRedis,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// A process is killed, and started again when the fault is over.
    Kill(Program),
    /// A process does not go on for a while.
    Freeze(Program),
    /// A process is asked to stop, and started again.
    Stop(Program),
    /// A worker ends between two steps, at a point with this name, and is started again.
    Crash(usize, &'static str),
    /// Every worker that reads this project is killed: the row that nobody survives.
    Poison(usize),
    /// A clock is wrong by so many seconds.
    Clock(Clock, i64),
    /// Something is done to a line.
    Line(Line, Damage),
    /// Something is done to Redis.
    Redis(RedisFault),
    /// Something is done to the database.
    Sql(SqlFault),
    /// Something becomes of so many calls of a product below a path.
    Api {
        product: Product,
        /// Only calls with this method.
        method: &'static str,
        /// Only calls below this path.
        path: &'static str,
        /// At most so many; `None` for all until the fault is over.
        times: Option<u64>,
        /// What becomes of them.
        fault: ApiFault,
    },
}

impl FaultKind {
    /// Whether what was answered may be lost, whatever the bridge does.
    pub fn loses_data(&self) -> bool {
        use RedisFault::{Failover, FailoverByAddress, TailLost};
        matches!(
            self,
            Self::Redis(TailLost | Failover | FailoverByAddress) | Self::Sql(SqlFault::Restored)
        )
    }

    /// Whether a process ends without a chance to finish.
    pub fn is_kill(&self) -> bool {
        matches!(
            self,
            Self::Kill(_) | Self::Crash(..) | Self::Poison(_) | Self::Sql(SqlFault::Restored)
        )
    }

    /// Its kind, for counting which kinds have met: fine enough to tell causes apart, coarse enough
    /// to cover all pairs.
    pub fn class(&self) -> String {
        let debug = |value: &dyn fmt::Debug| {
            let text = format!("{value:?}");
            text.split(['(', ' ']).next().unwrap_or_default().to_lowercase()
        };
        match self {
            Self::Kill(program) => format!("kill {}", debug(program)),
            Self::Freeze(program) => format!("freeze {}", debug(program)),
            Self::Stop(program) => format!("stop {}", debug(program)),
            Self::Crash(..) => "crash".to_owned(),
            Self::Poison(_) => "poison".to_owned(),
            Self::Clock(Clock::OfRedis, _) => "clock of redis".to_owned(),
            Self::Clock(Clock::Of(program), _) => format!("clock of {}", debug(program)),
            Self::Line(_, damage) => format!("line {}", debug(damage)),
            Self::Redis(fault) => format!("redis {}", debug(fault)),
            Self::Sql(fault) => format!("sql {}", debug(fault)),
            Self::Api { product, fault, .. } => format!("{} {}", debug(product), debug(fault)),
        }
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ingress(number) => write!(f, "ingress {number}"),
            Self::Worker(number) => write!(f, "worker {number}"),
        }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Webhooks => f.write_str("line webhooks-ingress"),
            Self::IngressRedis(number) => write!(f, "line ingress {number}-redis"),
            Self::WorkerRedis(number) => write!(f, "line worker {number}-redis"),
            Self::WorkerDatabase(number) => write!(f, "line worker {number}-database"),
            Self::WorkerBaserow(number) => write!(f, "line worker {number}-baserow"),
            Self::WorkerDocmost(number) => write!(f, "line worker {number}-docmost"),
            Self::WorkerMail(number) => write!(f, "line worker {number}-mail"),
        }
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill(program) => write!(f, "{program} is killed"),
            Self::Freeze(program) => write!(f, "{program} is frozen"),
            Self::Stop(program) => write!(f, "{program} is stopped"),
            Self::Crash(worker, point) => write!(f, "worker {worker} crashes at {point}"),
            Self::Poison(project) => write!(f, "every worker that reads project {project} is killed"),
            Self::Clock(Clock::OfRedis, by) => write!(f, "the clock of Redis is wrong by {by} s"),
            Self::Clock(Clock::Of(program), by) => write!(f, "the clock of {program} is wrong by {by} s"),
            Self::Line(line, Damage::Cut) => write!(f, "{line} is cut"),
            Self::Line(line, Damage::Hang) => write!(f, "{line} hangs"),
            Self::Line(line, Damage::Slow(by)) => write!(f, "{line} delays by {} ms", by.as_millis()),
            Self::Line(line, Damage::Limit(bytes)) => write!(f, "{line} refuses more than {bytes} bytes"),
            Self::Redis(fault) => write!(f, "Redis: {fault:?}"),
            Self::Sql(fault) => write!(f, "database: {fault:?}"),
            Self::Api {
                product,
                method,
                path,
                times,
                fault,
            } => {
                write!(f, "{product:?} {method} {path}: {fault:?}")?;
                times.map_or(Ok(()), |times| write!(f, " (at most {times} calls)"))
            }
        }
    }
}
