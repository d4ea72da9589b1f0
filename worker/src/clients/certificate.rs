//! What is wrong with a server's certificate, and which setting mends it.

use std::error::Error;
use std::io;

use rustls::CertificateError;

use crate::failure::Target;

/// A sentence, if a certificate is why there is no connection to this target.
pub(super) fn trouble(target: Target, error: &(dyn Error + 'static)) -> Option<String> {
    let (address, authorities) = match target {
        Target::Baserow => ("BASEROW_URL", "EXTRA_CA_FILE"),
        Target::Docmost => ("DOCMOST_URL or DOCMOST_COLLAB_URL", "EXTRA_CA_FILE"),
        Target::Slack => ("SLACK_WEBHOOK_URL", "EXTRA_CA_FILE"),
        Target::Smtp => ("SMTP_URL", "SMTP_CA_FILE or EXTRA_CA_FILE"),
        Target::Store | Target::Redis | Target::Bridge => return None,
    };
    Some(match refusal(error)? {
        CertificateError::UnknownIssuer => format!(
            "nobody whom this machine trusts has signed the server's certificate: name the certificate of its authority \
             (PEM) in {authorities}"
        ),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!("the server's certificate is for another name than the one in {address}")
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the server's certificate has expired: renew it, or set the clock of this machine".to_owned()
        }
        CertificateError::Other(other) if format!("{other:?}").contains("CaUsedAsEndEntity") => format!(
            "the server shows the certificate of an authority (CA:TRUE) as its own: give it one that this authority has \
             signed, or one made with -addext basicConstraints=critical,CA:FALSE, and name that in {authorities}"
        ),
        other => format!("the server's certificate is refused: {other}"),
    })
}

/// An error of a connection often lies within another that does not name it as its source.
fn refusal<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e CertificateError> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(rustls::Error::InvalidCertificate(refusal)) = error.downcast_ref() {
            return Some(refusal);
        }
        let within = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        cause = match within {
            Some(inner) => Some(inner as &'e (dyn Error + 'static)),
            None => error.source(),
        };
    }
    None
}
