//! Labels: the only exact look-up of pages by a name of the client's choice.

use serde_json::{Value, json};

use super::body::Check;
use super::envelope::{Answer, Problem, Reply};
use super::paging::{Order, Paging, Row};
use super::state::{Call, Label, Moment, Page, Role, World, new_id};

const BY_NAME: Order = Order {
    field: "name",
    descending: false,
};
const BY_UPDATE: Order = Order {
    field: "updatedAt",
    descending: true,
};

/// `pages/labels/add`: adds labels to a page; idempotent. A trashed page is not found.
pub(super) fn add(world: &mut World, call: &Call) -> Answer {
    let mut check = Check::of(&call.fields);
    let id = check.filled("pageId");
    let names = names(&mut check);
    check.done()?;
    let id = live_page(world, call, &id, Role::Writer)?;
    let mut given = Vec::new();
    for name in names {
        let label = world.label(&name);
        given.push(label_json(world, &label));
        if let Some(page) = world.pages.get_mut(&id)
            && !page.labels.contains(&label)
        {
            page.labels.push(label);
        }
    }
    Ok(Reply::data(Value::Array(given)))
}

/// Between 1 and 25 names, as they are stored: in lower case, with hyphens for blanks.
fn names(check: &mut Check<'_>) -> Vec<String> {
    let given = check.given("names").and_then(Value::as_array);
    let texts: Option<Vec<&str>> = given.and_then(|names| names.iter().map(Value::as_str).collect());
    check.claim(texts.is_some(), "each value in names must be a string");
    let names: Vec<String> = texts.unwrap_or_default().into_iter().map(normalised).collect();
    check.claim(!names.is_empty(), "names must contain at least 1 elements");
    check.claim(names.len() <= 25, "names must contain no more than 25 elements");
    let fit = names.iter().all(|name| name.chars().count() <= 100);
    check.claim(
        fit,
        "each value in names must be shorter than or equal to 100 characters",
    );
    let rule = "Label names can only contain letters, numbers, hyphens, underscores, and tildes, \
                and cannot start with a tilde";
    check.claim(names.iter().all(|name| is_name(name)), rule);
    names
}

fn normalised(name: &str) -> String {
    let words: Vec<&str> = name.split_whitespace().collect();
    words.join("-").to_lowercase()
}

fn is_name(name: &str) -> bool {
    let allowed = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || "_-~".contains(char);
    !name.is_empty() && !name.starts_with('~') && name.chars().all(allowed)
}

/// `pages/labels`: the labels of one page, in the order in which they were added.
pub(super) fn of_page(world: &mut World, call: &Call) -> Answer {
    let paging = Paging::of(&call.fields)?;
    let mut check = Check::of(&call.fields);
    let id = check.filled("pageId");
    check.done()?;
    let id = live_page(world, call, &id, Role::Reader)?;
    let labels = world
        .pages
        .get(&id)
        .map(|page| page.labels.as_slice())
        .unwrap_or_default();
    let rows = labels.iter().enumerate().map(|(place, label)| {
        let item = label_json(world, label);
        Row::new(format!("{place:03}"), label.clone(), item)
    });
    Ok(Reply::data(paging.page(rows.collect(), BY_NAME)?))
}

pub(super) fn remove(world: &mut World, call: &Call) -> Answer {
    let mut check = Check::of(&call.fields);
    let id = check.filled("pageId");
    let label = check.uuid("labelId");
    check.done()?;
    let id = live_page(world, call, &id, Role::Writer)?;
    if let Some(page) = world.pages.get_mut(&id) {
        page.labels.retain(|own| *own != label);
    }
    Ok(Reply::done())
}

/// `labels`: all of the workspace, by name.
pub(super) fn list(world: &mut World, call: &Call) -> Answer {
    let paging = Paging::of(&call.fields)?;
    let mut check = Check::of(&call.fields);
    let kind = check.given("type").and_then(Value::as_str);
    check.claim(kind == Some("page"), "type must be one of the following values: page");
    check.done()?;
    let labels = world.labels.values();
    let rows = labels.map(|label| Row::new(label.name.clone(), label.id.clone(), label_json(world, &label.id)));
    Ok(Reply::data(paging.page(rows.collect(), BY_NAME)?))
}

/// `labels/pages`: the pages with a label (by name or id) in the caller's spaces, latest change
/// first. Without trashed pages.
pub(super) fn pages(world: &mut World, call: &Call) -> Answer {
    let paging = Paging::of(&call.fields)?;
    let mut check = Check::of(&call.fields);
    let name = check.text("name").map(|name| normalised(&name));
    let id = check.optional_uuid("labelId");
    let space = check.optional_uuid("spaceId");
    check.done()?;
    if let Some(space) = &space {
        world.require(&call.user, space, Role::Reader)?;
    }
    let named = name.and_then(|name| world.labels.values().find(|label| label.name == name));
    let label = id.or_else(|| named.map(|label| label.id.clone())).unwrap_or_default();
    let pages = world.pages.values().filter(|page| {
        page.labels.contains(&label)
            && world.shows(&call.user, page)
            && space.as_ref().is_none_or(|space| *space == page.space)
    });
    let rows = pages.map(|page| Row::at(page.updated, page.id.clone(), labelled(world, page)));
    Ok(Reply::data(paging.page(rows.collect(), BY_UPDATE)?))
}

fn labelled(world: &World, page: &Page) -> Value {
    let labels = page.labels.iter().filter_map(|id| world.labels.get(id));
    let labels = labels.map(|label| json!({"id": label.id, "name": label.name}));
    let mut item = json!({
        "id": page.id, "slugId": page.slug_id, "title": page.title, "icon": page.icon, "spaceId": page.space,
        "createdAt": page.created.shown(), "updatedAt": page.updated.shown(),
        "space": world.space_brief(&page.space), "creator": world.person(&page.creator),
        "labels": labels.collect::<Value>(),
    });
    item["space"]["logo"] = Value::Null;
    item
}

fn live_page(world: &mut World, call: &Call, id: &str, least: Role) -> Result<String, Problem> {
    if world.find_page(id)?.deleted.is_some() {
        return Err(Problem::not_found("Page not found"));
    }
    world.open_page(&call.user, id, least)
}

fn label_json(world: &World, id: &str) -> Value {
    world.labels.get(id).map_or(Value::Null, |label| {
        json!({
            "id": label.id, "name": label.name, "type": "page", "workspaceId": world.workspace,
            "createdAt": label.created.shown(), "updatedAt": label.created.shown(),
        })
    })
}

impl World {
    /// The id of the label with this name. Creates the label if there is none.
    fn label(&mut self, name: &str) -> String {
        if let Some(label) = self.labels.values().find(|label| label.name == name) {
            return label.id.clone();
        }
        let label = Label {
            id: new_id(),
            name: name.to_owned(),
            created: Moment::now(),
        };
        let id = label.id.clone();
        self.labels.insert(id.clone(), label);
        id
    }
}
