//! What a run tells while it goes on, and whom.

use passerelle_worker::maintenance::reconcile::Look;

/// What a run tells while it goes on.
#[derive(Clone, Copy)]
pub(crate) enum Said<'s> {
    /// A sentence beside the answer.
    Note(&'s str),
    /// Rows were compared.
    Looked(&'s Look),
    /// So many syncs were requested until now.
    Asked(usize),
}

/// Whom it tells.
pub(crate) type Tell<'t> = dyn FnMut(Said<'_>) + Send + 't;
