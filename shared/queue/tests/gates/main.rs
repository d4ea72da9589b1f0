//! The gates through their public edge, on a real Redis that each test starts for itself, with
//! minutes scaled to fractions of a second.

mod clock;
mod fetching;
mod former_words;
mod holds;
mod incidents;
mod permits;
mod probing;
mod ramp_model;
mod ramping;
mod stopping;
mod useful_calls;
mod world;
