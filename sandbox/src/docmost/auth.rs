//! Logins and sessions.

use actix_web::http::StatusCode;
use serde_json::{Map, Value, json};

use super::body::Check;
use super::envelope::{Answer, Problem, Reply};
use super::state::{Call, Moment, User, World, new_id};
use super::token::{self, Claims};
use crate::clock;

/// `auth/login`: the token comes in a cookie only.
pub(super) fn login(world: &mut World, fields: &Map<String, Value>) -> Answer {
    let mut check = Check::of(fields);
    let email = check.given("email").and_then(Value::as_str).unwrap_or_default();
    check.claim(is_email(email), "email must be an email");
    let password = check.filled("password");
    check.done()?;
    let user = world
        .users
        .values()
        .find(|user| user.email.eq_ignore_ascii_case(email) && user.password == password);
    let Some(id) = user.map(|user| user.id.clone()) else {
        let text = "Email or password does not match".to_owned();
        return Err(Problem::Said(StatusCode::UNAUTHORIZED, text));
    };
    log_in(world, &id)
}

/// Starts a session, and answers with its token in a cookie.
fn log_in(world: &mut World, user: &str) -> Answer {
    Ok(Reply::done().with_cookie(cookie(world, user)?))
}

/// Starts a session; gives the cookie with its token.
pub(super) fn cookie(world: &mut World, user: &str) -> Result<String, Problem> {
    if let Some(user) = world.users.get_mut(user) {
        user.last_login = Some(Moment::now());
    }
    let lifetime = world.options.docmost_token_lifetime;
    let token = world.issue(user, "access", lifetime).ok_or_else(Problem::internal)?;
    let expires = jiff::Timestamp::from_second(clock::now_ms() / 1000 + lifetime).unwrap_or_default();
    let expires = expires.strftime("%a, %d %b %Y %H:%M:%S GMT");
    Ok(format!(
        "authToken={token}; Path=/; Expires={expires}; HttpOnly; SameSite=Lax"
    ))
}

/// `auth/logout`: ends this session at once; other sessions continue.
#[expect(clippy::unnecessary_wraps, reason = "all routes have one shape")]
pub(super) fn logout(world: &mut World, call: &Call) -> Answer {
    world.sessions.remove(&call.session);
    let cookie = "authToken=; Max-Age=0; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; SameSite=Lax";
    Ok(Reply::done().with_cookie(cookie.to_owned()))
}

/// `users/me`: the caller and the workspace.
pub(super) fn me(world: &mut World, call: &Call) -> Answer {
    let user = world.users.get(&call.user).ok_or_else(Problem::unauthorized)?;
    Ok(Reply::data(
        json!({"user": user_json(world, user), "workspace": workspace_json(world)}),
    ))
}

/// `auth/collab-token`: opens documents, whichever, for a day. It belongs to no session.
pub(super) fn collab_token(world: &mut World, call: &Call) -> Answer {
    let now = clock::now_ms() / 1000;
    let claims = Claims {
        sub: call.user.clone(),
        email: String::new(),
        workspace_id: world.workspace.clone(),
        kind: "collab".to_owned(),
        session_id: String::new(),
        iat: now,
        exp: now + world.options.docmost_collab_token_lifetime,
        iss: "Docmost".to_owned(),
    };
    let token = token::sign(&claims, &world.workspace).ok_or_else(Problem::internal)?;
    Ok(Reply::data(json!({"token": token})))
}

fn user_json(world: &World, user: &User) -> Value {
    json!({
        "id": user.id, "email": user.email, "name": user.name, "emailVerifiedAt": user.created.shown(),
        "avatarUrl": null, "role": if user.is_owner { "owner" } else { "member" }, "workspaceId": world.workspace,
        "locale": "en-US", "timezone": null, "settings": null, "lastLoginAt": user.last_login.map(Moment::shown),
        "deactivatedAt": null, "createdAt": user.created.shown(), "updatedAt": user.created.shown(),
        "deletedAt": null, "hasGeneratedPassword": false,
    })
}

fn workspace_json(world: &World) -> Value {
    let general = world.spaces.values().next();
    json!({
        "id": world.workspace, "name": "Sandbox", "description": null, "logo": null, "hostname": null,
        "customDomain": null, "settings": null, "defaultRole": "member", "emailDomains": [],
        "defaultSpaceId": general.map(|space| &space.id), "createdAt": world.born.shown(),
        "updatedAt": world.born.shown(), "deletedAt": null, "stripeCustomerId": null, "status": null, "plan": null,
        "billingEmail": null, "trialEndAt": null, "enforceSso": false, "enforceMfa": false,
        "auditRetentionDays": null, "trashRetentionDays": null, "isScimEnabled": false,
        "memberCount": world.users.len(),
    })
}

fn is_email(text: &str) -> bool {
    text.split_once('@')
        .is_some_and(|(name, domain)| !name.is_empty() && domain.contains('.') && !domain.ends_with('.'))
}

impl World {
    /// A token for a user, with its own session, valid for `lifetime` seconds; negative: expired
    /// already.
    pub(super) fn issue(&mut self, user: &str, kind: &str, lifetime: i64) -> Option<String> {
        let email = self.users.get(user)?.email.clone();
        let session = new_id();
        let now = clock::now_ms() / 1000;
        let claims = Claims {
            sub: user.to_owned(),
            email,
            workspace_id: self.workspace.clone(),
            kind: kind.to_owned(),
            session_id: session.clone(),
            iat: now.min(now + lifetime),
            exp: now + lifetime,
            iss: "Docmost".to_owned(),
        };
        self.sessions.insert(session);
        token::sign(&claims, &self.workspace)
    }

    /// The user and session of a token. All refusals look the same, except for tokens of the
    /// enterprise edition.
    pub(super) fn authenticate(&self, token: &str) -> Result<(String, String), Problem> {
        let claims = token::verify(token, &self.workspace).ok_or_else(Problem::unauthorized)?;
        if claims.kind == "api_key" {
            let text = "Enterprise API Key module missing".to_owned();
            return Err(Problem::Said(StatusCode::UNAUTHORIZED, text));
        }
        let is_live = claims.kind == "access" && claims.exp > clock::now_ms() / 1000;
        if !is_live || !self.sessions.contains(&claims.session_id) {
            return Err(Problem::unauthorized());
        }
        Ok((claims.sub, claims.session_id))
    }
}
