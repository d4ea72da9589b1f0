//! Puts together what jobs use.

use std::sync::Arc;

use anyhow::Context as _;
use passerelle_model::id::ProcessName;
use passerelle_queue::gate::Gates;
use passerelle_queue::loops::Loops;
use passerelle_queue::{Queue, QueueName, Redis};
use passerelle_store::Store;
use tokio::sync::{Mutex, OnceCell};

use crate::clients::baserow::Baserow;
use crate::clients::docmost::Docmost;
use crate::clients::slack::Slack;
use crate::context::Context;
use crate::lookups::cache::Cache;
use crate::lookups::linked_reads::LinkedReads;
use crate::lookups::names::Names;
use crate::lookups::repeats::Repeats;
use crate::lookups::row_reads::RowReads;
use crate::lookups::shown::Shown;
use crate::lookups::tables::Tables;
use crate::notify::mail_cap::MailCap;
use crate::outbox::{Channels, Outbox};
use crate::rule_files::Loaded;
use crate::settings::Settings;

/// Puts the surroundings of jobs together; nothing is sent yet.
pub fn context(settings: Settings, redis: Redis, store: Store) -> anyhow::Result<Context> {
    let gates = Gates::new(redis.clone(), ProcessName::unique("worker"), settings.gates);
    let repeats = Repeats::new(redis.clone(), settings.repeat);
    let shown = Shown::new(redis.clone());
    let loops = Loops::new(redis.clone(), settings.loops);
    let slack = settings.slack.as_ref().map(Slack::new).transpose();
    let slack = slack.context("the HTTP client for Slack")?;
    let channels = Channels {
        mail: settings.mail,
        slack,
    };
    let outbox = Outbox::new(channels, &redis, store.clone());
    let docmost = Docmost::new(&settings.docmost, redis.clone(), gates.clone());
    let Loaded { rules, templates, .. } = settings.loaded;
    Ok(Context {
        baserow: Baserow::new(&settings.baserow, gates.clone()).context("the HTTP client for Baserow")?,
        docmost: Arc::new(docmost.context("the HTTP client for Docmost")?),
        gates,
        queue: Queue::new(redis.clone(), QueueName::Sync),
        tables: Arc::new(Tables::new(store.clone(), rules.locale().zone.clone())),
        names: Arc::new(Names::new(store.clone())),
        bridge: Arc::new(OnceCell::new()),
        new_bridge: settings.bridge_instance.unwrap_or_else(new_instance),
        store,
        mail_cap: Arc::new(MailCap::new(redis.clone(), settings.mails_per_hour)),
        cache: Cache::new(redis),
        rules: Arc::new(rules),
        templates: Arc::new(templates),
        zombie_window: settings.zombie_window,
        outbox: Arc::new(outbox),
        loops,
        repeats,
        shown,
        row_reads: Arc::new(RowReads::default()),
        linked_reads: Arc::new(LinkedReads::default()),
        ledger_turn: Arc::new(Mutex::new(())),
        solo: passerelle_queue::Solo::default(),
    })
}

/// A word for the marks of a new bridge's pages: small letters and digits.
fn new_instance() -> String {
    let unique = ulid::Ulid::generate().to_string().to_lowercase();
    unique.chars().rev().take(8).collect()
}
