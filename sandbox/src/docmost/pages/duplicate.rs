//! `pages/duplicate`.

use std::collections::{BTreeSet, HashMap};

use serde_json::json;

use super::super::body::Check;
use super::super::envelope::{Answer, Problem, Reply};
use super::super::state::{Call, Moment, Page, Role, World, new_id, new_slug};
use super::position;

/// Copies a page and everything below it, with content but without labels. The top one becomes
/// "Copy of …".
pub(in super::super) fn duplicate(world: &mut World, call: &Call) -> Answer {
    let mut check = Check::of(&call.fields);
    let id = check.filled("pageId");
    check.done()?;
    let id = world.open_page(&call.user, &id, Role::Writer)?;
    let family: Vec<Page> = world
        .family(&id)
        .iter()
        .filter_map(|id| world.pages.get(id).cloned())
        .collect();
    let family: Vec<Page> = family.into_iter().filter(|page| page.deleted.is_none()).collect();
    let ids: HashMap<String, String> = family.iter().map(|page| (page.id.clone(), new_id())).collect();
    let moment = Moment::now();
    let mut copies = Vec::new();
    for page in family {
        let is_top = page.id == id;
        let parent = page
            .parent
            .as_ref()
            .map(|parent| ids.get(parent).unwrap_or(parent).clone());
        let last = world.last_position(&page.space, parent.as_deref());
        let copy = Page {
            id: ids.get(&page.id).cloned().unwrap_or_else(new_id),
            slug_id: new_slug(),
            title: if is_top {
                page.title.map(|title| format!("Copy of {title}"))
            } else {
                page.title
            },
            position: if is_top {
                position::after(last.as_deref())
            } else {
                page.position
            },
            parent,
            creator: call.user.clone(),
            last_updated_by: call.user.clone(),
            created: moment,
            updated: moment,
            deleted: None,
            contributors: BTreeSet::new(),
            labels: Vec::new(),
            ..page
        };
        copies.push(copy.id.clone());
        world.pages.insert(copy.id.clone(), copy);
    }
    let (top, children) = copies
        .split_first()
        .ok_or_else(|| Problem::not_found("Page not found"))?;
    let page = world.page(top)?;
    let mut data = world.brief(page);
    data["space"] = world.space_brief(&page.space);
    data["hasChildren"] = json!(world.has_children(top));
    data["childPageIds"] = json!(children);
    Ok(Reply::data(data))
}
