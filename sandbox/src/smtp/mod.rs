//! A real SMTP server that keeps mails instead of forwarding them.
//!
//! It speaks SMTP on one port. On a second port it has, over HTTP, the control routes of every
//! product and its own:
//!
//! | call | effect |
//! |---|---|
//! | `GET /_sandbox/mails` | the accepted mails ([`Mail`]), oldest first |
//! | `DELETE /_sandbox/mails` | removes all mails |
//! | `GET /_sandbox/certificate` | the server's own certificate, as PEM |
//! | `/_sandbox/faults`, `/_sandbox/log` | as for every product ([`crate::faults`]) |
//!
//! To the fault switches, an SMTP command looks like an HTTP call: the method is the verb, the path
//! is the verb in small letters after a slash, the body is the line. Two verbs are not commands:
//! `CONNECT` (`/connect`, before the greeting) and `MESSAGE` (`/message`, the content after
//! `DATA`). For example:
//!
//! - `{"path":"/rcpt","body_contains":"amina@","kind":"status","status":550}` refuses one
//!   recipient;
//! - `{"path":"/connect","kind":"reset"}` refuses every connection;
//! - `{"path":"/message","kind":"lost_answer"}` keeps the mail and cuts the connection before the
//!   answer.
//!
//! The status is the SMTP code; a string body is the text after it.

mod fate;
mod mails;
mod options;
mod session;
mod sign_in;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::web::{self, Data, Json};
use actix_web::{HttpResponse, Responder};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

pub use mails::{Envelope, Mail, Mails};
pub use options::{Encryption, Options};

use crate::faults::Switches;
use crate::server::{Manners, Running, serve};
use fate::Desk;

const MANNERS: Manners = Manners {
    name: "SMTP control",
    sign_of_life: &[],
    socket: None,
    body_limit: 1024 * 1024,
    failure: HttpResponse::new,
};

/// A server that listens. Dropping it does not stop it; [`Server::stop`] does.
#[derive(Debug)]
pub struct Server {
    /// The address of the SMTP port.
    pub address: SocketAddr,
    /// The mails that were accepted.
    pub mails: Mails,
    /// The certificate, as PEM.
    pub certificate: String,
    /// The control routes, the fault switches and the log of commands.
    pub control: Running,
    implicit_tls: bool,
    task: JoinHandle<()>,
}

impl Server {
    /// The URL for clients.
    pub fn url(&self) -> String {
        let scheme = if self.implicit_tls { "smtps" } else { "smtp" };
        format!("{scheme}://{}", self.address)
    }

    pub fn faults(&self) -> &Switches {
        &self.control.faults
    }

    /// Stops the server: both ports are closed, open sessions are cut.
    pub async fn stop(self) -> io::Result<()> {
        self.task.abort();
        // The task was aborted, so this is always an error.
        let _ = self.task.await;
        self.control.stop().await
    }
}

/// Starts the server: SMTP on `listener`, the control routes on `control`. Must be called inside a
/// tokio runtime.
pub fn start(listener: TcpListener, control: TcpListener, options: Options) -> io::Result<Server> {
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let (acceptor, certificate) = encryption().map_err(io::Error::other)?;
    let mails = Mails::default();
    let control = serve(control, MANNERS, routes(mails.clone(), certificate.clone()))?;
    let implicit_tls = options.smtp_tls == Encryption::Tls;
    let desk = Arc::new(Desk {
        options,
        mails: mails.clone(),
        faults: control.faults.clone(),
        calls: control.calls.clone(),
        acceptor,
    });
    Ok(Server {
        address,
        mails,
        certificate,
        control,
        implicit_tls,
        task: tokio::spawn(accept(listener, desk)),
    })
}

/// Serves every connection in its own task. Dropping this future cuts them all.
async fn accept(listener: tokio::net::TcpListener, desk: Arc<Desk>) {
    let mut sessions = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((socket, _)) = accepted {
                    sessions.spawn(session::serve(Arc::clone(&desk), socket));
                }
            }
            Some(_) = sessions.join_next() => {}
        }
    }
}

fn encryption() -> anyhow::Result<(TlsAcceptor, String)> {
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names)?;
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into())?;
    Ok((TlsAcceptor::from(Arc::new(config)), made.cert.pem()))
}

fn routes(mails: Mails, certificate: String) -> impl FnOnce(&mut web::ServiceConfig) + Clone + Send + 'static {
    move |config| {
        config
            .app_data(Data::new(mails))
            .service(
                web::resource("/_sandbox/mails")
                    .route(web::get().to(list_mails))
                    .route(web::delete().to(clear_mails)),
            )
            .route(
                "/_sandbox/certificate",
                web::get().to(move || std::future::ready(certificate.clone())),
            )
            .default_service(web::to(|| async { HttpResponse::new(StatusCode::NOT_FOUND) }));
    }
}

async fn list_mails(mails: Data<Mails>) -> impl Responder {
    Json(mails.list())
}

async fn clear_mails(mails: Data<Mails>) -> impl Responder {
    mails.clear();
    HttpResponse::NoContent()
}
