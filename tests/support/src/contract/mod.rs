//! What `docs/CLI.md` promises of an answer, and what an answer has.

mod page;
mod shape;

pub use page::Page;
pub use shape::Shape;
