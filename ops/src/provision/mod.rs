//! `provision`: makes the fields that rules write and the webhooks that they live by, in Baserow. A second run finds nothing to do; nothing is
//! ever deleted, and no webhook but those that call the bridge's address is touched. Database tokens may not do this: a user must be named.

mod plan;

use std::fmt::Write as _;

use passerelle_model::config::{BaserowSettings, BaserowUserSettings, BridgeFileSettings, Reader, RedisSettings};
use passerelle_queue::{Queue, QueueName, Redis};
use passerelle_worker::clients::baserow::user::BaserowUser;
use passerelle_worker::failure::Failure;
use passerelle_worker::rules::{RuleSources, Rules};
use passerelle_worker::settings::read_rule_sources;
use serde::Serialize;

use crate::Console;
use crate::cli;
use crate::survey::{Survey, baserow_client};
use crate::trouble::Trouble;
use plan::{Deed, Wanted};

/// The answer. Never says a header of a webhook: it is a secret.
#[derive(Debug, Serialize)]
struct Provisioned {
    dry_run: bool,
    /// What was done, or would be.
    changes: Vec<Change>,
    /// What an operator must know besides.
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

/// Plans, and unless it is a dry run does what is planned; each thing is told as soon as it is done.
pub async fn run(verb: &cli::Provision, reader: Reader, json: bool, console: &mut Console) -> Result<(), Trouble> {
    let by = verb.by.clone().who(reader.optional("USER"))?;
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
                let advice = "Run it again: what was done stays, and is not done twice";
                Trouble::Failed(format!(
                    "{table}: {what}: {} ({done} changes were made before). {advice}",
                    failure.message
                ))
            })?;
            site.keep(&change, &by, &mut notes).await;
            if !json {
                console.complain(&format!("done: {}: {}", change.table, change.what));
            }
        }
        changes.push(change);
    }
    let provisioned = Provisioned {
        dry_run: verb.dry_run,
        changes,
        notes,
    };
    console.tell(json, &provisioned, in_words)
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
                "Baserow lets only users make fields and webhooks, not database tokens: {advice}"
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
        for of_table in self.survey.heard(&self.rules) {
            let wanted: Wanted = plan::wanted(of_table, &self.sources.file, reader, url)?;
            if wanted.call.headers.is_empty() {
                notes.push(format!(
                    "{}: its source wants a signature, which Baserow cannot make: {} must be the address of a proxy that signs.",
                    wanted.table.name, wanted.call.url
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

    /// Writes down who did it. Baserow has it by then, so a ledger that cannot be reached is only worth a note.
    async fn keep(&self, change: &Change, by: &str, notes: &mut Vec<String>) {
        let on = format!("baserow/{}", change.table.replace(|c: char| !c.is_ascii_graphic(), "-"));
        if let Err(error) = self.queue.note_act(&on, "provisioned", by, &change.what).await {
            notes.push(format!(
                "{}: who did it could not be kept in the ledger: {error}",
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
                what: format!("make the field {:?} ({})", missing.field, missing.kind),
            },
            Deed::CreateWebhook(wanted) => Self {
                kind: "create_webhook",
                table: wanted.table.name.clone(),
                what: format!(
                    "make a webhook for {} to {}",
                    wanted.call.events.join(", "),
                    wanted.call.url
                ),
            },
            Deed::UpdateWebhook { id, table, because, .. } => Self {
                kind: "update_webhook",
                table: table.clone(),
                what: format!("put webhook {id} right: {}", because.join("; ")),
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
        (_, true) => writeln!(text, "{count} changes would be made; nothing was done."),
        (_, false) => writeln!(text, "{count} changes made."),
    };
    for note in &provisioned.notes {
        let _ = writeln!(text, "Note: {note}");
    }
    text
}
