//! The console: what the bridge does, what became of a row or an event and why, and the acts that
//! mend it, in a browser.
//!
//! Pages are made on the server and can be read without script; a small script of our own keeps
//! them live. The ledger keeps every act with the person's name, as it keeps those of the
//! operator's program.
//!
//! | module | decides |
//! |---|---|
//! | [`settings`] | what can be set |
//! | [`server`] | the routes, the headers of every answer, the limits |
//! | `entrance/` | who comes in, and which form is real |
//! | `overview/` | the state of the bridge, in one sentence and in numbers |
//! | `letters/` | dead letters by cause, and many at once |
//! | `latest` | work in the background, one at a time |
//! | `why/` | what became of something, and why |
//! | `pages/` | what a page shows |
//! | `live` | pages that change by themselves |
//! | [`diagnosis`] | what `check --live` and `doctor` say |
//! | `examination` | an examination of the rules and of what the bridge needs |
//! | [`reconcile`] | a reconciliation, from its plan to its end |
//! | [`rulebook`] | what is asked of the rules, and of whom |
//! | [`words`] | English and French |
//! | `assets` | style, script, icon |

#![warn(missing_docs)]

mod assets;
mod desk;
pub mod diagnosis;
mod entrance;
mod examination;
mod latest;
mod letters;
mod live;
mod overview;
mod pages;
pub mod reconcile;
pub mod rulebook;
pub mod server;
pub mod settings;
pub mod why;
pub mod words;

pub use entrance::password;
pub use server::{Bound, Server, StartError};
pub use settings::ConsoleSettings;
