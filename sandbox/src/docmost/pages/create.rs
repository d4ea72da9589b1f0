//! `pages/create`.

use std::collections::BTreeSet;

use super::super::body::Check;
use super::super::collab;
use super::super::content;
use super::super::envelope::{Answer, Problem, Reply};
use super::super::search;
use super::super::state::{Call, Moment, Page, Role, World, new_id, new_slug};
use super::{permissions, position};

/// Creates a page as the last among its siblings. Two pages may have the same title.
pub(in super::super) fn create(world: &mut World, call: &Call) -> Answer {
    let mut check = Check::of(&call.fields);
    let title = check.text("title");
    let icon = check.text("icon");
    let parent = check.text("parentPageId");
    let space = check.uuid("spaceId");
    let given = content::given(&mut check);
    check.done()?;
    let role = world.require(&call.user, &space, Role::Writer)?;
    let parent = parent.map(|parent| parent_in(world, &parent, &space)).transpose()?;
    let has_nul = [&title, &icon].into_iter().flatten().any(|text| text.contains('\0'));
    if has_nul || given.content.is_some_and(content::has_nul) {
        return Err(Problem::internal());
    }
    let content = given.document()?;
    content.iter().try_for_each(|content| world.check_schema(content))?;
    if content.as_ref().is_some_and(search::is_too_rich) {
        return Err(Problem::internal());
    }
    let page = Page {
        title,
        icon,
        position: position::after(world.last_position(&space, parent.as_deref()).as_deref()),
        parent,
        content: content.filter(|_| !call.lose_content),
        ..Page::empty(&space, &call.user)
    };
    let mut data = world.brief(&page);
    data["permissions"] = permissions(Some(role));
    world.pages.insert(page.id.clone(), page);
    Ok(Reply::data(data))
}

fn parent_in(world: &World, parent: &str, space: &str) -> Result<String, Problem> {
    let found = world.find_page(parent).ok();
    let usable = found.filter(|page| page.space == space && page.deleted.is_none());
    let parent = usable.ok_or_else(|| Problem::not_found("Parent page not found"))?;
    Ok(parent.id.clone())
}

impl Page {
    /// A new page without a title at the top of a space, not yet in its place.
    fn empty(space: &str, creator: &str) -> Self {
        let moment = Moment::now();
        Self {
            id: new_id(),
            slug_id: new_slug(),
            title: None,
            icon: None,
            position: String::new(),
            parent: None,
            creator: creator.to_owned(),
            last_updated_by: creator.to_owned(),
            space: space.to_owned(),
            created: moment,
            updated: moment,
            deleted: None,
            contributors: BTreeSet::new(),
            content: None,
            state: None,
            labels: Vec::new(),
        }
    }
}

impl World {
    /// Adds a page at the top of a space, behind the others.
    pub(in super::super) fn seed_page(&mut self, space: &str, creator: &str, title: String) {
        let page = Page {
            title: Some(title),
            position: position::after(self.last_position(space, None).as_deref()),
            ..Page::empty(space, creator)
        };
        self.pages.insert(page.id.clone(), page);
    }

    /// A page with this id and this document, by the creator of the space, whatever was there
    /// before.
    pub(in super::super) fn put_page(&mut self, id: &str, title: &str, space: &str, state: Option<Vec<u8>>) {
        let creator = self.spaces.get(space).map(|space| space.creator.clone());
        let page = Page {
            id: id.to_owned(),
            title: Some(title.to_owned()),
            position: position::after(self.last_position(space, None).as_deref()),
            content: state.as_deref().map(collab::content_of),
            state,
            ..Page::empty(space, &creator.unwrap_or_default())
        };
        self.pages.insert(page.id.clone(), page);
    }

    /// The position of the last page below `parent` in a space.
    pub(super) fn last_position(&self, space: &str, parent: Option<&str>) -> Option<String> {
        let siblings = self.pages.values();
        let siblings = siblings.filter(|page| page.space == space && page.parent.as_deref() == parent);
        siblings.map(|page| &page.position).max().cloned()
    }
}
