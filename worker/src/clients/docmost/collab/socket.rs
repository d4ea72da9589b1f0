//! The socket: TCP, perhaps TLS, and WebSocket on top.

use std::sync::{Arc, OnceLock};

use futures::{SinkExt as _, StreamExt as _};
use passerelle_model::config::Authorities;
use reqwest::Url;
use rustls::ClientConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls_platform_verifier::Verifier;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use super::broken;
use super::wire::{self, Heard};
use crate::clients::certificate;
use crate::failure::{Failure, Target, Unanswered};

/// What a socket is made of.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Which servers are trusted, set up when it is needed for the first time.
#[derive(Debug)]
pub(in super::super) struct Tls {
    authorities: Option<Authorities>,
    config: OnceLock<Arc<ClientConfig>>,
}

impl Tls {
    /// The authorities of the system, and these.
    pub(in super::super) fn trusting(authorities: Option<Authorities>) -> Self {
        Self {
            authorities,
            config: OnceLock::new(),
        }
    }

    fn connector(&self) -> Result<TlsConnector, Failure> {
        if let Some(config) = self.config.get() {
            return Ok(config.clone().into());
        }
        let config = self.configured().map_err(|error| {
            broken(format!(
                "the authorities that this machine trusts cannot be used: {error}"
            ))
        })?;
        Ok(self.config.get_or_init(|| Arc::new(config)).clone().into())
    }

    fn configured(&self) -> Result<ClientConfig, Box<dyn std::error::Error>> {
        let pem = self.authorities.as_ref().map(|ours| ours.pem.as_slice());
        let ours = CertificateDer::pem_slice_iter(pem.unwrap_or_default());
        let ours = ours.collect::<Result<Vec<_>, _>>()?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = Verifier::new_with_extra_roots(ours, provider.clone())?;
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        Ok(config.with_no_client_auth())
    }
}

/// A conversation.
pub(super) struct Socket(WebSocketStream<Box<dyn Stream>>);

impl Socket {
    /// Connects.
    pub(super) async fn open(url: &str, tls: &Tls) -> Result<Self, Failure> {
        let parsed = Url::parse(url).map_err(|error| broken(format!("{url} is no address: {error}")))?;
        let (Some(host), Some(port)) = (parsed.host_str(), parsed.port_or_known_default()) else {
            return Err(broken(format!("{url} has no host")));
        };
        let name = host.trim_matches(['[', ']']);
        let is_encrypted = matches!(parsed.scheme(), "https" | "wss");
        let plain = TcpStream::connect((name, port)).await.map_err(unreachable)?;
        let _ = plain.set_nodelay(true);
        let stream: Box<dyn Stream> = if is_encrypted {
            let name = ServerName::try_from(name.to_owned()).map_err(unreachable)?;
            Box::new(tls.connector()?.connect(name, plain).await.map_err(unreachable)?)
        } else {
            Box::new(plain)
        };
        let scheme = if is_encrypted { "wss" } else { "ws" };
        let address = format!("{scheme}://{host}:{port}{}/collab", parsed.path().trim_end_matches('/'));
        let opened = tokio_tungstenite::client_async(address, stream).await;
        let (socket, _) =
            opened.map_err(|error| broken(format!("Docmost opens no socket at {url}/collab: {error}")))?;
        Ok(Self(socket))
    }

    pub(super) async fn send(&mut self, frame: Vec<u8>) -> Result<(), Failure> {
        self.0.send(Message::Binary(frame.into())).await.map_err(broke_off)
    }

    /// What the server says next of this document.
    pub(super) async fn hear(&mut self, name: &str) -> Result<Heard, Failure> {
        loop {
            match self.0.next().await {
                Some(Ok(Message::Binary(frame))) => {
                    let heard = wire::read(name, &frame)
                        .map_err(|error| broken(format!("Docmost sent a frame that cannot be read: {error}")))?;
                    if let Some(heard) = heard {
                        return Ok(heard);
                    }
                }
                Some(Ok(Message::Close(reason))) => {
                    let why =
                        reason.map_or_else(String::new, |reason| format!(" with {} {}", reason.code, reason.reason));
                    return Err(broken(format!("Docmost closed the socket{why}")));
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(broke_off(error)),
                None => return Err(broken("Docmost hung up")),
            }
        }
    }

    /// Leaves politely; whatever comes of it changes nothing.
    pub(super) async fn leave(mut self, name: &str) {
        if self.send(wire::leave(name)).await.is_ok() {
            let _ = self.0.close(None).await;
        }
    }
}

fn unreachable(error: impl std::error::Error + 'static) -> Failure {
    let why = certificate::trouble(Target::Docmost, &error).unwrap_or_else(|| error.to_string());
    Failure {
        unanswered: Some(Unanswered::NoConnection(certificate::obstacle(&error))),
        ..broken(format!("no connection to Docmost's documents: {why}"))
    }
}

#[expect(clippy::needless_pass_by_value, reason = "map_err gives the error away")]
fn broke_off(error: tokio_tungstenite::tungstenite::Error) -> Failure {
    broken(format!("the connection to Docmost's documents broke: {error}"))
}
