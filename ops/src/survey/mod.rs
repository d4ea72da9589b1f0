//! What the rules need, compared with what Baserow and Docmost have, for `check --live`, `doctor`
//! and `provision`. Looking and judging are apart: the judgement is pure.

mod judge;
mod rights;
mod spaces;
mod tables;

use passerelle_model::config::{BaserowSettings, DocmostSettings, Problem, RedisSettings, nearest};
use passerelle_model::id::ProcessName;
use passerelle_queue::Redis;
use passerelle_queue::gate::{GatePolicy, Gates};
use passerelle_worker::clients::baserow::Baserow;
use passerelle_worker::clients::docmost::Docmost;

pub use spaces::space_problems;
pub use tables::{Missing, SeenTable, Survey};

use crate::trouble::Trouble;

/// The clients of both products, as a worker has them. They need no Redis for what is read here.
#[derive(Debug)]
pub struct Products {
    /// The source of the rows.
    pub baserow: Baserow,
    pub docmost: Docmost,
}

impl Products {
    pub fn new(redis: &RedisSettings, baserow: &BaserowSettings, docmost: &DocmostSettings) -> Result<Self, Trouble> {
        let redis = Redis::open(redis)?;
        Ok(Self {
            baserow: baserow_client(&redis, baserow)?,
            docmost: docmost_client(&redis, docmost)?,
        })
    }
}

pub fn baserow_client(redis: &Redis, settings: &BaserowSettings) -> Result<Baserow, Trouble> {
    Baserow::new(settings, gates(redis)).map_err(unusable)
}

pub fn docmost_client(redis: &Redis, settings: &DocmostSettings) -> Result<Docmost, Trouble> {
    Docmost::new(settings, redis.clone(), gates(redis)).map_err(unusable)
}

/// Gates that nothing stops: an operator wants to see the system itself, not the workers' view of
/// it.
fn gates(redis: &Redis) -> Gates {
    Gates::new(redis.clone(), ProcessName::unique("operator"), GatePolicy::default())
}

fn unusable(error: impl std::fmt::Display) -> Trouble {
    Trouble::Failed(format!("the HTTP client cannot be created: {error}"))
}

/// What there is to choose from, in words.
fn listed(names: impl IntoIterator<Item = String>) -> String {
    let names: Vec<String> = names.into_iter().collect();
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}

/// The name that may be meant, or else this hint.
fn meant_or<'a>(name: &str, known: impl IntoIterator<Item = &'a str>, hint: impl Into<String>) -> String {
    nearest(name, known).map_or_else(|| hint.into(), |meant| format!("did you mean {meant:?}?"))
}

/// A problem in three parts.
fn problem(place: &str, what: impl Into<String>, hint: impl Into<String>) -> Problem {
    Problem {
        place: place.to_owned(),
        what: what.into(),
        hint: hint.into(),
    }
}
