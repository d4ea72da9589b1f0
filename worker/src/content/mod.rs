//! What rows, pages and notices are made of. Pure: nothing here reads a file, a clock or a network.

pub mod cell;
pub mod document;
pub mod event_body;
pub mod field;
pub mod markdown;
pub mod marker;
pub mod moment;
pub mod notice;
pub mod number;
pub mod page;
mod reading;
pub mod rendered;
pub mod row;
pub(crate) mod template_error;
pub mod wiki;
