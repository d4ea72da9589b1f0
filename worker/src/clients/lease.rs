//! No call is sent for a job whose lease is over: another worker may have the job by now.

use std::future::Future;
use std::time::Duration;

use passerelle_model::ledger::FailureClass;
use passerelle_queue::Lease;

use crate::failure::{Failure, Target};

/// When the job may be tried again, if Redis has not given it away: no attempt is counted.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

tokio::task_local! {
    /// The lease of the job that this task works at.
    static LEASE: Lease;
}

/// Runs a job under its lease: once the lease is over, its calls fail and nothing is sent.
pub async fn under_lease<T>(lease: Lease, job: impl Future<Output = T>) -> T {
    LEASE.scope(lease, job).await
}

/// The lease of the job that this task works at. None for work without a lease: periodic tasks,
/// operators.
pub(crate) fn lease_of_this_task() -> Option<Lease> {
    LEASE.try_with(Lease::clone).ok()
}

/// Fails if this task works at a job whose lease is over. Work without a lease passes.
pub(super) fn check_lease() -> Result<(), Failure> {
    check(lease_of_this_task().as_ref())
}

/// Fails if this lease is over.
pub(super) fn check(lease: Option<&Lease>) -> Result<(), Failure> {
    if lease.is_some_and(Lease::is_over) {
        let message = "the lease of this job is over, so another worker may have it; nothing was sent";
        return Err(Failure::new(FailureClass::Transient, Target::Bridge, message).after(LOOK_AGAIN));
    }
    Ok(())
}
