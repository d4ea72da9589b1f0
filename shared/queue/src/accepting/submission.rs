//! An event on its way into the queue, and how long it may take.

use std::any::Any;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::Instant;

use crate::accepting::accept::Prepared;

/// How long `accept` tries in all, and how long it waits for one answer: the sender waits for five
/// seconds in all.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);
const PATIENCE_PER_TRY: Duration = Duration::from_millis(1500);
/// The slowest network that a large delivery is uploaded over: 8 Mbit/s.
const UPLOAD_BYTES_PER_MS: usize = 1000;

/// A prepared event on its way.
pub(crate) struct Submission {
    pub(super) prepared: Prepared,
    pub(super) submitted: Instant,
    /// Its sender does not wait.
    is_patient: bool,
    /// Who waits for its answer; `None` for those who wait as long as it takes.
    pub(super) caller: Option<Weak<()>>,
    #[expect(dead_code, reason = "it is dropped with the submission")]
    kept: Option<Arc<dyn Any + Send + Sync>>,
}

impl Submission {
    pub(crate) fn new(prepared: Prepared) -> Self {
        Self {
            prepared,
            submitted: Instant::now(),
            is_patient: false,
            caller: None,
            kept: None,
        }
    }

    pub(super) fn is_waited_for(&self) -> bool {
        self.caller.as_ref().is_none_or(|caller| caller.strong_count() > 0)
    }

    pub(super) fn keeping(self, kept: Arc<dyn Any + Send + Sync>) -> Self {
        let kept = Some(kept);
        Self { kept, ..self }
    }

    pub(super) fn patient(self) -> Self {
        let is_patient = true;
        Self { is_patient, ..self }
    }
}

/// How long one try of a group may take: an answer's time and its upload, but no longer than a
/// sender waits.
pub(super) fn patience_of(group: &[Submission]) -> Duration {
    let bytes: usize = group.iter().map(|member| member.prepared.delivery.len()).sum();
    let upload = Duration::from_millis(u64::try_from(bytes / UPLOAD_BYTES_PER_MS).unwrap_or(u64::MAX));
    let needed = PATIENCE_PER_TRY.saturating_add(upload);
    let waiting = group.iter().filter(|member| !member.is_patient);
    let left = waiting
        .map(|member| PATIENCE.saturating_sub(member.submitted.elapsed()))
        .min();
    left.map_or(needed, |left| needed.min(left).max(PATIENCE_PER_TRY))
}
