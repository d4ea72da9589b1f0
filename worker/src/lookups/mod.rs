//! What a worker remembers between jobs: answers of Baserow and Docmost, and what it synced lately.

pub mod cache;
pub mod repeats;
pub mod tables;
