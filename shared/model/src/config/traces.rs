//! Where spans are sent, and of how many events. Off while `OTEL_EXPORTER_OTLP_ENDPOINT` is not set.

use std::collections::BTreeMap;

use secrecy::SecretString;

use super::authorities::Authorities;
use super::reader::Reader;
use crate::shown::{keep_secret, percent_decoded};

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const ENDPOINT_HINT: &str = "the address of a collector that speaks OTLP over HTTP, e.g. http://127.0.0.1:4318";
const HEADERS: &str = "OTEL_EXPORTER_OTLP_HEADERS";
const RATIO: &str = "OTEL_TRACES_SAMPLER_ARG";

/// Where spans are sent.
#[derive(Debug, Clone)]
pub struct TraceSettings {
    /// `OTEL_EXPORTER_OTLP_ENDPOINT`, without a trailing slash.
    pub endpoint: String,
    /// `OTEL_SERVICE_NAME`.
    pub service: String,
    /// `OTEL_EXPORTER_OTLP_HEADERS`: names and values of headers of each call.
    pub headers: Vec<(String, SecretString)>,
    /// The addresses of the systems that spans are about, by their word in the ledger. Some hold a
    /// secret; spans tell their hosts alone.
    pub servers: BTreeMap<&'static str, SecretString>,
    /// `EXTRA_CA_FILE`.
    pub authorities: Option<Authorities>,
}

impl TraceSettings {
    /// Reads `OTEL_…`; `None` if no endpoint is set: nothing is sent then.
    pub fn read(reader: &mut Reader) -> Option<Self> {
        let service = reader.text("OTEL_SERVICE_NAME", "passerelle");
        let headers = headers(reader);
        let endpoint = endpoint(reader)?;
        let servers = [
            ("baserow", "BASEROW_URL"),
            ("docmost", "DOCMOST_URL"),
            ("slack", "SLACK_WEBHOOK_URL"),
        ];
        let server = |(word, name)| Some((word, SecretString::from(reader.optional(name)?)));
        let servers = servers.into_iter().filter_map(server).collect();
        Some(Self {
            endpoint,
            service,
            headers,
            servers,
            authorities: Authorities::read(reader),
        })
    }

    /// The share of the deliveries whose trace the ingress begins and that are sampled, from 0 to 1;
    /// `None` while nothing is sent. Reads `OTEL_TRACES_SAMPLER_ARG`.
    pub fn sampled(reader: &mut Reader) -> Option<f64> {
        let ratio: f64 = reader.parsed(RATIO, 1.0);
        if !(0.0..=1.0).contains(&ratio) {
            reader.problem(RATIO, "is not from 0 to 1", "give 1 for all, or e.g. 0.1 for a tenth");
        }
        endpoint(reader).map(|_| ratio.clamp(0.0, 1.0))
    }
}

fn endpoint(reader: &mut Reader) -> Option<String> {
    let endpoint = reader.optional(ENDPOINT)?;
    if !endpoint.starts_with("http://") && !endpoint.starts_with("https://") {
        reader.problem(ENDPOINT, "does not begin with http:// or https://", ENDPOINT_HINT);
    }
    Some(endpoint.trim_end_matches('/').to_owned())
}

/// `name=value,name=value`; values may be percent-encoded.
fn headers(reader: &mut Reader) -> Vec<(String, SecretString)> {
    let text = reader.optional(HEADERS).unwrap_or_default();
    let mut headers = Vec::new();
    for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        match pair.split_once('=') {
            Some((name, value)) if is_token(name.trim()) => {
                let value = percent_decoded(value.trim());
                keep_secret(&value);
                headers.push((name.trim().to_owned(), SecretString::from(value)));
            }
            _ => reader.problem(
                HEADERS,
                "is no list of headers",
                "give name=value, and separate several by commas",
            ),
        }
    }
    headers
}

/// Whether it can be the name of a header.
fn is_token(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    fn read(pairs: &[(&str, &str)]) -> (Option<TraceSettings>, Vec<String>) {
        let mut reader = Reader::from_pairs(pairs.iter().copied());
        let (settings, _) = (TraceSettings::read(&mut reader), TraceSettings::sampled(&mut reader));
        let problems = reader.finish(()).err().map(|problems| problems.0).unwrap_or_default();
        (settings, problems.into_iter().map(|problem| problem.place).collect())
    }

    #[test]
    fn without_an_endpoint_nothing_is_sent_and_no_trace_is_begun() {
        for pairs in [&[][..], &[(ENDPOINT, " ")], &[(RATIO, "1"), ("OTEL_SERVICE_NAME", "a")]] {
            let mut reader = Reader::from_pairs(pairs.iter().copied());
            assert!(TraceSettings::read(&mut reader).is_none());
            assert_eq!(TraceSettings::sampled(&mut reader), None);
        }
    }

    #[test]
    fn headers_are_decoded_and_no_secret_is_shown() {
        let given = "Authorization=Basic%20c2VjcmV0LWtleQ==, x-scope=a%2Cb";
        let slack = "https://hooks.slack.com/services/T1/B2/c2VjcmV0";
        let pairs = [
            (ENDPOINT, "http://collector:4318/"),
            (HEADERS, given),
            ("SLACK_WEBHOOK_URL", slack),
        ];
        let (settings, problems) = read(&pairs);
        assert!(problems.is_empty(), "{problems:?}");
        let settings = settings.unwrap();
        let headers = settings.headers.iter();
        let headers: Vec<_> = headers
            .map(|(name, value)| (name.as_str(), value.expose_secret()))
            .collect();
        assert_eq!(
            headers,
            [("Authorization", "Basic c2VjcmV0LWtleQ=="), ("x-scope", "a,b")]
        );
        assert_eq!(settings.endpoint, "http://collector:4318");
        assert!(!format!("{settings:?}").contains("c2VjcmV0"), "{settings:?}");
    }

    #[test]
    fn what_cannot_be_meant_is_reported() {
        let (_, problems) = read(&[(ENDPOINT, "collector:4318"), (HEADERS, "secret"), (RATIO, "7")]);
        assert_eq!(problems, [HEADERS, ENDPOINT, RATIO]);
    }
}
