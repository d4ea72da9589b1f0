//! Docmost's side: the bridge's account, and the spaces that the rules name.

use std::collections::BTreeSet;

use passerelle_model::config::{DocmostSettings, Reader};
use passerelle_model::ledger::FailureClass;
use passerelle_queue::Redis;
use passerelle_worker::clients::docmost::{Account, Admin, Docmost, NewMember};
use passerelle_worker::failure::Failure;
use passerelle_worker::rules::Rules;
use secrecy::{ExposeSecret as _, SecretString};

use super::answers::{Answers, Login, WikiLogin};
use super::example::made_up;
use super::{Setup, State, failed};
use crate::survey::docmost_client;
use crate::trouble::Trouble;

/// The name of the account that is made, as Docmost shows it.
const NAME: &str = "Passerelle";

impl Setup<'_> {
    /// Tries the logins that were given. The bridge's account; none if an admin is there to make
    /// it.
    pub(super) async fn sign_in_to_docmost(
        &mut self,
        answers: &Answers,
        redis: &Redis,
    ) -> Result<Option<Account>, Trouble> {
        let reader = self.settings.reader().with("DOCMOST_URL", &answers.docmost);
        let bridge = match &answers.account {
            WikiLogin::Token => Some(reader.clone()),
            WikiLogin::Password { email, password } => {
                password.as_ref().map(|password| signing_in(&reader, email, password))
            }
        };
        if let Some(bridge) = bridge {
            let client = client(bridge, redis)?;
            match self.patiently(async || client.account().await).await {
                Ok(account) => return Ok(Some(account)),
                Err(failure) if failure.class == FailureClass::Auth && answers.admin.is_some() => {}
                Err(failure) => {
                    let address = &answers.docmost;
                    let cure = format!(
                        "Correct the login, or the address {address}; or give an owner or admin with \
                         --docmost-admin-email, who makes the account. Then run it again: nothing was made or kept"
                    );
                    return Err(failed(&failure, &cure));
                }
            }
        }
        if let Some(admin) = &answers.admin {
            let client = self.docmost_of_admin(answers, admin, redis)?;
            let signed_in = self.patiently(async || client.as_admin().await).await;
            let signed_in = signed_in.map_err(|failure| as_admins(&failure, admin))?;
            let session = self.in_session.lock().await;
            let account = signed_in.account().await;
            signed_in.sign_out().await;
            drop(session);
            let account = account.map_err(|failure| as_admins(&failure, admin))?;
            if account.role == "member" {
                return Err(Trouble::Usage(format!(
                    "{} is a member of Docmost's workspace: --docmost-admin-email must be an owner or admin",
                    admin.email
                )));
            }
        }
        Ok(None)
    }

    /// The bridge's account: the one that is there, or one that the admin makes. None in a dry run.
    pub(super) async fn wiki_account(
        &mut self,
        known: Option<Account>,
        answers: &Answers,
        redis: &Redis,
    ) -> Result<Option<Account>, Trouble> {
        if let Some(account) = known {
            self.tell(State::Kept, format!("Docmost: the account {}", account.email));
            return Ok(Some(account));
        }
        let (WikiLogin::Password { email, .. }, Some(admin)) = (&answers.account, &answers.admin) else {
            return Ok(None);
        };
        // Kept before it is used: a run that is broken off in between goes on with it.
        let password = self.settings.get("DOCMOST_PASSWORD").unwrap_or_else(made_up);
        self.keep("DOCMOST_PASSWORD", &password)?;
        let made = format!("Docmost: the account {email}, a member of the workspace");
        if self.verb.dry_run {
            self.tell(State::Planned, made);
            return Ok(None);
        }
        let password = SecretString::from(password);
        let client_of_admin = self.docmost_of_admin(answers, admin, redis)?;
        let signed_in = self.patiently(async || client_of_admin.as_admin().await).await;
        let signed_in = signed_in.map_err(|failure| as_admins(&failure, admin))?;
        let member = NewMember {
            name: NAME,
            email,
            password: &password,
        };
        let session = self.in_session.lock().await;
        let result = signed_in.make_account(&member).await;
        signed_in.sign_out().await;
        drop(session);
        if !result.map_err(|failure| as_admins(&failure, admin))? {
            let file = self.settings.path.display();
            return Err(Trouble::Failed(format!(
                "Docmost has an account {email} already, and DOCMOST_PASSWORD is not its password: correct it in {file}, \
                 or take both lines out and give another --docmost-email"
            )));
        }
        self.tell(State::Made, made);
        let docmost = self.docmost(redis)?;
        let account = self.patiently(async || docmost.account().await).await;
        account.map(Some).map_err(|failure| failed(&failure, "Run it again"))
    }

    /// Lets the bridge's account write in each space that the rules name, and makes those that are
    /// not there.
    pub(super) async fn spaces(
        &mut self,
        account: Option<&Account>,
        rules: &Rules,
        answers: &Answers,
        redis: &Redis,
    ) -> Result<(), Trouble> {
        let of_pages = rules.pages().map(|rule| rule.page.space.clone());
        let of_wiki = rules.wiki().filter_map(|rule| rule.space.clone());
        let mut wanting = Vec::new();
        for name in of_pages.chain(of_wiki).collect::<BTreeSet<String>>() {
            let found = account.map(|account| account.spaces_called(&name));
            match found.as_deref().unwrap_or_default() {
                [_, _, ..] => {
                    return Err(Trouble::Usage(format!(
                        "several spaces of Docmost are meant by {name:?}: write the slug of one into bridge.toml"
                    )));
                }
                [member] if member.may_write() => self.tell(State::Kept, format!("Docmost: the space {name:?}")),
                _ => wanting.push(name),
            }
        }
        if wanting.is_empty() {
            return Ok(());
        }
        let Some(admin) = &answers.admin else {
            return Err(Trouble::Failed(format!(
                "the bridge's account cannot write in these spaces of Docmost: {}. Make them and add the account as a \
                 writer (Space settings → Members), or give an owner or admin with --docmost-admin-email",
                wanting.join(", ")
            )));
        };
        let client = self.docmost_of_admin(answers, admin, redis)?;
        let signed_in = self.patiently(async || client.as_admin().await).await;
        let signed_in = signed_in.map_err(|failure| as_admins(&failure, admin))?;
        let in_session = self.in_session;
        let session = in_session.lock().await;
        let result = self.open_spaces(&signed_in, account, &wanting).await;
        signed_in.sign_out().await;
        drop(session);
        result.map_err(|failure| as_admins(&failure, admin))
    }

    async fn open_spaces(
        &mut self,
        admin: &Admin<'_>,
        account: Option<&Account>,
        wanting: &[String],
    ) -> Result<(), Failure> {
        let theirs = admin.account().await?;
        for name in wanting {
            let known = theirs.spaces_called(name).first().map(|member| member.space.clone());
            let what = match &known {
                Some(_) => format!("Docmost: the bridge writes in the space {name:?}"),
                None => format!("Docmost: the space {name:?}, in which the bridge writes"),
            };
            if let (Some(account), false) = (account, self.verb.dry_run) {
                let space = match known {
                    Some(space) => space,
                    None => admin.create_space(name, &slug(name)).await?,
                };
                let is_member = !account.spaces_called(name).is_empty();
                admin.let_write(&space, &account.id, is_member).await?;
            }
            self.tell(self.made(), what);
        }
        Ok(())
    }

    /// Docmost with the bridge's own account.
    pub(super) fn docmost(&self, redis: &Redis) -> Result<Docmost, Trouble> {
        client(self.settings.reader(), redis)
    }

    fn docmost_of_admin(&self, answers: &Answers, admin: &Login, redis: &Redis) -> Result<Docmost, Trouble> {
        let reader = self.settings.reader().with("DOCMOST_URL", &answers.docmost);
        client(signing_in(&reader, &admin.email, &admin.password), redis)
    }
}

/// The same settings, with this login in place of any other.
fn signing_in(reader: &Reader, email: &str, password: &SecretString) -> Reader {
    let mut own = reader.afresh();
    for name in ["DOCMOST_TOKEN", "DOCMOST_TOKEN_FILE", "DOCMOST_PASSWORD_FILE"] {
        own = own.with(name, "");
    }
    own.with("DOCMOST_EMAIL", email)
        .with("DOCMOST_PASSWORD", password.expose_secret())
}

fn client(mut reader: Reader, redis: &Redis) -> Result<Docmost, Trouble> {
    let settings = DocmostSettings::read(&mut reader);
    reader.finish(())?;
    docmost_client(redis, &settings)
}

/// A failure of a call that the admin made: it names another login than the bridge's.
fn as_admins(failure: &Failure, admin: &Login) -> Trouble {
    let email = &admin.email;
    let cure = match failure.status {
        Some(401) => "check --docmost-admin-email and its password",
        Some(403) => "--docmost-admin-email must be an owner or admin of the workspace",
        Some(400) => "add the admin to the space, if it is there already, and run it again",
        _ => "run it again when that is mended: what is done is not repeated",
    };
    let said = failure.message.split(" (").next().unwrap_or_default();
    Trouble::Failed(format!("Docmost, as {email}: {said}: {cure}"))
}

/// `Comptes rendus` → `comptes-rendus`, as addresses of Docmost have it.
fn slug(name: &str) -> String {
    let words = name
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty());
    let slug = words.collect::<Vec<_>>().join("-").to_lowercase();
    if slug.len() < 2 {
        format!("space-{slug}").trim_end_matches('-').to_owned()
    } else {
        slug
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_is_one_that_docmost_takes() {
        assert_eq!(slug("Comptes rendus"), "comptes-rendus");
        assert_eq!(slug("É"), "space");
        assert_eq!(slug("R&D"), "r-d");
    }
}
