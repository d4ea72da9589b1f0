//! Invitations: how an owner makes accounts. Nothing is mailed; the link is read and accepted.

use rand::distr::{Alphanumeric, SampleString as _};
use serde_json::{Map, Value, json};

use super::auth;
use super::body::Check;
use super::envelope::{Answer, Problem, Reply};
use super::paging::{Order, Paging, Row};
use super::state::{Call, Invitation, Moment, Role, World, new_id};

const BY_ID: Order = Order {
    field: "id",
    descending: false,
};

/// `workspace/invites/create`: by the owner. An address that has an account, or was invited
/// already, is left out silently.
pub(super) fn create(world: &mut World, call: &Call) -> Answer {
    let mut check = Check::of(&call.fields);
    let emails = check.given("emails").and_then(Value::as_array);
    let emails: Vec<String> = emails
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_lowercase)
        .collect();
    check.claim(!emails.is_empty(), "emails must contain at least 1 elements");
    check.filled("role");
    check.done()?;
    only_owner(world, call)?;
    for email in emails {
        let is_known = world.users.values().any(|user| user.email.eq_ignore_ascii_case(&email))
            || world.invitations.values().any(|invited| invited.email == email);
        if is_known {
            continue;
        }
        let invitation = Invitation {
            email,
            token: Alphanumeric.sample_string(&mut rand::rng(), 16).to_lowercase(),
            created: Moment::now(),
        };
        world.invitations.insert(new_id(), invitation);
    }
    Ok(Reply::done())
}

/// `workspace/invites`: those that nobody has accepted yet.
pub(super) fn list(world: &mut World, call: &Call) -> Answer {
    let paging = Paging::of(&call.fields)?;
    let query = call.fields.get("query").and_then(Value::as_str).unwrap_or_default();
    let query = query.to_lowercase();
    only_owner(world, call)?;
    let wanted = world
        .invitations
        .iter()
        .filter(|(_, invited)| invited.email.contains(&query));
    let shown = wanted.map(|(id, invited)| {
        let item = json!({
            "id": id, "email": invited.email, "role": "member", "workspaceId": world.workspace,
            "createdAt": invited.created.shown(),
        });
        Row::new(id.clone(), id.clone(), item)
    });
    Ok(Reply::data(paging.page(shown.collect(), BY_ID)?))
}

/// `workspace/invites/link`: the address to accept it at.
pub(super) fn link(world: &mut World, call: &Call) -> Answer {
    let mut check = Check::of(&call.fields);
    let id = check.uuid("invitationId");
    check.done()?;
    only_owner(world, call)?;
    let invited = world.invitations.get(&id);
    let invited = invited.ok_or_else(|| Problem::not_found("Invitation not found"))?;
    let link = format!("http://localhost:3000/invites/{id}?token={}", invited.token);
    Ok(Reply::data(json!({"inviteLink": link})))
}

/// `workspace/invites/accept`: makes the account, a writer in the default space.
pub(super) fn accept(world: &mut World, fields: &Map<String, Value>) -> Answer {
    let mut check = Check::of(fields);
    let id = check.uuid("invitationId");
    let (token, name) = (check.filled("token"), check.sized("name", 2, 60));
    let password = check.sized("password", 8, 70);
    check.done()?;
    let invited = world.invitations.get(&id);
    let invited = invited.ok_or_else(|| Problem::bad_request("Invitation not found"))?;
    if invited.token != token {
        return Err(Problem::bad_request("Invalid invitation token"));
    }
    let email = invited.email.clone();
    world.invitations.remove(&id);
    let user = world.add_user(&name, &email, &password);
    if let Some(general) = world.spaces.values_mut().next() {
        general.members.insert(user.clone(), Role::Writer);
    }
    let cookie = auth::cookie(world, &user)?;
    Ok(Reply::data(json!({"requiresLogin": false})).with_cookie(cookie))
}

fn only_owner(world: &World, call: &Call) -> Result<(), Problem> {
    let is_owner = world.users.get(&call.user).is_some_and(|user| user.is_owner);
    is_owner.then_some(()).ok_or_else(Problem::forbidden)
}
