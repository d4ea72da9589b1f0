//! What only a user of Baserow may do: making tables and fields, and seeing and making webhooks.
//! Database tokens are answered 401 there.
//!
//! Baserow shows a webhook's headers in clear, and they hold the secret of the ingress: nothing of
//! them is logged or put into a failure.

use std::collections::BTreeMap;

use passerelle_model::config::{BaserowSettings, BaserowUserSettings, Owner, WebhookSecrets};
use passerelle_model::id::TableId;
use passerelle_model::ledger::FailureClass;
use reqwest::{Client, Method};
use secrecy::ExposeSecret as _;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::clients::answer::{Effect, exchange, http};
use crate::clients::baserow::meaning::classify;
use crate::clients::baserow::setup::Workspace;
use crate::clients::baserow::{Field, Table};
use crate::failure::{Failure, Target};

/// The path that webhooks of the bridge call, whatever stands before and behind it.
pub const BRIDGE_PATH: &str = "/api/webhooks/baserow/";

/// Baserow, signed in as a user.
pub struct BaserowUser {
    http: Client,
    url: String,
    token: String,
}

impl std::fmt::Debug for BaserowUser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BaserowUser")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

/// A database with its tables, as the user sees it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Database {
    pub id: u64,
    pub name: String,
    /// `database`, or another kind of application.
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    pub tables: Vec<Table>,
    /// Where it is; older versions of Baserow do not tell.
    #[serde(default)]
    pub workspace: Option<Workspace>,
}

/// A webhook of a table.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct Webhook {
    pub id: u64,
    #[serde(flatten)]
    pub call: WebhookCall,
    /// Whether it calls at all; nine failures in a row switch it off.
    pub active: bool,
    /// Failures in a row.
    #[serde(default)]
    pub failed_triggers: u32,
    /// When Baserow last changed it, in Baserow's own spelling: switching it off is a change.
    #[serde(default)]
    pub updated_on: String,
}

impl Webhook {
    /// Whether it calls a bridge.
    pub fn calls_the_bridge(&self) -> bool {
        self.call.url.contains(BRIDGE_PATH)
    }

    /// Whose it is, by the secrets that are live here.
    pub fn owner(&self, secrets: &WebhookSecrets) -> Owner {
        secrets.owner(&self.call.headers)
    }

    /// Whether it calls a bridge, and nothing shows that it is another than this one.
    pub fn may_be_ours(&self, secrets: &WebhookSecrets) -> bool {
        self.calls_the_bridge() && self.owner(secrets) != Owner::Another
    }
}

/// What a webhook calls, and when.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookCall {
    /// Its name in Baserow's list.
    pub name: String,
    pub url: String,
    /// Fixed headers, secrets among them.
    pub headers: BTreeMap<String, String>,
    /// All events, or only those named.
    pub include_all_events: bool,
    /// `rows.created`, `rows.updated`, `rows.deleted`.
    pub events: Vec<String>,
    /// Field names instead of numbers in the payload.
    pub use_user_field_names: bool,
}

impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Webhook")
            .field("id", &self.id)
            .field("call", &self.call)
            .field("active", &self.active)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for WebhookCall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Without the headers: they hold a secret.
        f.debug_struct("WebhookCall")
            .field("url", &self.url)
            .field("events", &self.events)
            .finish_non_exhaustive()
    }
}

impl BaserowUser {
    pub async fn log_in(server: &BaserowSettings, user: &BaserowUserSettings) -> Result<Self, Failure> {
        #[derive(Deserialize)]
        struct Session {
            access_token: String,
        }
        let failed = |error: reqwest::Error| Failure::new(FailureClass::Permanent, Target::Baserow, error.to_string());
        let mut baserow = Self {
            http: http(server.timeout, server.authorities.as_ref()).map_err(failed)?,
            url: server.url.clone(),
            token: String::new(),
        };
        let body = json!({"email": user.email, "password": user.password.expose_secret()});
        let session = baserow
            .ask::<Session>(Method::POST, "user/token-auth/", Some(body))
            .await;
        baserow.token = session.map_err(explain_login)?.access_token;
        Ok(baserow)
    }

    /// All databases that the user sees, with their tables.
    pub async fn databases(&self) -> Result<Vec<Database>, Failure> {
        let mut found: Vec<Database> = self.ask(Method::GET, "applications/", None).await?;
        found.retain(|application| application.kind == "database");
        Ok(found)
    }

    /// The fields of a table.
    pub async fn fields(&self, table: TableId) -> Result<Vec<Field>, Failure> {
        self.ask(Method::GET, &format!("database/fields/table/{table}/"), None)
            .await
    }

    /// Makes a table without rows whose first field is a text. A lost answer is ambiguous.
    pub async fn create_table(&self, database: u64, name: &str, primary: &str) -> Result<Table, Failure> {
        let body = json!({"name": name, "data": [[primary]], "first_row_header": true});
        let path = format!("database/tables/database/{database}/");
        self.ask(Method::POST, &path, Some(body)).await
    }

    /// The webhooks of a table.
    pub async fn webhooks(&self, table: TableId) -> Result<Vec<Webhook>, Failure> {
        self.ask(Method::GET, &format!("database/webhooks/table/{table}/"), None)
            .await
    }

    /// Makes a webhook. A lost answer is ambiguous: it may exist.
    pub async fn create_webhook(&self, table: TableId, call: &WebhookCall) -> Result<Webhook, Failure> {
        let mut body = json!(call);
        body["request_method"] = json!("POST");
        self.ask(Method::POST, &format!("database/webhooks/table/{table}/"), Some(body))
            .await
    }

    /// Makes a webhook call this, and switches it on.
    pub async fn update_webhook(&self, id: u64, call: &WebhookCall) -> Result<Webhook, Failure> {
        let mut body = json!(call);
        body["active"] = json!(true);
        self.ask(Method::PATCH, &format!("database/webhooks/{id}/"), Some(body))
            .await
    }

    /// Switches a webhook on and leaves everything else of it as it is.
    pub async fn switch_on(&self, id: u64) -> Result<Webhook, Failure> {
        let body = json!({"active": true});
        self.ask(Method::PATCH, &format!("database/webhooks/{id}/"), Some(body))
            .await
    }

    /// Takes a webhook away.
    pub async fn delete_webhook(&self, id: u64) -> Result<(), Failure> {
        let path = format!("database/webhooks/{id}/");
        self.call(Method::DELETE, &path, None).await.map(drop)
    }

    /// Makes a field as Baserow's API takes it: with at least `name` and `type`. A lost answer is
    /// ambiguous.
    pub async fn create_field(&self, table: TableId, field: Value) -> Result<(), Failure> {
        let path = format!("database/fields/table/{table}/");
        self.call(Method::POST, &path, Some(field)).await.map(drop)
    }

    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<T, Failure> {
        let unknown_outcome = effect(&method).unknown_outcome();
        let answer = self.call(method, path, body).await?;
        serde_json::from_str(&answer).map_err(|error| {
            let message = format!("unreadable answer: {error}");
            Failure::new(unknown_outcome, Target::Baserow, message)
        })
    }

    /// The body of the answer.
    pub(super) async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Result<String, Failure> {
        let effect = effect(&method);
        let mut request = self.http.request(method, format!("{}/api/{path}", self.url));
        if !self.token.is_empty() {
            request = request.header("Authorization", format!("JWT {}", self.token));
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = exchange(Target::Baserow, effect, request).await?;
        if let Some(mut failure) = classify(&answer, effect) {
            if failure.class == FailureClass::Auth {
                "Baserow does not let this user do that".clone_into(&mut failure.message);
            }
            return Err(failure);
        }
        Ok(answer.body)
    }
}

fn effect(method: &Method) -> Effect {
    match *method {
        Method::GET => Effect::Reads,
        Method::POST => Effect::Creates,
        _ => Effect::Repeatable,
    }
}

fn explain_login(mut failure: Failure) -> Failure {
    if failure.class == FailureClass::Auth {
        "Baserow does not know this user, or not with this password (check BASEROW_EMAIL and BASEROW_PASSWORD)"
            .clone_into(&mut failure.message);
    }
    failure
}
