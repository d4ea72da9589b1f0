//! Reads the bodies of deliveries: with bounded memory for all of them together, and in bounded
//! time for each.
//!
//! **Memory.** A body costs up to [`COPIES`] times its length until it is durable: it is received,
//! described, compressed and sent. [`LIMIT_KIB`] is what all bodies in hand may cost; with what the
//! allocator keeps for the next ones they cost less than 64 MiB. Small bodies, large ones and those
//! of callers who have shown their token have a share each, so nobody waits behind the large bodies
//! of others. Beside that each connection has the buffers of actix: up to half a MiB while it
//! sends. `INGRESS_CONNECTIONS` bounds their number.
//!
//! **Nobody is refused for want of memory.** A body for which there is none within
//! [`PATIENCE`] is read all the same, and little of it is kept (see `shortener.rs`). So is a
//! body that is too long to be kept whole. What says of itself that rows are missing becomes "this
//! table must be compared with its pages".
//!
//! **Time.** A body has `INGRESS_BODY_TIMEOUT_SECONDS`, and longer as long as it arrives at
//! [`SLOWEST_BYTES_PER_MS`]: a slow sender loses its own delivery and delays no other.

mod shortener;

use std::sync::Arc;
use std::time::Duration;

use actix_web::web::Payload;
use futures::StreamExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};

use crate::proof::{Claim, ProvenBody};
use crate::rejection::Rejection;
use crate::settings::Limits;
pub(crate) use shortener::Shortener;

/// How often a body is in memory at once, at worst, until it is durable.
pub(crate) const COPIES: usize = 8;
/// What all bodies may cost, in KiB, and the shares of it.
const LIMIT_KIB: usize = 56 * 1024;
const FOR_SMALL_KIB: usize = 8 * 1024;
const FOR_LARGE_KIB: usize = 24 * 1024;
const FOR_PROVEN_KIB: usize = LIMIT_KIB - FOR_SMALL_KIB - FOR_LARGE_KIB;
/// The longest body that may be kept whole: it has to fit into each of the larger shares.
pub(crate) const LONGEST_WHOLE: usize = FOR_LARGE_KIB * 1024 / COPIES;
/// A small body. Baserow's deliveries of 200 rows have a third of it.
const SMALL_BYTES: usize = 256 * 1024;
/// How long a body waits for its share. Baserow waits 5 s for all.
const PATIENCE: Duration = Duration::from_millis(500);
/// What is kept of a body that got no share.
const KEPT_WITHOUT_SHARE: usize = 4 * 1024;
/// The slowest sender that is waited for longer: 2 Mbit/s.
const SLOWEST_BYTES_PER_MS: usize = 250;

/// What was kept of a body.
#[derive(Debug)]
pub(crate) struct Body {
    pub(crate) bytes: Vec<u8>,
    pub(crate) kept: Kept,
}

/// How much of a body was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    /// All of it.
    Whole,
    /// Long values are missing.
    Short,
    /// Rows are missing: they were too many, or too long.
    WithoutRows,
}

/// A share of the memory, as long as anybody holds it; none for a body that got none.
pub(crate) type Share = Arc<Option<OwnedSemaphorePermit>>;

/// A body that was read, with its share of the memory.
pub(crate) struct Reading {
    pub(crate) body: ProvenBody,
    /// The sender was still sending: its connection cannot be used again.
    pub(crate) is_unfinished: bool,
    pub(crate) share: Share,
}

/// The shares of the memory, for all threads together.
#[derive(Debug)]
pub(crate) struct Bodies {
    limits: Limits,
    small: Arc<Semaphore>,
    large: Arc<Semaphore>,
    proven: Arc<Semaphore>,
}

impl Bodies {
    /// All of the memory is free.
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            small: Arc::new(Semaphore::new(FOR_SMALL_KIB)),
            large: Arc::new(Semaphore::new(FOR_LARGE_KIB)),
            proven: Arc::new(Semaphore::new(FOR_PROVEN_KIB)),
        }
    }

    /// Reads a body and holds it against its claim. `announced` is its length, where it says so.
    pub(crate) async fn read(
        &self,
        claim: Claim<'_>,
        announced: Option<usize>,
        mut payload: Payload,
    ) -> Result<Reading, Rejection> {
        let Limits {
            body_bytes,
            largest_body_bytes: limit,
            body_timeout,
            ..
        } = self.limits;
        // Who has shown its token is never refused for the length of what it says.
        let is_proven = claim.is_proven();
        if announced.is_some_and(|length| length > limit) && !is_proven {
            return Err(Rejection::BodyTooLarge { limit });
        }
        let share = self
            .share(announced.unwrap_or(body_bytes).min(body_bytes), is_proven)
            .await;
        let mut keeping = match share {
            Some(_) => Keeping::new(announced.unwrap_or_default(), body_bytes),
            None => Keeping::Shortened(Shortener::new(KEPT_WITHOUT_SHARE)),
        };
        let (mut proving, mut received, began) = (claim.listen(), 0, Instant::now());
        let mut is_unfinished = false;
        loop {
            let earned = Duration::from_millis(u64::try_from(received / SLOWEST_BYTES_PER_MS).unwrap_or(0));
            let chunk = match timeout_at(began + body_timeout + earned, payload.next()).await {
                Ok(Some(Ok(chunk))) => chunk,
                Ok(Some(Err(_))) => return Err(Rejection::BodyIncomplete),
                Ok(None) => break,
                Err(_) => return Err(Rejection::BodyTooSlow { limit: body_timeout }),
            };
            received += chunk.len();
            if received > limit {
                if !is_proven {
                    return Err(Rejection::BodyTooLarge { limit });
                }
                keeping = keeping.cut();
                is_unfinished = true;
                break;
            }
            proving.hear(&chunk);
            keeping = keeping.with(&chunk, body_bytes);
        }
        let body = proving.prove(keeping)?;
        Ok(Reading {
            body,
            is_unfinished,
            share: Arc::new(share),
        })
    }

    /// Waits a moment for room for a body of this length.
    async fn share(&self, length: usize, is_proven: bool) -> Option<OwnedSemaphorePermit> {
        let kib = u32::try_from(COPIES * length / 1024 + 1).unwrap_or(u32::MAX);
        let common = if length <= SMALL_BYTES {
            &self.small
        } else {
            &self.large
        };
        if let Ok(share) = Arc::clone(common).try_acquire_many_owned(kib) {
            return Some(share);
        }
        let waited_for = if is_proven { &self.proven } else { common };
        let share = timeout(PATIENCE, Arc::clone(waited_for).acquire_many_owned(kib)).await;
        let share = share.ok().and_then(Result::ok);
        if share.is_none() {
            metrics::counter!("passerelle_ingress_bodies_without_share_total").increment(1);
        }
        share
    }
}

/// A body as it arrives.
pub(crate) enum Keeping {
    Whole(Vec<u8>),
    Shortened(Shortener),
}

impl Keeping {
    fn new(announced: usize, limit: usize) -> Self {
        if announced > limit {
            Self::Shortened(Shortener::new(limit))
        } else {
            Self::Whole(Vec::with_capacity(announced))
        }
    }

    fn with(self, chunk: &[u8], limit: usize) -> Self {
        match self {
            Self::Whole(mut bytes) if bytes.len() + chunk.len() <= limit => {
                bytes.extend_from_slice(chunk);
                Self::Whole(bytes)
            }
            other => {
                let mut shortener = other.into_shortener(limit);
                shortener.take(chunk);
                Self::Shortened(shortener)
            }
        }
    }

    fn cut(self) -> Self {
        let mut shortener = self.into_shortener(KEPT_WITHOUT_SHARE);
        shortener.cut();
        Self::Shortened(shortener)
    }

    fn into_shortener(self, limit: usize) -> Shortener {
        match self {
            Self::Whole(bytes) => {
                let mut shortener = Shortener::new(limit);
                shortener.take(&bytes);
                shortener
            }
            Self::Shortened(shortener) => shortener,
        }
    }

    /// What was kept in the end.
    pub(crate) fn finish(self) -> Result<Body, Rejection> {
        match self {
            Self::Whole(bytes) => Ok(Body {
                bytes,
                kept: Kept::Whole,
            }),
            Self::Shortened(shortener) => {
                let (bytes, is_cut) = shortener.finish().ok_or(Rejection::NotJson)?;
                let kept = if is_cut { Kept::WithoutRows } else { Kept::Short };
                Ok(Body { bytes, kept })
            }
        }
    }
}

#[cfg(test)]
impl From<&[u8]> for Keeping {
    fn from(bytes: &[u8]) -> Self {
        Self::Whole(bytes.to_vec())
    }
}
