//! Failures of our own Redis and store.

use std::time::Duration;

use passerelle_model::ledger::FailureClass;
use passerelle_queue::QueueError;
use passerelle_store::StoreError;

use super::{Failure, Obstacle, Target, Unanswered};

/// How long to keep away from a store that does not answer: its gate may know better.
const STORE_PATIENCE: Duration = Duration::from_secs(5);

impl From<QueueError> for Failure {
    fn from(error: QueueError) -> Self {
        Self::new(FailureClass::Transient, Target::Redis, error.to_string())
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let class = match error {
            StoreError::Unreadable(_) => FailureClass::Permanent,
            StoreError::Open { .. }
            | StoreError::Pooler { .. }
            | StoreError::Schema(_)
            | StoreError::Database(_)
            | StoreError::LedgerMoved
            | StoreError::Overtaken => FailureClass::Transient,
        };
        let failure = Self::new(class, Target::Store, error.to_string());
        if !error.is_outage() {
            return failure;
        }
        Self {
            unanswered: Some(Unanswered::NoConnection(Obstacle::Unreachable)),
            ..failure.after(STORE_PATIENCE)
        }
    }
}
