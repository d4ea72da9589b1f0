//! The trash: delete, restore, list, delete for good.

use serde_json::Value;

use super::super::body::{Check, is_uuid};
use super::super::content::Format;
use super::super::envelope::{Answer, Problem, Reply};
use super::super::paging::{Order, Paging, Row};
use super::super::state::{Call, Moment, Role, World};

const BY_DELETION: Order = Order {
    field: "deletedAt",
    descending: true,
};

/// The page that a request names. A slugId is a 500, as on the real server.
fn named(world: &mut World, call: &Call, least: Role) -> Result<String, Problem> {
    let mut check = Check::of(&call.fields);
    let id = check.filled("pageId");
    check.done()?;
    if !is_uuid(&id) {
        return Err(Problem::internal());
    }
    world.open_page(&call.user, &id, least)
}

/// `pages/delete`: moves the page and everything below it to the trash (idempotent), or deletes
/// them for good, which only an admin of the space may do. Neither `updatedAt` nor
/// `lastUpdatedById` changes. The pages lose their shares.
pub(in super::super) fn delete(world: &mut World, call: &Call) -> Answer {
    let id = named(world, call, Role::Writer)?;
    let family = world.family(&id);
    world.shares.retain(|_, share| !family.contains(&share.page));
    if Check::of(&call.fields).flag("permanentlyDelete") {
        if world.role(&call.user, &world.space_of(&id)) != Some(Role::Admin) {
            let text = "Only space admins can permanently delete pages".to_owned();
            return Err(Problem::Said(actix_web::http::StatusCode::FORBIDDEN, text));
        }
        world.pages.retain(|id, _| !family.contains(id));
        return Ok(Reply::done());
    }
    let moment = Moment::now();
    for member in family {
        let page = world.page_mut(&member)?;
        page.deleted.get_or_insert_with(|| (moment, call.user.clone()));
    }
    Ok(Reply::done())
}

/// `pages/restore`: with everything below; a page whose parent is still in the trash becomes a
/// root.
pub(in super::super) fn restore(world: &mut World, call: &Call) -> Answer {
    let id = named(world, call, Role::Writer)?;
    for member in world.family(&id) {
        world.page_mut(&member)?.deleted = None;
    }
    let parent = world.page(&id)?.parent.clone();
    let has_lost_parent =
        parent.is_some_and(|parent| world.pages.get(&parent).is_none_or(|page| page.deleted.is_some()));
    if has_lost_parent {
        world.page_mut(&id)?.parent = None;
    }
    let mut data = world.brief(world.page(&id)?);
    data["hasChildren"] = Value::from(world.has_children(&id));
    Ok(Reply::data(data))
}

/// `pages/trash`: the trashed pages of a space, latest first, for who may write there. Without
/// pages below a trashed one.
pub(in super::super) fn list(world: &mut World, call: &Call) -> Answer {
    let paging = Paging::of(&call.fields)?;
    let mut check = Check::of(&call.fields);
    let space = check.uuid("spaceId");
    check.done()?;
    world.require(&call.user, &space, Role::Writer)?;
    let rows = world
        .pages
        .values()
        .filter(|page| page.space == space)
        .filter_map(|page| {
            let (at, by) = page.deleted.as_ref()?;
            let parent = page.parent.as_ref().and_then(|parent| world.pages.get(parent));
            if parent.is_some_and(|parent| parent.deleted.is_some()) {
                return None;
            }
            let mut item = world.brief(page);
            item["content"] = page.shown(Format::Json);
            item["space"] = world.space_brief(&page.space);
            item["deletedBy"] = world.person(by);
            Some(Row::at(*at, page.id.clone(), item))
        });
    Ok(Reply::data(paging.page(rows.collect(), BY_DELETION)?))
}
