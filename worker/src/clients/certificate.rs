//! Why there is no connection: what is wrong with a server's certificate, and which setting mends
//! it.

use std::error::Error;
use std::io;

use rustls::CertificateError;

use crate::failure::{Obstacle, Target};

/// A sentence, if a certificate is why there is no connection to this target.
pub(super) fn trouble(target: Target, error: &(dyn Error + 'static)) -> Option<String> {
    let (address, authorities) = match target {
        Target::Baserow => ("BASEROW_URL", "EXTRA_CA_FILE"),
        Target::Docmost => ("DOCMOST_URL or DOCMOST_COLLAB_URL", "EXTRA_CA_FILE"),
        Target::Slack => ("SLACK_WEBHOOK_URL", "EXTRA_CA_FILE"),
        Target::Smtp => ("SMTP_URL", "SMTP_CA_FILE or EXTRA_CA_FILE"),
        Target::Bridge => ("INGRESS_URL", "EXTRA_CA_FILE"),
        Target::Store | Target::Redis => return None,
    };
    if obstacle(error) == Obstacle::NoTls {
        return Some(format!("the server does not speak TLS at the address in {address}"));
    }
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

/// What stands between us and the server.
pub(super) fn obstacle(error: &(dyn Error + 'static)) -> Obstacle {
    if refusal(error).is_some() {
        return Obstacle::Certificate;
    }
    let is_no_tls = |error| matches!(error, &rustls::Error::InvalidMessage(_));
    if causes(error).filter_map(|cause| cause.downcast_ref()).any(is_no_tls) {
        return Obstacle::NoTls;
    }
    // The client has no type for it, so its word counts; `doctor`'s tests of an address that leads
    // nowhere hold it.
    if causes(error).any(|cause| cause.to_string() == "dns error") {
        return Obstacle::UnknownHost;
    }
    Obstacle::Unreachable
}

fn refusal<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e CertificateError> {
    causes(error).find_map(|cause| match cause.downcast_ref() {
        Some(rustls::Error::InvalidCertificate(refusal)) => Some(refusal),
        _ => None,
    })
}

/// The error and all that it comes from. An error of a connection often lies within another that
/// does not name it as its source.
fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'e (dyn Error + 'static)| {
        let error = *error;
        let within = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        match within {
            Some(inner) => Some(inner as &'e (dyn Error + 'static)),
            None => error.source(),
        }
    })
}
