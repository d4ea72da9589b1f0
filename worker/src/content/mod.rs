//! What rows, pages and notices are made of. Pure: nothing here reads a file, a clock or a network.

pub mod document;
pub mod marker;
pub mod notice;
pub mod page;
pub mod rendered;
pub mod row;
pub mod wiki;
