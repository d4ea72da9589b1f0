//! A certificate for servers on this machine, which signs itself.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;

/// A certificate for `127.0.0.1`, with its key, in files. Clones share them.
#[derive(Debug, Clone)]
pub struct TestCertificate {
    folder: Arc<TempDir>,
}

impl TestCertificate {
    /// Makes one.
    pub fn make() -> anyhow::Result<Self> {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
        let certificate = Self {
            folder: Arc::new(tempfile::tempdir()?),
        };
        std::fs::write(certificate.path(), made.cert.pem())?;
        std::fs::write(certificate.key(), made.signing_key.serialize_pem())?;
        Ok(certificate)
    }

    /// The certificate; it is its own authority.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("certificate.pem")
    }

    fn key(&self) -> PathBuf {
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
