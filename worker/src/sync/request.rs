//! Syncs that the bridge requests by itself: ordinary events, named after their cause, so that a
//! repeated request is a duplicate.

use passerelle_model::event::{Disposition, EventKind, Item, NewEvent, OwnEvent};
use passerelle_model::id::{EventId, InvalidId, JobKey, RowId};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::context::Context;
use crate::failure::Failure;

/// A part of the bridge that requests syncs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Requester {
    /// The job of a row that other pages show.
    Linked,
    Reconcile,
    CleanUp,
    Wiki,
    Orphans,
}

impl Requester {
    /// The source of its events, and the beginning of their ids. The ledger has them: they never
    /// change.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Linked => "linked",
            Self::Reconcile => "reconcile",
            Self::CleanUp => "sweep",
            Self::Wiki => "wiki-round",
            Self::Orphans => "orphans",
        }
    }

    /// Whether it has requested this event.
    pub(crate) fn made(self, event: &EventId) -> bool {
        let rest = event.own_name().and_then(|name| name.strip_prefix(self.as_str()));
        rest.is_some_and(|rest: &str| rest.starts_with('-'))
    }

    /// A forced event without items. The same cause is the same event.
    pub(crate) fn event(self, cause: &str, payload: &Value) -> Result<NewEvent, InvalidId> {
        let name = hex::encode(Sha256::digest(cause));
        let id = format!("{}-{}", self.as_str(), name.get(..32).unwrap_or_default());
        self.named_event(&id, payload)
    }

    /// The same with an id of its own.
    pub(crate) fn named_event(self, id: &str, payload: &Value) -> Result<NewEvent, InvalidId> {
        OwnEvent {
            source: self.as_str(),
            name: id,
            kind: EventKind::Forced,
            payload: payload.to_string().into_bytes(),
        }
        .asking_for([])
    }
}

/// A row that is to be synced.
pub(crate) fn row_item(row: RowId) -> Item {
    Item {
        row: Some(row),
        disposition: Disposition::Sync,
    }
}

/// A job that is about no row.
pub(crate) fn job_item(job: JobKey) -> Item {
    Item {
        row: None,
        disposition: Disposition::Job(job),
    }
}

/// Puts a requested event into the queue.
pub(crate) async fn request(context: &Context, event: Result<NewEvent, InvalidId>) -> Result<(), Failure> {
    let event = event.map_err(|error| Failure::unmappable(error.to_string()))?;
    let _durable = context.queue.accept(event).await?;
    Ok(())
}
