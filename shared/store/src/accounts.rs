//! Who may use the console.

use serde::Serialize;
use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::column::{storable, unreadable};
use super::{Store, StoreError};
use passerelle_model::time::Timestamp;

/// What a person may do in the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// See everything.
    Reader,
    /// Act, too.
    Operator,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Reader, Self::Operator];

    /// The stored word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Operator => "operator",
        }
    }

    /// The role with this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == word)
    }
}

/// A person who may use the console.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Account {
    /// The name, as the ledger keeps it with every act.
    pub name: String,
    /// What the person may do.
    pub role: Role,
    /// The hash of the password; `None` for a person whom a proxy lets in.
    #[serde(skip)]
    pub password: Option<String>,
    /// Since when.
    pub created: Timestamp,
}

/// A person who is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// A hash of what the browser keeps.
    pub id: String,
    /// Whose it is.
    pub account: String,
    /// Since when.
    pub began: Timestamp,
    /// Until when.
    pub ends: Timestamp,
}

impl Store {
    /// Adds an account. Says whether it did: a name is taken once.
    pub async fn add_account(&self, account: &Account) -> Result<bool, StoreError> {
        let added = sqlx::query(
            "INSERT INTO accounts (name, role, password, created) VALUES ($1, $2, $3, $4) ON CONFLICT (name) DO NOTHING",
        )
        .bind(storable(&account.name))
        .bind(account.role.as_str().to_owned())
        .bind(account.password.clone())
        .bind(account.created.as_millis())
        .execute(&self.pool)
        .await?;
        Ok(added.rows_affected() == 1)
    }

    /// The account of this name.
    pub async fn account(&self, name: &str) -> Result<Option<Account>, StoreError> {
        let found = sqlx::query("SELECT name, role, password, created FROM accounts WHERE name = $1")
            .bind(storable(name))
            .fetch_optional(&self.pool)
            .await?;
        found.as_ref().map(read_account).transpose()
    }

    /// All accounts, by name.
    pub async fn accounts(&self) -> Result<Vec<Account>, StoreError> {
        let found = sqlx::query("SELECT name, role, password, created FROM accounts ORDER BY name")
            .fetch_all(&self.pool)
            .await?;
        found.iter().map(read_account).collect()
    }

    /// Gives an account another role or password, and ends its sessions. Says whether there is such
    /// an account.
    pub async fn change_account(&self, account: &Account) -> Result<bool, StoreError> {
        let changed = sqlx::query("UPDATE accounts SET role = $2, password = $3 WHERE name = $1")
            .bind(storable(&account.name))
            .bind(account.role.as_str().to_owned())
            .bind(account.password.clone())
            .execute(&self.pool)
            .await?;
        self.end_sessions_of(&account.name).await?;
        Ok(changed.rows_affected() == 1)
    }

    /// Removes an account and its sessions. Says whether there was one.
    pub async fn remove_account(&self, name: &str) -> Result<bool, StoreError> {
        let removed = sqlx::query("DELETE FROM accounts WHERE name = $1")
            .bind(storable(name))
            .execute(&self.pool)
            .await?;
        self.end_sessions_of(name).await?;
        Ok(removed.rows_affected() == 1)
    }

    /// Begins a session, ends those whose time is over, and of the person's others all but the
    /// latest `most`.
    pub async fn begin_session(&self, session: &Session, most: u32) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM sessions WHERE ends <= $1")
            .bind(session.began.as_millis())
            .execute(&self.pool)
            .await?;
        sqlx::query("INSERT INTO sessions (id, account, began, ends) VALUES ($1, $2, $3, $4)")
            .bind(session.id.clone())
            .bind(storable(&session.account))
            .bind(session.began.as_millis())
            .bind(session.ends.as_millis())
            .execute(&self.pool)
            .await?;
        sqlx::query(
            "DELETE FROM sessions WHERE account = $1 AND id NOT IN \
             (SELECT id FROM sessions WHERE account = $1 ORDER BY began DESC, id LIMIT $2)",
        )
        .bind(storable(&session.account))
        .bind(i64::from(most))
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Whose session this is, with the role that the person has now; nothing once its time is over.
    pub async fn session(&self, id: &str, now: Timestamp) -> Result<Option<Account>, StoreError> {
        let found = sqlx::query(
            "SELECT accounts.name, accounts.role, accounts.password, accounts.created FROM sessions \
             JOIN accounts ON accounts.name = sessions.account WHERE sessions.id = $1 AND sessions.ends > $2",
        )
        .bind(id.to_owned())
        .bind(now.as_millis())
        .fetch_optional(&self.pool)
        .await?;
        found.as_ref().map(read_account).transpose()
    }

    /// Ends a session.
    pub async fn end_session(&self, id: &str) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM sessions WHERE id = $1")
            .bind(id.to_owned())
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    async fn end_sessions_of(&self, name: &str) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM sessions WHERE account = $1")
            .bind(storable(name))
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}

fn read_account(row: &AnyRow) -> Result<Account, StoreError> {
    let role: &str = row.try_get("role")?;
    Ok(Account {
        name: row.try_get("name")?,
        role: Role::parse(role).ok_or_else(|| unreadable("accounts.role", role))?,
        password: row.try_get("password")?,
        created: Timestamp::from_millis(row.try_get("created")?),
    })
}
