//! Certificates for servers on this machine, and a front that speaks TLS before a server that does
//! not.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;

/// A certificate for `127.0.0.1`, with its key, in files. Clones share them.
#[derive(Debug, Clone)]
pub struct TestCertificate {
    folder: Arc<TempDir>,
}

impl TestCertificate {
    /// One that signs itself and is no authority.
    pub fn make() -> anyhow::Result<Self> {
        let key = KeyPair::generate()?;
        let certificate = parameters()?.self_signed(&key)?;
        Self::kept(&certificate.pem(), &key, &certificate.pem())
    }

    /// One that an authority of its own has signed.
    pub fn signed() -> anyhow::Result<Self> {
        let (authority_key, key) = (KeyPair::generate()?, KeyPair::generate()?);
        let authority = of_an_authority(CertificateParams::default());
        let pem = authority.self_signed(&authority_key)?.pem();
        let certificate = parameters()?.signed_by(&key, &Issuer::new(authority, authority_key))?;
        Self::kept(&certificate.pem(), &key, &pem)
    }

    /// The certificate of an authority, which a server shows as its own: what `openssl req -x509`
    /// makes.
    pub fn authority_itself() -> anyhow::Result<Self> {
        let key = KeyPair::generate()?;
        let certificate = of_an_authority(parameters()?).self_signed(&key)?;
        Self::kept(&certificate.pem(), &key, &certificate.pem())
    }

    fn kept(certificate: &str, key: &KeyPair, authority: &str) -> anyhow::Result<Self> {
        let made = Self {
            folder: Arc::new(tempfile::tempdir()?),
        };
        std::fs::write(made.path(), certificate)?;
        std::fs::write(made.key(), key.serialize_pem())?;
        std::fs::write(made.authority(), authority)?;
        Ok(made)
    }

    /// The certificate.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("certificate.pem")
    }

    /// The certificate of who has signed it.
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join("authority.pem")
    }

    pub(crate) fn key(&self) -> PathBuf {
        self.folder.path().join("key.pem")
    }

    /// More arguments for a `redis-server` that also listens here by TLS.
    pub(crate) fn arguments(&self, port: u16) -> String {
        let shown = |path: &Path| path.display().to_string();
        let (certificate, key) = (shown(&self.path()), shown(&self.key()));
        format!(
            " --tls-port {port} --tls-cert-file {certificate} --tls-key-file {key} --tls-ca-cert-file {certificate} \
             --tls-auth-clients no --tls-replication yes"
        )
    }
}

fn parameters() -> Result<CertificateParams, rcgen::Error> {
    CertificateParams::new(["127.0.0.1".to_owned()])
}

fn of_an_authority(mut parameters: CertificateParams) -> CertificateParams {
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters
}

/// Takes TLS connections and passes what comes through them on to a server of this machine. Ends
/// when dropped.
#[derive(Debug)]
pub struct TlsFront {
    address: SocketAddr,
    task: AbortHandle,
}

impl TlsFront {
    /// Before the server at this port.
    pub async fn start(certificate: &TestCertificate, port: u16) -> anyhow::Result<Self> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let chain = vec![CertificateDer::from_pem_file(certificate.path())?];
        let key = PrivateKeyDer::from_pem_file(certificate.key())?;
        let config = rustls::ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .context("the certificate cannot be used")?;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let serving = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let mut encrypted = acceptor.accept(connection).await?;
                    let mut plain = TcpStream::connect(("127.0.0.1", port)).await?;
                    tokio::io::copy_bidirectional(&mut encrypted, &mut plain).await
                });
            }
        });
        Ok(Self {
            address,
            task: serving.abort_handle(),
        })
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Its address for the web.
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }
}

impl Drop for TlsFront {
    fn drop(&mut self) {
        self.task.abort();
    }
}
