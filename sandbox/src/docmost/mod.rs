//! The stand-in for Docmost 0.95 (community edition).
//!
//! It answers as the real server did, surprises included: every success is 200 (creates too),
//! failures have four shapes, unknown fields are dropped, titles are written before content is
//! refused, content can be lost behind a 200, trashed pages can be read and changed, a slugId is a
//! 500 on some routes, nothing is idempotent. The contract tests replay captured exchanges against
//! it, and list those that it does not imitate.
//!
//! [`routes`] is the table of contents: each path with the function that answers it. Each function
//! takes the whole [`state::World`] under one lock, so calls happen one after the other, as in the
//! real single-threaded server. Faults come from [`crate::faults`]; the sandbox's own routes are in
//! [`control`].

mod auth;
mod body;
mod collab;
mod content;
mod control;
pub mod editor;
mod envelope;
mod health;
mod invitations;
mod labels;
mod options;
mod pages;
mod paging;
mod routes;
mod search;
mod seed;
mod shares;
mod spaces;
mod state;
mod throttle;
mod token;

use std::io;
use std::net::TcpListener;
use std::sync::{Mutex, MutexGuard, PoisonError};

use actix_web::guard;
use actix_web::web::{self, Data};

pub use options::{BRIDGE_EMAIL, BRIDGE_PASSWORD, Options};
pub use seed::{HUMAN_EMAIL, HUMAN_PASSWORD, OWNER_EMAIL, OWNER_PASSWORD};

use crate::server::{Manners, Running, serve};
use state::World;

const MANNERS: Manners = Manners {
    name: "Docmost",
    sign_of_life: &["/api/health/live"],
    body_limit: 1024 * 1024,
    failure: envelope::failure,
    socket: Some(COLLAB),
};

/// The path of the socket.
const COLLAB: &str = "/collab";

/// The server's state behind its lock.
struct Docmost(Mutex<World>);

impl Docmost {
    fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts it on `listener`. Must be called inside a tokio runtime.
pub fn start(listener: TcpListener, options: Options) -> io::Result<Running> {
    let docmost = Data::new(Docmost(Mutex::new(seed::world(options))));
    serve(listener, MANNERS, move |config| {
        config
            .app_data(docmost)
            .app_data(web::PayloadConfig::new(MANNERS.body_limit))
            .configure(control::routes)
            .service(
                web::resource(COLLAB)
                    .guard(guard::Header("upgrade", "websocket"))
                    .to(collab::socket::connect),
            )
            .default_service(web::to(routes::answer));
    })
}
