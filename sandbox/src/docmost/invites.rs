//! Invitations: how a workspace gets a new account without mail.

use actix_web::http::StatusCode;
use rand::distr::{Alphanumeric, SampleString as _};
use serde_json::{Map, Value, json};

use super::auth;
use super::body::Check;
use super::envelope::{Answer, Problem, Reply};
use super::paging::{Order, Paging, Row};
use super::state::{Call, Moment, Role, World, new_id};

/// An invitation that nobody has accepted yet.
#[derive(Debug)]
pub(super) struct Invitation {
    email: String,
    token: String,
    created: Moment,
}

fn require_owner(world: &World, call: &Call) -> Result<(), Problem> {
    let is_owner = world.users.get(&call.user).is_some_and(|user| user.is_owner);
    is_owner.then_some(()).ok_or_else(Problem::forbidden)
}

/// `workspace/invites/create`: by the owner.
pub(super) fn create(world: &mut World, call: &Call) -> Answer {
    let check = Check::of(&call.fields);
    let emails = check.given("emails").and_then(Value::as_array);
    let emails: Vec<String> = emails
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect();
    if emails.is_empty() || !emails.iter().all(|email| auth::is_email(email)) {
        return Err(Problem::Invalid(vec![
            "each value in emails must be an email".to_owned(),
        ]));
    }
    require_owner(world, call)?;
    for email in emails {
        let invitation = Invitation {
            email,
            token: Alphanumeric.sample_string(&mut rand::rng(), 16).to_lowercase(),
            created: Moment::now(),
        };
        world.invitations.insert(new_id(), invitation);
    }
    Ok(Reply::done())
}

/// `workspace/invites`: the open ones.
pub(super) fn list(world: &mut World, call: &Call) -> Answer {
    let paging = Paging::of(&call.fields)?;
    let rows = world.invitations.iter().map(|(id, invitation)| {
        let item = json!({
            "id": id, "email": invitation.email, "role": "member", "workspaceId": world.workspace,
            "createdAt": invitation.created.shown(),
        });
        Row::new(id.clone(), id.clone(), item)
    });
    let order = Order {
        field: "id",
        descending: true,
    };
    Ok(Reply::data(paging.page(rows.collect(), order)?))
}

/// `workspace/invites/link`: the link with the token, for the owner to pass on.
pub(super) fn link(world: &mut World, call: &Call) -> Answer {
    let mut check = Check::of(&call.fields);
    let id = check.uuid("invitationId");
    check.done()?;
    require_owner(world, call)?;
    let invitation = world.invitations.get(&id);
    let invitation = invitation.ok_or_else(|| Problem::not_found("Invitation not found"))?;
    let link = format!("http://localhost:3100/invites/{id}?token={}", invitation.token);
    Ok(Reply::data(json!({"inviteLink": link})))
}

/// `workspace/invites/accept`: makes the account, a writer of the default space, and logs it in.
pub(super) fn accept(world: &mut World, fields: &Map<String, Value>) -> Answer {
    let mut check = Check::of(fields);
    let id = check.uuid("invitationId");
    let token = check.filled("token");
    let name = check.filled("name");
    let password = check.sized("password", (8, 70));
    check.done()?;
    let invitation = world
        .invitations
        .get(&id)
        .filter(|invitation| invitation.token == token);
    let Some(email) = invitation.map(|invitation| invitation.email.clone()) else {
        return Err(Problem::Said(
            StatusCode::BAD_REQUEST,
            "Invitation not found".to_owned(),
        ));
    };
    world.invitations.remove(&id);
    let user = world.add_user(&name, &email, &password);
    if let Some(space) = world.spaces.values_mut().next() {
        space.members.insert(user.clone(), Role::Writer);
    }
    auth::logged_in(world, &user, Some(json!({"requiresLogin": false})))
}
