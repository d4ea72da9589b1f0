//! One look at the webhooks of one table.

use std::collections::BTreeSet;

use passerelle_model::id::TableId;
use passerelle_model::time::Timestamp;

use super::SourceWatch;
use super::memory::Past;
use super::places::Place;
use super::tell::{self, Off, Then};
use crate::clients::baserow::user::Webhook;
use crate::context::Context;
use crate::failure::Failure;

/// A time in which a webhook told nothing. It is on again; its rows may differ from their pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// Which webhook.
    pub webhook: u64,
    /// When it was switched off, in Baserow's own spelling.
    pub since: String,
    /// The tables whose rows have pages that it concerns.
    pub pages: BTreeSet<TableId>,
}

impl SourceWatch {
    pub(super) async fn look_at(&self, context: &Context, place: &Place) -> Result<Vec<Gap>, Failure> {
        let table = &place.table;
        let webhooks = match self.door.webhooks(table.id).await {
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
        let ours: Vec<Webhook> = webhooks.into_iter().filter(Webhook::calls_the_bridge).collect();
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
        self.is_well(table.id);
        let mut gaps = Vec::new();
        for webhook in &ours {
            let past = self.look_at_one(context, place, webhook).await?;
            gaps.extend(past.open_gap().map(|since| Gap {
                webhook: webhook.id,
                since: since.to_owned(),
                pages: place.pages.clone(),
            }));
        }
        Ok(gaps)
    }

    async fn look_at_one(&self, context: &Context, place: &Place, webhook: &Webhook) -> Result<Past, Failure> {
        let mut past = self.memory.of(webhook.id).await?;
        let before = past.clone();
        if webhook.active {
            on(context, (place, webhook), &mut past).await?;
        } else {
            self.off(context, (place, webhook), &mut past).await?;
        }
        if past != before {
            self.memory.keep(webhook.id, &past).await?;
        }
        Ok(past)
    }

    /// A webhook that is off: it is switched on, unless that was done too often of late.
    async fn off(&self, context: &Context, (place, webhook): (&Place, &Webhook), past: &mut Past) -> Result<(), Failure> {
        found("off");
        let off = off_of(place, webhook, past.is_off(&webhook.updated_on));
        if let Some(until) = past.rests_until(Timestamp::now()) {
            let times = past.times();
            return tell::admin(context, &off, Then::Rests { times, until }).await;
        }
        past.begins();
        self.memory.keep(webhook.id, past).await?;
        match self.door.switch_on(webhook.id).await {
            Ok(_) => {
                found("switched_on");
                tracing::warn!(
                    row.table = place.table.name,
                    webhook = webhook.id,
                    "a webhook was switched off, and is switched on again"
                );
                tell::switched_on(context, &off).await?;
                past.switched_on(Timestamp::now());
                Ok(())
            }
            Err(failure) if failure.is_final() => {
                tracing::warn!(row.table = place.table.name, webhook = webhook.id, error = %failure, "a webhook is switched off, and cannot be switched on");
                past.was_refused(Timestamp::now());
                tell::admin(context, &off, Then::Refused(&failure.message)).await
            }
            Err(failure) => Err(failure),
        }
    }
}

/// A webhook that is on: how well, and whether a gap has ended.
async fn on(context: &Context, (place, webhook): (&Place, &Webhook), past: &mut Past) -> Result<(), Failure> {
    let (table, failures) = (&place.table.name, webhook.failed_triggers);
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
    if let Some(since) = past.is_on((failures, now)) {
        tell::switched_on(context, &off_of(place, webhook, since)).await?;
        past.switched_on(now);
    }
    Ok(())
}

fn off_of<'a>(place: &'a Place, webhook: &Webhook, since: String) -> Off<'a> {
    Off {
        table: &place.table,
        webhook: webhook.id,
        failures: webhook.failed_triggers,
        since,
    }
}

fn found(finding: &'static str) {
    metrics::counter!("passerelle_source_findings_total", "finding" => finding).increment(1);
}
