//! Dead letters: grouped by what failed, and replayed or discarded together.

pub(crate) mod groups;
pub(crate) mod run;
