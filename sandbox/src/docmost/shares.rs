//! Shares: pages that everyone can read.

use serde_json::{Map, Value, json};

use super::body::Check;
use super::envelope::{Answer, Problem, Reply};
use super::paging::{Order, Paging, Row};
use super::state::{Call, Moment, Role, Share, World, new_id, new_slug};

/// `shares/create`: a page has at most one share; idempotent.
pub(super) fn create(world: &mut World, call: &Call) -> Answer {
    let mut check = Check::of(&call.fields);
    let id = check.filled("pageId");
    let include_sub_pages = check.flag("includeSubPages");
    let search_indexing = check.flag("searchIndexing");
    check.done()?;
    let page = world.open_page(&call.user, &id, Role::Writer)?;
    if world.pages.get(&page).is_some_and(|page| page.deleted.is_some()) {
        return Err(Problem::not_found("Page not found"));
    }
    let known = world.shares.values().find(|share| share.page == page);
    if let Some(share) = known {
        return Ok(Reply::data(share_json(world, share)));
    }
    let share = Share {
        id: new_id(),
        key: new_slug().to_lowercase(),
        page,
        include_sub_pages,
        search_indexing,
        creator: call.user.clone(),
        created: Moment::now(),
    };
    let data = share_json(world, &share);
    world.shares.insert(share.id.clone(), share);
    Ok(Reply::data(data))
}

/// `shares`: the shares in the caller's spaces, latest first.
pub(super) fn list(world: &mut World, call: &Call) -> Answer {
    let paging = Paging::of(&call.fields)?;
    let rows = world.shares.values().filter_map(|share| {
        let page = world.pages.get(&share.page)?;
        let role = world.spaces.get(&page.space)?.members.get(&call.user)?;
        let mut item = share_json(world, share);
        item["page"] = json!({"id": page.id, "title": page.title, "slugId": page.slug_id, "icon": page.icon});
        item["space"] = world.space_brief(&page.space);
        item["space"]["userRole"] = json!(role.word());
        item["creator"] = world.person(&share.creator);
        Some(Row::at(share.created, share.id.clone(), item))
    });
    let order = Order {
        field: "updatedAt",
        descending: true,
    };
    Ok(Reply::data(paging.page(rows.collect(), order)?))
}

/// `shares/for-page`: without the key `data` if the page has none.
pub(super) fn for_page(world: &mut World, call: &Call) -> Answer {
    let mut check = Check::of(&call.fields);
    let id = check.filled("pageId");
    check.done()?;
    let page = world.open_page(&call.user, &id, Role::Reader)?;
    let Some(share) = world.shares.values().find(|share| share.page == page) else {
        return Ok(Reply::done());
    };
    let mut data = share_json(world, share);
    if let Some(fields) = data.as_object_mut() {
        fields.remove("updatedAt");
        fields.remove("deletedAt");
    }
    data["level"] = json!(0);
    data["sharedPage"] = shared_page(world, &share.page);
    Ok(Reply::data(data))
}

/// `shares/info`: public, without a login.
pub(super) fn info(world: &mut World, fields: &Map<String, Value>) -> Answer {
    let mut check = Check::of(fields);
    let wanted = check.filled("shareId");
    check.done()?;
    let share = world
        .shares
        .values()
        .find(|share| share.id == wanted || share.key == wanted);
    let share = share.ok_or_else(|| Problem::not_found("Share not found"))?;
    let mut data = share_json(world, share);
    data["sharedPage"] = shared_page(world, &share.page);
    let parent = world.pages.get(&share.page).and_then(|page| page.parent.clone());
    data["sharedPage"]["parentPageId"] = json!(parent);
    Ok(Reply::data(data))
}

/// `shares/delete`: not idempotent; the second call gets 404.
pub(super) fn delete(world: &mut World, call: &Call) -> Answer {
    let mut check = Check::of(&call.fields);
    let wanted = check.filled("shareId");
    check.done()?;
    let share = world
        .shares
        .values()
        .find(|share| share.id == wanted || share.key == wanted);
    let share = share.ok_or_else(|| Problem::not_found("Share not found"))?;
    let (id, page) = (share.id.clone(), share.page.clone());
    world.open_page(&call.user, &page, Role::Writer)?;
    world.shares.remove(&id);
    Ok(Reply::done())
}

fn shared_page(world: &World, page: &str) -> Value {
    world.pages.get(page).map_or(
        Value::Null,
        |page| json!({"id": page.id, "slugId": page.slug_id, "title": page.title, "icon": page.icon}),
    )
}

fn share_json(world: &World, share: &Share) -> Value {
    let space = world.pages.get(&share.page).map(|page| &page.space);
    json!({
        "id": share.id, "key": share.key, "pageId": share.page, "includeSubPages": share.include_sub_pages,
        "searchIndexing": share.search_indexing, "creatorId": share.creator, "spaceId": space,
        "workspaceId": world.workspace, "createdAt": share.created.shown(), "updatedAt": share.created.shown(),
        "deletedAt": null,
    })
}
