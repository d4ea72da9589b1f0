//! The stand-in for Baserow shows what a real server showed.
//!
//! Every exchange under `captures/baserow/` is played again, against the stand-in: the recorded request is sent, and the answer must
//! be the recorded one, in status, headers and every byte of the body; where it made webhooks call, the calls must be the recorded ones, in
//! the order and case of their headers and every byte of their bodies. Only what cannot be the same is blanked on both sides: times,
//! random ids, tokens, ports and the numbers of webhooks (`baserow/capture.rs`). `coverage` holds that no record is left out
//! without a reason.

#[path = "baserow/capture.rs"]
mod capture;
#[path = "baserow/coverage.rs"]
mod coverage;
#[path = "baserow/events.rs"]
mod events;
#[path = "baserow/failures.rs"]
mod failures;
#[path = "baserow/headers.rs"]
mod headers;
#[path = "baserow/links.rs"]
mod links;
#[path = "baserow/outages.rs"]
mod outages;
#[path = "baserow/receiver.rs"]
mod receiver;
#[path = "baserow/rest.rs"]
mod rest;
#[path = "baserow/retries.rs"]
mod retries;
#[path = "baserow/webhooks.rs"]
mod webhooks;
#[path = "baserow/world.rs"]
mod world;
