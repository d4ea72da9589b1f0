//! The row API: the recorded answers, in the recorded order.

use reqwest::Method;
use serde_json::{Value, json};

use super::capture::Exchange;
use super::world::World;

/// Rows of `projet` with a linked client.
pub(crate) const ROWS: &[&str] = &[
    "A01-row-create",
    "A02-row-get",
    "A02-row-get-field-ids",
    "A03-row-get-404",
    "A03-row-patch-404",
    "A03-table-404",
    "A04-bad-jwt",
    "A04-bad-scheme",
    "A04-bad-token",
    "A04-no-auth",
    "A04-token-empty",
    "A04-token-with-space",
    "A06-list",
    "A06-filter-page-id-names",
    "A06-filter-page-id-field-id",
    "A06-filters-json",
    "A06-filter-empty",
    "A06-filter-none",
    "A06-filter-unknown-field",
    "A06-filter-bad-type",
    "A06-filter-link_row_has",
    "A06-search",
    "A06-order-by",
    "A06-include-exclude",
    "A06-page-too-high",
    "A06-size-201",
    "A07-patch",
    "A07-patch-field-ids",
    "A07-patch-null",
    "A07-patch-unknown-field",
    "A07-patch-empty-body",
    "A07-patch-mixed-unknown",
    "A07-patch-names-without-ufn",
    "A07-patch-readonly-formula",
    "A08-bad-url",
    "A08-url-single-label-host",
    "A08-url-localhost",
    "A08-bad-select",
    "A08-bad-select-id",
    "A08-bad-link",
    "A08-link-by-name",
    "A08-text-number",
    "A08-wrong-type",
    "A08-bad-email",
    "A08-bad-number",
    "A08-number-too-precise",
    "A09-wrong-content-type",
    "A09-array-body",
    "A09-invalid-json",
    "A09-method-not-allowed",
    "A09-no-trailing-slash",
    "A09-patch-no-trailing-slash",
    "A09-bad-row-id",
    "A09-unknown-route",
    "A10-batch-patch",
    "A10-batch-patch-one-bad",
    "A10-batch-patch-one-missing",
    "A10-batch-dup-ids",
    "A10-batch-empty",
    "A10-batch-post",
    "A10-batch-size-0",
    "A10-batch-delete",
    "A10-batch-delete-missing",
    "A11-delete",
    "A11-delete-again",
    "A11-get-deleted",
    "A11-patch-deleted",
    "80-batch-201-call",
];

/// Before this record, the test adds the rows of the batches.
const FIRST_BATCH: &str = "A10-batch-patch";

/// Rows with accents in their field names, and the other routes.
pub(crate) const REST: &[&str] = &[
    "A12-accents-create",
    "A12-accents-filter",
    "A12-accents-patch",
    "A12-nfd-name-patch",
    "A12-case-different-name",
    "A12-bad-date",
    "A12-dup-field-name",
    "A12-reserved-field-name",
    "A13-all-tables-with-token",
    "A13-fields-list-with-db-token",
    "A13-head",
    "A13-health",
    "A13-token-check",
    "A13-token-check-bad",
    "A13-webhooks-list-with-token",
    "A14-optimistic-unsupported-if-match",
];

pub(crate) const FIELDS: &[&str] = &[
    "00-list-fields-personne",
    "00-list-fields-projet",
    "00-list-fields-essai",
];

pub(crate) const PERMISSIONS: &[&str] = &["A05-readonly-token-patch", "A05-readonly-token-post"];
pub(crate) const OTHER_TABLE: &str = "A05-token-other-table-get";
pub(crate) const BAD_HOST: &str = "A09-bad-host";
pub(crate) const TOKEN: &str = "00-create-token";
pub(crate) const LOGIN: &str = "00-token-auth";

/// A world in which the next project is 2595, and client 7 is the fourth.
async fn world() -> anyhow::Result<World> {
    let world = World::start().await?;
    for id in 1..=3 {
        world.seed("client", id, json!({"Name": "other"})).await?;
    }
    world.seed("client", 7, json!({"Name": "REST client"})).await?;
    world
        .seed("personne", 1, json!({"Nom": "Anne", "heures_max": "100"}))
        .await?;
    world.seed("projet", 2594, json!({"Nom": "gone"})).await?;
    world
        .send(Method::DELETE, "/api/database/rows/table/2/2594/", &json!({}))
        .await?;
    Ok(world)
}

#[tokio::test]
async fn rows_are_answered_as_recorded() -> anyhow::Result<()> {
    let world = world().await?;
    for name in ROWS {
        if *name == FIRST_BATCH {
            world.seed("projet", 2596, json!({"Nom": "q0"})).await?;
            world.seed("projet", 2597, json!({"Nom": "q1"})).await?;
        }
        world.replay(name).await?;
    }
    world.stop().await
}

#[tokio::test]
async fn field_names_routes_and_health_are_answered_as_recorded() -> anyhow::Result<()> {
    let world = World::start().await?;
    for id in 1..=3 {
        world.seed("essai", id, json!({"note": "other"})).await?;
    }
    // The recorded server's formula counts the hours of one table, the shipped schema's of both.
    let recorded = json!({"formula": "field('heures_max') - sum(lookup('attribution','heures'))"});
    world.send(Method::PATCH, "/api/database/fields/25/", &recorded).await?;
    for name in FIELDS.iter().chain(REST) {
        world.replay(name).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_token_without_the_right_is_answered_401() -> anyhow::Result<()> {
    let world = world().await?;
    world.seed("projet", 2595, json!({"Nom": "REST projet"})).await?;
    let readonly = json!({"key": "readonly", "may": ["read"]});
    let elsewhere = json!({"key": "elsewhere", "tables": [1]});
    for token in [readonly, elsewhere] {
        world.control(Method::POST, "baserow/tokens", &token).await?;
    }
    for name in PERMISSIONS {
        world.replay_as(name, "readonly").await?;
    }
    world.replay_as(OTHER_TABLE, "elsewhere").await
}

#[tokio::test]
async fn an_unknown_host_is_answered_400() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.set("hosts", json!(["127.0.0.1"])).await?;
    world.replay(BAD_HOST).await
}

#[tokio::test]
async fn a_log_in_has_the_recorded_shape() -> anyhow::Result<()> {
    let world = World::start().await?;
    let recorded = Exchange::load(LOGIN)?;
    let (status, answer) = world
        .send(
            Method::POST,
            &recorded.request.path,
            &serde_json::from_str(&recorded.request.body.unwrap_or_default())?,
        )
        .await?;
    let wanted: Value = serde_json::from_str(&recorded.response.body)?;
    assert_eq!(status, recorded.response.status);
    assert_eq!(answer["user"], wanted["user"]);
    assert_eq!(keys(&answer), keys(&wanted));
    Ok(())
}

fn keys(json: &Value) -> Option<Vec<String>> {
    json.as_object().map(|object| object.keys().cloned().collect())
}

#[tokio::test]
async fn a_token_that_a_user_makes_is_shown_as_recorded_and_opens_rows() -> anyhow::Result<()> {
    let world = World::start().await?;
    let recorded = Exchange::load(TOKEN)?;
    let body = serde_json::from_str(&recorded.request.body.unwrap_or_default())?;
    let (status, answer) = world.send(Method::POST, &recorded.request.path, &body).await?;
    let wanted: Value = serde_json::from_str(&recorded.response.body)?;
    assert_eq!(status, recorded.response.status);
    assert_eq!(keys(&answer), keys(&wanted));
    for field in ["name", "workspace", "permissions"] {
        assert_eq!(answer[field], wanted[field], "{field}");
    }
    let length = |token: &Value| token["key"].as_str().map(str::len);
    assert_eq!(length(&answer), length(&wanted));
    let listed = world.get("/api/database/tokens/").await?;
    assert_eq!(listed.as_array().and_then(|tokens| tokens.last()), Some(&answer));
    Ok(())
}

#[tokio::test]
async fn a_wrong_password_opens_no_session_and_an_ended_session_is_refused() -> anyhow::Result<()> {
    let world = World::start().await?;
    let login = json!({"email": "admin@example.com", "password": "wrong"});
    let (status, answer) = world.send(Method::POST, "/api/user/token-auth/", &login).await?;
    assert_eq!(
        (status, answer["error"].as_str()),
        (401, Some("ERROR_INVALID_CREDENTIALS"))
    );
    world.control(Method::DELETE, "baserow/sessions", &json!({})).await?;
    let answer = world.get("/api/database/webhooks/table/2/").await?;
    assert_eq!(answer["error"], json!("ERROR_INVALID_ACCESS_TOKEN"));
    Ok(())
}

#[tokio::test]
async fn pages_of_a_list_follow_each_other_without_a_gap() -> anyhow::Result<()> {
    let world = World::start().await?;
    let rows: Vec<Value> = (0..450).map(|number| json!({"Nom": format!("P{number}")})).collect();
    world
        .control(Method::POST, "baserow/tables/projet/rows", &json!(rows))
        .await?;
    let mut path = "/api/database/rows/table/2/?size=200&user_field_names=true".to_owned();
    let mut names = Vec::new();
    loop {
        let page = world.get(&path).await?;
        assert_eq!(page["count"], json!(450));
        names.extend(
            page["results"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|row| row["Nom"].clone()),
        );
        let Some(next) = page["next"].as_str() else { break };
        path = next.replace(&world.url, "");
    }
    let wanted: Vec<Value> = (0..450).map(|number| json!(format!("P{number}"))).collect();
    assert_eq!(names, wanted);
    Ok(())
}
