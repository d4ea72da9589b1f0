//! What an installation is made of, as a user of Baserow makes it: a workspace, databases, database
//! tokens, a row to try it with.

use std::collections::BTreeMap;

use passerelle_model::id::{RowId, RowKey, TableId};
use passerelle_model::ledger::FailureClass;
use reqwest::Method;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::json;

use crate::clients::baserow::user::{BaserowUser, Database};
use crate::failure::Failure;

/// What databases and tokens belong to.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Workspace {
    pub id: u64,
    pub name: String,
}

/// A database token of the user.
#[derive(Debug)]
pub struct DatabaseToken {
    pub name: String,
    /// The number of its workspace.
    pub workspace: u64,
    pub key: SecretString,
}

/// The same as it comes.
#[derive(Deserialize)]
struct ShownToken {
    name: String,
    workspace: u64,
    key: String,
}

impl From<ShownToken> for DatabaseToken {
    fn from(token: ShownToken) -> Self {
        Self {
            name: token.name,
            workspace: token.workspace,
            key: SecretString::from(token.key),
        }
    }
}

impl BaserowUser {
    /// The workspaces that the user is in.
    pub async fn workspaces(&self) -> Result<Vec<Workspace>, Failure> {
        self.ask(Method::GET, "workspaces/", None).await
    }

    /// Makes a workspace, of which the user is the admin. A lost answer is ambiguous.
    pub async fn create_workspace(&self, name: &str) -> Result<Workspace, Failure> {
        self.ask(Method::POST, "workspaces/", Some(json!({"name": name}))).await
    }

    /// Makes a database without tables. A lost answer is ambiguous.
    pub async fn create_database(&self, workspace: u64, name: &str) -> Result<Database, Failure> {
        let body = json!({"type": "database", "name": name});
        let path = format!("applications/workspace/{workspace}/");
        self.ask(Method::POST, &path, Some(body)).await
    }

    /// The user's own database tokens.
    pub async fn tokens(&self) -> Result<Vec<DatabaseToken>, Failure> {
        let shown: Vec<ShownToken> = self.ask(Method::GET, "database/tokens/", None).await?;
        Ok(shown.into_iter().map(DatabaseToken::from).collect())
    }

    /// Makes a token that may do everything in all tables of a workspace. A lost answer is
    /// ambiguous.
    pub async fn create_token(&self, workspace: u64, name: &str) -> Result<DatabaseToken, Failure> {
        let body = json!({"name": name, "workspace": workspace});
        let shown: ShownToken = self.ask(Method::POST, "database/tokens/", Some(body)).await?;
        Ok(shown.into())
    }

    /// Makes a row, and tells the webhooks as if a person had typed it. A lost answer is ambiguous.
    pub async fn create_row(&self, table: TableId, fields: &BTreeMap<&str, &str>) -> Result<RowId, Failure> {
        #[derive(Deserialize)]
        struct Created {
            id: RowId,
        }
        let path = format!("database/rows/table/{table}/?user_field_names=true");
        let created: Created = self.ask(Method::POST, &path, Some(json!(fields))).await?;
        Ok(created.id)
    }

    /// Puts a row into the trash without telling the webhooks; one that is gone is no failure.
    pub async fn delete_row(&self, key: RowKey) -> Result<(), Failure> {
        let path = format!(
            "database/rows/table/{}/{}/?send_webhook_events=false",
            key.table, key.row
        );
        match self.call(Method::DELETE, &path, None).await {
            Err(failure) if failure.class == FailureClass::Gone => Ok(()),
            answer => answer.map(drop),
        }
    }
}
