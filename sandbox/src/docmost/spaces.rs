//! Spaces and their members.

use serde_json::{Value, json};

use super::body::Check;
use super::envelope::{Answer, Problem, Reply};
use super::paging::{Order, Paging, Row};
use super::state::{Call, Moment, Role, Space, World, new_id};

const BY_NAME: Order = Order {
    field: "name",
    descending: false,
};

/// `spaces`: the spaces of which the caller is a member, by name.
pub(super) fn list(world: &mut World, call: &Call) -> Answer {
    let paging = Paging::of(&call.fields)?;
    let query = call
        .fields
        .get("query")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_lowercase();
    let mine = world.spaces.values().filter_map(|space| {
        let role = *space.members.get(&call.user)?;
        let mut item = space_json(world, space);
        item["membership"] = json!({"userId": call.user, "role": role.word()});
        let wanted = space.name.to_lowercase().contains(&query);
        wanted.then(|| Row::new(space.name.clone(), space.id.clone(), item))
    });
    Ok(Reply::data(paging.page(mine.collect(), BY_NAME)?))
}

/// `spaces/info`: by UUID or slug.
pub(super) fn info(world: &mut World, call: &Call) -> Answer {
    let mut check = Check::of(&call.fields);
    let wanted = check.filled("spaceId");
    check.done()?;
    let found = world
        .spaces
        .values()
        .find(|space| space.id == wanted || space.slug.eq_ignore_ascii_case(&wanted));
    let id = found.map(|space| space.id.clone());
    let id = id.ok_or_else(|| Problem::not_found("Space not found"))?;
    let role = world.require(&call.user, &id, Role::Reader)?;
    let space = world.spaces.get(&id).ok_or_else(Problem::internal)?;
    let mut data = space_json(world, space);
    data["membership"] = json!({"userId": call.user, "role": role.word(), "permissions": permissions(role)});
    Ok(Reply::data(data))
}

fn permissions(role: Role) -> Value {
    let able = |action: &str, subject: &str| json!({"action": action, "subject": subject});
    let (own, pages) = match role {
        Role::Admin => ("manage", "manage"),
        Role::Writer => ("read", "manage"),
        Role::Reader => ("read", "read"),
    };
    json!([
        able(own, "settings"),
        able(own, "member"),
        able(pages, "page"),
        able(pages, "share")
    ])
}

/// `spaces/create`: by the owner of the workspace only; the slug is unique, whatever its case.
pub(super) fn create(world: &mut World, call: &Call) -> Answer {
    let mut check = Check::of(&call.fields);
    let name = check.sized("name", 2, 100);
    let slug = check
        .given("slug")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    let length = slug.chars().count();
    check.claim(length >= 2, "slug must be longer than or equal to 2 characters");
    check.claim(length <= 100, "slug must be shorter than or equal to 100 characters");
    let rule = "Space slug must start with a letter or number and may contain hyphens and underscores";
    check.claim(is_slug(&slug), rule);
    let description = check.text("description").unwrap_or_default();
    check.done()?;
    if !world.users.get(&call.user).is_some_and(|user| user.is_owner) {
        return Err(Problem::forbidden());
    }
    if world
        .spaces
        .values()
        .any(|space| space.slug.eq_ignore_ascii_case(&slug))
    {
        let text = "Space slug exists. Please use a unique space slug";
        return Err(Problem::bad_request(text));
    }
    let id = world.add_space(&name, &slug, &call.user);
    if let Some(space) = world.spaces.get_mut(&id) {
        space.description = description;
    }
    let space = world.spaces.get(&id).ok_or_else(Problem::internal)?;
    Ok(Reply::data(space_json(world, space)))
}

fn is_slug(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphanumeric())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// `spaces/members/add`: by an admin of the space.
pub(super) fn add_members(world: &mut World, call: &Call) -> Answer {
    let mut check = Check::of(&call.fields);
    let id = check.uuid("spaceId");
    let role = role_of(&mut check);
    check.done()?;
    world.require(&call.user, &id, Role::Admin)?;
    let users = call.fields.get("userIds").and_then(Value::as_array);
    let users = users.into_iter().flatten().filter_map(Value::as_str);
    let known: Vec<String> = users
        .filter(|user| world.users.contains_key(*user))
        .map(str::to_owned)
        .collect();
    if let Some(space) = world.spaces.get_mut(&id) {
        for user in known {
            space.members.entry(user).or_insert(role);
        }
    }
    Ok(Reply::done())
}

/// `spaces/members/change-role`: by an admin of the space. Cached roles stay valid for their five
/// seconds.
pub(super) fn change_role(world: &mut World, call: &Call) -> Answer {
    let mut check = Check::of(&call.fields);
    let id = check.uuid("spaceId");
    let user = check.uuid("userId");
    let role = role_of(&mut check);
    check.done()?;
    world.require(&call.user, &id, Role::Admin)?;
    let member = world.spaces.get_mut(&id).and_then(|space| space.members.get_mut(&user));
    *member.ok_or_else(|| Problem::not_found("Space membership not found"))? = role;
    Ok(Reply::done())
}

fn role_of(check: &mut Check<'_>) -> Role {
    let role = check.given("role").and_then(Value::as_str).and_then(Role::parse);
    check.claim(
        role.is_some(),
        "role must be one of the following values: admin, writer, reader",
    );
    role.unwrap_or(Role::Reader)
}

fn space_json(world: &World, space: &Space) -> Value {
    json!({
        "id": space.id, "name": space.name, "description": space.description, "slug": space.slug, "logo": null,
        "visibility": "private", "defaultRole": "writer", "creatorId": space.creator, "workspaceId": world.workspace,
        "createdAt": space.created.shown(), "updatedAt": space.created.shown(), "deletedAt": null, "settings": null,
        "isPersonal": false, "memberCount": space.members.len(),
    })
}

impl World {
    /// Adds a space with one member, its admin, and gives its id.
    pub(super) fn add_space(&mut self, name: &str, slug: &str, creator: &str) -> String {
        let space = Space {
            id: new_id(),
            name: name.to_owned(),
            slug: slug.to_owned(),
            description: String::new(),
            creator: creator.to_owned(),
            created: Moment::now(),
            members: [(creator.to_owned(), Role::Admin)].into(),
        };
        let id = space.id.clone();
        self.spaces.insert(id.clone(), space);
        id
    }

    /// A space as answers about pages show it.
    pub(super) fn space_brief(&self, id: &str) -> Value {
        let space = self.spaces.get(id);
        json!({"id": id, "name": space.map(|space| &space.name), "slug": space.map(|space| &space.slug)})
    }
}
