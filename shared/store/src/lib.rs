//! The SQL store: the ledger (events, items, attempts), the links from rows to pages, the intents to create a page.
//!
//! One set of statements runs on SQLite (the default: one file, nothing to install) and on PostgreSQL, through sqlx' `Any` driver;
//! `migrations/README.md` lists the few rules that make this possible. Only workers and operators open the store: the ingress needs
//! Redis alone, so a slow database never slows acceptance.
//!
//! | file | decides |
//! |---|---|
//! | `open.rs` | connecting, settings of each database, bringing the schema up to date |
//! | `bounded_pool.rs` | the limit of time for every statement |
//! | `pages.rs` | links and intents |
//! | `notices.rs` | what people are told |
//! | `pending.rs` | the events that a row's job answers for |
//! | `doubts.rs` | pages that may have a twin |
//! | `wiki.rs` | rows made for wiki pages, known shares |
//! | `column.rs` | how our values become column values and back |
//! | `fold.rs` | the ledger rule: what each fact does to which items (pure) |
//! | `record.rs` | the one transaction that writes a batch of facts exactly once |
//! | `write.rs` | the rows of such a batch |
//! | `bulk.rs` | many rows in one statement, within the databases' limits |
//! | `intake.rs` | one step of moving facts from the stream into the store |
//! | `story.rs`, `asked.rs` | reading an event or a row back, as `trace` shows it |
//! | `counts.rs` | the conservation line |
//! | `retention.rs` | what is old and may go |

#![warn(missing_docs)]

mod asked;
mod bounded_pool;
mod bulk;
mod column;
mod counts;
mod doubts;
mod error;
mod fold;
mod intake;
mod notices;
mod open;
mod pages;
mod pending;
mod record;
mod retention;
mod story;
mod wiki;
mod write;

pub use asked::Asked;
pub use counts::Counts;
pub use doubts::Doubt;
pub use error::StoreError;
pub use intake::{Intake, IntakeError, take_ledger};
pub use notices::{EventPlace, NoticeState, Overdue, StoredNotice};
pub use open::Store;
pub use pages::{Intent, Link};
pub use pending::PendingEvent;
pub use retention::Retired;
pub use story::{EventStory, ItemStory, NoticeStory, OperatorAct};
pub use wiki::PageRow;
