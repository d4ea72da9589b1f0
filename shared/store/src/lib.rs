//! The SQL store: the ledger (events, items, attempts), the links from rows to pages, the intents
//! to create a page.
//!
//! One set of statements runs on SQLite (the default: one file, nothing to install) and on
//! PostgreSQL, through sqlx' `Any` driver; `migrations/README.md` lists the few rules that make
//! this possible. Only workers and operators open the store: the ingress needs Redis alone, so a
//! slow database never slows acceptance.
//!
//! | file | decides |
//! |---|---|
//! | `open.rs` | connecting, settings of each database |
//! | `schema.rs` | bringing the schema up to date, and how it compares with this program's |
//! | `accounts.rs` | who may use the console, and who is signed in |
//! | `ages.rs` | how long the oldest open item waits |
//! | `bounded_pool.rs` | the limit of time for every statement |
//! | `bridge.rs` | which bridge this is |
//! | `overview.rs` | the ledger at a glance |
//! | `pages.rs` | links: which page belongs to which row |
//! | `intents.rs` | which pages are about to be created |
//! | `link_state.rs` | what is known of a linked page's state |
//! | `names.rs` | what the names in `bridge.toml` meant first |
//! | `notices.rs` | notices to people |
//! | `open_items.rs` | the jobs that some event still waits for |
//! | `pending.rs` | the events that a row's job answers for |
//! | `health.rs` | how the rules do |
//! | `groups.rs` | the pages below which pages of rows stand |
//! | `sections.rs` | what is known of the sections of pages |
//! | `unconfirmed_creates.rs` | pages that may have a duplicate |
//! | `wiki.rs` | rows made for wiki pages, known shares |
//! | `column.rs` | how our values become column values and back |
//! | `fold.rs` | the ledger rule: what each fact does to which items (pure) |
//! | `follower.rs` | who hears of what was written |
//! | `traced.rs` | the traces of the events that an attempt answered for |
//! | `record.rs` | the one transaction that writes a batch of facts exactly once |
//! | `known.rs` | which entries of a batch the store has already |
//! | `write.rs` | the rows of such a batch |
//! | `bulk.rs` | many rows in one statement, within the databases' limits |
//! | `intake.rs` | one step of moving facts from the stream into the store |
//! | `story.rs`, `story_rows.rs`, `asked.rs` | reading an event or a row back, as `trace` shows it |
//! | `counts.rs` | the conservation line of items |
//! | `lists.rs` | lists of the ledger, page by page |
//! | `lives.rs` | the lives of Redis' data, and how much of each was read |
//! | `conservation.rs` | the conservation line of deliveries, and how far the store is behind |
//! | `shortages.rs` | people who have too few hours left |
//! | `retention.rs` | what is old and may go |

#![warn(missing_docs)]

mod accounts;
mod ages;
mod asked;
mod bounded_pool;
mod bridge;
mod bulk;
mod column;
mod conservation;
mod counts;
mod error;
mod fold;
mod follower;
mod groups;
mod health;
mod intake;
mod intents;
mod known;
mod link_state;
mod lists;
mod lives;
mod names;
mod notices;
mod open;
mod open_items;
mod overview;
mod pages;
mod pending;
mod record;
mod retention;
mod schema;
mod sections;
mod shortages;
mod story;
mod story_rows;
mod traced;
mod unconfirmed_creates;
mod wiki;
mod write;

pub use accounts::{Account, Role, Session};
pub use asked::Asked;
pub use bridge::Bridge;
pub use conservation::{Backlog, Deliveries, WentBack};
pub use counts::Counts;
pub use error::StoreError;
pub use follower::{Follower, Recorded};
pub use groups::Group;
pub use intake::{Intake, IntakeError, take_ledger};
pub use intents::Intent;
pub use link_state::LinkState;
pub use lists::{ActLine, Line, LineKey, LinkKey, Listed};
pub use lives::StoredLife;
pub use names::Named;
pub use notices::{EventPlace, NoticeState, Overdue, StoredNotice};
pub use open::Store;
pub use overview::{Ended, InStep, LastDelivery};
pub use pages::Link;
pub use pending::PendingEvent;
pub use retention::{EventAge, Retired};
pub use schema::Schema;
pub use sections::StoredSection;
pub use story::{EventStory, EventTrace, ItemStory, NoticeStory, OperatorAct};
pub use traced::{TracedAttempt, TracedEvent};
pub use unconfirmed_creates::UnconfirmedCreate;
pub use wiki::PageRow;
