//! One look at the webhooks of one table.

use std::collections::BTreeSet;

use passerelle_model::config::Owner;
use passerelle_model::id::TableId;
use passerelle_model::time::Timestamp;

use super::SourceWatch;
use super::alert::{self, Aftermath, SwitchedOff};
use super::history::WebhookHistory;
use super::watched_tables::WatchedTable;
use crate::clients::baserow::user::Webhook;
use crate::context::Context;
use crate::failure::Failure;

/// Events of a table among which one delivery of a webhook is looked for: more would take seconds.
const LATEST: u32 = 50_000;

/// A time in which a webhook was off. It is on again; its rows may differ from their pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    pub webhook: u64,
    /// When it was switched off, in Baserow's own spelling.
    pub since: String,
    /// The tables whose rows have pages that it concerns.
    pub pages: BTreeSet<TableId>,
}

impl SourceWatch {
    pub(super) async fn look_at(&self, context: &Context, watched: &WatchedTable) -> Result<Vec<Gap>, Failure> {
        let table = &watched.table;
        let webhooks = match self.session.webhooks(table.id).await {
            Ok(webhooks) => webhooks,
            // The other tables are not to blame.
            Err(failure) if failure.is_final() => {
                found("refused");
                if self.is_new(table.id) {
                    let name = &table.name;
                    tracing::warn!(row.table = name, error = %failure, "the webhooks of a table cannot be seen: the user of BASEROW_EMAIL must be builder or admin in its workspace");
                }
                return Ok(Vec::new());
            }
            Err(failure) => return Err(failure),
        };
        let webhooks = webhooks.into_iter();
        let ours: Vec<Webhook> = webhooks.filter(|webhook| webhook.may_be_ours(&self.secrets)).collect();
        if ours.is_empty() {
            found("missing");
            if self.is_new(table.id) {
                tracing::warn!(
                    row.table = table.name,
                    "no webhook of the table calls the bridge, so its changes show late: `passerelle provision` makes one"
                );
            }
            return Ok(Vec::new());
        }
        let (mut gaps, mut unproven) = (Vec::new(), None);
        for webhook in &ours {
            if !webhook.active && !self.is_proven(context, table.id, webhook).await? {
                found("unproven");
                unproven = Some(webhook.id);
                continue;
            }
            let history = self.look_at_one(context, watched, webhook).await?;
            gaps.extend(history.open_gap().map(|since| Gap {
                webhook: webhook.id,
                since: since.to_owned(),
                pages: watched.pages.clone(),
            }));
        }
        match unproven {
            None => self.is_well(table.id),
            Some(webhook) => self.complain_of_unproven(watched, webhook),
        }
        Ok(gaps)
    }

    fn complain_of_unproven(&self, watched: &WatchedTable, webhook: u64) {
        let table = &watched.table;
        if self.is_new(table.id) {
            tracing::warn!(
                row.table = table.name,
                webhook,
                "a webhook is switched off, and stays so: nothing shows that it is of this bridge. `passerelle provision` repairs one that is; a worker that has BASEROW_WEBHOOK_SECRET knows its own"
            );
        }
    }

    /// Whether a webhook is of this bridge for certain.
    async fn is_proven(&self, context: &Context, table: TableId, webhook: &Webhook) -> Result<bool, Failure> {
        match webhook.owner(&self.secrets) {
            Owner::ThisBridge => Ok(true),
            Owner::Another => Ok(false),
            // The ingress has taken its deliveries, so their proof was right.
            Owner::Unknown => Ok(context.store.has_delivery_of(table, webhook.id, LATEST).await?),
        }
    }

    async fn look_at_one(
        &self,
        context: &Context,
        watched: &WatchedTable,
        webhook: &Webhook,
    ) -> Result<WebhookHistory, Failure> {
        let mut history = self.histories.of(webhook.id).await?;
        let before = history.clone();
        if webhook.active {
            on(context, watched, webhook, &mut history).await?;
        } else {
            self.off(context, watched, webhook, &mut history).await?;
        }
        if history != before {
            self.histories.keep(webhook.id, &history).await?;
        }
        Ok(history)
    }

    /// A webhook that is off: it is switched on, unless that was done too often of late.
    async fn off(
        &self,
        context: &Context,
        watched: &WatchedTable,
        webhook: &Webhook,
        history: &mut WebhookHistory,
    ) -> Result<(), Failure> {
        found("off");
        let off = off_of(watched, webhook, history.is_off(&webhook.updated_on));
        if let Some(until) = history.rests_until(Timestamp::now()) {
            let times = history.times();
            return alert::admin(context, &off, Aftermath::Rests { times, until }).await;
        }
        history.begins();
        self.histories.keep(webhook.id, history).await?;
        match self.session.switch_on(webhook.id).await {
            Ok(_) => {
                found("switched_on");
                tracing::warn!(
                    row.table = watched.table.name,
                    webhook = webhook.id,
                    "a webhook was switched off, and is switched on again"
                );
                alert::switched_on(context, &off).await?;
                history.switched_on(Timestamp::now());
                Ok(())
            }
            Err(failure) if failure.is_final() => {
                tracing::warn!(row.table = watched.table.name, webhook = webhook.id, error = %failure, "a webhook is switched off, and cannot be switched on");
                history.was_refused(Timestamp::now());
                alert::admin(context, &off, Aftermath::Refused(&failure.message)).await
            }
            Err(failure) => Err(failure),
        }
    }
}

/// A webhook that is on: how well, and whether a gap has ended.
async fn on(
    context: &Context,
    watched: &WatchedTable,
    webhook: &Webhook,
    history: &mut WebhookHistory,
) -> Result<(), Failure> {
    let (table, failures) = (&watched.table.name, webhook.failed_triggers);
    if failures > 0 {
        found("failing");
        tracing::warn!(
            row.table = table,
            webhook = webhook.id,
            failures,
            "a webhook fails; nine failures in a row switch it off"
        );
    }
    let now = Timestamp::now();
    if let Some(since) = history.is_on(failures, now) {
        alert::switched_on(context, &off_of(watched, webhook, since)).await?;
        history.switched_on(now);
    }
    Ok(())
}

fn off_of<'a>(watched: &'a WatchedTable, webhook: &Webhook, since: String) -> SwitchedOff<'a> {
    SwitchedOff {
        table: &watched.table,
        webhook: webhook.id,
        failures: webhook.failed_triggers,
        since,
    }
}

fn found(finding: &'static str) {
    metrics::counter!("passerelle_source_findings_total", "finding" => finding).increment(1);
}
