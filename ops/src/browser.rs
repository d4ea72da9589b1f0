//! `console`: serves the console, and keeps the accounts of those who may use it.

use std::sync::Arc;

use clap::{Args, Subcommand, ValueEnum};
use passerelle_console::{ConsoleSettings, Server, password};
use passerelle_model::config::Reader;
use passerelle_model::time::Timestamp;
use passerelle_store::{Account, Role, Store};
use serde::Serialize;

use crate::console::Console;
use crate::operator::Operator;
use crate::rulebook::RuleFile;
use crate::text::{Table, Text};
use crate::trouble::Trouble;

/// The longest name of an account, in characters.
const LONGEST_NAME: usize = 100;

/// `console`.
#[derive(Debug, Args)]
pub struct Browser {
    /// Without it the console is served until Ctrl-C.
    #[command(subcommand)]
    pub verb: Option<BrowserVerb>,
}

/// What to do instead of serving.
#[derive(Debug, Subcommand)]
pub enum BrowserVerb {
    /// Accounts: who may use the console, and as what.
    #[command(subcommand, after_help = "Example: passerelle console user list")]
    User(User),
}

/// `console user …`.
#[derive(Debug, Subcommand)]
pub enum User {
    /// Adds an account, and prints its password once.
    #[command(after_help = "Example: passerelle console user add camille --role operator")]
    Add {
        /// The name, as the ledger keeps it with every act.
        name: String,
        /// What the person may do.
        #[arg(long, value_enum)]
        role: RoleArgument,
        /// No password: a proxy lets this person in (CONSOLE_USER_HEADER).
        #[arg(long)]
        by_proxy: bool,
    },
    /// Gives an account a new password, which is printed once, and ends its sessions.
    #[command(after_help = "Example: passerelle console user password camille")]
    Password {
        /// The name.
        name: String,
    },
    /// Gives an account another role, and ends its sessions.
    #[command(after_help = "Example: passerelle console user role camille reader")]
    Role {
        /// The name.
        name: String,
        /// What the person may do from now on.
        #[arg(value_enum)]
        role: RoleArgument,
    },
    /// Removes an account, and ends its sessions.
    #[command(after_help = "Example: passerelle console user remove camille")]
    Remove {
        /// The name.
        name: String,
    },
    /// Lists the accounts.
    #[command(after_help = "Example: passerelle console user list")]
    List,
}

/// A role, as a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RoleArgument {
    /// See everything.
    Reader,
    /// Act, too.
    Operator,
}

impl From<RoleArgument> for Role {
    fn from(role: RoleArgument) -> Self {
        match role {
            RoleArgument::Reader => Self::Reader,
            RoleArgument::Operator => Self::Operator,
        }
    }
}

#[derive(Debug, Serialize)]
struct Changed {
    name: String,
    /// `added`, `changed` or `removed`.
    done: &'static str,
    /// The new password, where one was made. It is kept nowhere else.
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<String>,
}

/// Serves the console, or does something about its accounts.
pub async fn run(verb: Browser, reader: Reader, console: &mut Console) -> Result<(), Trouble> {
    match verb.verb {
        None => serve(reader, console).await,
        Some(BrowserVerb::User(user)) => {
            let operator = Operator::new(reader)?;
            accounts(operator.current_store().await?, user, console).await
        }
    }
}

async fn serve(mut reader: Reader, console: &mut Console) -> Result<(), Trouble> {
    let rules = RuleFile::read(&reader);
    let settings = ConsoleSettings::read(&mut reader);
    reader.finish(())?;
    let failed = |error: &dyn std::fmt::Display| Trouble::Failed(error.to_string());
    let server = Server::bind(settings, Arc::new(rules)).await;
    let server = server.map_err(|error| failed(&error))?;
    console.note(&format!(
        "The console listens on http://{}. Ctrl-C stops it.",
        server.address()
    ));
    let stop = console.stop.clone();
    let ended = server.run(async move { stop.cancelled().await }).await;
    ended.map_err(|error| failed(&error))
}

async fn accounts(store: &Store, verb: User, console: &mut Console) -> Result<(), Trouble> {
    let changed = match verb {
        User::Add { name, role, by_proxy } => add(store, &name, role.into(), by_proxy).await?,
        User::Password { name } => {
            let made = password::make();
            let hashed = hashed(&made)?;
            change(store, &name, |account| account.password = Some(hashed)).await?;
            done(name, "changed", Some(made))
        }
        User::Role { name, role } => {
            change(store, &name, |account| account.role = role.into()).await?;
            done(name, "changed", None)
        }
        User::Remove { name } => {
            if !store.remove_account(&name).await? {
                return Err(unknown(&name));
            }
            done(name, "removed", None)
        }
        User::List => {
            let accounts = store.accounts().await?;
            return console.answer(&accounts, |accounts| list(accounts));
        }
    };
    console.answer(&changed, in_words)
}

async fn add(store: &Store, name: &str, role: Role, by_proxy: bool) -> Result<Changed, Trouble> {
    let name = name.trim();
    let is_name = !name.is_empty() && name.chars().count() <= LONGEST_NAME && !name.chars().any(char::is_control);
    if !is_name {
        return Err(Trouble::Usage(format!(
            "a name has 1 to {LONGEST_NAME} characters, and none that a terminal obeys"
        )));
    }
    let made = (!by_proxy).then(password::make);
    let account = Account {
        name: name.to_owned(),
        role,
        password: made.as_deref().map(hashed).transpose()?,
        created: Timestamp::now(),
    };
    if !store.add_account(&account).await? {
        return Err(Trouble::Failed(format!(
            "there is an account {name} already; `passerelle console user list` shows all"
        )));
    }
    Ok(done(account.name, "added", made))
}

async fn change(store: &Store, name: &str, change: impl FnOnce(&mut Account)) -> Result<(), Trouble> {
    let mut account = store.account(name).await?.ok_or_else(|| unknown(name))?;
    change(&mut account);
    if store.change_account(&account).await? {
        Ok(())
    } else {
        Err(unknown(name))
    }
}

fn hashed(password: &str) -> Result<String, Trouble> {
    password::hash(password).map_err(|error| Trouble::Failed(error.to_string()))
}

fn unknown(name: &str) -> Trouble {
    Trouble::NotFound(format!(
        "there is no account {name}; `passerelle console user list` shows all"
    ))
}

fn done(name: String, done: &'static str, password: Option<String>) -> Changed {
    Changed { name, done, password }
}

fn in_words(changed: &Changed) -> String {
    let Changed { name, done, password } = changed;
    match password {
        Some(password) => format!("The account {name} is {done}. Its password, shown only now: {password}"),
        None => format!("The account {name} is {done}."),
    }
}

fn list(accounts: &[Account]) -> Text {
    if accounts.is_empty() {
        return "No accounts. To add one: passerelle console user add NAME --role operator"
            .to_owned()
            .into();
    }
    let mut table = Table::new(&["name", "role", "by", "since"]);
    for account in accounts {
        let by = if account.password.is_some() {
            "password"
        } else {
            "proxy"
        };
        table.row([
            account.name.as_str().into(),
            account.role.as_str().into(),
            by.into(),
            account.created.to_string().into(),
        ]);
    }
    let mut text = Text::default();
    text.table(table);
    text
}
