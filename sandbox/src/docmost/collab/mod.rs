//! The collaborative documents of pages, behind the socket `/collab`.
//!
//! As observed on the real server: a page is one Yjs document, which lives in memory while somebody
//! has it open. Every update is acknowledged when it is in that memory, also bytes that are no
//! update. It is stored ten seconds after the last change, at the latest 45 seconds after the first
//! one, and at once by any change of the content over the API, which works on the same document. A
//! store that fails is only logged, and not tried again before the next change; the document of a
//! page that nobody has open any more is forgotten then.
//!
//! A document is known by its whole name: `page.<slugId>` is a second document of the same page.
//!
//! Faults ([`crate::faults`]) meet a step of a visit by its path:
//!
//! | path | `status` | other kinds |
//! |---|---|---|
//! | `/collab` | the upgrade is refused | `hang`, `reset`, `delay` |
//! | `/collab/auth` | "permission-denied", as while the database is down | `hang` until released, `reset`, `delay`, `close` |
//! | `/collab/sync` | no answer | the same |
//! | `/collab/update` | taken as from a reader: not applied | the same; `lost_answer`: applied, cut before it is acknowledged; `content_lost`: acknowledged, then the server is killed |
//! | `/collab/store` | the store fails, as while the database is down | |
//!
//! [`socket`] is the conversation, [`documents`] what is in memory, [`tree`] how nodes are in Yjs.

mod documents;
mod rooms;
pub(super) mod socket;
mod storing;
pub(super) mod tree;
mod wire;

pub(super) use documents::{Collab, Edit, content_of};
pub(super) use socket::store_fails;
pub(super) use wire::Answer;
pub(super) use wire::client as frames;
