//! What belongs to users and to the server as a whole: log-in, notifications, health, settings.

use serde_json::{Value, json};

use super::super::{Baserow, State};
use super::answer::{Answer, Answered};
use super::request::Request;
use super::route::Route;

/// The routes that ask nobody who they are.
pub(crate) fn open(baserow: &Baserow, route: Route, request: &Request) -> Answered {
    match route {
        Route::Health => Ok(Answer::html("OK")),
        Route::Settings => Ok(Answer::ok(&json!({
            "allow_new_signups": true,
            "allow_signups_via_workspace_invitations": true,
            "allow_reset_password": true,
            "allow_global_workspace_creation": true,
            "account_deletion_grace_delay": 30,
            "show_admin_signup_page": false,
            "track_workspace_usage": false,
            "show_baserow_help_request": true,
            "co_branding_logo": null,
            "email_verification": "no_verification",
            "verify_import_signature": true,
            "instance_wide_licenses": {},
        }))),
        Route::LogIn => log_in(baserow, request),
        Route::RefreshSession => refresh(baserow, request),
        _ => Err(Answer::no_route(&request.path)),
    }
}

/// `POST /api/user/token-auth/`. The permissions that a real answer lists are left out: nothing reads them.
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
        "user_notifications": {"unread_count": state.notifications.len()},
        "active_licenses": {"instance_wide": {}, "per_workspace": {}},
    })))
}

/// `POST /api/user/token-refresh/`
fn refresh(baserow: &Baserow, request: &Request) -> Answered {
    let body = request.object()?;
    let given = body.get("refresh_token").and_then(Value::as_str).unwrap_or_default();
    let doors = &mut baserow.lock().doors;
    let user = doors.session(given).ok_or_else(|| {
        Answer::refusal(
            401,
            "ERROR_INVALID_REFRESH_TOKEN",
            "Refresh token is expired or invalid.",
        )
    })?;
    let access = doors.log_in(user);
    Ok(Answer::ok(&json!({"token": access, "access_token": access})))
}

/// `GET /api/notifications/{workspace}/`, newest first.
pub(crate) fn notifications(state: &State, request: &Request) -> Answer {
    let limit = request
        .parameter("limit")
        .and_then(|limit| limit.parse().ok())
        .unwrap_or(50);
    let newest: Vec<&Value> = state.notifications.iter().rev().take(limit).collect();
    Answer::ok(&json!({"count": state.notifications.len(), "next": null, "previous": null, "results": newest}))
}

/// `DELETE /api/notifications/{workspace}/`
pub(crate) fn forget_notifications(state: &mut State) -> Answer {
    state.notifications.clear();
    Answer::done()
}

/// `GET /api/_health/full/`
pub(crate) fn full_health() -> Answer {
    let checks = [
        "Cache backend: default",
        "Cache backend: generated-models",
        "CeleryPingHealthCheck",
        "DatabaseBackend",
        "DebugModeHealthCheck",
        "DefaultFileStorageHealthCheck",
        "DiskUsage",
        "MemoryUsage",
        "MigrationsHealthCheck",
        "RedisHealthCheck",
    ];
    let checks = checks.map(|check| (check.to_owned(), json!("working")));
    Answer::ok(&json!({
        "passing": true,
        "checks": Value::Object(checks.into_iter().collect()),
        "celery_queue_size": 0,
        "celery_export_queue_size": 0,
    }))
}
