//! One call, as the routes read it.

use actix_web::HttpRequest;
use actix_web::http::header;
use actix_web::web::Bytes;
use reqwest::Url;
use serde_json::{Map, Value, json};

use super::answer::Answer;

/// A call that came.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) host: String,
    pub(crate) authorization: Option<String>,
    content_type: Option<String>,
    body: Bytes,
}

impl Request {
    pub(crate) fn new(request: &HttpRequest, body: Bytes) -> Self {
        let text = |name: header::HeaderName| {
            let value = request.headers().get(name)?;
            Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        let query = Url::parse(&format!("http://sandbox/?{}", request.query_string()))
            .map(|url| url.query_pairs().into_owned().collect())
            .unwrap_or_default();
        Self {
            method: request.method().to_string(),
            path: request.path().to_owned(),
            query,
            host: text(header::HOST).unwrap_or_default(),
            authorization: text(header::AUTHORIZATION),
            content_type: text(header::CONTENT_TYPE),
            body,
        }
    }

    /// A query parameter; the last one counts, as in Django.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .rev()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// A switch in the query. Present without a value means yes.
    pub(crate) fn flag(&self, name: &str, absent: bool) -> bool {
        self.parameter(name).map_or(absent, |value| {
            !["false", "0", "no", "n", "f", "off"].contains(&value.to_ascii_lowercase().as_str())
        })
    }

    /// Whether keys are field names.
    pub(crate) fn names(&self) -> bool {
        self.flag("user_field_names", false)
    }

    /// The body, which must be a JSON object. No body at all counts as an empty one.
    pub(crate) fn object(&self) -> Result<Map<String, Value>, Answer> {
        match self.json()? {
            Value::Object(object) => Ok(object),
            other => {
                let error = format!(
                    "Invalid data. Expected types are: dict, but got {}.",
                    python_type(&other)
                );
                let problem = json!({"non_field_errors": [{"code": "invalid", "error": error}]});
                Err(Answer::invalid(problem))
            }
        }
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Result<Value, Answer> {
        if self.body.is_empty() {
            return Ok(json!({}));
        }
        let content_type = self.content_type.as_deref().unwrap_or("application/octet-stream");
        if content_type.split(';').next().map(str::trim) != Some("application/json") {
            return Err(Answer::sentence(
                415,
                &format!("Unsupported media type \"{content_type}\" in request."),
            ));
        }
        serde_json::from_slice(&self.body)
            .map_err(|error| Answer::sentence(400, &format!("JSON parse error - {}", python_complaint(&error))))
    }
}

fn python_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "NoneType",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "int",
        Value::String(_) => "str",
        Value::Array(_) => "list",
        Value::Object(_) => "dict",
    }
}

/// Python's words for broken JSON. Exact for a bad key, near for the rest.
fn python_complaint(error: &serde_json::Error) -> String {
    let (line, column) = (error.line(), error.column().max(1));
    let expected = if error.to_string().starts_with("key must be a string") {
        "Expecting property name enclosed in double quotes"
    } else {
        "Expecting value"
    };
    format!("{expected}: line {line} column {column} (char {})", column - 1)
}
