//! Baserow's side: the user, the database, the token.

use std::collections::BTreeSet;

use passerelle_model::config::{BaserowSettings, TableRef};
use passerelle_queue::Redis;
use passerelle_worker::clients::baserow::setup::Workspace;
use passerelle_worker::clients::baserow::user::{BaserowUser, Database};
use passerelle_worker::clients::baserow::{Baserow, Table};
use passerelle_worker::journal::Journal;
use passerelle_worker::lookups::tables::is_table;
use passerelle_worker::rules::Rules;
use secrecy::ExposeSecret as _;

use super::answers::Answers;
use super::{Setup, State, TablesAre, failed};
use crate::survey::baserow_client;
use crate::trouble::Trouble;

/// The name of the token and of a database that is made, as Baserow lists them.
const OURS: &str = "Passerelle";

impl Setup<'_> {
    /// Signs in, which shows that the address and the login are right.
    pub(super) async fn sign_in_to_baserow(&mut self, answers: &Answers) -> Result<BaserowUser, Trouble> {
        let reader = self.settings.reader().with("BASEROW_URL", &answers.baserow);
        let mut own = reader.with("BASEROW_TOKEN_FILE", "").with("BASEROW_TOKEN", "-");
        let server = BaserowSettings::read(&mut own);
        own.finish(())?;
        let user = self.patiently(async || BaserowUser::log_in(&server, &answers.baserow_user).await);
        user.await.map_err(|failure| {
            let address = &answers.baserow;
            let cure =
                format!("Correct the login, or the address {address}, and run it again: nothing was made or kept");
            failed(&failure, &cure)
        })
    }

    /// The workspace of the tables; none in a dry run that would make the database.
    pub(super) async fn database(
        &mut self,
        user: &BaserowUser,
        rules: &Rules,
        tables: TablesAre,
    ) -> Result<Option<u64>, Trouble> {
        let databases = user
            .databases()
            .await
            .map_err(|failure| failed(&failure, "Run it again"))?;
        if databases.is_empty() && tables == TablesAre::Make {
            return self.make_database(user).await;
        }
        let named: Vec<&TableRef> = rules.table_needs().into_iter().map(|needs| needs.table).collect();
        if tables == TablesAre::Use {
            all_there(&named, &databases)?;
        }
        let is_named = |table: &Table| named.iter().any(|reference| is_table(reference, table));
        let has_some = |database: &&Database| database.tables.iter().any(is_named);
        let mut meant: Vec<&Database> = databases.iter().filter(has_some).collect();
        if let Some(number) = self.verb.database {
            meant = databases.iter().filter(|database| database.id == number).collect();
        } else if meant.is_empty() {
            meant = databases.iter().collect();
        }
        let workspaces = meant.iter().filter_map(|database| database.workspace.as_ref());
        let workspaces: BTreeSet<u64> = workspaces.map(|workspace| workspace.id).collect();
        if let (Some(workspace), 1) = (workspaces.first(), workspaces.len()) {
            return Ok(Some(*workspace));
        }
        let listed = databases.iter().map(|known| format!("{} ({})", known.id, known.name));
        let listed: Vec<String> = listed.collect();
        Err(Trouble::Usage(format!(
            "say with --database which database is meant: {}",
            listed.join(", ")
        )))
    }

    async fn make_database(&mut self, user: &BaserowUser) -> Result<Option<u64>, Trouble> {
        let workspaces = user
            .workspaces()
            .await
            .map_err(|failure| failed(&failure, "Run it again"))?;
        let workspace = match workspaces.as_slice() {
            [] => self.make_workspace(user).await?,
            [workspace] => Some(workspace.clone()),
            several => {
                return Err(Trouble::Usage(format!(
                    "the Baserow user is in {} workspaces: make a database in one of them, and give its number with \
                     --database",
                    several.len()
                )));
            }
        };
        let name = workspace.as_ref().map_or(OURS, |workspace| workspace.name.as_str());
        let made = format!("Baserow: the database {OURS:?} in the workspace {name:?}");
        let Some(workspace) = workspace.filter(|_| !self.verb.dry_run) else {
            self.tell(State::Planned, made);
            return Ok(None);
        };
        let database = user.create_database(workspace.id, OURS).await;
        database.map_err(|failure| failed(&failure, "Make a database in Baserow, or be an admin of the workspace"))?;
        self.tell(State::Made, made);
        Ok(Some(workspace.id))
    }

    /// A user who has just signed up is in no workspace. None in a dry run.
    async fn make_workspace(&mut self, user: &BaserowUser) -> Result<Option<Workspace>, Trouble> {
        let made = format!("Baserow: the workspace {OURS:?}");
        if self.verb.dry_run {
            self.tell(State::Planned, made);
            return Ok(None);
        }
        let workspace = user.create_workspace(OURS).await;
        let cure = "Make a workspace in Baserow, or have an admin of one invite the user; then run it again";
        let workspace = workspace.map_err(|failure| failed(&failure, cure))?;
        self.tell(State::Made, made);
        Ok(Some(workspace))
    }

    /// The token with which the bridge reads and writes rows: the one that is set, or one that is
    /// made. Whether there is one.
    pub(super) async fn token(
        &mut self,
        user: &BaserowUser,
        workspace: Option<u64>,
        redis: &Redis,
    ) -> Result<bool, Trouble> {
        if let Some(token) = self.settings.get("BASEROW_TOKEN") {
            self.keep("BASEROW_TOKEN", &token)?;
            let seen = self.baserow(redis)?.tables(&mut Journal::default()).await;
            let file = self.settings.path.display();
            let cure = format!("Correct BASEROW_TOKEN, or take its line out of {file}: then a token is made");
            return seen.map(|_| true).map_err(|failure| failed(&failure, &cure));
        }
        let cure = "The user must be builder or admin in the workspace; or make a token by hand and set BASEROW_TOKEN";
        let known = user.tokens().await.map_err(|failure| failed(&failure, cure))?;
        let ours = known
            .into_iter()
            .find(|token| token.name == OURS && Some(token.workspace) == workspace);
        let made = format!("Baserow: the database token {OURS:?}");
        let Some(workspace) = workspace.filter(|_| !self.verb.dry_run) else {
            self.tell(State::Planned, made);
            return Ok(false);
        };
        let (state, token) = if let Some(token) = ours {
            // From a run that was broken off.
            (State::Kept, token)
        } else {
            let token = user.create_token(workspace, OURS).await;
            (State::Made, token.map_err(|failure| failed(&failure, cure))?)
        };
        self.tell(state, made);
        self.keep("BASEROW_TOKEN", token.key.expose_secret())?;
        Ok(true)
    }

    /// Baserow with the bridge's token.
    pub(super) fn baserow(&self, redis: &Redis) -> Result<Baserow, Trouble> {
        let mut own = self.settings.reader();
        let settings = BaserowSettings::read(&mut own);
        own.finish(())?;
        baserow_client(redis, &settings)
    }
}

/// Refuses tables to be used that are not there.
fn all_there(named: &[&TableRef], databases: &[Database]) -> Result<(), Trouble> {
    let tables: Vec<&Table> = databases.iter().flat_map(|database| &database.tables).collect();
    let is_there = |reference: &&&TableRef| tables.iter().any(|table| is_table(reference, table));
    let missing = named.iter().filter(|reference| !is_there(reference));
    let missing: BTreeSet<String> = missing.map(ToString::to_string).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let missing: Vec<String> = missing.into_iter().collect();
    let there: Vec<&str> = tables.iter().map(|table| table.name.as_str()).collect();
    Err(Trouble::NotFound(format!(
        "Baserow has no table {}, which the rules name; it has: {}. --tables make makes what is missing; or change bridge.toml",
        missing.join(", "),
        there.join(", ")
    )))
}
