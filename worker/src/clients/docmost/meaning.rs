//! What an answer of Docmost means. The only place where its status becomes a failure.
//!
//! Docmost's own answers are JSON: an envelope with `success`, or a failure that repeats its status
//! as `statusCode`. Anything else was answered in its place, e.g. by a proxy or a login page.

use passerelle_model::ledger::FailureClass;
use serde::Deserialize;
use serde_json::Value;

use crate::clients::answer::{Answer, Effect};
use crate::content::page::{Body, DesiredPage};
use crate::content::wiki::Page;
use crate::failure::{Failure, Target};

/// Docmost names its waiting time after the limit that was reached.
const WAIT_HEADERS: &[&str] = &["retry-after-auth", "retry-after"];

#[derive(Deserialize)]
struct Envelope<T> {
    data: T,
}

/// The token of a login's answer. Docmost answers 200 without one where the account has to give, or
/// to set up, a second factor.
pub(super) fn token_in(answer: &Answer) -> Result<String, Failure> {
    let cookies = answer.headers.get_all("set-cookie");
    let token = cookies.iter().find_map(|cookie| {
        let value = cookie.to_str().ok()?.strip_prefix("authToken=")?;
        value.split(';').next().map(str::to_owned)
    });
    let asks_for = |what: &str| {
        let answered = answer.json();
        let asked = answered
            .as_ref()
            .and_then(|json| json.get("data")?.get(what)?.as_bool());
        asked == Some(true)
    };
    token.ok_or_else(|| {
        let (class, message) = if asks_for("userHasMfa") || asks_for("requiresMfaSetup") {
            (
                FailureClass::Auth,
                "Docmost asks for a second factor, which a program cannot give: give the bridge an account of its own \
                 without two-factor authentication, and do not enforce it for the workspace",
            )
        } else {
            (FailureClass::Transient, "the login answer has no authToken cookie")
        };
        answer.failure(class, Target::Docmost, message)
    })
}

pub(super) fn data_of<T: for<'de> Deserialize<'de>>(answer: &Answer, effect: Effect) -> Result<T, Failure> {
    serde_json::from_str::<Envelope<T>>(&answer.body)
        .map(|envelope| envelope.data)
        .map_err(|error| {
            answer.failure(
                effect.unknown_outcome(),
                Target::Docmost,
                format!("unreadable answer: {error}"),
            )
        })
}

/// The answer's JSON, if Docmost gave it.
fn own_words(answer: &Answer) -> Option<Value> {
    answer.json().filter(|json| {
        if answer.is_success() {
            json.get("success").is_some_and(Value::is_boolean)
        } else {
            json.get("statusCode").and_then(Value::as_u64) == Some(u64::from(answer.status))
        }
    })
}

/// What the health check answered: JSON of its own, with `status`.
pub(super) fn health_in(answer: &Answer) -> Result<(), Failure> {
    let json = answer.json();
    match json.as_ref().and_then(|json| json.get("status")?.as_str()) {
        Some("ok") if answer.is_success() => Ok(()),
        Some(word) => {
            let message = format!("its health check answered {}: {word}", answer.status);
            Err(answer.failure(FailureClass::Transient, Target::Docmost, message))
        }
        None => {
            Err(classify(answer, Effect::Reads).unwrap_or_else(|| answer.not_reached(Target::Docmost, Effect::Reads)))
        }
    }
}

/// What an answer means; `None` for success.
pub(super) fn classify(answer: &Answer, effect: Effect) -> Option<Failure> {
    let own = own_words(answer);
    if answer.is_success() {
        let is_own = own.is_some();
        return (!is_own).then(|| answer.not_reached(Target::Docmost, effect));
    }
    let is_throttled = answer.status == 429 || (answer.status == 503 && answer.wait_in(WAIT_HEADERS).is_some());
    // Throttled, or too large: so it is, whoever says it.
    if own.is_none() && !is_throttled && answer.status != 413 && answer.may_be_a_proxys() {
        return Some(answer.not_reached(Target::Docmost, effect));
    }
    let message = own
        .as_ref()
        .and_then(|json| json.get("message"))
        .map(|message| match message {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        });
    let message = message.unwrap_or_else(|| format!("answered {}", answer.status));
    let class = match (answer.status, message.as_str()) {
        (401, _) => FailureClass::Auth,
        // A 503 that names a time was refused before it was carried out.
        _ if is_throttled => FailureClass::Throttled,
        (404, "Page not found") => FailureClass::Gone,
        (404, "Parent page not found") | (400 | 403 | 413 | 422, _) => FailureClass::Permanent,
        (500..=599, _) => effect.unknown_outcome(),
        // Among them "Space permissions not found": our account was not (yet) added to the space,
        // or the answer is up to 5 s old.
        _ => FailureClass::Transient,
    };
    let hint = match (answer.status, message.as_str()) {
        (401, "Email or password does not match") => " (check DOCMOST_EMAIL and DOCMOST_PASSWORD)",
        (400, "This workspace has enforced SSO login.") => {
            " (a program cannot sign in so: let the bridge's account sign in with its password)"
        }
        (403, _) => " (the bridge's account needs the role writer in the space)",
        (404, "Space permissions not found") => " (add the bridge's account to the space)",
        (413, _) => " (the page is too large for Docmost, or for a proxy before it)",
        _ => "",
    };
    let mut failure = answer.failure(class, Target::Docmost, format!("{message}{hint}"));
    if class == FailureClass::Throttled {
        failure.retry_after = answer.wait_in(WAIT_HEADERS);
    }
    Some(failure)
}

/// Docmost writes the title before it looks at the content, and may lose content with a 200.
pub(super) fn check_update(answer: &Page, page: &DesiredPage) -> Result<(), Failure> {
    let lost = |what: &str| {
        let message = format!("answered 200 but did not keep the {what}");
        Err(Failure {
            status: Some(200),
            ..Failure::new(FailureClass::Transient, Target::Docmost, message)
        })
    };
    if answer.title.as_deref() != Some(page.title.as_str()) {
        return lost("title");
    }
    match &page.body {
        Body::Follows { proof, .. } if !answer.contains(proof) => lost("content"),
        Body::Follows { .. } | Body::Once { .. } | Body::Section { .. } => Ok(()),
    }
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
