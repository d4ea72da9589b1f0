//! The parts of a bridge in the background.

use std::fmt;

/// One process of the bridge. In the order in which they start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    /// A Redis of our own, where none is named.
    Redis,
    Ingress,
    Console,
    /// From 1.
    Worker(u16),
}

impl Part {
    /// The part with this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "redis" => Some(Self::Redis),
            "ingress" => Some(Self::Ingress),
            "console" => Some(Self::Console),
            _ => {
                let number = name.strip_prefix("worker-")?.parse().ok()?;
                (number > 0).then_some(Self::Worker(number))
            }
        }
    }

    /// Whether it is a worker above these.
    pub(crate) fn is_worker_above(self, workers: u16) -> bool {
        matches!(self, Self::Worker(number) if number > workers)
    }

    /// What to change if another program has its address.
    pub(crate) const fn if_taken(self) -> &'static str {
        match self {
            Self::Redis => "set OWN_REDIS_PORT to a free port, or REDIS_URL to a Redis that runs",
            Self::Ingress => "set INGRESS_BIND to a free port",
            Self::Console => "set CONSOLE_BIND to a free port",
            Self::Worker(_) => "set WORKER_HEALTH_BIND to the first of as many free ports as there are workers",
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Redis => f.write_str("redis"),
            Self::Ingress => f.write_str("ingress"),
            Self::Console => f.write_str("console"),
            Self::Worker(number) => write!(f, "worker-{number}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_found_by_its_name_and_nothing_else_is_a_part() {
        for part in [Part::Redis, Part::Ingress, Part::Console, Part::Worker(12)] {
            assert_eq!(Part::named(&part.to_string()), Some(part));
        }
        for name in [
            "watch",
            "supervisor",
            "worker-",
            "worker-0",
            "worker--1",
            "worker-70000",
        ] {
            assert_eq!(Part::named(name), None, "{name}");
        }
    }
}
