//! The recorded exchanges, and what is blanked before two of them are compared.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::Value;

/// The folder of the records.
pub(crate) fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("contract/captures/baserow")
}

/// A record by its name, without `.json`.
pub(crate) fn load(name: &str) -> anyhow::Result<Value> {
    let path = folder().join(format!("{name}.json"));
    let text = std::fs::read_to_string(&path).with_context(|| format!("no record {}", path.display()))?;
    Ok(serde_json::from_str(&text)?)
}

/// The names of the records that begin with `prefix`, in order.
pub(crate) fn beginning(prefix: &str) -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder())? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if let Some(name) = name.strip_suffix(".json").filter(|name| name.starts_with(prefix)) {
            names.push(name.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// A recorded request and its answer.
#[derive(Debug, Deserialize)]
pub(crate) struct Exchange {
    pub(crate) request: Request,
    pub(crate) response: Response,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Exchange {
    pub(crate) fn load(name: &str) -> anyhow::Result<Self> {
        serde_json::from_value(load(name)?).with_context(|| format!("{name} is no exchange"))
    }
}

/// One call of a webhook, recorded or received. Headers are in the order of arrival.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Delivery {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Delivery {
    pub(crate) fn of(json: &Value) -> anyhow::Result<Self> {
        let text = |key: &str| {
            json[key]
                .as_str()
                .map(str::to_owned)
                .with_context(|| format!("no {key} in {json}"))
        };
        Ok(Self {
            method: text("method")?,
            path: text("path")?,
            headers: headers_of(&json["headers"]),
            body: text("body")?,
        })
    }

    /// The deliveries of a record, whether it holds one or several.
    pub(crate) fn load(name: &str) -> anyhow::Result<Vec<Self>> {
        let json = load(name)?;
        match &json["deliveries"] {
            Value::Array(deliveries) => deliveries.iter().map(Self::of).collect(),
            _ => Ok(vec![Self::of(&json["delivery"])?]),
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(other, _)| other == name)
            .map(|(_, value)| value.as_str())
    }

    /// The same, with everything blanked that differs from run to run.
    pub(crate) fn blanked(&self) -> Self {
        let headers = self.headers.iter().map(|(name, value)| {
            // The length depends on the webhook's number, so only its correctness is compared.
            let is_true = name == "Content-Length" && *value == self.body.len().to_string();
            (name.clone(), if is_true { "<length>".to_owned() } else { blank(value) })
        });
        Self {
            method: self.method.clone(),
            path: self.path.clone(),
            headers: headers.collect(),
            body: blank(&self.body),
        }
    }
}

/// Headers of a record, in order.
pub(crate) fn headers_of(json: &Value) -> Vec<(String, String)> {
    let headers = json.as_object().into_iter().flatten();
    headers
        .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()))
        .collect()
}

/// What is blanked in a text: patterns and their names. In a pattern, `x` is a hex digit, `9` a
/// digit, `A` a letter and `w` a letter of a slug.
const BLANKS: [(&str, &str); 8] = [
    ("xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx", "<uuid>"),
    ("9999-99-99T99:99:99.999999Z", "<time>"),
    ("AAA, 99 AAA 9999 99:99:99 GMT", "<date>"),
    ("wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww\"", "<slug>\""),
    ("wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww\\\"", "<slug>\\\""),
    ("127.0.0.1:99999", "<address>"),
    ("127.0.0.1:9999", "<address>"),
    ("0xxxxxxxxxxxxx", "<object>"),
];

/// What comes before numbers that differ between the real server and the sandbox.
const NUMBERS: [&str; 5] = [
    "\"webhook_id\": ",
    "\\\"webhook_id\\\": ",
    "\"webhook_id\":",
    "Content-Length: ",
    "port=",
];

/// A text with everything blanked that differs from run to run.
pub(crate) fn blank(text: &str) -> String {
    let mut blanked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if let Some((length, name)) = BLANKS
            .iter()
            .find_map(|(pattern, name)| Some((matching(rest, pattern)?, name)))
        {
            blanked.push_str(name);
            rest = &rest[length..];
        } else {
            blanked.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    NUMBERS
        .iter()
        .fold(blanked, |text, before| without_numbers(&text, before))
}

/// The same, without the id that an object begins with.
pub(crate) fn blank_ids(text: &str) -> String {
    without_numbers(&blank(text), "{\"id\":")
}

fn matching(text: &str, pattern: &str) -> Option<usize> {
    let bytes = text.as_bytes().get(..pattern.len())?;
    let fits = |(byte, wanted): (&u8, u8)| match wanted {
        b'x' => byte.is_ascii_hexdigit() || *byte == b'x',
        b'9' => byte.is_ascii_digit(),
        b'A' => byte.is_ascii_alphabetic(),
        b'w' => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'),
        other => *byte == other,
    };
    bytes.iter().zip(pattern.bytes()).all(fits).then_some(pattern.len())
}

fn without_numbers(text: &str, before: &str) -> String {
    let mut parts = text.split(before);
    let mut blanked = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        blanked.push_str(before);
        let rest = part.trim_start_matches(|character: char| character.is_ascii_digit());
        if rest.len() < part.len() {
            blanked.push('#');
        }
        blanked.push_str(rest);
    }
    blanked
}

#[test]
fn only_what_differs_from_run_to_run_is_blanked() {
    assert_eq!(
        blank(r#"{"webhook_id": 12, "event_id": "5de69542-9614-4e64-9e2c-ae4a434d6b1d", "id": 3}"#),
        r#"{"webhook_id": #, "event_id": "<uuid>", "id": 3}"#
    );
    assert_eq!(blank(r#"{"on": "2026-11-22T10:57:22.639423Z"}"#), r#"{"on": "<time>"}"#);
    assert_eq!(blank("http://127.0.0.1:8190/ok"), "http://<address>/ok");
    assert_eq!(blank("http://127.0.0.1:45011/ok"), "http://<address>/ok");
    assert_eq!(blank("Date: Sun, 22 Nov 2026 10:57:38 GMT"), "Date: <date>");
}
