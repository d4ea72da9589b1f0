//! `pages/update`.
//!
//! It is not atomic: title and icon are written first, and stay written if the content is then
//! refused. A content that the database does not take is lost behind a 200: the answer shows the
//! old one. The content is changed in the collaborative document of the page, which may be open.

use serde_json::Value;

use super::super::body::Check;
use super::super::collab::{Edit, store_fails};
use super::super::content::{self, Format};
use super::super::envelope::{Answer, Problem, Reply};
use super::super::state::{Call, Role, World};

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
        world.check_schema(&new)?;
        let blocks = changed(&new, operation);
        let fails = call.lose_content || store_fails(&call.faults);
        world.edit_document(&id, &call.user, operation, &blocks);
        world.store_page(&id, &call.user, fails);
    }
    let role = world.role(&call.user, &world.space_of(&id));
    Ok(Reply::data(world.full(
        &id,
        given.format.unwrap_or(Format::Json),
        role,
    )?))
}

fn operation(check: &mut Check<'_>) -> Edit {
    let word = check.given("operation").and_then(Value::as_str).map(str::to_lowercase);
    let operation = match word.as_deref() {
        Some("append") => Some(Edit::Append),
        Some("prepend") => Some(Edit::Prepend),
        Some("replace") => Some(Edit::Replace),
        _ => None,
    };
    let rule = "operation must be one of the following values: append, prepend, replace";
    check.claim(operation.is_some(), rule);
    operation.unwrap_or(Edit::Replace)
}

/// The blocks as the collaborative layer takes them: unknown and empty attributes are gone. A page
/// that is replaced by nothing has an empty paragraph; nothing that is appended is nothing.
fn changed(new: &Value, operation: Edit) -> Vec<Value> {
    let blocks = content::blocks(new);
    if blocks.is_empty() && !matches!(operation, Edit::Replace) {
        return blocks;
    }
    content::blocks(&content::collaborative(blocks))
}
