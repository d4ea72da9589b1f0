//! `provision`: creates the fields that rules write and the webhooks that they need, in Baserow.
//! Idempotent; deletes nothing, and changes no webhook but those that call the bridge's address.
//! Database tokens may not do this: it needs a user.

mod plan;

use std::fmt::Write as _;

use clap::Args;
use passerelle_model::config::{
    BaserowSettings, BaserowUserSettings, BridgeFileSettings, Reader, RedisSettings, shown_url,
};
use passerelle_queue::{Queue, QueueName, Redis};
use passerelle_worker::clients::baserow::user::BaserowUser;
use passerelle_worker::failure::Failure;
use passerelle_worker::rules::{RuleSources, Rules};
use passerelle_worker::settings::read_rule_sources;
use serde::Serialize;

use crate::arguments::By;
use crate::console::Console;
use crate::operator::who;
use crate::survey::{Survey, baserow_client};
use crate::trouble::Trouble;
use plan::{Deed, Wanted};

/// `provision`.
#[derive(Debug, Args)]
pub struct Provision {
    /// The address by which Baserow reaches the ingress, e.g. `https://bridge.example.org`. Without
    /// it webhooks are left out.
    #[arg(long)]
    pub url: Option<String>,
    /// Show what would be done, and do nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Who acts.
    #[command(flatten)]
    pub by: By,
}

/// The answer. Never shows a header of a webhook: it is a secret.
#[derive(Debug, Serialize)]
struct Provisioned {
    dry_run: bool,
    /// What was done, or would be.
    changes: Vec<Change>,
    /// What else an operator must know.
    notes: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Change {
    #[serde(rename = "change")]
    kind: &'static str,
    table: String,
    what: String,
}

/// Everything that a run needs.
struct Site {
    sources: RuleSources,
    rules: Rules,
    survey: Survey,
    user: BaserowUser,
    queue: Queue,
}

/// Plans, and unless it is a dry run carries out the plan, reporting each step.
pub async fn run(verb: &Provision, reader: Reader, console: &mut Console) -> Result<(), Trouble> {
    let by = who(verb.by.clone(), reader.optional("USER"))?;
    let site = Site::open(&reader).await?;
    let mut notes = Vec::new();
    let deeds = site.plan(verb.url.as_deref(), &reader, &mut notes).await?;
    let mut changes = Vec::new();
    for deed in deeds {
        let change = Change::of(&deed);
        if !verb.dry_run {
            site.carry_out(&deed).await.map_err(|failure| {
                let done = changes.len();
                let Change { table, what, .. } = &change;
                let advice = "Run it again: finished changes are not repeated";
                Trouble::Failed(format!(
                    "{table}: {what}: {} ({done} changes were made before that). {advice}",
                    failure.message
                ))
            })?;
            site.keep(&change, &by, &mut notes).await;
            if !console.json {
                console.note(&format!("done: {}: {}", change.table, change.what));
            }
        }
        changes.push(change);
    }
    let provisioned = Provisioned {
        dry_run: verb.dry_run,
        changes,
        notes,
    };
    console.answer(&provisioned, in_words)
}

impl Site {
    async fn open(reader: &Reader) -> Result<Self, Trouble> {
        let mut own = reader.afresh();
        let server = BaserowSettings::read(&mut own);
        let redis = RedisSettings::read(&mut own);
        let user = BaserowUserSettings::read(&mut own);
        own.finish(())?;
        let user = user.ok_or_else(|| {
            let advice = "set BASEROW_EMAIL and BASEROW_PASSWORD to a user who is builder or admin in the workspace";
            Trouble::Usage(format!(
                "Baserow lets only users create fields and webhooks, not database tokens: {advice}"
            ))
        })?;
        let sources = read_rule_sources(&BridgeFileSettings::read(reader).path)?;
        let rules = Rules::compile(&sources)?;
        let redis = Redis::open(&redis)?;
        let client = baserow_client(&redis, &server)?;
        let failed = |failure: Failure| Trouble::Failed(format!("Baserow: {}", failure.message));
        let user = BaserowUser::log_in(&server, &user).await.map_err(failed)?;
        let survey = Survey::look(&client, &rules).await.map_err(failed)?;
        Ok(Self {
            sources,
            rules,
            survey,
            user,
            queue: Queue::new(redis, QueueName::Sync),
        })
    }

    async fn plan(&self, url: Option<&str>, reader: &Reader, notes: &mut Vec<String>) -> Result<Vec<Deed>, Trouble> {
        let mut deeds: Vec<Deed> = self
            .survey
            .missing(&self.rules)
            .into_iter()
            .map(Deed::CreateField)
            .collect();
        let Some(url) = url else {
            notes.push("Webhooks were left out: give the address of the ingress with --url.".to_owned());
            return Ok(deeds);
        };
        if !url.starts_with("http://") && !url.starts_with("https://") {
            return Err(Trouble::Usage("--url must begin with http:// or https://".to_owned()));
        }
        for (table, events) in self.survey.heard(&self.rules) {
            let wanted: Wanted = plan::wanted(table, events, &self.sources.file, reader, url)?;
            if wanted.call.headers.is_empty() {
                notes.push(format!(
                    "{}: its source requires a signature, which Baserow cannot make: {} must be the address of a \
                     proxy that signs.",
                    wanted.table.name,
                    shown_url(&wanted.call.url)
                ));
            }
            let existing = self.user.webhooks(wanted.table.id).await.map_err(|failure| {
                let advice = "The user of BASEROW_EMAIL must be builder or admin in the workspace";
                Trouble::Failed(format!(
                    "the webhooks of {}: {}. {advice}",
                    wanted.table.name, failure.message
                ))
            })?;
            deeds.extend(plan::webhook(&wanted, &existing));
        }
        Ok(deeds)
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
                self.user
                    .create_field(missing.table, &missing.field, missing.kind)
                    .await
            }
            Deed::CreateWebhook(wanted) => self.user.create_webhook(wanted.table.id, &wanted.call).await.map(drop),
            Deed::UpdateWebhook { id, call, .. } => self.user.update_webhook(*id, call).await.map(drop),
        }
    }
}

impl Change {
    fn of(deed: &Deed) -> Self {
        match deed {
            Deed::CreateField(missing) => Self {
                kind: "create_field",
                table: missing.table_name.clone(),
                what: format!("create the field {:?} ({})", missing.field, missing.kind),
            },
            Deed::CreateWebhook(wanted) => Self {
                kind: "create_webhook",
                table: wanted.table.name.clone(),
                what: format!(
                    "create a webhook for {} to {}",
                    wanted.call.events.join(", "),
                    shown_url(&wanted.call.url)
                ),
            },
            Deed::UpdateWebhook { id, table, because, .. } => Self {
                kind: "update_webhook",
                table: table.clone(),
                what: format!("repair webhook {id}: {}", because.join("; ")),
            },
        }
    }
}

fn in_words(provisioned: &Provisioned) -> String {
    let mut text = String::new();
    for Change { table, what, .. } in &provisioned.changes {
        let _ = writeln!(text, "  {table:<16} {what}");
    }
    let count = provisioned.changes.len();
    let _ = match (count, provisioned.dry_run) {
        (0, _) => writeln!(text, "Nothing to do: Baserow has what the rules need."),
        (_, true) => writeln!(text, "{count} changes would be made. Nothing was changed."),
        (_, false) => writeln!(text, "{count} changes made."),
    };
    for note in &provisioned.notes {
        let _ = writeln!(text, "Note: {note}");
    }
    text
}
