//! `pages/update`.
//!
//! It is not atomic: title and icon are written first, and stay written if the content is then
//! refused. A content that the database does not take is lost behind a 200: the answer shows the
//! old one.

use serde_json::Value;

use super::super::body::Check;
use super::super::content::{self, Format};
use super::super::envelope::{Answer, Problem, Reply};
use super::super::search;
use super::super::state::{Call, Role, World};

/// How new content is combined with the old.
#[derive(Debug, Clone, Copy)]
enum Operation {
    Append,
    Prepend,
    Replace,
}

/// Changes title, icon and content; of trashed pages too. `parentPageId` and `spaceId` are ignored.
pub(in super::super) fn update(world: &mut World, call: &Call) -> Answer {
    let mut check = Check::of(&call.fields);
    let title = check.change("title");
    let icon = check.change("icon");
    let id = check.filled("pageId");
    let given = content::given(&mut check);
    let operation = given.is_present.then(|| operation(&mut check));
    check.done()?;
    let id = world.open_page(&call.user, &id, Role::Writer)?;
    if title.has_nul() || icon.has_nul() {
        return Err(Problem::internal());
    }
    let page = world.page_mut(&id)?;
    title.apply(&mut page.title);
    icon.apply(&mut page.icon);
    world.touch(&id, &call.user)?;
    if let (Some(new), Some(operation)) = (given.document()?, operation) {
        let is_lost = call.lose_content || given.content.is_some_and(content::has_nul) || search::is_too_rich(&new);
        if !is_lost {
            let page = world.page_mut(&id)?;
            page.content = Some(merged(page.content.as_ref(), &new, operation));
        }
    }
    let role = world.role(&call.user, &world.space_of(&id));
    Ok(Reply::data(world.full(
        &id,
        given.format.unwrap_or(Format::Json),
        role,
    )?))
}

fn operation(check: &mut Check<'_>) -> Operation {
    let word = check.given("operation").and_then(Value::as_str).map(str::to_lowercase);
    let operation = match word.as_deref() {
        Some("append") => Some(Operation::Append),
        Some("prepend") => Some(Operation::Prepend),
        Some("replace") => Some(Operation::Replace),
        _ => None,
    };
    let rule = "operation must be one of the following values: append, prepend, replace";
    check.claim(operation.is_some(), rule);
    operation.unwrap_or(Operation::Replace)
}

/// The document after a change, as it comes out of the collaborative layer: unknown and empty
/// attributes are gone.
fn merged(old: Option<&Value>, new: &Value, operation: Operation) -> Value {
    let old = old.map(content::blocks).unwrap_or_default();
    let new = content::blocks(new);
    let blocks = match operation {
        Operation::Append => [old, new].concat(),
        Operation::Prepend => [new, old].concat(),
        Operation::Replace => new,
    };
    content::collaborative(blocks)
}
