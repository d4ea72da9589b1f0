//! Writes whose outcome nobody knows: Docmost may carry them out after newer ones. So the link of a
//! page is unconfirmed from before a write until its answer is there. After a write without an
//! answer it stays so until that write can no longer be carried out; then the page is written once
//! more.

use passerelle_model::ledger::FailureClass;
use passerelle_model::time::Timestamp;
use passerelle_store::{Link, LinkState};

use crate::context::Context;
use crate::failure::{Failure, Target, Unanswered};

/// Stores that the page of a link is about to be written. A store that cannot be written ends here.
pub(super) async fn begin(context: &Context, link: &Link) -> Result<Link, Failure> {
    let begun = Link {
        state: LinkState::Unconfirmed,
        written: Timestamp::now().plus(context.docmost.timeout()),
        ..link.clone()
    };
    Ok(context.store.save_link(&begun).await?)
}

/// Stores that writing the page failed. If that was answered, there is nothing to wait for. But of
/// several calls some may have been carried out, and an error may hide that one was: so the next
/// attempt writes the page, whatever it was `before`.
pub(super) async fn give_up(context: &Context, before: &Link, begun: Link, failure: &Failure) -> Result<(), Failure> {
    let (state, written) = if may_still_be_carried_out(failure) {
        (LinkState::Unconfirmed, Timestamp::now())
    } else if before.state == LinkState::Unconfirmed {
        (LinkState::Unconfirmed, before.written)
    } else {
        (LinkState::Unknown, before.written)
    };
    context
        .store
        .save_link(&Link {
            state,
            written,
            ..begun
        })
        .await?;
    Ok(())
}

/// Stores that the page has come into a state; `before` the write began.
pub(super) async fn end(context: &Context, before: &Link, begun: Link, state: LinkState) -> Result<Link, Failure> {
    let (state, written) = end_of(context, before, state);
    Ok(context
        .store
        .save_link(&Link {
            state,
            written,
            ..begun
        })
        .await?)
}

/// The state of the link of a page that has just come into a state, and since when. A link that was
/// unconfirmed `before` stays so until the window is over.
pub(super) fn end_of(context: &Context, before: &Link, state: LinkState) -> (LinkState, Timestamp) {
    let now = Timestamp::now();
    // The end of the call is not known; a moment further ahead was written before a clock went
    // back.
    let written = before.written.min(now.plus(context.docmost.timeout()));
    if before.state == LinkState::Unconfirmed && now.since(written) < context.zombie_window {
        (LinkState::Unconfirmed, written)
    } else {
        (state, now)
    }
}

/// The page is right, but an abandoned call may still make a second one or undo it: come back when
/// that can no longer be.
pub(super) fn check_again_later(context: &Context, link: &Link) -> Result<(), Failure> {
    if link.state != LinkState::Unconfirmed {
        return Ok(());
    }
    let wait = link.written.plus(context.zombie_window).since(Timestamp::now());
    let message = "the page is right, but an earlier call has an unknown outcome: looking once more when it can no longer be carried out";
    Err(Failure::new(FailureClass::Ambiguous, Target::Bridge, message).after(wait))
}

/// Whether Docmost may still be at it: what was sent changes something, and neither Docmost nor a
/// proxy with an answer of Docmost's has ended it.
fn may_still_be_carried_out(failure: &Failure) -> bool {
    let is_unanswered = match failure.status {
        None => !matches!(failure.unanswered, Some(Unanswered::NoConnection(_))) && failure.retry_after.is_none(),
        Some(status) => matches!(status, 502 | 504),
    };
    failure.target == Target::Docmost && failure.changes && is_unanswered
}
