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
    let copier = Copier {
        user: &call.user,
        moment: Moment::now(),
        ids: family.iter().map(|page| (page.id.clone(), new_id())).collect(),
    };
    let mut made = Vec::new();
    for page in family {
        let is_top = page.id == id;
        let mut copy = copier.copy(page);
        if is_top {
            copy.title = copy.title.map(|title| format!("Copy of {title}"));
            let last = world.last_position(&copy.space, copy.parent.as_deref());
            copy.position = position::after(last.as_deref());
        }
        made.push(copy.id.clone());
        world.pages.insert(copy.id.clone(), copy);
    }
    let (top, children) = made.split_first().ok_or_else(|| Problem::not_found("Page not found"))?;
    let page = world.page(top)?;
    let mut data = world.brief(page);
    data["space"] = world.space_brief(&page.space);
    data["hasChildren"] = json!(world.has_children(top));
    data["childPageIds"] = json!(children);
    Ok(Reply::data(data))
}

/// What all copies of one call have in common.
struct Copier<'a> {
    user: &'a str,
    moment: Moment,
    /// The new ids, by the old ones.
    ids: HashMap<String, String>,
}

impl Copier<'_> {
    /// A copy of a page, below the copy of its parent if that is copied too.
    fn copy(&self, page: Page) -> Page {
        let new = |id: &String| self.ids.get(id).unwrap_or(id).clone();
        Page {
            id: new(&page.id),
            slug_id: new_slug(),
            parent: page.parent.as_ref().map(new),
            creator: self.user.to_owned(),
            last_updated_by: self.user.to_owned(),
            created: self.moment,
            updated: self.moment,
            deleted: None,
            contributors: BTreeSet::new(),
            labels: Vec::new(),
            // Documents of their own.
            state: None,
            ..page
        }
    }
}
