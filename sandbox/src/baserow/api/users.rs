//! The routes that need no credentials: health and log-in.

use serde_json::{Value, json};

use super::super::Baserow;
use super::answer::{Answer, Answered};
use super::request::Request;
use super::route::Route;

/// Answers a route of [`super::route::Door::Open`].
pub(crate) fn open(baserow: &Baserow, route: Route, request: &Request) -> Answered {
    match route {
        Route::Health => Ok(Answer::html("OK")),
        Route::LogIn => log_in(baserow, request),
        _ => Err(Answer::no_route(&request.path)),
    }
}

/// `POST /api/user/token-auth/`. Leaves out the permissions of a real answer, because nothing reads
/// them.
fn log_in(baserow: &Baserow, request: &Request) -> Answered {
    let body = request.object()?;
    let given = |key: &str| body.get(key).and_then(Value::as_str).unwrap_or_default();
    let state = &mut *baserow.lock();
    let user = match given("email") {
        "" => given("username"),
        email => email,
    };
    if user != state.settings.email || given("password") != state.settings.password {
        return Err(Answer::refusal(
            401,
            "ERROR_INVALID_CREDENTIALS",
            "No active account found with the given credentials.",
        ));
    }
    let (access, refresh) = (state.doors.log_in(1), state.doors.log_in(1));
    Ok(Answer::ok(&json!({
        "token": access,
        "access_token": access,
        "refresh_token": refresh,
        "user_session": refresh,
        "user": {
            "first_name": "Admin",
            "username": state.settings.email,
            "is_staff": true,
            "id": 1,
            "language": "en",
            "email_notification_frequency": "instant",
            "email_verified": false,
            "completed_onboarding": false,
            "completed_guided_tours": [],
        },
        "permissions": [],
        "user_notifications": {"unread_count": 0},
        "active_licenses": {"instance_wide": {}, "per_workspace": {}},
    })))
}
