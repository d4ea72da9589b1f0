//! What the span of a call says of it: method, host, route and status. The ledger's request is
//! `GET baserow rows/table/2/5/?…`; its query may hold what people wrote, and is left out.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use passerelle_model::ledger::Step;
use passerelle_model::time::Timestamp;
use reqwest::Url;
use secrecy::{ExposeSecret as _, SecretString};

use crate::attributes::{Said as _, span};

/// The hosts of the systems that are called, by their words in the ledger.
#[derive(Debug, Clone, Default)]
pub(crate) struct Servers(BTreeMap<&'static str, (String, Option<u16>)>);

impl Servers {
    pub(crate) fn new(addresses: &BTreeMap<&'static str, SecretString>) -> Self {
        let host = |(word, address): (&&'static str, &SecretString)| {
            let url = Url::parse(address.expose_secret()).ok()?;
            Some((*word, (url.host_str()?.to_owned(), url.port_or_known_default())))
        };
        Self(addresses.iter().filter_map(host).collect())
    }
}

/// The span of a step that was a call.
pub(crate) fn call_span(step: &Step, request: &str, servers: &Servers, time: (Timestamp, Timestamp)) -> Span {
    let mut words = request.split(' ');
    let (first, second, third) = (words.next(), words.next(), words.next());
    let (first, second) = (first.unwrap_or_default(), second.unwrap_or_default());
    let made = |name: String| span(name, SpanKind::Client, time.0, time.1).text("passerelle.step", step.name.as_str());
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphabetic());
    let span = match first {
        "smtp" => at_host(made(format!("smtp {}", step.name)), second).text("network.protocol.name", "smtp"),
        "WS" if is_word(second) => {
            let span = made(format!("websocket {}", step.name)).text("network.protocol.name", "websocket");
            at_server(span, second, servers)
        }
        method if is_word(method) && is_word(second) => {
            let template = third.filter(|_| second != "slack").map(template);
            let name = template
                .as_deref()
                .map_or(method.to_owned(), |template| format!("{method} {template}"));
            let mut span = at_server(made(name), second, servers).text("http.request.method", method);
            if let Some(template) = template {
                span = span.text("url.template", template);
            }
            match step.status {
                Some(status) => span.number("http.response.status_code", status),
                None => span,
            }
        }
        _ => made(step.name.clone()),
    };
    match (step.class, step.status) {
        (Some(class), _) => span.failed(class.as_str()),
        (None, Some(status @ 400..)) => span.failed(&status.to_string()),
        _ => span,
    }
}

fn at_server(span: Span, word: &str, servers: &Servers) -> Span {
    let span = span.text("peer.service", word);
    match servers.0.get(word) {
        Some((host, port)) => {
            let span = span.text("server.address", host.as_str());
            port.iter().fold(span, |span, port| span.number("server.port", *port))
        }
        None => span,
    }
}

/// `mail.example.org:587`
fn at_host(span: Span, place: &str) -> Span {
    match place.rsplit_once(':').map(|(host, port)| (host, port.parse::<u16>())) {
        Some((host, Ok(port))) => span.text("server.address", host).number("server.port", port),
        _ => span.text("server.address", place),
    }
}

/// The route of a path: without its query, and with `{id}` for each part that is no fixed word.
fn template(path: &str) -> String {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let part = |part: &str| {
        let is_fixed = part
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || b"-_".contains(&byte));
        if is_fixed { part.to_owned() } else { "{id}".to_owned() }
    };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::common::v1::any_value::Value;
    use passerelle_model::ledger::FailureClass;
    use rstest::rstest;

    use super::*;

    fn step(status: Option<u16>, class: Option<FailureClass>) -> Step {
        Step {
            name: "a_step".to_owned(),
            request: None,
            status,
            duration_ms: 1,
            at_ms: None,
            class,
            note: None,
        }
    }

    fn said(request: &str) -> (String, String) {
        let servers = BTreeMap::from([
            ("baserow", "https://user:secret@baserow.example.org/sub"),
            ("slack", "https://hooks.slack.com/services/T1/B2/secret"),
        ]);
        let servers = servers
            .into_iter()
            .map(|(word, address)| (word, SecretString::from(address)))
            .collect();
        let time = (Timestamp::from_millis(1), Timestamp::from_millis(2));
        let span = call_span(&step(Some(200), None), request, &Servers::new(&servers), time);
        let attributes = span.attributes.iter().filter(|said| said.key != "passerelle.step");
        let attributes = attributes.map(|said| match said.value.as_ref().and_then(|any| any.value.as_ref()) {
            Some(Value::StringValue(text)) => format!("{}={text}", said.key),
            Some(Value::IntValue(number)) => format!("{}={number}", said.key),
            other => format!("{}={other:?}", said.key),
        });
        let attributes = attributes.collect::<Vec<_>>().join(" ");
        (span.name, attributes)
    }

    #[rstest]
    #[case::row(
        "GET baserow rows/table/2/345/?user_field_names=true&filter__Nom__equal=Alpha",
        "GET rows/table/{id}/{id}/",
        "peer.service=baserow server.address=baserow.example.org server.port=443 http.request.method=GET \
         url.template=rows/table/{id}/{id}/ http.response.status_code=200"
    )]
    #[case::page(
        "POST docmost pages/create",
        "POST pages/create",
        "peer.service=docmost http.request.method=POST url.template=pages/create http.response.status_code=200"
    )]
    #[case::batch(
        "PATCH baserow rows/table/2/batch/?a=b (3 rows)",
        "PATCH rows/table/{id}/batch/",
        "peer.service=baserow server.address=baserow.example.org server.port=443 http.request.method=PATCH \
         url.template=rows/table/{id}/batch/ http.response.status_code=200"
    )]
    #[case::document(
        "WS docmost collab",
        "websocket a_step",
        "network.protocol.name=websocket peer.service=docmost"
    )]
    #[case::mail(
        "smtp mail.example.org:587 to 3 recipients",
        "smtp a_step",
        "server.address=mail.example.org server.port=587 network.protocol.name=smtp"
    )]
    #[case::slack(
        "POST slack incoming webhook",
        "POST",
        "peer.service=slack server.address=hooks.slack.com server.port=443 http.request.method=POST \
         http.response.status_code=200"
    )]
    #[case::what_nobody_knows("Alpha & Co: 12 €", "a_step", "")]
    fn a_call_is_told_by_its_method_host_and_route(#[case] request: &str, #[case] name: &str, #[case] wanted: &str) {
        assert_eq!(said(request), (name.to_owned(), wanted.to_owned()));
    }

    #[test]
    fn a_part_of_a_path_that_is_no_fixed_word_is_not_told() {
        assert_eq!(template("pages/Alpha%20Corp/019a-77/info"), "pages/{id}/{id}/info");
    }

    #[test]
    fn a_call_that_failed_says_its_class() {
        let time = (Timestamp::from_millis(2), Timestamp::from_millis(1));
        let failing = step(Some(503), Some(FailureClass::Transient));
        let span = call_span(&failing, "GET baserow rows/", &Servers::default(), time);
        let status = span.status.unwrap();
        assert_eq!((status.code, status.message.as_str()), (2, "transient"));
        assert_eq!(span.start_time_unix_nano, span.end_time_unix_nano);
    }
}
