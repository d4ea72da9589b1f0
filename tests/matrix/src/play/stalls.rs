//! I9: while something is away for long, the processes that need it say so at `/readyz`.

use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use crate::check::Violation;
use crate::schedule::{Damage, Fault, FaultKind, INGRESSES, Line, Program, RedisFault, SqlFault, WORKERS};
use crate::world::World;

/// What lasts for less is no stall.
const NOTICED_AFTER: Duration = Duration::from_millis(2_500);

/// Lets a fault last, and looks in the midst of a long one; gives the processes that say that all
/// is well.
pub(super) async fn last(world: &World, fault: &Fault) -> Vec<Violation> {
    let ends = Instant::now() + fault.lasts;
    let mut seen = Vec::new();
    if fault.lasts > NOTICED_AFTER {
        tokio::time::sleep(NOTICED_AFTER).await;
        let looks = futures::future::join_all(needing(&fault.kind).into_iter().map(|program| look(world, program)));
        // An answer that comes when all is over says nothing.
        let looks = tokio::time::timeout_at(ends, looks).await.unwrap_or_default();
        seen.extend(looks.into_iter().flatten());
    }
    tokio::time::sleep_until(ends).await;
    let words = |seen| format!("{seen} while, for {NOTICED_AFTER:?}, {}", fault.kind);
    seen.into_iter().map(|seen| Violation::new("I9", words(seen))).collect()
}

/// What a process says that believes that all is well. One that does not answer says enough.
async fn look(world: &World, program: Program) -> Option<String> {
    let (_, port) = world.ports().iter().find(|(known, _)| *known == program)?;
    let (_, said) = world
        .sandbox
        .get(*port, "/readyz")
        .await
        .ok()
        .filter(|(status, _)| *status == 200)?;
    says_that_all_is_well(program, &said).then(|| format!("{program} says {said:?}"))
}

fn says_that_all_is_well(program: Program, said: &str) -> bool {
    match program {
        Program::Worker(_) => true,
        Program::Ingress(_) => {
            let said: Value = serde_json::from_str(said).unwrap_or_default();
            said["warnings"].as_array().is_none_or(Vec::is_empty)
        }
    }
}

/// The processes that cannot work while this lasts.
fn needing(kind: &FaultKind) -> Vec<Program> {
    let workers = (0..WORKERS).map(Program::Worker);
    match kind {
        FaultKind::Redis(
            RedisFault::Restart
            | RedisFault::Kill
            | RedisFault::Freeze
            | RedisFault::OutOfMemory
            | RedisFault::ReadOnly
            | RedisFault::NoPermission,
        ) => workers.chain((0..INGRESSES).map(Program::Ingress)).collect(),
        FaultKind::Sql(SqlFault::Kill | SqlFault::Freeze | SqlFault::ReadOnly | SqlFault::Full) => workers.collect(),
        FaultKind::Line(line, Damage::Cut | Damage::Hang) => match line {
            Line::IngressRedis(number) => vec![Program::Ingress(*number)],
            Line::WorkerRedis(number) => vec![Program::Worker(*number)],
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}
