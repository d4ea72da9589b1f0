//! What rows and pages are made of. Pure: nothing here reads a file, a clock or a network.

pub mod marker;
pub mod page;
pub mod row;
