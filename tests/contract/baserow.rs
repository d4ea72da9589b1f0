//! The sandbox's Baserow answers as a real server did.
//!
//! Every exchange under `captures/baserow/` is replayed against the sandbox. The answer must be the
//! recorded one, in status, headers and every byte of the body. If the write made webhooks call,
//! the calls must be the recorded ones, in the order and case of their headers and every byte of
//! their bodies. What must differ is blanked on both sides: times, random ids, tokens, ports and
//! the numbers of webhooks (`capture`). `coverage` checks that no record is left out without a
//! reason.

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
