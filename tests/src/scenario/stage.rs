//! Where a scenario is played: a whole system with the scenario's tables, and the names of its rows
//! and pages.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use passerelle_model::config::BridgeFile;
use passerelle_model::id::{JobKey, RowKey};
use passerelle_model::ledger::Verdict;
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::claim::{Claims, Wrong};
use super::pages::{Pages, list};
use super::{Claim, PageSpec, Scenario, Step, TableSpec, check};
use crate::idle::{Held, Watch, WikiLooks};
use crate::people::Mail;
use crate::{Docmost, System};

/// Most events of one row in one scenario.
const MOST_EVENTS: u32 = 1000;
/// Most dead letters that are told of.
const MOST_LETTERS: usize = 20;

/// The source of events by which the bridge itself wakes rows.
const WOKEN: &str = "linked";

/// A system and what the scenario calls the things in it.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) system: System,
    pub(super) person: Docmost,
    pub(super) rows: BTreeMap<String, RowKey>,
    /// The id of each page that was ever seen, by its name in the scenario.
    pub(super) identities: BTreeMap<String, String>,
    watch: Watch,
    /// Whether rules look through the wiki.
    has_wiki_rules: bool,
    /// The pages as the latest step with `pages` claimed them.
    pages: Vec<PageSpec>,
    /// How many events of each row the steps before have seen.
    told: BTreeMap<String, usize>,
    /// How many mails the steps before have seen.
    mails: usize,
    /// What waits since the latest step for somebody to mend it.
    held: Vec<Held>,
}

impl Stage {
    pub(super) async fn set(scenario: &Scenario, bridge: &Path, file: &BridgeFile) -> anyhow::Result<Self> {
        let builder = System::builder().without_webhook().with_mail().bridge_file(bridge);
        let builder = builder.spaces(&scenario.spaces).for_play();
        // As often as a worker looks at its clock for it.
        let builder = builder.worker_variable("WORKER_WIKI_SECONDS", "0.1");
        let settings = scenario.settings.iter();
        let builder = settings.fold(builder, |builder, (name, value)| builder.variable(name, value));
        let mut system = builder.start().await?;
        for table in &scenario.schema()?.tables {
            make_table(&system, table).await?;
        }
        system.watch_all_tables().await?;
        let watch = Watch::of(&system).await?;
        if file.wiki.iter().any(|rule| rule.get_ref().shared) {
            // What was shared before the first look is no news.
            let looks = watch.next_wiki_look().await?;
            watch.idle(&mut system, looks).await?;
        }
        Ok(Self {
            person: system.person(),
            has_wiki_rules: !file.wiki.is_empty(),
            watch,
            system,
            rows: BTreeMap::new(),
            identities: BTreeMap::new(),
            pages: Vec::new(),
            told: BTreeMap::new(),
            mails: 0,
            held: Vec::new(),
        })
    }

    /// Does what a step says, waits until the bridge is idle, and judges the claims, up to the first
    /// that is not true.
    pub(super) async fn step(&mut self, scenario: &Scenario, step: &Step) -> anyhow::Result<Vec<Claim>> {
        for act in &step.when {
            act.perform(self).await.with_context(|| act.to_string())?;
        }
        let looks = if self.has_wiki_rules {
            self.watch.next_wiki_look().await?
        } else {
            WikiLooks::default()
        };
        self.held = self.watch.idle(&mut self.system, looks).await?;
        let mut claims = Claims::default();
        let judged = self.judge(scenario, step, &mut claims).await;
        claims.after(judged)
    }

    async fn judge(&mut self, scenario: &Scenario, step: &Step, claims: &mut Claims) -> anyhow::Result<()> {
        self.pages(scenario, step, claims).await?;
        self.tables(step, claims).await?;
        self.mails(step, claims).await?;
        self.outcomes(step, claims).await
    }

    async fn pages(&mut self, scenario: &Scenario, step: &Step, claims: &mut Claims) -> anyhow::Result<()> {
        if let Some(pages) = &step.pages {
            self.pages.clone_from(pages);
        }
        let path = "/_sandbox/pages";
        let all = self.system.docmost.control(Method::GET, path, None).await?;
        let mut pages = Pages::of(all.as_array().context("the list of pages is no list")?);
        for spec in &self.pages {
            let judged = match pages.is_there(self, spec) {
                Ok(()) if !spec.trashed && spec.written_back => self.knows_page(scenario, spec, &pages).await,
                judged => judged,
            };
            if step.pages.is_some() || judged.is_err() {
                claims.note(spec.in_words(), judged)?;
            }
        }
        let all = if step.pages.is_some() {
            "there is no other page of the bridge"
        } else {
            "the pages of the bridge are as before"
        };
        claims.note(all, pages.are_all(&self.pages).map_err(Into::into))?;
        self.identities.extend(pages.identities);
        Ok(())
    }

    /// The row of a page knows it.
    async fn knows_page(&self, scenario: &Scenario, spec: &PageSpec, pages: &Pages<'_>) -> anyhow::Result<()> {
        let told = self.row(spec.of.rsplit('/').next().unwrap_or_default())?;
        let row = self.system.baserow.read(told).await?;
        let field = &scenario.page_id_field;
        let known = row.get(field).and_then(Value::as_str);
        let id = pages.identities.get(&spec.of).map(String::as_str);
        let about = format!("the id of its page in the row of {}, in the field {field}", spec.of);
        let quoted = |id: Option<&str>| id.unwrap_or("none").to_owned();
        Ok(Wrong::unless(known == id, about, quoted(id), quoted(known))?)
    }

    async fn tables(&self, step: &Step, claims: &mut Claims) -> anyhow::Result<()> {
        for (name, specs) in &step.tables {
            let path = format!("/_sandbox/baserow/tables/{name}/rows");
            let rows = self.system.baserow.control(Method::GET, &path, None).await?;
            let rows = rows.as_array().context("the rows are no list")?;
            let claim = format!("{name} has these rows: {}", specs.len());
            claims.note(claim, check::table(self, name, rows, specs))?;
        }
        for (name, fields) in &step.rows {
            let row = self.system.baserow.read(self.row(name)?).await?;
            let named: Vec<&str> = fields.keys().map(String::as_str).collect();
            let claim = format!("{name} has these values: {}", named.join(", "));
            claims.note(claim, check::fields(name, &row, fields).map_err(Into::into))?;
        }
        Ok(())
    }

    async fn mails(&mut self, step: &Step, claims: &mut Claims) -> anyhow::Result<()> {
        let mails = self.system.people.mails().await?;
        let mut left: Vec<&Mail> = mails.iter().skip(self.mails).collect();
        for spec in &step.mails {
            claims.note(spec.in_words(), check::mail(&mut left, spec).map_err(Into::into))?;
        }
        let others = if step.mails.is_empty() {
            "no mail"
        } else {
            "no other mail"
        };
        claims.note(others, check::no_more(&left).map_err(Into::into))?;
        self.mails = mails.len();
        Ok(())
    }

    async fn outcomes(&mut self, step: &Step, claims: &mut Claims) -> anyhow::Result<()> {
        for (name, key) in &self.rows {
            let stories = self.watch.store.trace_row(*key, MOST_EVENTS).await?;
            let sent = stories.iter().filter(|story| story.source.as_str() != WOKEN);
            let ends: Vec<String> = sent.flat_map(|story| &story.items).map(check::ending).collect();
            let told = self.told.insert(name.clone(), ends.len()).unwrap_or_default();
            if let Some(expected) = step.outcomes.get(name) {
                let new = ends.get(told..).unwrap_or_default();
                let claim = format!("the events of {name} ended as {}", expected.join(", "));
                let about = format!("how the events of {name} ended");
                let judged = Wrong::unless(new == expected, about, expected.join(", "), list(new.iter().cloned()));
                claims.note(claim, judged.map_err(Into::into))?;
            }
        }
        Ok(())
    }

    /// Nothing is left undone at the end of the story.
    pub(super) async fn nothing_is_left(&self, scenario: &Scenario, claims: &mut Claims) -> anyhow::Result<()> {
        let ends = self.system.every_item_has_one_outcome().await;
        let about = "the events of all rows";
        let ends = ends.map_err(|error| Wrong::new(about, "one outcome of each", format!("{error:#}")));
        claims.note("every event has ended once", ends.map_err(Into::into))?;
        let steps = scenario.steps.iter();
        let mut ends = steps.flat_map(|step| step.outcomes.values().flatten());
        if ends.any(|end| end.starts_with("dead")) {
            return Ok(());
        }
        let facts = self.facts().await?;
        let left = Wrong::unless(facts.is_empty(), "jobs", "none", list(facts.into_iter()));
        claims.note("no job is held, and none is dead", left.map_err(Into::into))?;
        let errors = self.system.logged_errors();
        let errors = Wrong::unless(errors.is_empty(), "the logs", "no error", list(errors.into_iter()));
        claims.note("no process has logged an error", errors.map_err(Into::into))
    }

    /// What waits for somebody to mend it, and what is dead, each with why.
    pub(super) async fn facts(&self) -> anyhow::Result<Vec<String>> {
        let mut facts = Vec::new();
        for Held { job, trouble } in &self.held {
            let why = match (trouble, job) {
                (Some(trouble), _) => format!("the rule of its table is broken: {trouble}"),
                (None, JobKey::Row(row)) => self.last_failure(*row).await?,
                (None, _) => "it waits through no fault of its own".to_owned(),
            };
            facts.push(format!("{} is held: {why}", self.called(job)));
        }
        for queue in self.watch.queues() {
            for letter in queue.dead_letters(None, MOST_LETTERS).await? {
                let (job, why) = (self.called(&letter.job), &letter.failure.message);
                facts.push(format!("{job} is dead ({}): {why}", letter.reason));
            }
        }
        Ok(facts)
    }

    async fn last_failure(&self, row: RowKey) -> anyhow::Result<String> {
        let stories = self.watch.store.trace_row(row, MOST_EVENTS).await?;
        let attempts = stories
            .iter()
            .flat_map(|story| &story.items)
            .flat_map(|item| &item.attempts);
        let last = attempts.max_by_key(|attempt| attempt.ended);
        Ok(match last.map(|attempt| &attempt.verdict) {
            Some(Verdict::Hold { failure, .. } | Verdict::Retry { failure, .. }) => failure.message.clone(),
            _ => "it waits through no fault of its own".to_owned(),
        })
    }

    /// A job, with what the scenario calls its row.
    fn called(&self, job: &JobKey) -> String {
        let named = self.rows.iter().find(|(_, row)| JobKey::Row(**row) == *job);
        named.map_or_else(|| job.to_string(), |(name, _)| format!("{name} ({job})"))
    }

    pub(super) fn row(&self, name: &str) -> anyhow::Result<RowKey> {
        self.rows
            .get(name)
            .copied()
            .with_context(|| format!("no row was created as {name:?}"))
    }

    pub(super) fn page(&self, name: &str) -> anyhow::Result<&str> {
        let id = self.identities.get(name).map(String::as_str);
        id.with_context(|| format!("no step before has seen a page {name:?}"))
    }
}

async fn make_table(system: &System, table: &TableSpec) -> anyhow::Result<()> {
    let wanted = json!({"name": table.name, "primary": table.primary});
    let made = system
        .baserow
        .control(Method::POST, "/_sandbox/baserow/tables", Some(wanted))
        .await?;
    let path = format!("/api/database/fields/table/{}/", made["id"]);
    for field in &table.fields {
        let field = with_table_number(system, field).await?;
        system
            .baserow
            .as_person(Method::POST, &path, Value::Object(field))
            .await?;
    }
    Ok(())
}

/// Links name their table by its number.
async fn with_table_number(system: &System, field: &Map<String, Value>) -> anyhow::Result<Map<String, Value>> {
    let mut field = field.clone();
    if let Some(name) = field.remove("link_row_table") {
        let table = system.baserow.table(name.as_str().unwrap_or_default()).await?;
        field.insert("link_row_table_id".to_owned(), json!(table.get()));
    }
    Ok(field)
}
