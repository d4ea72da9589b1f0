//! What a worker remembers between jobs: answers of Baserow and Docmost, and what it synced lately.

pub mod cache;
pub(crate) mod linked_reads;
pub(crate) mod names;
pub mod repeats;
pub(crate) mod row_reads;
mod rows;
pub mod shown;
pub mod tables;
