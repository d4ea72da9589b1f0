//! Pages: how answers show them. Each file below is one thing that callers can do with them.

pub(super) mod create;
pub(super) mod duplicate;
pub(super) mod lookup;
mod position;
pub(super) mod trash;
pub(super) mod tree;
pub(super) mod update;

use serde_json::{Value, json};

use super::body::Check;
use super::content::{self, Format};
use super::envelope::{Answer, Problem, Reply};
use super::state::{Call, Moment, Page, Role, World};

/// `pages/info`: by UUID or slugId. Trashed pages too; they have `deletedAt`.
pub(super) fn info(world: &mut World, call: &Call) -> Answer {
    let mut check = Check::of(&call.fields);
    let id = check.filled("pageId");
    let format = Format::optional(&mut check);
    check.done()?;
    let id = world.open_page(&call.user, &id, Role::Reader)?;
    let role = world.role(&call.user, &world.space_of(&id));
    let mut data = world.full(&id, format.unwrap_or(Format::Json), role)?;
    data["deletedBy"] = world.deleted_by(&id);
    Ok(Reply::data(data))
}

impl Page {
    /// The content in a format; null for a page that was never filled.
    pub(super) fn shown(&self, format: Format) -> Value {
        self.content
            .as_ref()
            .map_or(Value::Null, |content| format.show(content))
    }
}

impl World {
    /// Refuses a document with what an older server does not know.
    fn check_schema(&self, document: &Value) -> Result<(), Problem> {
        if self.options.docmost_without_synced_blocks && content::has_kind(document, "transclusionSource") {
            return Err(Problem::bad_request("Invalid content format"));
        }
        Ok(())
    }

    pub(super) fn page(&self, id: &str) -> Result<&Page, Problem> {
        self.pages.get(id).ok_or_else(|| Problem::not_found("Page not found"))
    }

    fn page_mut(&mut self, id: &str) -> Result<&mut Page, Problem> {
        self.pages
            .get_mut(id)
            .ok_or_else(|| Problem::not_found("Page not found"))
    }

    /// The space of a page, or an id that no space has.
    fn space_of(&self, id: &str) -> String {
        self.pages.get(id).map(|page| page.space.clone()).unwrap_or_default()
    }

    /// The fields that every answer about a page has.
    pub(super) fn brief(&self, page: &Page) -> Value {
        json!({
            "id": page.id, "slugId": page.slug_id, "title": page.title, "icon": page.icon, "coverPhoto": null,
            "position": page.position, "parentPageId": page.parent, "creatorId": page.creator,
            "lastUpdatedById": page.last_updated_by, "spaceId": page.space, "workspaceId": self.workspace,
            "isLocked": false, "isBase": false, "createdAt": page.created.shown(), "updatedAt": page.updated.shown(),
            "deletedAt": page.deleted.as_ref().map(|(at, _)| at.shown()), "contributorIds": page.contributors,
        })
    }

    /// The answer of `info` and `update`.
    fn full(&self, id: &str, format: Format, role: Option<Role>) -> Result<Value, Problem> {
        let page = self.page(id)?;
        let mut data = self.brief(page);
        data["content"] = page.shown(format);
        data["creator"] = self.person(&page.creator);
        data["lastUpdatedBy"] = self.person(&page.last_updated_by);
        data["contributors"] = page.contributors.iter().map(|user| self.person(user)).collect();
        data["space"] = self.space_brief(&page.space);
        data["permissions"] = permissions(role);
        Ok(data)
    }

    fn deleted_by(&self, id: &str) -> Value {
        let deleted = self.pages.get(id).and_then(|page| page.deleted.as_ref());
        deleted.map_or(Value::Null, |(_, user)| self.person(user))
    }

    /// Records a change by a user, now.
    fn touch(&mut self, id: &str, user: &str) -> Result<(), Problem> {
        let page = self.page_mut(id)?;
        page.updated = Moment::now();
        user.clone_into(&mut page.last_updated_by);
        page.contributors.insert(user.to_owned());
        Ok(())
    }
}

fn permissions(role: Option<Role>) -> Value {
    json!({"canEdit": role >= Some(Role::Writer), "hasRestriction": false})
}
