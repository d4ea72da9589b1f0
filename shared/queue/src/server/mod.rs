//! Redis itself: its connection, keys, scripts and errors.
//!
//! | file | part |
//! |---|---|
//! | `address.rs` | where the server is: a URL, or what the Sentinels say |
//! | `connection.rs` | one connection that is always kept alive, with explicit time-outs |
//! | `question.rs` | what a connection can be asked, alone or with a wait for replicas |
//! | `error.rs` | why Redis could not answer |
//! | `keys.rs` | every key of the queues |
//! | `scripts.rs` | the atomic scripts, by name |
//! | `facts.rs` | what a server says of its own settings |
//! | `wake.rs` | the subscription that wakes sleeping workers |
//! | `clock.rs` | whether the clock of Redis runs evenly |
//! | `backoff.rs` | how long to wait before the next try |

pub(crate) mod address;
pub mod backoff;
pub(crate) mod clock;
pub(crate) mod connection;
pub(crate) mod error;
pub(crate) mod facts;
pub(crate) mod keys;
pub(crate) mod question;
pub(crate) mod scripts;
pub(crate) mod wake;
