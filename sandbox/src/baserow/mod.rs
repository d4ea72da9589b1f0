//! The stand-in for Baserow: the training agency's tables, the row API, and its webhooks, as
//! observed on release 1.35.3.
//!
//! It answers as real servers did, traps included: unknown fields and links are ignored with 200, a
//! webhook call may be empty, doubled, late or out of order, and nine failed attempts in a row
//! deactivate a webhook. `tests/contract/baserow.rs` replays the recorded exchanges against it.
//!
//! | part | what it holds |
//! |---|---|
//! | [`schema`], [`store`], [`snapshot`], [`values`], [`changes`] | tables, rows, links, writes |
//! | [`api`], [`tokens`] | the REST API |
//! | [`events`], [`webhooks`] | which webhooks are called, with what and when |
//! | [`control`] | the control routes for tests and the demo, under `/_sandbox/baserow/` |

mod api;
mod changes;
mod control;
mod events;
mod field_json;
mod schema;
mod settings;
mod snapshot;
mod store;
mod tempo;
mod tokens;
mod values;
mod webhooks;
mod wire;

use std::collections::BTreeMap;
use std::io;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{self, Data};
use tokio::runtime::Handle;

use crate::server::{Manners, Running, serve};
use settings::Settings;
pub use settings::{Options, WebhookAtStart};
use store::Store;
use tempo::Tempo;
use tokens::{Doors, Token};
use webhooks::delivery::Deliveries;
use webhooks::hook::Hook;

const MANNERS: Manners = Manners {
    name: "Baserow",
    sign_of_life: &["/api/_health/"],
    socket: None,
    body_limit: 32 * 1024 * 1024,
    failure,
};

/// Starts the server on `listener`. Must be called inside a tokio runtime.
///
/// # Errors
/// If a webhook of the options names an unknown table, or the listener is unusable.
pub fn start(listener: TcpListener, options: Options) -> io::Result<Running> {
    let baserow = Baserow::new(options)?;
    serve(listener, MANNERS, move |routes| {
        routes
            .app_data(Data::new(baserow.clone()))
            .app_data(web::PayloadConfig::new(MANNERS.body_limit))
            .configure(control::routes)
            .default_service(web::to(api::answer));
    })
}

/// A failure in the real server's words: a page of HTML; for a throttled call, a sentence.
fn failure(status: StatusCode) -> HttpResponse {
    let answer = match status {
        StatusCode::TOO_MANY_REQUESTS => {
            api::Answer::sentence(429, "Request was throttled. Expected available in 29 seconds.")
        }
        StatusCode::INTERNAL_SERVER_ERROR => api::Answer::page(500, "Server Error"),
        other => api::Answer::page(other.as_u16(), other.canonical_reason().unwrap_or("Error")),
    };
    answer.response(None)
}

/// The server's state. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Baserow(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    options: Options,
    state: Mutex<State>,
    tempo: Tempo,
    runtime: Handle,
}

/// Everything that the server keeps.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) store: Store,
    pub(crate) doors: Doors,
    pub(crate) hooks: BTreeMap<u64, Hook>,
    pub(crate) deliveries: Deliveries,
    pub(crate) settings: Settings,
    /// The number of resets, so that work from before a reset does not end after it.
    pub(crate) epoch: u64,
    next_hook: u64,
}

impl Baserow {
    fn new(options: Options) -> io::Result<Self> {
        let inner = Inner {
            state: Mutex::new(State::new(&options, 0)?),
            tempo: Tempo::new(options.time_scale),
            runtime: Handle::current(),
            options,
        };
        Ok(Self(Arc::new(inner)))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn tempo(&self) -> &Tempo {
        &self.0.tempo
    }

    fn runtime(&self) -> &Handle {
        &self.0.runtime
    }

    /// Resets the state to that of the options. Calls under way are dropped.
    fn reset(&self) -> io::Result<()> {
        let mut state = self.lock();
        *state = State::new(&self.0.options, state.epoch + 1)?;
        self.0.tempo.set(self.0.options.time_scale);
        Ok(())
    }
}

impl State {
    fn new(options: &Options, epoch: u64) -> io::Result<Self> {
        let mut doors = Doors::default();
        doors.tokens.push(Token::of_administrator(&options.baserow_token));
        let mut state = Self {
            store: Store::new(),
            doors,
            hooks: BTreeMap::new(),
            deliveries: Deliveries::default(),
            settings: Settings::of(options),
            epoch,
            next_hook: 1,
        };
        for webhook in &options.webhook {
            let table = state
                .store
                .table_named(&webhook.table)
                .map(|table| table.id)
                .ok_or_else(|| io::Error::other(format!("--webhook: the sandbox has no table {:?}", webhook.table)))?;
            let mut hook = Hook::new(state.new_hook_id(), table);
            hook.name.clone_from(&webhook.table);
            hook.url.clone_from(&webhook.url);
            hook.sign_with.clone_from(&options.webhook_secret);
            // As one that `provision` makes carries it.
            let carried = options.webhook_secret.iter();
            hook.headers = carried
                .map(|secret| ("X-Bridge-Token".to_owned(), secret.clone()))
                .collect();
            state.hooks.insert(hook.id, hook);
        }
        Ok(state)
    }

    /// A new id for a webhook.
    pub(crate) fn new_hook_id(&mut self) -> u64 {
        self.next_hook += 1;
        self.next_hook - 1
    }
}
