//! `init`: a new installation, from two addresses and logins to the first page.
//!
//! Each step looks first and makes only what is missing, so a run that was broken off goes on where
//! it was. What was made and cannot be seen again (a password, the webhooks' secret) is in the file
//! of settings before it is used anywhere.

mod answer;
mod answers;
mod ask;
mod baserow;
mod docmost;
mod example;
mod settings;
mod sign_in;
mod tables;
mod trial;

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::{Args, ValueEnum};
use passerelle_model::config::{Reader, RedisSettings, may_be_there};
use passerelle_queue::{Queue, QueueName, Redis};
use passerelle_worker::failure::Failure;
use passerelle_worker::rules::Rules;
use secrecy::ExposeSecret as _;
use tokio::sync::Mutex;

use crate::console::Console;
use crate::provision::{Given, Provisioned};
use crate::supervise::OwnRedis;
use crate::trouble::Trouble;
use answer::{SetUp, Stage, State, Step, in_words};
use answers::{Answers, WikiLogin};
use ask::Asker;
pub use example::Example;
use settings::Settings;

/// `init`. Passwords are read from files, settings or the terminal: options can be seen by others
/// on the machine.
#[derive(Debug, Args)]
pub struct Init {
    /// The address of Baserow.
    #[arg(long, value_name = "URL")]
    pub baserow: Option<String>,
    /// A Baserow user, builder or admin in the workspace.
    #[arg(long, value_name = "EMAIL")]
    pub baserow_email: Option<String>,
    /// A file with the password of that user. Default: BASEROW_PASSWORD.
    #[arg(long, value_name = "FILE")]
    pub baserow_password_file: Option<PathBuf>,
    /// The address of Docmost.
    #[arg(long, value_name = "URL")]
    pub docmost: Option<String>,
    /// The bridge's own Docmost account. It is made where an admin is given.
    #[arg(long, value_name = "EMAIL")]
    pub docmost_email: Option<String>,
    /// A file with the password of that account. Default: DOCMOST_PASSWORD, or one is made up.
    #[arg(long, value_name = "FILE")]
    pub docmost_password_file: Option<PathBuf>,
    /// An owner or admin of Docmost, who makes the bridge's account and spaces. Kept nowhere.
    #[arg(long, value_name = "EMAIL")]
    pub docmost_admin_email: Option<String>,
    /// A file with the password of that admin.
    #[arg(long, value_name = "FILE", requires = "docmost_admin_email")]
    pub docmost_admin_password_file: Option<PathBuf>,
    /// The address by which Baserow reaches the ingress, e.g. `https://bridge.example.org`.
    #[arg(long)]
    pub url: Option<String>,
    /// Which rules and templates to begin with, where there is no bridge.toml.
    #[arg(long, value_enum, default_value_t = Example::Agence)]
    pub example: Example,
    /// Whether Baserow's tables are used as they are, or made where they are missing.
    #[arg(long, value_enum)]
    pub tables: Option<TablesAre>,
    /// The file with the tables to make. Default: that of the example.
    #[arg(long, value_name = "FILE")]
    pub schema: Option<PathBuf>,
    /// The number of the database in Baserow. Default: the only one, or the one that has such
    /// tables.
    #[arg(long)]
    pub database: Option<u64>,
    /// What to do about the row that tries the bridge.
    #[arg(long, value_enum, default_value_t = TestRow::Make)]
    pub test_row: TestRow,
    /// Show what would be done, and do nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Who acts. Default: the user of this session, or else of BASEROW_EMAIL.
    #[arg(long)]
    pub by: Option<String>,
    #[command(flatten)]
    pub redis: OwnRedis,
    /// The file of settings, which may not be there yet.
    #[arg(skip)]
    env_file: PathBuf,
}

/// Where the tables come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TablesAre {
    /// They are there.
    Use,
    /// What is missing is made.
    Make,
}

/// What to do about the test row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TestRow {
    /// Make it, and show the address of its page.
    Make,
    /// Put it and its page into the trash.
    Remove,
    /// Make none.
    None,
}

impl Init {
    /// The settings of the environment and of the file, if there is one.
    pub(crate) fn settings(&mut self, reader: Reader, named: Option<&Path>) -> Reader {
        self.env_file = reader.env_file(named);
        if may_be_there(&self.env_file) {
            let path = self.env_file.clone();
            return reader.with_env_file(Some(&path));
        }
        reader
    }
}

/// An installation under way.
struct Setup<'a> {
    verb: &'a Init,
    settings: Settings,
    asker: Asker,
    console: &'a mut Console,
    steps: Vec<Step>,
    left: Vec<Stage>,
    /// What was done to Baserow's tables, and is not yet among the steps.
    provisioned: Provisioned,
    /// Held while an admin is signed in to Docmost: a stop signal waits until the session has ended.
    in_session: &'a Mutex<()>,
}

/// Makes what is missing, telling each step.
pub async fn run(verb: &Init, mut reader: Reader, console: &mut Console) -> Result<(), Trouble> {
    let brought = verb.redis.bring(&mut reader, console).await?;
    let done = Box::pin(set_up(verb, reader, console, brought.is_some())).await;
    if let Some(redis) = brought {
        redis.stop().await;
    }
    done
}

async fn set_up(verb: &Init, reader: Reader, console: &mut Console, brings_redis: bool) -> Result<(), Trouble> {
    let began = Instant::now();
    let (stop, in_session) = (console.stop.clone(), Mutex::new(()));
    let mut setup = Setup {
        verb,
        settings: Settings::new(reader, &verb.env_file, verb.dry_run),
        asker: Asker::new(),
        console,
        steps: Vec::new(),
        left: Stage::of(verb.test_row),
        provisioned: Provisioned::default(),
        in_session: &in_session,
    };
    let stopped = async {
        stop.cancelled().await;
        drop(in_session.lock().await);
    };
    let carried_out = tokio::select! {
        carried_out = setup.carry_out() => carried_out,
        () = stopped => Err(Trouble::Interrupted("stopped. Run it again: it goes on where it was".to_owned())),
    };
    setup.take_provisioned();
    let (page, trouble) = match carried_out {
        Ok(page) => (page, None),
        Err(trouble) => (None, Some(trouble)),
    };
    let set_up = SetUp {
        dry_run: verb.dry_run,
        steps: setup.steps,
        left: if trouble.is_some() { setup.left } else { Vec::new() },
        page,
        seconds: began.elapsed().as_secs_f64(),
        only_removes: verb.test_row == TestRow::Remove,
        brings_redis,
    };
    if trouble.is_none() || setup.console.json || set_up.did_something() {
        setup.console.answer(&set_up, in_words)?;
    }
    trouble.map_or(Ok(()), Err)
}

impl Setup<'_> {
    async fn carry_out(&mut self) -> Result<Option<String>, Trouble> {
        if self.verb.test_row == TestRow::Remove && !self.has_rules() {
            return Ok(None);
        }
        let redis = self.redis().await?;
        // Every login is tried before anything is made or kept.
        let (answers, user, known) = loop {
            let answers = Answers::gather(self).await?;
            match self.sign_in(&answers, &redis).await {
                Ok((user, known)) => break (answers, user, known),
                Err(trouble) if self.asker.has_asked() => {
                    self.console
                        .note(&format!("{trouble}\nOnce more; Enter takes what is in [ ]:"));
                }
                Err(trouble) => return Err(trouble),
            }
        };
        self.ends(Stage::Logins);
        let sources = self.rules()?;
        let rules = Rules::compile(&sources)?;
        if self.verb.test_row == TestRow::Remove {
            return self.trial(&redis, &rules, &user).await;
        }
        self.ends(Stage::Rules);
        self.keep_answers(&answers)?;
        self.keep_webhook_secrets(&sources)?;
        self.ends(Stage::Settings);
        let account = self.wiki_account(known, &answers, &redis).await?;
        self.ends(Stage::Account);
        let workspace = self.database(&user, &rules, answers.tables).await?;
        let has_token = self.token(&user, workspace, &redis).await?;
        self.ends(Stage::Token);
        self.spaces(account.as_ref(), &rules, &answers, &redis).await?;
        self.ends(Stage::Spaces);
        let given = Given {
            sources,
            schema: self.schema(answers.tables)?,
            as_user: !has_token,
        };
        if workspace.is_none() {
            self.plan_tables(&given, &answers.url);
        } else {
            self.provision(given, answers.url).await?;
        }
        self.ends(Stage::Tables);
        self.trial(&redis, &rules, &user).await
    }

    /// Has the file keep what was told, now that it is known to be right.
    fn keep_answers(&mut self, answers: &Answers) -> Result<(), Trouble> {
        let user = &answers.baserow_user;
        self.keep("BASEROW_URL", &answers.baserow)?;
        self.keep("BASEROW_EMAIL", &user.email)?;
        self.keep("BASEROW_PASSWORD", user.password.expose_secret())?;
        self.keep("DOCMOST_URL", &answers.docmost)?;
        if let WikiLogin::Password { email, password } = &answers.account {
            self.keep("DOCMOST_EMAIL", email)?;
            if let Some(password) = password {
                self.keep("DOCMOST_PASSWORD", password.expose_secret())?;
            }
        }
        if self.settings.is_open_to_others() {
            let file = self.settings.path.display();
            let what = format!("{file} has secrets, and everybody on this machine may read it: chmod o-rwx {file}");
            self.tell(State::Note, what);
        }
        Ok(())
    }

    /// Redis, if it answers.
    async fn redis(&self) -> Result<Redis, Trouble> {
        let mut own = self.settings.reader();
        let settings = RedisSettings::read(&mut own);
        own.finish(())?;
        let redis = Redis::open(&settings)?;
        Queue::new(redis.clone(), QueueName::Sync).stats().await?;
        Ok(redis)
    }

    /// Nothing of this stage is left.
    fn ends(&mut self, stage: Stage) {
        self.left.retain(|left| *left != stage);
    }

    /// What is done now, or would be.
    fn made(&self) -> State {
        if self.verb.dry_run { State::Planned } else { State::Made }
    }

    fn tell(&mut self, state: State, what: String) {
        if !self.console.json && !self.verb.dry_run {
            self.console.note(&format!("{}: {what}", state.word()));
        }
        self.steps.push(Step { state, what });
    }
}

/// A failure of a product, with the way to mend it.
fn failed(failure: &Failure, cure: &str) -> Trouble {
    Trouble::Failed(format!("{failure}. {cure}"))
}
