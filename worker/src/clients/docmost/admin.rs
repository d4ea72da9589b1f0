//! What only an owner or admin of the workspace may do: making the bridge's account, and spaces for
//! it. For an installation; the bridge itself runs without.

use passerelle_model::ledger::FailureClass;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::clients::docmost::meaning::data_of;
use crate::clients::docmost::route::Route;
use crate::clients::docmost::session::Session;
use crate::clients::docmost::{Account, Docmost, Space};
use crate::failure::{Failure, Target};

/// Docmost, signed in as an owner or admin of the workspace.
#[derive(Debug)]
pub struct Admin<'a> {
    docmost: &'a Docmost,
    session: Session,
}

/// Who is to be made a member of the workspace.
#[derive(Debug)]
pub struct NewMember<'a> {
    pub name: &'a str,
    pub email: &'a str,
    pub password: &'a SecretString,
}

impl Docmost {
    /// Signs in. [`Admin::sign_out`] ends the session.
    pub async fn as_admin(&self) -> Result<Admin<'_>, Failure> {
        Ok(Admin {
            session: self.sign_in().await?,
            docmost: self,
        })
    }
}

impl Admin<'_> {
    /// Who we are, and which spaces we are in.
    pub async fn account(&self) -> Result<Account, Failure> {
        self.docmost.look_around(&self.session).await
    }

    /// Makes an account by an invitation that is accepted at once: no mail has to arrive. An
    /// invitation that is there already is used. False if somebody has this e-mail address already.
    pub async fn make_account(&self, member: &NewMember<'_>) -> Result<bool, Failure> {
        #[derive(Deserialize)]
        struct Invitation {
            id: String,
            email: String,
        }
        #[derive(Deserialize)]
        struct Listing {
            items: Vec<Invitation>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Link {
            invite_link: String,
        }
        let invite = json!({"emails": [member.email], "role": "member", "groupIds": []});
        self.command("invite", "workspace/invites/create", invite).await?;
        let listing = json!({"query": member.email, "limit": 100});
        let listing: Listing = self.ask("list_invitations", "workspace/invites", listing).await?;
        let mut invitations = listing.items.into_iter();
        let Some(invitation) = invitations.find(|found| found.email.eq_ignore_ascii_case(member.email)) else {
            return Ok(false);
        };
        let link = json!({"invitationId": invitation.id});
        let Link { invite_link } = self.ask("read_invitation", "workspace/invites/link", link).await?;
        let token = invite_link.split_once("token=").map(|(_, token)| token);
        let token = token.ok_or_else(|| {
            let message = "the link of an invitation has no token";
            Failure::new(FailureClass::Permanent, Target::Docmost, message)
        })?;
        let password = member.password.expose_secret();
        let accept = json!({"invitationId": invitation.id, "token": token, "name": member.name, "password": password});
        self.command("accept_invitation", "workspace/invites/accept", accept)
            .await?;
        Ok(true)
    }

    /// Makes a space, of which we are an admin. Its slug must be free. A lost answer is ambiguous.
    pub async fn create_space(&self, name: &str, slug: &str) -> Result<Space, Failure> {
        let route = Route::creating("create_space", "spaces/create");
        let answer = self
            .docmost
            .ask_as(&self.session, &route, &json!({"name": name, "slug": slug}))
            .await?;
        data_of(&answer, route.effect)
    }

    /// Lets a user write in a space, of which we must be an admin. `is_member`: whether it is in
    /// the space already, as a reader.
    pub async fn let_write(&self, space: &Space, user: &str, is_member: bool) -> Result<(), Failure> {
        if is_member {
            let body = json!({"spaceId": space.id, "userId": user, "role": "writer"});
            return self.command("change_role", "spaces/members/change-role", body).await;
        }
        let body = json!({"spaceId": space.id, "role": "writer", "userIds": [user], "groupIds": []});
        self.command("add_member", "spaces/members/add", body).await
    }

    /// Ends the session: Docmost keeps only 25 of a user.
    pub async fn sign_out(self) {
        let _ = self.command("sign_out", "auth/logout", json!({})).await;
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        step: &'static str,
        path: &'static str,
        body: Value,
    ) -> Result<T, Failure> {
        let route = Route::reading(step, path);
        data_of(&self.docmost.ask_as(&self.session, &route, &body).await?, route.effect)
    }

    async fn command(&self, step: &'static str, path: &'static str, body: Value) -> Result<(), Failure> {
        let route = Route::repeatable(step, path);
        self.docmost.ask_as(&self.session, &route, &body).await.map(drop)
    }
}
