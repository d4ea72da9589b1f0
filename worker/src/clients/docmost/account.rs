//! What Docmost lets our account do, for checks. They must find a wrong password, spare the few
//! logins that Docmost allows, and work while Redis, where the replicas share their session, is
//! away.

use passerelle_model::ledger::FailureClass;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::clients::answer::Effect;
use crate::clients::docmost::collab::{SYNCED_BLOCKS, is_unknown_route};
use crate::clients::docmost::meaning::data_of;
use crate::clients::docmost::route::Route;
use crate::clients::docmost::session::Session;
use crate::clients::docmost::{Docmost, Space};
use crate::failure::{Failure, Target};

/// Spaces per call; Docmost's most.
const PAGE: u32 = 100;
/// Most calls for spaces.
const MOST_PAGES: usize = 20;

/// Our account, as Docmost sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub id: String,
    pub email: String,
    /// Its role in the workspace: `owner`, `admin`, `member`.
    pub role: String,
    /// The spaces that it is in.
    pub spaces: Vec<Membership>,
    /// Whether pages may have synced blocks: an older Docmost has none.
    pub synced_blocks: bool,
}

/// Our account in a space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    pub space: Space,
    /// Its role there: `admin`, `writer`, `reader`.
    pub role: String,
}

impl Membership {
    /// Whether pages may be made and changed.
    pub fn may_write(&self) -> bool {
        self.role != "reader"
    }
}

impl Account {
    /// The memberships in the spaces that a rule may mean by this name, slug or id.
    pub fn spaces_called(&self, name: &str) -> Vec<&Membership> {
        let mut fitting: Vec<&Membership> = self.spaces.iter().collect();
        fitting.retain(|member| member.space.is_called(name));
        fitting
    }
}

impl Docmost {
    /// Asks who we are and which spaces we are in: with the session of the workers if it was opened
    /// with this login, else by signing in and out. Docmost ends all sessions of an account whose
    /// password changes: one that it takes shows that the password is right.
    pub async fn account(&self) -> Result<Account, Failure> {
        if let Some(session) = self.session_of_this_login().await {
            match self.look_around(&session).await {
                Err(failure) if failure.class == FailureClass::Auth => {}
                looked => return looked,
            }
        }
        let session = self.sign_in().await?;
        let account = self.look_around(&session).await;
        // Each login leaves a session behind, and Docmost keeps only 25; a fixed token must stay
        // what it is.
        if self.has_password() {
            let logout = Route::reading("sign_out", "auth/logout");
            let _ = self.ask_as(&session, &logout, &json!({})).await;
        }
        account
    }

    pub(super) async fn look_around(&self, session: &Session) -> Result<Account, Failure> {
        #[derive(Deserialize)]
        struct User {
            id: String,
            email: String,
            role: String,
        }
        #[derive(Deserialize)]
        struct Me {
            user: User,
        }
        let who = Route::reading("who_am_i", "users/me");
        let me: Me = data_of(&self.ask_as(session, &who, &json!({})).await?, Effect::Reads)?;
        Ok(Account {
            id: me.user.id,
            email: me.user.email,
            role: me.user.role,
            spaces: self.memberships(session).await?,
            synced_blocks: self.knows_synced_blocks(session).await?,
        })
    }

    async fn knows_synced_blocks(&self, session: &Session) -> Result<bool, Failure> {
        match self.ask_as(session, &SYNCED_BLOCKS, &json!({"references": []})).await {
            Ok(_) => Ok(true),
            Err(failure) if is_unknown_route(&failure) => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    async fn memberships(&self, session: &Session) -> Result<Vec<Membership>, Failure> {
        let route = Route::reading("list_spaces", "spaces");
        let mut body = json!({"limit": PAGE});
        let mut memberships = Vec::new();
        for _ in 0..MOST_PAGES {
            let listing: Value = data_of(&self.ask_as(session, &route, &body).await?, Effect::Reads)?;
            let items = listing["items"].as_array().map(Vec::as_slice).unwrap_or_default();
            for item in items {
                memberships.push(membership(item)?);
            }
            match listing.pointer("/meta/nextCursor").filter(|cursor| cursor.is_string()) {
                Some(cursor) => body["cursor"] = cursor.clone(),
                None => break,
            }
        }
        Ok(memberships)
    }
}

fn membership(item: &Value) -> Result<Membership, Failure> {
    let space = Space::deserialize(item).map_err(|error| {
        let message = format!("unreadable answer: {error}");
        Failure::new(FailureClass::Transient, Target::Docmost, message)
    })?;
    let role = item.pointer("/membership/role").and_then(Value::as_str);
    Ok(Membership {
        space,
        role: role.unwrap_or("unknown").to_owned(),
    })
}
