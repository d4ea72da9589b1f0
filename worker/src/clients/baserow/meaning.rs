//! What an answer of Baserow means. The only place where its status becomes a failure.
//!
//! Baserow's own answers are JSON, or nothing to a deletion; a refusal has the text `error` or
//! `detail`. Anything else was answered in its place, e.g. by a proxy or a login page. (Its own 500
//! is a page of HTML: a 500 is a failure whoever wrote it.)

use std::collections::BTreeMap;

use passerelle_model::ledger::FailureClass;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::clients::answer::{Answer, Effect};
use crate::content::row::Row;
use crate::failure::{Failure, Target};

pub(super) fn row_in(answer: &Answer) -> Result<Row, Failure> {
    Row::from_json(&answer.body)
        .map_err(|error| answer.failure(FailureClass::Transient, Target::Baserow, error.to_string()))
}

/// The rows that a batch answers with, each with the part of the answer that is about it.
pub(super) fn rows_in(answer: &Answer) -> Result<Vec<(Row, Answer)>, Failure> {
    #[derive(Deserialize)]
    struct Batch {
        items: Vec<Box<RawValue>>,
    }
    let batch: Batch = serde_json::from_str(&answer.body)
        .map_err(|error| answer.failure(FailureClass::Transient, Target::Baserow, error.to_string()))?;
    let parts = batch.items.iter().map(|item| Answer {
        status: answer.status,
        headers: answer.headers.clone(),
        body: item.get().to_owned(),
    });
    parts.map(|part| Ok((row_in(&part)?, part))).collect()
}

/// Baserow answers 200 and writes nothing if it does not know a field: the echoed row tells.
pub(super) fn check_echo<N: AsRef<str>>(answer: &Answer, row: &Row, sent: &BTreeMap<N, String>) -> Result<(), Failure> {
    for (field, value) in sent {
        let field = field.as_ref();
        if row.cell(field).is_none() {
            let message =
                format!("field {field:?} does not exist in the table: create it, or change write_back in bridge.toml");
            return Err(answer
                .failure(FailureClass::Permanent, Target::Baserow, message)
                .of_the_rule());
        }
        if row.text(field).unwrap_or_default() != value {
            let message =
                format!("field {field:?} does not keep what was written: it must be an editable text or URL field");
            return Err(answer.failure(FailureClass::Permanent, Target::Baserow, message));
        }
    }
    Ok(())
}

/// What an answer means; `None` for success.
pub(super) fn classify(answer: &Answer, effect: Effect) -> Option<Failure> {
    let json = answer.json();
    if answer.is_success() {
        // It answers a deletion with nothing at all.
        let is_empty = effect != Effect::Creates && answer.status == 204 && answer.body.is_empty();
        let is_own = json.is_some() || is_empty;
        return (!is_own).then(|| answer.not_reached(Target::Baserow, effect));
    }
    let text = |key: &str| {
        json.as_ref()
            .and_then(|json| json.get(key)?.as_str().map(str::to_owned))
    };
    let code = text("error");
    let is_own = code.is_some() || text("detail").is_some();
    let wait = answer.wait_in(&["retry-after"]);
    let is_throttled = answer.status == 429 || (answer.status == 503 && wait.is_some());
    // Throttled, or too large: so it is, whoever says it.
    if !is_own && !is_throttled && answer.status != 413 && answer.may_be_a_proxys() {
        return Some(answer.not_reached(Target::Baserow, effect));
    }
    let code = code.unwrap_or_default();
    let (class, message) = match (answer.status, code.as_str()) {
        (404, "ERROR_ROW_DOES_NOT_EXIST") => (FailureClass::Gone, "the row does not exist".to_owned()),
        (404, "ERROR_TABLE_DOES_NOT_EXIST") => (
            FailureClass::Permanent,
            "the table does not exist: take it out of Baserow's trash, or take its rule out of bridge.toml".to_owned(),
        ),
        // The token is good, only not for this table: its rows wait for it, and those of other
        // tables are not held up.
        (401 | 403, "ERROR_NO_PERMISSION_TO_TABLE") => (
            FailureClass::Permanent,
            "BASEROW_TOKEN may not do this on the table: give it read, create and update rights".to_owned(),
        ),
        (401 | 403, _) => (FailureClass::Auth, "BASEROW_TOKEN is not accepted".to_owned()),
        (429, _) => (FailureClass::Throttled, "Baserow asks us to slow down".to_owned()),
        _ if is_throttled => (
            FailureClass::Throttled,
            "Baserow is away and says for how long".to_owned(),
        ),
        (413, _) => (
            FailureClass::Permanent,
            "the row is too large for Baserow, or for a proxy before it".to_owned(),
        ),
        (400 | 405 | 415, _) => (FailureClass::Permanent, format!("refused: {code}")),
        (status, _) => {
            let class = if status >= 500 {
                effect.unknown_outcome()
            } else {
                FailureClass::Transient
            };
            (class, format!("answered {status} {code}").trim_end().to_owned())
        }
    };
    let mut failure = answer.failure(class, Target::Baserow, message);
    failure.breaks_rule = matches!(
        code.as_str(),
        "ERROR_NO_PERMISSION_TO_TABLE" | "ERROR_TABLE_DOES_NOT_EXIST"
    );
    failure.retry_after = wait.filter(|_| class == FailureClass::Throttled);
    Some(failure)
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
