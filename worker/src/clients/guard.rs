//! The one place where the clients meet the gates: asked before each call, told after it.

use std::future::Future;
use std::time::Instant;

use passerelle_model::ledger::FailureClass;
use passerelle_queue::gate::{CallResult, GateName, Gates};

use crate::clients::lease::check_lease;
use crate::failure::{Failure, Target};

tokio::task_local! {
    /// Exists in the task of the one job that stopped gates let through.
    static LET_THROUGH: ();
}

/// Runs a job that stopped gates let through: its calls are not kept back.
pub async fn let_through<T>(job: impl Future<Output = T>) -> T {
    LET_THROUGH.scope((), job).await
}

/// Whether this is the task of such a job.
pub(crate) fn is_let_through() -> bool {
    LET_THROUGH.try_with(|()| ()).is_ok()
}

/// The gates, as a client uses them.
#[derive(Debug, Clone)]
pub(crate) struct Guard {
    gates: Gates,
    target: Target,
}

impl Guard {
    /// For the client of this target.
    pub(crate) fn new(gates: Gates, target: Target) -> Self {
        Self { gates, target }
    }

    /// Whether a call may be sent now. Jobs that were under way when the gate stopped end here,
    /// held, without troubling the target.
    pub(crate) async fn admit(&self, gate: GateName) -> Result<(), Failure> {
        check_lease()?;
        if is_let_through() || self.gates.stopped_for(gate).is_none() {
            return Ok(());
        }
        // What this process knows may be a second old: the gate may have begun to ramp.
        self.gates.flush().await;
        match self.gates.stopped_for(gate) {
            Some(wait) => {
                let message = format!("the gate {gate} is stopped; nothing was sent");
                Err(Failure::new(FailureClass::Transient, self.target, message).after(wait))
            }
            None => Ok(()),
        }
    }

    /// Makes the call itself. Tells the gate how long the answer took; how the call ended is
    /// reported apart.
    pub(crate) async fn timed<T>(
        &self,
        gate: GateName,
        call: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let began = Instant::now();
        let result = call.await;
        let is_answered = result
            .as_ref()
            .err()
            .is_none_or(|failure| failure.as_call_result() == CallResult::Answered);
        if is_answered {
            self.gates.answered_in(gate, began.elapsed());
        }
        result
    }

    /// Tells the gate how the call ended.
    pub(crate) fn report<T>(&self, gate: GateName, result: &Result<T, Failure>) {
        let seen = match result {
            Ok(_) => CallResult::Answered,
            Err(failure) => failure.as_call_result(),
        };
        self.gates.report(gate, seen);
    }
}
