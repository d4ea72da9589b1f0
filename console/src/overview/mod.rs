//! The state of the bridge at one moment: read once for all who look, told in one sentence, drawn
//! as charts.

pub(crate) mod chart;
pub(crate) mod history;
pub(crate) mod look;
pub(crate) mod pulse;
pub(crate) mod sentence;
