//! How a product is served: its routes, the fault switches around them ([`crate::faults`]), and the
//! control routes under `/_sandbox/`.
//!
//! A product gives its [`Manners`] and a function that configures its routes, and gets a
//! [`Running`] server:
//!
//! ```text
//! let state = web::Data::new(World::default());
//! serve(listener, MANNERS, move |routes| { routes.app_data(state.clone()).service(…); })
//! ```

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};
use actix_web::{App, HttpServer};

use crate::calls::Calls;
use crate::control;
use crate::faults::Switches;
pub use crate::manners::Manners;
use crate::middleware::{Desk, carry_out_or_fail, keep_a_handle};

/// How long a stop waits for calls that are being answered. A hanging call must not delay the end
/// of a test.
const SHUTDOWN_SECONDS: u64 = 1;

/// A server that listens. Dropping it does not stop it; [`Running::stop`] does.
#[derive(Debug)]
pub struct Running {
    /// The product's name, for people.
    pub name: &'static str,
    /// The address it listens on.
    pub address: SocketAddr,
    /// The fault switches of this server.
    pub faults: Switches,
    /// The log of the calls that came.
    pub calls: Calls,
    handle: ServerHandle,
    task: tokio::task::JoinHandle<io::Result<()>>,
}

impl Running {
    /// The base URL, without a slash at its end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops the server: no new connections, and calls that hang are dropped after a second.
    ///
    /// # Errors
    /// If the server's task has failed or panicked.
    pub async fn stop(self) -> io::Result<()> {
        self.handle.stop(true).await;
        self.task.await.unwrap_or_else(|error| Err(io::Error::other(error)))
    }
}

/// Serves a product on `listener`. Must be called inside a tokio runtime.
///
/// # Errors
/// If the listener is unusable.
pub fn serve<R>(listener: TcpListener, manners: Manners, routes: R) -> io::Result<Running>
where
    R: FnOnce(&mut ServiceConfig) + Clone + Send + 'static,
{
    let address = listener.local_addr()?;
    let desk = Desk {
        manners,
        faults: Switches::default(),
        calls: Calls::default(),
    };
    let (faults, calls) = (desk.faults.clone(), desk.calls.clone());
    let server = HttpServer::new(move || {
        App::new()
            .app_data(web::Data::new(desk.faults.clone()))
            .app_data(web::Data::new(desk.calls.clone()))
            .app_data(web::Data::new(desk.clone()))
            .wrap(from_fn(carry_out_or_fail))
            .configure(control::routes)
            .configure(routes.clone())
    })
    .on_connect(keep_a_handle)
    .workers(1)
    .disable_signals()
    // On a machine that has too much to do, a request takes any time to arrive.
    .client_request_timeout(Duration::ZERO)
    .shutdown_timeout(SHUTDOWN_SECONDS)
    .listen(listener)?
    .run();
    Ok(Running {
        name: manners.name,
        address,
        faults,
        calls,
        handle: server.handle(),
        task: tokio::spawn(server),
    })
}
