//! A whole Passerelle as real processes, for end-to-end, crash and fault tests, the demo and the
//! benches.
//!
//! ```text
//! let system = System::builder().start().await?;
//! let project = system.baserow.create("projet", json!({"Nom": "Alpha"})).await?;
//! system.drain().await?;
//! system.docmost.pages_of(project).await?;
//! ```
//!
//! Nothing here reaches into a process: rows are written and pages are read through the products'
//! own interfaces, and every process is the one that ships.

pub mod baserow;
pub mod builder;
pub mod console;
pub mod docmost;
mod earlier_build;
pub mod idle;
mod leftovers;
pub mod people;
pub mod process;
pub mod scenario;
pub mod system;
pub mod webhook;

pub use baserow::Baserow;
pub use builder::SystemBuilder;
pub use console::Console;
pub use docmost::Docmost;
pub use people::People;
pub use process::Process;
pub use system::System;
pub use webhook::Caller;
