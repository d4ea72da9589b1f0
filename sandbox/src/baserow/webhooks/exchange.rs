//! One HTTP exchange as Python's `requests` makes it.
//!
//! It is written onto the socket by hand, because no HTTP client sends exactly what a receiver of
//! real deliveries sees: `Content-type` in this spelling, custom headers in the middle, a custom
//! `Host` in its place, a redirect that becomes a GET and counts as success.

use std::time::Duration;

use reqwest::Url;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::super::wire;

/// The most redirects that `requests` follows.
const MOST_REDIRECTS: u32 = 30;
/// Longer answers are cut off.
const LONGEST_ANSWER: usize = 1024 * 1024;

/// A request to be sent.
#[derive(Debug, Clone)]
pub(crate) struct Outgoing {
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    body: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Received {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// Why nothing came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NoAnswer {
    /// Counts as a failed attempt and is logged with these words.
    Failed(String),
    /// The worker crashes on a header that is not Latin-1: nothing is sent, logged, counted or
    /// retried.
    Crashed,
}

impl Outgoing {
    /// A request with the headers that every call has, and the webhook's own among them. A name
    /// that is there already keeps its place.
    pub(crate) fn new(method: &str, url: &str, custom: &[(String, String)], body: &str) -> Self {
        let mut outgoing = Self {
            method: method.to_owned(),
            url: url.to_owned(),
            headers: Vec::new(),
            body: body.to_owned(),
        };
        outgoing.set("User-Agent", "python-requests/2.32.5");
        outgoing.set("Accept-Encoding", "gzip, deflate, br");
        outgoing.set("Accept", "*/*");
        outgoing.set("Connection", "keep-alive");
        for (name, value) in custom {
            outgoing.set(name, value);
        }
        outgoing.set("Content-type", "application/json");
        outgoing
    }

    /// Sets a header; the place of an earlier one of that name is kept, its spelling is not.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        let header = (name.to_owned(), value.to_owned());
        match self
            .headers
            .iter_mut()
            .find(|(other, _)| other.eq_ignore_ascii_case(name))
        {
            Some(place) => *place = header,
            None => self.headers.push(header),
        }
    }

    fn remove(&mut self, name: &str) {
        self.headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
    }

    /// The text in the call log: without `Host`, the body indented.
    pub(crate) fn logged(&self) -> String {
        let body = serde_json::from_str::<Value>(&self.body)
            .map_or_else(|_| self.body.clone(), |body| wire::python_indented(&body));
        format!("{} {}\r\n{}\r\n{body}", self.method, self.url, lines(&self.headers))
    }

    /// Sends it, following redirects.
    pub(crate) async fn send(mut self, patience: Duration) -> Result<Received, NoAnswer> {
        self.check()?;
        for _ in 0..=MOST_REDIRECTS {
            let url = Url::parse(&self.url).map_err(|_| NoAnswer::Failed(format!("Invalid URL '{}'", self.url)))?;
            let received = match timeout(patience, self.exchange(&url)).await {
                Ok(received) => received.map_err(NoAnswer::Failed)?,
                Err(_) => return Err(NoAnswer::Failed(too_slow(&url, patience))),
            };
            match received.location().and_then(|location| url.join(location).ok()) {
                Some(next) => self.redirect(received.status, &url, &next),
                None => return Ok(received),
            }
        }
        Err(NoAnswer::Failed(format!("Exceeded {MOST_REDIRECTS} redirects.")))
    }

    fn check(&self) -> Result<(), NoAnswer> {
        let is_latin_1 = |text: &str| text.chars().all(|character| u32::from(character) < 256);
        for (name, value) in &self.headers {
            if !name.is_ascii() || !is_latin_1(value) {
                return Err(NoAnswer::Crashed);
            }
            if value.starts_with(char::is_whitespace) {
                return Err(NoAnswer::Failed(format!(
                    "Invalid leading whitespace, reserved character(s), or return character(s) in header value: \
                     '{value}'"
                )));
            }
        }
        Ok(())
    }

    /// 307 and 308 repeat the request; the others lose the body and turn a POST into a GET.
    fn redirect(&mut self, status: u16, from: &Url, to: &Url) {
        to.as_str().clone_into(&mut self.url);
        if !matches!(status, 307 | 308) {
            self.body.clear();
            self.remove("Content-Length");
            self.remove("Content-type");
            if status == 303 || status == 302 || self.method == "POST" {
                "GET".clone_into(&mut self.method);
            }
        }
        if from.host_str() != to.host_str() || from.port_or_known_default() != to.port_or_known_default() {
            self.remove("Authorization");
        }
    }

    async fn exchange(&self, url: &Url) -> Result<Received, String> {
        let (host, port) = (
            url.host_str().unwrap_or_default(),
            url.port_or_known_default().unwrap_or(80),
        );
        if url.scheme() != "http" {
            return Err(format!("the sandbox delivers to http addresses only, not to {url}"));
        }
        let connected = TcpStream::connect((host.trim_matches(['[', ']']), port)).await;
        let mut stream = connected.map_err(|error| refused(url, &error))?;
        let aborted = |error: std::io::Error| format!("('Connection aborted.', {error:?})");
        stream.write_all(&self.bytes(url)).await.map_err(aborted)?;
        let mut bytes = Vec::new();
        loop {
            if let Some(received) = parse(&bytes, false)? {
                return Ok(received);
            }
            if bytes.len() > LONGEST_ANSWER || stream.read_buf(&mut bytes).await.map_err(aborted)? == 0 {
                break;
            }
        }
        parse(&bytes, true)?.ok_or_else(|| {
            "('Connection aborted.', RemoteDisconnected('Remote end closed connection without response'))".to_owned()
        })
    }

    /// The bytes on the wire. Header values are Latin-1.
    fn bytes(&self, url: &Url) -> Vec<u8> {
        let target = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        let mut head = format!("{} {target} HTTP/1.1\r\n", self.method);
        if !self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            let host = url.host_str().unwrap_or_default();
            let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
            head = format!("{head}Host: {host}{port}\r\n");
        }
        head += &lines(&self.headers);
        head += "\r\n";
        let mut bytes: Vec<u8> = head
            .chars()
            .map(|character| u8::try_from(character).unwrap_or(b'?'))
            .collect();
        bytes.extend_from_slice(self.body.as_bytes());
        bytes
    }
}

impl Received {
    /// A final status below 400 is a success, whatever it is.
    pub(crate) fn is_success(&self) -> bool {
        self.status < 400
    }

    fn location(&self) -> Option<&str> {
        let is_redirect = matches!(self.status, 301 | 302 | 303 | 307 | 308);
        let location = self
            .headers
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case("location"));
        location.filter(|_| is_redirect).map(|(_, value)| value.as_str())
    }

    /// The text in the call log: the headers, and the body indented if it is JSON.
    pub(crate) fn logged(&self) -> String {
        let body = serde_json::from_slice::<Value>(&self.body).map_or_else(
            |_| String::from_utf8_lossy(&self.body).into_owned(),
            |body| wire::python_indented(&body),
        );
        format!("{}\r\n{body}", lines(&self.headers))
    }
}

fn lines(headers: &[(String, String)]) -> String {
    let lines = headers.iter().flat_map(|(name, value)| [name, ": ", value, "\r\n"]);
    lines.collect()
}

/// A whole answer, if it is there. At the end of the stream an answer without a length is whole
/// too.
fn parse(bytes: &[u8], at_end: bool) -> Result<Option<Received>, String> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    let bad = |error: httparse::Error| format!("('Connection aborted.', BadStatusLine({error}))");
    let httparse::Status::Complete(start) = response.parse(bytes).map_err(bad)? else {
        return Ok(None);
    };
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let headers: Vec<(String, String)> = response
        .headers
        .iter()
        .map(|header| (header.name.to_owned(), text(header.value)))
        .collect();
    let status = response.code.unwrap_or_default();
    let body = &bytes[start..];
    let header = |wanted: &str| {
        headers
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
            .map(|(_, value)| value)
    };
    let length: Option<usize> = header("content-length").and_then(|length| length.trim().parse().ok());
    let is_whole = match length {
        _ if matches!(status, 204 | 304) => true,
        Some(length) => body.len() >= length,
        // A chunked body ends so. Nothing here needs the chunks themselves.
        None if header("transfer-encoding").is_some() => body.ends_with(b"0\r\n\r\n"),
        None => false,
    };
    let body = body[..length.unwrap_or(body.len()).min(body.len())].to_vec();
    Ok((is_whole || at_end).then_some(Received { status, headers, body }))
}

fn pool(url: &Url) -> String {
    let (host, port) = (
        url.host_str().unwrap_or_default(),
        url.port_or_known_default().unwrap_or(80),
    );
    format!("HTTPConnectionPool(host='{host}', port={port})")
}

fn too_slow(url: &Url, patience: Duration) -> String {
    format!(
        "{}: Read timed out. (read timeout={})",
        pool(url),
        patience.as_secs_f64()
    )
}

fn refused(url: &Url, error: &std::io::Error) -> String {
    let number = error.raw_os_error().unwrap_or_default();
    let words = error.to_string();
    let words = words.split(" (os error").next().unwrap_or_default();
    format!(
        "{}: Max retries exceeded with url: {} (Caused by NewConnectionError('<urllib3.connection.\
         HTTPConnection object at 0x7f1a956792d0>: Failed to establish a new connection: [Errno {number}] {words}'))",
        pool(url),
        url.path()
    )
}
