//! `provision`: creates the tables of a schema, the fields that rules write and the webhooks that
//! they need, in Baserow. Idempotent; changes no webhook but those that call the bridge's address,
//! and takes nothing away but webhooks of an earlier address, if asked to.
//! Database tokens may not do this: it needs a user.

mod answer;
mod given;
mod plan;
mod schema;
mod tables;

use std::path::PathBuf;

use clap::Args;
use passerelle_model::config::{
    BaserowSettings, BaserowUserSettings, Reader, RedisSettings, WebhookSecrets, shown_url,
};
use passerelle_queue::{Queue, QueueName, Redis};
use passerelle_worker::clients::baserow::user::{BaserowUser, Webhook};
use passerelle_worker::clients::baserow::{Baserow, Table};
use passerelle_worker::failure::Failure;
use passerelle_worker::rules::{RuleSources, Rules};
use serde_json::json;

use crate::arguments::By;
use crate::console::Console;
use crate::operator::who;
use crate::survey::{SeenTable, Survey, baserow_client};
use crate::trouble::Trouble;
pub(crate) use answer::Provisioned;
use answer::{Answer, Change, in_words};
pub(crate) use given::{Given, planned};
use plan::{Deed, Wanted};
pub(crate) use schema::Schema;
use tables::Tables;

/// `provision`.
#[derive(Debug, Args)]
pub struct Provision {
    /// The address by which Baserow reaches the ingress, e.g. `https://bridge.example.org`. Without
    /// it webhooks are left out.
    #[arg(long)]
    pub url: Option<String>,
    /// Make the tables and fields of this file too, where they are missing, e.g.
    /// `examples/agence/schema.toml`.
    #[arg(long, value_name = "FILE")]
    pub schema: Option<PathBuf>,
    /// The number of the database for them. Default: the only one, or the one that has such tables.
    #[arg(long, requires = "schema")]
    pub database: Option<u64>,
    /// Take away webhooks that call this bridge at an earlier address. They are known by its
    /// secret; those of another bridge stay.
    #[arg(long, requires = "url")]
    pub remove_earlier: bool,
    /// Show what would be done, and do nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Who acts. Default: the user of this session, or else of BASEROW_EMAIL.
    #[arg(long)]
    pub by: Option<String>,
}

/// Everything that a run needs.
struct Site {
    sources: RuleSources,
    rules: Rules,
    client: Baserow,
    user: BaserowUser,
    email: String,
    queue: Queue,
}

/// A run under way.
struct Provisioning<'a> {
    site: Site,
    by: String,
    dry_run: bool,
    console: &'a mut Console,
    done: &'a mut Provisioned,
}

/// Plans, and unless it is a dry run carries out the plan, reporting each step.
pub async fn run(verb: &Provision, reader: Reader, console: &mut Console) -> Result<(), Trouble> {
    let given = Given::read(verb, &reader)?;
    let mut provisioned = Provisioned::default();
    let carried_out = carry_out(verb, given, &reader, console, &mut provisioned).await;
    if carried_out.is_ok() || !provisioned.changes.is_empty() {
        let dry_run = verb.dry_run;
        console.answer(&Answer { dry_run, provisioned }, in_words)?;
    }
    carried_out
}

/// The same without the answer, which the caller gives: `done` is right also where it fails.
pub(crate) async fn carry_out(
    verb: &Provision,
    given: Given,
    reader: &Reader,
    console: &mut Console,
    done: &mut Provisioned,
) -> Result<(), Trouble> {
    let site = Site::open(reader, given.sources).await?;
    let by = By { by: verb.by.clone() };
    let user = reader.optional("USER").or_else(|| Some(site.email.clone()));
    let mut run = Provisioning {
        by: who(by, user)?,
        site,
        dry_run: verb.dry_run,
        console,
        done,
    };
    let planned = match given.schema {
        Some(schema) => run.tables(&schema, verb.database).await?,
        None => Vec::new(),
    };
    let survey = if given.as_user {
        run.site.survey_as_user().await
    } else {
        Survey::look(&run.site.client, &run.site.rules).await
    };
    let survey = survey.map_err(|failure| failed(&failure))?;
    for seen in &planned {
        if !verb.dry_run && !survey.sees(&seen.table) {
            run.done.notes.push(format!(
                "{}: BASEROW_TOKEN does not see this table: give the token rights to it in Baserow.",
                seen.table.name
            ));
        }
    }
    let survey = if verb.dry_run { survey.with(planned) } else { survey };
    let deeds = run.site.plan(verb, &survey, reader, &mut run.done.notes).await?;
    for deed in deeds {
        let result = if verb.dry_run {
            Ok(())
        } else {
            run.site.carry_out(&deed).await
        };
        run.end(Change::of(&deed), result).await?;
    }
    Ok(())
}

fn failed(failure: &Failure) -> Trouble {
    Trouble::Failed(format!("Baserow: {}", failure.message))
}

impl Provisioning<'_> {
    /// Makes the tables of the schema where they are missing, or plans that. Returns all of them.
    async fn tables(&mut self, schema: &Schema, database: Option<u64>) -> Result<Vec<SeenTable>, Trouble> {
        let mut tables = Tables::look(&self.site.user, schema, database).await?;
        self.done.notes.append(&mut tables.notes);
        for making in std::mem::take(&mut tables.makings) {
            let result = if self.dry_run {
                tables.plan(&making);
                Ok(())
            } else {
                tables.make(&self.site.user, &making).await
            };
            self.end(Change::of_making(&making), result).await?;
        }
        Ok(tables.known)
    }

    /// Tells of a change as soon as it is made, and keeps in the ledger who made it.
    async fn end(&mut self, change: Change, result: Result<(), Failure>) -> Result<(), Trouble> {
        let Change { table, what, .. } = &change;
        result.map_err(|failure| {
            let done = self.done.changes.len();
            let advice = "Run it again: finished changes are not repeated";
            let why = failure.message;
            Trouble::Failed(format!(
                "{table}: {what}: {why} ({done} changes were made before that). {advice}"
            ))
        })?;
        if !self.dry_run {
            self.site.keep(&change, &self.by, &mut self.done.notes).await;
            if !self.console.json {
                self.console.note(&format!("done: {table}: {what}"));
            }
        }
        self.done.changes.push(change);
        Ok(())
    }
}

impl Site {
    async fn open(reader: &Reader, sources: RuleSources) -> Result<Self, Trouble> {
        let mut own = reader.afresh();
        let server = BaserowSettings::read(&mut own);
        let redis = RedisSettings::read(&mut own);
        let user = BaserowUserSettings::read(&mut own);
        own.finish(())?;
        let login = user.ok_or_else(|| {
            let advice = "set BASEROW_EMAIL and BASEROW_PASSWORD to a user who is builder or admin in the workspace";
            Trouble::Usage(format!(
                "Baserow lets only users create tables, fields and webhooks, not database tokens: {advice}"
            ))
        })?;
        let rules = Rules::compile(&sources)?;
        let redis = Redis::open(&redis)?;
        let client = baserow_client(&redis, &server)?;
        Ok(Self {
            sources,
            rules,
            client,
            user: BaserowUser::log_in(&server, &login)
                .await
                .map_err(|failure| failed(&failure))?,
            email: login.email,
            queue: Queue::new(redis, QueueName::Sync),
        })
    }

    /// All tables that the user sees.
    async fn survey_as_user(&self) -> Result<Survey, Failure> {
        let mut seen = Vec::new();
        for table in self.user.databases().await?.into_iter().flat_map(|known| known.tables) {
            let fields = self.user.fields(table.id).await?;
            seen.push(SeenTable { table, fields });
        }
        Ok(Survey::default().with(seen))
    }

    async fn plan(
        &self,
        verb: &Provision,
        survey: &Survey,
        reader: &Reader,
        notes: &mut Vec<String>,
    ) -> Result<Vec<Deed>, Trouble> {
        let missing = survey.missing(&self.rules);
        let mut deeds: Vec<Deed> = missing.into_iter().map(Deed::CreateField).collect();
        let Some(url) = verb.url.as_deref() else {
            notes.push("Webhooks were left out: give the address of the ingress with --url.".to_owned());
            return Ok(deeds);
        };
        if !url.starts_with("http://") && !url.starts_with("https://") {
            return Err(Trouble::Usage("--url must begin with http:// or https://".to_owned()));
        }
        let secrets = WebhookSecrets::read(reader, self.sources.file.sources.values());
        for (table, events) in survey.heard(&self.rules) {
            let wanted: Wanted = plan::wanted(table, events, &self.sources.file, reader, url)?;
            if wanted.call.headers.is_empty() {
                notes.push(format!(
                    "{}: its source requires a signature, which Baserow cannot make: {} must be the address of a \
                     proxy that signs.",
                    wanted.table.name,
                    shown_url(&wanted.call.url)
                ));
            }
            let existing = self.webhooks(&wanted.table).await?;
            deeds.extend(plan::webhook(&wanted, &existing));
            for earlier in plan::earlier(&wanted, &existing) {
                let (table, id, address) = (&wanted.table, earlier.id, shown_url(&earlier.call.url));
                let name = &table.name;
                if !plan::is_known(earlier, &secrets, url) {
                    notes.push(format!(
                        "{name}: webhook {id} calls {address} without a secret of this bridge: it may be another bridge's, \
                         and stays. If nothing of yours is there any more, delete it in Baserow."
                    ));
                } else if verb.remove_earlier {
                    deeds.push(Deed::RemoveWebhook {
                        id,
                        table: name.clone(),
                        url: earlier.call.url.clone(),
                    });
                } else {
                    notes.push(format!(
                        "{name}: webhook {id} calls another address of this bridge, {address}: --remove-earlier takes it \
                         away."
                    ));
                }
            }
        }
        Ok(deeds)
    }

    async fn webhooks(&self, table: &Table) -> Result<Vec<Webhook>, Trouble> {
        if tables::is_unmade(table) {
            return Ok(Vec::new());
        }
        self.user.webhooks(table.id).await.map_err(|failure| {
            let advice = "The user of BASEROW_EMAIL must be builder or admin in the workspace";
            Trouble::Failed(format!("the webhooks of {}: {}. {advice}", table.name, failure.message))
        })
    }

    /// Keeps in the ledger who did it. Baserow has the change by then, so an unreachable ledger is
    /// only a note.
    async fn keep(&self, change: &Change, by: &str, notes: &mut Vec<String>) {
        let on = format!("baserow/{}", change.table.replace(|c: char| !c.is_ascii_graphic(), "-"));
        if let Err(error) = self.queue.note_act(&on, "provisioned", by, &change.what).await {
            notes.push(format!(
                "{}: the ledger does not know who did it: {error}",
                change.table
            ));
        }
    }

    async fn carry_out(&self, deed: &Deed) -> Result<(), Failure> {
        match deed {
            Deed::CreateField(missing) => {
                let field = json!({"name": missing.field, "type": missing.kind});
                self.user.create_field(missing.table, field).await
            }
            Deed::CreateWebhook(wanted) => self.user.create_webhook(wanted.table.id, &wanted.call).await.map(drop),
            Deed::UpdateWebhook { id, call, .. } => self.user.update_webhook(*id, call).await.map(drop),
            Deed::RemoveWebhook { id, .. } => self.user.delete_webhook(*id).await,
        }
    }
}
