//! `pages/transclusion/lookup`: the synced blocks that other pages quote.

use serde_json::{Value, json};

use super::super::body::Check;
use super::super::envelope::{Answer, Reply};
use super::super::state::{Call, World};

/// What the quoted blocks hold; the sandbox quotes nothing, so every block is one that is not
/// found.
pub(in super::super) fn lookup(_world: &mut World, call: &Call) -> Answer {
    let mut check = Check::of(&call.fields);
    let references = check.given("references").and_then(Value::as_array);
    check.claim(references.is_some(), "references must be an array");
    check.done()?;
    let items = references.into_iter().flatten().map(|reference| {
        json!({"sourcePageId": reference["sourcePageId"], "transclusionId": reference["transclusionId"], "status": "not_found"})
    });
    Ok(Reply::data(json!({"items": items.collect::<Vec<Value>>()})))
}
