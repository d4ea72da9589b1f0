//! Where a scenario is played: a whole system with the scenario's tables, and the names of its rows
//! and pages.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use passerelle_model::config::BridgeFile;
use passerelle_model::id::RowKey;
use passerelle_store::NoticeState;
use reqwest::Method;
use serde_json::{Map, Value, json};
use test_support::eventually;

use super::check;
use super::{PageSpec, Scenario, Step, TableSpec};
use crate::builder::repository;
use crate::{Docmost, System};

/// Most events of one row in one scenario.
const MOST_EVENTS: u32 = 1000;

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
    /// The pages as the latest step with `pages` claimed them.
    pages: Vec<PageSpec>,
    /// How many events of each row the steps before have seen.
    told: BTreeMap<String, usize>,
    /// How many mails the steps before have seen.
    mails: usize,
}

/// Plays a scenario from its first step to its last, and checks that all its events have ended.
pub async fn play(path: &Path) -> anyhow::Result<()> {
    let scenario = Scenario::load(path)?;
    let mut stage = Stage::set(&scenario).await?;
    for step in &scenario.steps {
        let place = || format!("{}: {:?}", path.display(), step.that);
        stage.step(&scenario, step).await.with_context(place)?;
    }
    stage.system.drain().await;
    let place = || path.display().to_string();
    stage.no_more_mails().await.with_context(place)?;
    let ended = stage.system.every_item_has_one_outcome().await;
    ended.map(|_| ()).with_context(place)
}

impl Stage {
    async fn set(scenario: &Scenario) -> anyhow::Result<Self> {
        let bridge = repository().join(&scenario.bridge);
        let builder = System::builder().without_webhook().with_mail().bridge_file(&bridge);
        let builder = builder.worker_variable("WORKER_WIKI_SECONDS", "1");
        let system = builder.spaces(&scenario.spaces).start().await?;
        if BridgeFile::load(&bridge)?.wiki.iter().any(|rule| rule.get_ref().shared) {
            // What was shared before the first look is no news.
            system.wait_for_log("the shares that exist are known").await;
        }
        for table in &scenario.schema()?.tables {
            make_table(&system, table).await?;
        }
        system.watch_all_tables().await?;
        Ok(Self {
            person: system.person(),
            system,
            rows: BTreeMap::new(),
            identities: BTreeMap::new(),
            pages: Vec::new(),
            told: BTreeMap::new(),
            mails: 0,
        })
    }

    async fn step(&mut self, scenario: &Scenario, step: &Step) -> anyhow::Result<()> {
        for act in &step.when {
            act.perform(self).await.with_context(|| format!("{act:?}"))?;
        }
        self.system.drain().await;
        if let Some(pages) = &step.pages {
            self.pages.clone_from(pages);
        }
        let specs = self.pages.clone();
        let identities = eventually(&step.that, async || {
            self.look(scenario, step, &specs)
                .await
                .map_err(|wrong| format!("{wrong:#}"))
        })
        .await;
        self.identities.extend(identities);
        self.mails(step).await?;
        self.outcomes(step).await
    }

    /// Whether everything is as the step says; gives the ids of the pages.
    async fn look(
        &self,
        scenario: &Scenario,
        step: &Step,
        specs: &[PageSpec],
    ) -> anyhow::Result<BTreeMap<String, String>> {
        let all = self
            .system
            .docmost
            .control(Method::GET, "/_sandbox/pages", None)
            .await?;
        let all = all.as_array().context("the list of pages is no list")?;
        let identities = check::pages(self, all, specs)?;
        for spec in specs.iter().filter(|spec| !spec.trashed && spec.written_back) {
            let told = self.row(spec.of.rsplit('/').next().unwrap_or_default())?;
            let row = self.system.baserow.read(told).await?;
            let known = row.get(&scenario.page_id_field).and_then(Value::as_str);
            anyhow::ensure!(
                known == identities.get(&spec.of).map(String::as_str),
                "the row of {} knows the page {known:?}, not {:?}",
                spec.of,
                identities.get(&spec.of)
            );
        }
        for (name, specs) in &step.tables {
            let path = format!("/_sandbox/baserow/tables/{name}/rows");
            let rows = self.system.baserow.control(Method::GET, &path, None).await?;
            check::table(self, name, rows.as_array().context("the rows are no list")?, specs)?;
        }
        for (name, fields) in &step.rows {
            let row = self.system.baserow.read(self.row(name)?).await?;
            check::fields(name, &row, fields)?;
        }
        Ok(identities)
    }

    /// There is no mail that no step has claimed.
    async fn no_more_mails(&self) -> anyhow::Result<()> {
        self.all_notices_ended().await?;
        let mails = self.system.people.mails().await?;
        check::mails(mails.get(self.mails..).unwrap_or_default(), &[])
    }

    async fn all_notices_ended(&self) -> anyhow::Result<()> {
        let store = self.system.store().await?;
        eventually("every notice has ended", async || {
            let waiting = store.latest_notices(Some(NoticeState::Waiting), 10).await;
            match waiting {
                Ok(waiting) if waiting.is_empty() => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
        Ok(())
    }

    /// Looks at the mails once none waits to be sent any more.
    async fn mails(&mut self, step: &Step) -> anyhow::Result<()> {
        self.all_notices_ended().await?;
        // What the wiki does not tell is found a moment later.
        self.mails = eventually("the mails are those of the step", async || {
            let mails = self.system.people.mails().await.map_err(|error| error.to_string())?;
            let new = mails.get(self.mails..).unwrap_or_default();
            check::mails(new, &step.mails).map_err(|wrong| format!("{wrong:#}"))?;
            Ok::<_, String>(mails.len())
        })
        .await;
        Ok(())
    }

    async fn outcomes(&mut self, step: &Step) -> anyhow::Result<()> {
        let store = self.system.store().await?;
        for (name, key) in &self.rows {
            let stories = store.trace_row(*key, MOST_EVENTS).await?;
            let sent = stories.iter().filter(|story| story.source.as_str() != WOKEN);
            let ends: Vec<String> = sent.flat_map(|story| &story.items).map(check::ending).collect();
            let told = self.told.insert(name.clone(), ends.len()).unwrap_or_default();
            if let Some(expected) = step.outcomes.get(name) {
                let new = ends.get(told..).unwrap_or_default();
                anyhow::ensure!(
                    new == expected,
                    "the events of {name} ended as {new:?}, not as {expected:?}"
                );
            }
        }
        Ok(())
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
