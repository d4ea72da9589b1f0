//! The tree of pages: moves, the sidebar, and the lists of recent pages.

use serde_json::{Value, json};

use super::super::body::{Check, is_uuid};
use super::super::envelope::{Answer, Problem, Reply};
use super::super::paging::{Order, Paging, Row};
use super::super::state::{Call, Moment, Page, Role, World};
use super::position;

const BY_POSITION: Order = Order {
    field: "position",
    descending: false,
};
const BY_UPDATE: Order = Order {
    field: "updatedAt",
    descending: true,
};

/// `pages/move`: changes `updatedAt`, but not `lastUpdatedById`. Nothing prevents cycles.
pub(in super::super) fn r#move(world: &mut World, call: &Call) -> Answer {
    let mut check = Check::of(&call.fields);
    let id = check.filled("pageId");
    let position = check.given("position").and_then(Value::as_str).map(str::to_owned);
    let length = position.as_ref().map(|position| position.chars().count());
    let short = length.is_none_or(|length| length >= 5);
    check.claim(short, "position must be longer than or equal to 5 characters");
    let long = length.is_some_and(|length| length <= 12);
    check.claim(long, "position must be shorter than or equal to 12 characters");
    let parent = check.text("parentPageId");
    check.done()?;
    if !is_uuid(&id) {
        return Err(Problem::internal());
    }
    let id = world.open_page(&call.user, &id, Role::Writer)?;
    let position = position.filter(|position| position::is_valid(position));
    let position = position.ok_or_else(|| Problem::bad_request("Invalid move position"))?;
    if parent.as_ref() == Some(&id) {
        return Err(Problem::bad_request("A page cannot be its own parent"));
    }
    let space = world.space_of(&id);
    if let Some(parent) = &parent {
        let target = world.pages.get(parent);
        let target = target.filter(|target| target.space == space && target.deleted.is_none());
        target.ok_or_else(|| Problem::not_found("Target parent page not found"))?;
    }
    let page = world.page_mut(&id)?;
    page.position = position;
    page.parent = parent;
    page.updated = Moment::now();
    Ok(Reply::done())
}

/// `pages/move-to-space`: with everything below; ids and labels stay.
pub(in super::super) fn move_to_space(world: &mut World, call: &Call) -> Answer {
    let mut check = Check::of(&call.fields);
    let id = check.filled("pageId");
    let space = check.uuid("spaceId");
    check.done()?;
    let id = world.open_page(&call.user, &id, Role::Writer)?;
    world.require(&call.user, &space, Role::Writer)?;
    let position = position::after(world.last_position(&space, None).as_deref());
    for member in world.family(&id) {
        world.page_mut(&member)?.space.clone_from(&space);
    }
    let page = world.page_mut(&id)?;
    page.parent = None;
    page.position = position;
    page.updated = Moment::now();
    Ok(Reply::done())
}

/// `pages/sidebar-pages`: the roots of a space, or the children of a page, in order.
pub(in super::super) fn sidebar(world: &mut World, call: &Call) -> Answer {
    let paging = Paging::of(&call.fields)?;
    let mut check = Check::of(&call.fields);
    let space = check.optional_uuid("spaceId");
    let parent = check.text("pageId");
    check.done()?;
    let space = match (&parent, space) {
        (Some(parent), _) if !is_uuid(parent) => return Err(Problem::internal()),
        (Some(parent), _) => match world.pages.get(parent) {
            Some(page) => page.space.clone(),
            None => return Err(Problem::forbidden()),
        },
        (None, Some(space)) => space,
        (None, None) => return Err(Problem::bad_request("Either spaceId or pageId must be provided")),
    };
    let role = world.require(&call.user, &space, Role::Reader)?;
    let pages = world.pages.values();
    let pages = pages.filter(|page| page.space == space && page.parent == parent && page.deleted.is_none());
    // Thousands of siblings are sorted, a hundred are shown.
    let rows = pages.map(|page| Row::new(page.position.clone(), page.id.clone(), json!(page.id)));
    let mut listed = paging.page(rows.collect(), BY_POSITION)?;
    let parents = world.parents();
    for item in listed["items"].as_array_mut().into_iter().flatten() {
        let page = item.as_str().and_then(|id| world.pages.get(id));
        let page = page.ok_or_else(Problem::internal)?;
        *item = leaf(page, parents.contains(page.id.as_str()));
        item["creatorId"] = json!(page.creator);
        item["canEdit"] = json!(role >= Role::Writer);
    }
    Ok(Reply::data(listed))
}

fn leaf(page: &Page, has_children: bool) -> Value {
    json!({
        "id": page.id, "slugId": page.slug_id, "title": page.title, "icon": page.icon, "isBase": false,
        "position": page.position, "parentPageId": page.parent, "spaceId": page.space,
        "deletedAt": page.deleted.as_ref().map(|(at, _)| at.shown()), "hasChildren": has_children,
    })
}

/// `pages/recent`: the pages of a space, or of all the caller's spaces; latest change first,
/// without trashed ones.
pub(in super::super) fn recent(world: &mut World, call: &Call) -> Answer {
    latest(world, call, None)
}

/// `pages/created-by-user`: the same, by one creator; by default the caller.
pub(in super::super) fn created_by_user(world: &mut World, call: &Call) -> Answer {
    let mut check = Check::of(&call.fields);
    let creator = check.optional_uuid("userId");
    check.done()?;
    latest(world, call, Some(&creator.unwrap_or_else(|| call.user.clone())))
}

fn latest(world: &mut World, call: &Call, creator: Option<&str>) -> Answer {
    let paging = Paging::of(&call.fields)?;
    let mut check = Check::of(&call.fields);
    let space = check.optional_uuid("spaceId");
    check.done()?;
    if let Some(space) = &space {
        world.require(&call.user, space, Role::Reader)?;
    }
    let mine = world
        .spaces
        .values()
        .filter(|space| space.members.contains_key(&call.user));
    let mine: Vec<&str> = mine.map(|space| space.id.as_str()).collect();
    let rows = world.pages.values().filter_map(|page| {
        let in_space = space
            .as_ref()
            .map_or_else(|| mine.contains(&page.space.as_str()), |space| *space == page.space);
        let by_creator = creator.is_none_or(|creator| creator == page.creator);
        let wanted = in_space && by_creator && page.deleted.is_none();
        wanted.then(|| {
            let mut item = world.brief(page);
            item["space"] = world.space_brief(&page.space);
            Row::at(page.updated, page.id.clone(), item)
        })
    });
    Ok(Reply::data(paging.page(rows.collect(), BY_UPDATE)?))
}
