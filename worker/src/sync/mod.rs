//! Makes pages equal to rows, and keeps the pages that show a row up to date.

pub mod apply;
pub mod dependents;
mod fields_shown;
pub mod linked_rows;
pub(crate) mod ownership;
pub mod parking;
pub(crate) mod request;
mod row_changes;
