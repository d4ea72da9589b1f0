//! From a proven delivery to a durable job.
//!
//! | file | part |
//! |---|---|
//! | `accept.rs` | claim, ledger entry and jobs of a delivery in one step; the only maker of [`crate::Accepted`] |
//! | `answer.rs` | what the script answers |
//! | `group_commit.rs` | while one call is in flight the next group gathers: callers share a round trip |
//! | `submission.rs` | an event on its way, and how long it may take |
//! | `adopt.rs` | turns tasks of stock apalis-redis producers into jobs |

pub(crate) mod accept;
pub(crate) mod adopt;
pub(crate) mod answer;
pub(crate) mod group_commit;
pub(crate) mod submission;
