//! Who is calling: logins, sessions, and the limit on logins.

use actix_web::http::StatusCode;
use serde_json::{Map, Value, json};

use super::body::Check;
use super::envelope::{Answer, Problem, Reply};
use super::state::{Call, Moment, Session, User, World, new_id};
use super::token::{self, Claims};
use crate::clock;

/// Logins per client address and route before they are refused.
pub(super) const LOGINS: usize = 10;
/// For how long they are counted, and then refused, in milliseconds.
const WINDOW_MS: i64 = 60_000;

/// The routes whose calls are counted.
pub(super) fn is_throttled(path: &str) -> bool {
    matches!(
        path,
        "/api/auth/login"
            | "/api/auth/setup"
            | "/api/auth/forgot-password"
            | "/api/auth/password-reset"
            | "/api/auth/verify-token"
    )
}

/// How many calls of a client to one of those routes were counted, and what follows from it.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    since: i64,
    count: usize,
    refused_until: i64,
}

impl Throttle {
    /// Counts a call at `now` (milliseconds): the calls left and the seconds until the count starts anew, or a refusal.
    /// A refusal lasts for a minute and is not prolonged by more calls.
    pub(super) fn count(&mut self, now: i64) -> Result<(usize, i64), Problem> {
        if now < self.refused_until {
            return Err(Problem::Throttled(seconds(self.refused_until - now)));
        }
        if self.refused_until > 0 || now - self.since >= WINDOW_MS {
            *self = Self {
                since: now,
                ..Self::default()
            };
        }
        self.count += 1;
        if self.count > LOGINS {
            self.refused_until = now + WINDOW_MS;
            return Err(Problem::Throttled(seconds(WINDOW_MS)));
        }
        Ok((LOGINS - self.count, seconds(self.since + WINDOW_MS - now)))
    }
}

/// Whole seconds, rounded up.
const fn seconds(millis: i64) -> i64 {
    (millis + 999) / 1000
}

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
    logged_in(world, &id, None)
}

/// Starts a session, and answers with its token in a cookie.
pub(super) fn logged_in(world: &mut World, user: &str, data: Option<Value>) -> Answer {
    if let Some(user) = world.users.get_mut(user) {
        user.last_login = Some(Moment::now());
    }
    let lifetime = world.options.docmost_token_lifetime;
    let token = world.issue(user, "access", lifetime).ok_or_else(Problem::internal)?;
    let expires = jiff::Timestamp::from_second(clock::now_ms() / 1000 + lifetime).unwrap_or_default();
    let expires = expires.strftime("%a, %d %b %Y %H:%M:%S GMT");
    let cookie = format!("authToken={token}; Path=/; Expires={expires}; HttpOnly; SameSite=Lax");
    Ok(data.map_or_else(Reply::done, Reply::data).with_cookie(cookie))
}

/// `auth/setup`: the workspace is there already.
pub(super) fn setup(_world: &mut World, fields: &Map<String, Value>) -> Answer {
    let mut check = Check::of(fields);
    let email = check.given("email").and_then(Value::as_str).unwrap_or_default();
    check.claim(is_email(email), "email must be an email");
    let has_password = check.given("password").is_some_and(Value::is_string);
    check.claim(has_password, "password must be a string");
    check.done()?;
    let text = "Workspace setup already completed.".to_owned();
    Err(Problem::Said(StatusCode::FORBIDDEN, text))
}

/// `auth/logout`: the session ends at once, other sessions go on.
#[expect(clippy::unnecessary_wraps, reason = "all routes have one shape")]
pub(super) fn logout(world: &mut World, call: &Call) -> Answer {
    world.sessions.remove(&call.session);
    let cookie = "authToken=; Max-Age=0; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; SameSite=Lax";
    Ok(Reply::done().with_cookie(cookie.to_owned()))
}

/// `sessions`: the caller's own, latest first.
#[expect(clippy::unnecessary_wraps, reason = "all routes have one shape")]
pub(super) fn sessions(world: &mut World, call: &Call) -> Answer {
    let own = world.sessions.iter().filter(|(_, session)| session.user == call.user);
    let mut own: Vec<(&String, &Session)> = own.collect();
    own.sort_by_key(|(_, session)| std::cmp::Reverse(session.last_active));
    let own: Vec<Value> = own
        .into_iter()
        .map(|(id, session)| {
            json!({
                "id": id, "deviceName": null, "geoLocation": null, "lastActiveAt": session.last_active.shown(),
                "createdAt": session.created.shown(), "isCurrentDevice": *id == call.session,
            })
        })
        .collect();
    Ok(Reply::data(json!({"sessions": own})))
}

/// `users/me`: the caller and the workspace.
pub(super) fn me(world: &mut World, call: &Call) -> Answer {
    let user = world.users.get(&call.user).ok_or_else(Problem::unauthorized)?;
    Ok(Reply::data(
        json!({"user": user_json(world, user), "workspace": workspace_json(world)}),
    ))
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

pub(super) fn is_email(text: &str) -> bool {
    text.split_once('@')
        .is_some_and(|(name, domain)| !name.is_empty() && domain.contains('.') && !domain.ends_with('.'))
}

impl World {
    /// A token for a user, with a session of its own, that is good for `lifetime` seconds (negative: expired already).
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
        let moment = Moment::now();
        let new = Session {
            user: user.to_owned(),
            created: moment,
            last_active: moment,
        };
        self.sessions.insert(session, new);
        token::sign(&claims, &self.workspace)
    }

    /// The user and session of a token. Every reason to refuse it looks the same, but for tokens of the enterprise edition.
    pub(super) fn authenticate(&mut self, token: &str) -> Result<(String, String), Problem> {
        let claims = token::verify(token, &self.workspace).ok_or_else(Problem::unauthorized)?;
        if claims.kind == "api_key" {
            let text = "Enterprise API Key module missing".to_owned();
            return Err(Problem::Said(StatusCode::UNAUTHORIZED, text));
        }
        let is_live = claims.kind == "access" && claims.exp > clock::now_ms() / 1000;
        let session = self.sessions.get_mut(&claims.session_id).filter(|_| is_live);
        let session = session.ok_or_else(Problem::unauthorized)?;
        session.last_active = Moment::now();
        Ok((claims.sub, claims.session_id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: i64 = 1_732_280_000_000;

    #[test]
    fn the_eleventh_login_in_a_minute_is_refused_for_a_minute_that_more_tries_do_not_prolong() {
        let mut throttle = Throttle::default();
        for left in (0..LOGINS).rev() {
            assert!(matches!(throttle.count(START + 1_000), Ok((counted, 60)) if counted == left));
        }
        assert!(matches!(throttle.count(START + 2_000), Err(Problem::Throttled(60))));
        assert!(matches!(throttle.count(START + 57_000), Err(Problem::Throttled(5))));
        assert!(matches!(throttle.count(START + 62_000), Ok((9, 60))));
    }

    #[test]
    fn the_count_starts_anew_a_minute_after_the_first_login() {
        let mut throttle = Throttle::default();
        for _ in 0..LOGINS {
            assert!(throttle.count(START + 1_000).is_ok());
        }
        assert!(matches!(throttle.count(START + 61_000), Ok((9, _))));
    }
}
