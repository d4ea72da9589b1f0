//! What an installation needs to be told: by options, by settings that are there, or at the
//! terminal.

use std::path::Path;

use passerelle_model::config::{BaserowUserSettings, secret_in};
use passerelle_model::shown::keep_secret;
use secrecy::SecretString;

use super::{Setup, TablesAre, TestRow};
use crate::trouble::Trouble;

/// Everything that was told.
#[derive(Debug)]
pub(super) struct Answers {
    pub(super) baserow: String,
    pub(super) baserow_user: BaserowUserSettings,
    pub(super) docmost: String,
    pub(super) account: WikiLogin,
    pub(super) admin: Option<Login>,
    pub(super) url: String,
    pub(super) tables: TablesAre,
}

/// An e-mail address and its password.
#[derive(Debug)]
pub(super) struct Login {
    pub(super) email: String,
    pub(super) password: SecretString,
}

/// How the bridge itself signs in to Docmost.
#[derive(Debug)]
pub(super) enum WikiLogin {
    /// With DOCMOST_TOKEN, which is set.
    Token,
    /// Without a password, one is made up for an account that is made.
    Password {
        email: String,
        password: Option<SecretString>,
    },
}

/// Where one answer may come from.
struct Question<'a> {
    /// The setting that keeps it, if one does.
    name: Option<&'a str>,
    option: &'a str,
    given: Option<&'a str>,
    words: &'a str,
}

/// Collects what nobody has told.
struct Asking<'a, 'b> {
    setup: &'a mut Setup<'b>,
    missing: Vec<String>,
}

impl Answers {
    /// Asks for what is missing; where there is no terminal, names all of it at once.
    pub(super) async fn gather(setup: &mut Setup<'_>) -> Result<Self, Trouble> {
        setup.settings.check()?;
        let verb = setup.verb;
        let mut asking = Asking {
            setup,
            missing: Vec::new(),
        };
        let baserow = Question {
            name: Some("BASEROW_URL"),
            option: "--baserow",
            given: verb.baserow.as_deref(),
            words: "The address of Baserow, e.g. https://baserow.example.org",
        };
        let baserow = asking.address(&baserow).await?;
        let email = Question {
            name: Some("BASEROW_EMAIL"),
            option: "--baserow-email",
            given: verb.baserow_email.as_deref(),
            words: "A Baserow user who is builder or admin in the workspace, by e-mail address",
        };
        let email = asking.text(&email, None).await?;
        let file = verb.baserow_password_file.as_deref();
        let password = asking
            .password("BASEROW_PASSWORD", "--baserow-password-file", file)
            .await?;
        let password = password.unwrap_or_else(|| {
            asking.miss("BASEROW_PASSWORD", "--baserow-password-file");
            SecretString::from(String::new())
        });
        let docmost = Question {
            name: Some("DOCMOST_URL"),
            option: "--docmost",
            given: verb.docmost.as_deref(),
            words: "The address of Docmost, e.g. https://wiki.example.org",
        };
        let docmost = asking.address(&docmost).await?;
        let admin = asking.admin().await?;
        let account = asking.account(admin.as_ref()).await?;
        let url = asking.url().await?;
        let tables = asking.tables().await;
        if !asking.missing.is_empty() {
            let missing = asking.missing.join("\n  ");
            return Err(Trouble::Usage(format!(
                "these are missing, and there is no terminal to ask at:\n  {missing}"
            )));
        }
        Ok(Self {
            baserow,
            baserow_user: BaserowUserSettings { email, password },
            docmost,
            account,
            admin,
            url,
            tables,
        })
    }
}

impl Asking<'_, '_> {
    fn miss(&mut self, name: &str, option: &str) {
        self.missing.push(format!("{name}: give {option}"));
    }

    /// What a setting or an option says; they must agree.
    fn told(&self, question: &Question<'_>) -> Result<Option<String>, Trouble> {
        let Question {
            name, option, given, ..
        } = question;
        let known = name.and_then(|name| self.setup.settings.get(name));
        let given = given.map(str::trim);
        match (&known, name, given) {
            (Some(known), Some(name), Some(given)) if known.trim_end_matches('/') != given.trim_end_matches('/') => {
                Err(Trouble::Usage(format!(
                    "{name} is {known} already, and {option} says {given}: leave the option out, or change the setting"
                )))
            }
            _ => Ok(known.or_else(|| given.map(str::to_owned))),
        }
    }

    async fn text(&mut self, question: &Question<'_>, default: Option<&str>) -> Result<String, Trouble> {
        let told = match self.told(question)? {
            Some(told) => Some(told),
            None => self.setup.asker.text(question.words, default).await,
        };
        Ok(told.unwrap_or_else(|| {
            self.miss(question.name.unwrap_or("the address of the bridge"), question.option);
            String::new()
        }))
    }

    async fn address(&mut self, question: &Question<'_>) -> Result<String, Trouble> {
        let is_told = self.told(question)?.is_some();
        loop {
            let address = self.text(question, None).await?;
            match is_address(question.option, &address) {
                Ok(()) => return Ok(address.trim_end_matches('/').to_owned()),
                Err(trouble) if is_told => return Err(trouble),
                Err(trouble) => self.setup.console.note(&trouble.to_string()),
            }
        }
    }

    /// The password of a setting, of a file, or as it is typed.
    async fn password(
        &mut self,
        name: &str,
        option: &str,
        file: Option<&Path>,
    ) -> Result<Option<SecretString>, Trouble> {
        let known = self.setup.settings.get(name);
        let given = file.map(of_file).transpose()?;
        if let (Some(known), Some(given)) = (&known, &given)
            && known != given
        {
            return Err(Trouble::Usage(format!(
                "{name} is set already, and the file of {option} has another: leave the option out, or change the setting"
            )));
        }
        let told = match known.or(given) {
            Some(told) => Some(told),
            None => self.setup.asker.secret(&format!("Its password, {name}")).await,
        };
        Ok(told.map(secret))
    }

    /// The admin of Docmost, if one is given.
    async fn admin(&mut self) -> Result<Option<Login>, Trouble> {
        let verb = self.setup.verb;
        let words = "An owner or admin of Docmost, who makes the bridge's account and spaces (empty: none)";
        let email = match &verb.docmost_admin_email {
            Some(email) => Some(email.clone()),
            None if self.setup.settings.get("DOCMOST_PASSWORD").is_some() => None,
            None => self.setup.asker.text_or_nothing(words, None).await,
        };
        let Some(email) = email else { return Ok(None) };
        let password = match &verb.docmost_admin_password_file {
            Some(file) => Some(of_file(file)?),
            None => self.setup.asker.secret("The password of that admin").await,
        };
        let Some(password) = password.map(secret) else {
            self.missing
                .push("the password of the admin of Docmost: give --docmost-admin-password-file".to_owned());
            return Ok(None);
        };
        Ok(Some(Login { email, password }))
    }

    async fn account(&mut self, admin: Option<&Login>) -> Result<WikiLogin, Trouble> {
        if self.setup.settings.get("DOCMOST_TOKEN").is_some() {
            return Ok(WikiLogin::Token);
        }
        let verb = self.setup.verb;
        let email = Question {
            name: Some("DOCMOST_EMAIL"),
            option: "--docmost-email",
            given: verb.docmost_email.as_deref(),
            words: "The bridge's own Docmost account, by e-mail address",
        };
        let domain = admin.and_then(|admin| admin.email.split_once('@'));
        let default = domain.map(|(_, domain)| format!("passerelle@{domain}"));
        let email = match (self.told(&email)?, &default) {
            (None, Some(default)) if verb.docmost_admin_email.is_some() => default.clone(),
            _ => self.text(&email, default.as_deref()).await?,
        };
        let file = verb.docmost_password_file.as_deref();
        let is_told = file.is_some() || self.setup.settings.get("DOCMOST_PASSWORD").is_some();
        // With an admin the account is made, with a password that nobody has to know.
        let password = if admin.is_some() && !is_told {
            None
        } else {
            self.password("DOCMOST_PASSWORD", "--docmost-password-file", file)
                .await?
        };
        if password.is_none() && admin.is_none() {
            self.missing.push(
                "DOCMOST_PASSWORD: give --docmost-password-file, or an admin with --docmost-admin-email".to_owned(),
            );
        }
        Ok(WikiLogin::Password { email, password })
    }

    /// Nobody needs it to take the test row away.
    async fn url(&mut self) -> Result<String, Trouble> {
        if self.setup.verb.test_row == TestRow::Remove {
            return Ok(String::new());
        }
        let question = Question {
            name: None,
            option: "--url",
            given: self.setup.verb.url.as_deref(),
            words: "The address by which Baserow reaches the bridge, e.g. https://bridge.example.org",
        };
        self.address(&question).await
    }

    async fn tables(&mut self) -> TablesAre {
        let verb = self.setup.verb;
        if verb.test_row == TestRow::Remove {
            return TablesAre::Use;
        }
        if let Some(tables) = verb.tables {
            return tables;
        }
        let words = "Shall tables and fields that the example needs be made in Baserow?";
        if self.setup.asker.yes(words).await {
            TablesAre::Make
        } else {
            TablesAre::Use
        }
    }
}

fn is_address(option: &str, address: &str) -> Result<(), Trouble> {
    if address.is_empty() || address.starts_with("http://") || address.starts_with("https://") {
        return Ok(());
    }
    Err(Trouble::Usage(format!(
        "{option}: {address} must begin with http:// or https://"
    )))
}

/// The password that a file holds.
fn of_file(path: &Path) -> Result<String, Trouble> {
    let file = path.display();
    let secret = secret_in(path).map_err(|error| Trouble::Usage(format!("{file}: {error}")))?;
    secret.ok_or_else(|| Trouble::Usage(format!("{file} is empty: it must hold a password")))
}

fn secret(text: String) -> SecretString {
    keep_secret(&text);
    SecretString::from(text)
}
