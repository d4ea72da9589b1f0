//! What is looked at, how much of it may grow, and whether it did.

use std::fmt;

use super::sample::Sample;

/// One line of the chart.
pub(super) struct Figure {
    pub(super) name: &'static str,
    pub(super) unit: &'static str,
    pub(super) of: fn(&Sample) -> f64,
    limit: Limit,
}

/// How much the mean of the last third may be.
enum Limit {
    /// This share of the mean of the first third, and so much more.
    Growth { share: f64, slack: f64 },
    /// So much.
    Below(f64),
    /// It grows by design; it is only told.
    Told,
}

/// A process may warm up for longer than the first third.
const MEMORY: Limit = Limit::Growth { share: 1.2, slack: 8.0 };
const FILES: Limit = Limit::Growth {
    share: 1.0,
    slack: 10.0,
};
const KEYS: Limit = Limit::Growth {
    share: 1.2,
    slack: 50.0,
};
/// At most those of its last syncs, and one per page that shows it.
const KEYS_PER_ROW: Limit = Limit::Growth { share: 1.2, slack: 1.0 };
/// An age depends on the last fault before the sample.
const AGE: Limit = Limit::Growth {
    share: 1.0,
    slack: 20.0,
};
/// Redis writes its file anew when it has doubled, from 64 MiB on.
const FILE_OF_REDIS: Limit = Limit::Below(256.0);

pub(super) const FIGURES: [Figure; 17] = [
    figure(
        "ingress 0 memory",
        "MiB",
        |sample| sample.ingresses[0].memory_mib,
        MEMORY,
    ),
    figure(
        "ingress 1 memory",
        "MiB",
        |sample| sample.ingresses[1].memory_mib,
        MEMORY,
    ),
    figure("worker 0 memory", "MiB", |sample| sample.workers[0].memory_mib, MEMORY),
    figure("worker 1 memory", "MiB", |sample| sample.workers[1].memory_mib, MEMORY),
    figure("worker 2 memory", "MiB", |sample| sample.workers[2].memory_mib, MEMORY),
    figure("ingress 0 files", "", |sample| sample.ingresses[0].files, FILES),
    figure("ingress 1 files", "", |sample| sample.ingresses[1].files, FILES),
    figure("worker 0 files", "", |sample| sample.workers[0].files, FILES),
    figure("worker 1 files", "", |sample| sample.workers[1].files, FILES),
    figure("worker 2 files", "", |sample| sample.workers[2].files, FILES),
    figure(
        "Redis memory, claims left out",
        "MiB",
        |sample| sample.redis.memory_mib,
        MEMORY,
    ),
    figure("Redis keys of the bridge", "", |sample| sample.redis.keys, KEYS),
    figure(
        "Redis keys per row ever",
        "",
        |sample| sample.redis.keys_per_row,
        KEYS_PER_ROW,
    ),
    figure(
        "Redis claims (kept for a day)",
        "",
        |sample| sample.redis.claims,
        Limit::Told,
    ),
    figure(
        "Redis append-only file",
        "MiB",
        |sample| sample.redis.file_mib,
        FILE_OF_REDIS,
    ),
    figure("oldest queued job", "s", |sample| sample.oldest_queued, AGE),
    figure("oldest open item", "s", |sample| sample.oldest_open, AGE),
];

const fn figure(name: &'static str, unit: &'static str, of: fn(&Sample) -> f64, limit: Limit) -> Figure {
    Figure { name, unit, of, limit }
}

/// What became of a figure.
pub(super) struct Judgement {
    name: &'static str,
    unit: &'static str,
    first: f64,
    last: f64,
    most: Option<f64>,
    pub(super) grows: bool,
}

impl Figure {
    /// Compares the last third with the first.
    pub(super) fn judge(&self, samples: &[Sample]) -> Judgement {
        let third = samples.len().div_ceil(3);
        let mean = |part: &[Sample]| {
            let sum: f64 = part.iter().map(self.of).sum();
            sum / f64::from(u32::try_from(part.len().max(1)).unwrap_or(u32::MAX))
        };
        let (first, last) = (mean(&samples[..third]), mean(&samples[samples.len() - third..]));
        let most = match self.limit {
            Limit::Growth { share, slack } => Some(first * share + slack),
            Limit::Below(most) => Some(most),
            Limit::Told => None,
        };
        Judgement {
            name: self.name,
            unit: self.unit,
            first,
            last,
            most,
            grows: most.is_some_and(|most| last > most),
        }
    }
}

impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, unit, first, last) = (self.name, self.unit, self.first, self.last);
        write!(f, "{name:<32} {first:>9.1} → {last:>9.1} {unit:<3} ")?;
        match self.most {
            None => f.write_str("told"),
            Some(most) if self.grows => write!(f, "GROWS (at most {most:.1})"),
            Some(most) => write!(f, "flat (at most {most:.1})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::soak::sample::{RedisUsage, Usage};

    fn samples(memory: impl Fn(u32) -> f64) -> Vec<Sample> {
        let sample = |number| Sample {
            at: Duration::from_secs(u64::from(number)),
            ingresses: [Usage::default(); 2],
            workers: [Usage {
                memory_mib: memory(number),
                files: 20.0,
            }; 3],
            redis: RedisUsage::default(),
            oldest_queued: 0.0,
            oldest_open: 0.0,
        };
        (0..30).map(sample).collect()
    }

    fn growing(samples: &[Sample]) -> Vec<&'static str> {
        let judged = FIGURES.iter().map(|figure| figure.judge(samples));
        let growing = judged.filter(|judgement| judgement.grows);
        growing.map(|judgement| judgement.name).collect()
    }

    #[test]
    fn a_process_that_takes_ever_more_memory_is_named_and_one_that_swings_is_not() {
        assert!(growing(&samples(|number| 40.0 + f64::from(number % 7))).is_empty());
        let leak = growing(&samples(|number| 40.0 + 2.0 * f64::from(number)));
        assert_eq!(leak, ["worker 0 memory", "worker 1 memory", "worker 2 memory"]);
    }
}
