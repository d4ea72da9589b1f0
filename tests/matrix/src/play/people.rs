//! The people of a world. Each change names rows by a number that picks among those there are.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, bail};
use reqwest::Method;
use serde_json::{Value, json};

use crate::schedule::Change;
use crate::world::World;

const CLIENT: u64 = 1;
const PROJECT: u64 = 2;
const COURSE: u64 = 3;
const BLOC: u64 = 4;
const PERSON: u64 = 5;
const ASSIGNMENT: u64 = 6;
const STATUSES: [&str; 3] = ["Brouillon", "En cours", "Terminé"];
/// How long the first pages may take, before anything is broken.
const COMES_TO_LIFE_WITHIN: Duration = Duration::from_mins(2);

/// What people have done and must find again.
#[derive(Debug, Default)]
pub(crate) struct Deeds {
    /// What was written on the page of a project: the row, and the text.
    pub(crate) writings: Vec<(u64, String)>,
    /// The pages of people's own, as they were right after they were written.
    pub(crate) own_pages: Vec<Value>,
    /// The courses that were given to people, each by a title of its own.
    pub(crate) assignments: Vec<(u64, String)>,
    /// The bodies of deliveries that were sent again.
    pub(crate) repeated: usize,
}

#[derive(Debug)]
pub(crate) struct People<'w> {
    world: &'w World,
    pub(crate) deeds: Deeds,
    /// The living rows of each table.
    rows: BTreeMap<u64, Vec<u64>>,
    deleted_projects: Vec<u64>,
    /// The pages of the first projects, which people know.
    known_pages: BTreeMap<u64, String>,
    own_pages: Vec<String>,
    words: u32,
}

impl<'w> People<'w> {
    pub(crate) fn new(world: &'w World) -> Self {
        Self {
            world,
            deeds: Deeds::default(),
            rows: BTreeMap::new(),
            deleted_projects: Vec::new(),
            known_pages: BTreeMap::new(),
            own_pages: Vec::new(),
            words: 0,
        }
    }

    /// The rows that there are when the first fault may begin, and their pages.
    pub(crate) async fn set_up(&mut self) -> anyhow::Result<()> {
        for _ in 0..2 {
            let name = self.word("Client");
            self.create(CLIENT, json!({ "Name": name })).await?;
            let name = self.word("Personne");
            let email = format!("{}@example.org", name.to_lowercase().replace(' ', "-"));
            self.create(PERSON, json!({"Nom": name, "Email": email, "heures_max": "100"}))
                .await?;
        }
        for number in 0..3 {
            self.make(Change::CreateProject { client: number }).await?;
        }
        let title = self.word("Cours");
        self.create(COURSE, json!({ "Titre": title })).await?;
        self.make(Change::CreateBloc(0)).await?;
        self.make(Change::CreateBloc(0)).await?;
        self.knows_its_pages().await
    }

    async fn knows_its_pages(&mut self) -> anyhow::Result<()> {
        let mut ticks = tokio::time::interval(Duration::from_millis(50));
        let deadline = tokio::time::Instant::now() + COMES_TO_LIFE_WITHIN;
        loop {
            ticks.tick().await;
            let mut rows = Vec::new();
            for table in [PROJECT, COURSE, BLOC] {
                rows.extend(
                    self.world
                        .sandbox
                        .rows(table)
                        .await?
                        .into_iter()
                        .map(|row| (table, row)),
                );
            }
            let page = |row: &Value| {
                row["docmost_page_id"]
                    .as_str()
                    .filter(|id| !id.is_empty())
                    .map(str::to_owned)
            };
            if rows.iter().all(|(_, row)| page(row).is_some()) {
                let projects = rows.iter().filter(|(table, _)| *table == PROJECT);
                self.known_pages = projects
                    .filter_map(|(_, row)| Some((row["id"].as_u64()?, page(row)?)))
                    .collect();
                return Ok(());
            }
            if tokio::time::Instant::now() > deadline {
                bail!("rows have no page yet: {rows:?}");
            }
        }
    }

    /// Makes one change. What picks among rows that are not there does nothing.
    pub(crate) async fn make(&mut self, change: Change) -> anyhow::Result<()> {
        match change {
            Change::CreateProject { client } => self.create_project(client).await,
            Change::RenameProject(pick) => self.rename(PROJECT, pick, "Nom").await,
            Change::SetStatus(pick, status) => {
                let status = json!({"Statut": STATUSES[status % STATUSES.len()]});
                self.update(PROJECT, pick, status).await
            }
            Change::Relink { project, client } => {
                let client = self.pick(CLIENT, client).into_iter().collect::<Vec<u64>>();
                self.update(PROJECT, project, json!({ "Client": client })).await
            }
            Change::DeleteProject(pick) => {
                let deleted = self.delete(PROJECT, pick).await?;
                self.deleted_projects.extend(deleted);
                Ok(())
            }
            Change::RestoreProject(pick) => self.restore_project(pick).await,
            Change::RenameClient(pick) => self.rename(CLIENT, pick, "Name").await,
            Change::RenameCourse(pick) => self.rename(COURSE, pick, "Titre").await,
            Change::CreateBloc(pick) => {
                let course = self.pick(COURSE, pick).into_iter().collect::<Vec<u64>>();
                let title = self.word("Bloc");
                self.create(BLOC, json!({"Titre": title, "Formation": course}))
                    .await
                    .map(|_| ())
            }
            Change::RenameBloc(pick) => self.rename(BLOC, pick, "Titre").await,
            Change::DeleteBloc(pick) => self.delete(BLOC, pick).await.map(|_| ()),
            Change::Assign(pick) => self.assign(pick).await,
            Change::Batch { rows, bytes } => self.batch(rows, bytes).await,
            Change::Repeat(pick) => self.repeat(pick).await,
            Change::WriteOnPage(pick) => self.write_on_page(pick).await,
            Change::RenamePage(pick) => {
                let title = self.word("Titre à la main");
                self.on_page(pick, "pages/update", json!({ "title": title })).await
            }
            Change::TrashPage(pick) => self.on_page(pick, "pages/delete", json!({})).await,
            Change::MovePage(pick) => {
                let Some(parent) = self.own_pages.first().cloned() else {
                    return Ok(());
                };
                let place = json!({"parentPageId": parent, "position": "a0abc"});
                self.on_page(pick, "pages/move", place).await
            }
            Change::OwnPage => self.own_page().await,
        }
    }

    /// Deletes the oldest rows, so that at most so many of a table are left: a world that lasts stays as large as it is.
    pub(crate) async fn tidy(&mut self, most: usize) -> anyhow::Result<()> {
        for table in [PROJECT, BLOC, ASSIGNMENT] {
            while self.rows.get(&table).is_some_and(|rows| rows.len() > most) && self.delete(table, 0).await?.is_some()
            {
            }
        }
        Ok(())
    }

    async fn create_project(&mut self, client: usize) -> anyhow::Result<()> {
        let client = self.pick(CLIENT, client).into_iter().collect::<Vec<u64>>();
        let name = self.word("Projet");
        let fields = json!({"Nom": name, "Statut": STATUSES[1], "Client": client});
        self.create(PROJECT, fields).await.map(|_| ())
    }

    async fn restore_project(&mut self, pick: usize) -> anyhow::Result<()> {
        if self.deleted_projects.is_empty() {
            return Ok(());
        }
        let row = self.deleted_projects.remove(pick % self.deleted_projects.len());
        let item = json!({"trash_item_type": "row", "parent_trash_item_id": PROJECT, "trash_item_id": row});
        self.world.sandbox.restore(item).await?;
        self.rows.entry(PROJECT).or_default().push(row);
        Ok(())
    }

    async fn assign(&mut self, pick: usize) -> anyhow::Result<()> {
        let person = self.pick(PERSON, pick).into_iter().collect::<Vec<u64>>();
        let course = self.word("Attribution");
        let fields = json!({"Libelle": course, "Personne": person, "heures": "2"});
        let row = self.create(ASSIGNMENT, fields).await?;
        self.deeds.assignments.push((row, course));
        Ok(())
    }

    /// Rows of a table without a rule: all that becomes of them is the delivery, which is large.
    /// Nobody is given a course through them.
    async fn batch(&mut self, rows: usize, bytes: usize) -> anyhow::Result<()> {
        let items: Vec<Value> = (0..rows).map(|_| json!({"Nom": "x".repeat(bytes)})).collect();
        let path = format!("/api/database/rows/table/{PERSON}/batch/?user_field_names=true");
        let body = json!({ "items": items });
        self.world.sandbox.baserow(Method::POST, &path, Some(body)).await?;
        Ok(())
    }

    async fn repeat(&mut self, pick: usize) -> anyhow::Result<()> {
        let mut attempts = self.world.sandbox.attempts().await?;
        attempts.retain(|attempt| attempt["status"] == 200);
        if attempts.is_empty() {
            return Ok(());
        }
        let body = attempts.swap_remove(pick % attempts.len())["body"].clone();
        let body = body.as_str().context("a delivery has no body")?.to_owned();
        // It may fail as any delivery; it was answered before.
        let sent = self.world.sandbox.post_delivery(self.world.entrance(), body).await;
        self.deeds.repeated += usize::from(sent.is_ok());
        Ok(())
    }

    async fn write_on_page(&mut self, pick: usize) -> anyhow::Result<()> {
        let Some((row, page)) = self.pick_page(pick) else {
            return Ok(());
        };
        let text = self.word("Note");
        let body = json!({"pageId": page, "content": text, "operation": "append", "format": "markdown"});
        self.world.sandbox.docmost("pages/update", body).await?;
        self.deeds.writings.push((row, text));
        Ok(())
    }

    /// Something that the bridge is not told of; the row changes afterwards, and the bridge must
    /// mend the page.
    async fn on_page(&mut self, pick: usize, path: &str, mut body: Value) -> anyhow::Result<()> {
        let Some((row, page)) = self.pick_page(pick) else {
            return Ok(());
        };
        body["pageId"] = json!(page);
        self.world.sandbox.docmost(path, body).await?;
        let name = self.word("Projet");
        self.patch(PROJECT, row, json!({ "Nom": name })).await
    }

    async fn own_page(&mut self) -> anyhow::Result<()> {
        let sandbox = &self.world.sandbox;
        let space = sandbox.docmost("spaces/info", json!({"spaceId": "agence"})).await?;
        let title = self.word("Page de quelqu'un");
        let page = json!({"spaceId": space["id"], "title": title, "format": "markdown", "content": "À moi"});
        let made = sandbox.docmost("pages/create", page).await?;
        let id = made["id"].as_str().context("the new page has no id")?.to_owned();
        let pages = sandbox.pages().await?;
        let page = pages.into_iter().find(|page| page["id"] == *id);
        self.deeds.own_pages.extend(page);
        self.own_pages.push(id);
        Ok(())
    }

    async fn create(&mut self, table: u64, fields: Value) -> anyhow::Result<u64> {
        let path = format!("/api/database/rows/table/{table}/?user_field_names=true");
        let row = self.world.sandbox.baserow(Method::POST, &path, Some(fields)).await?;
        let id = row["id"].as_u64().context("the new row has no id")?;
        self.rows.entry(table).or_default().push(id);
        Ok(id)
    }

    async fn rename(&mut self, table: u64, pick: usize, field: &str) -> anyhow::Result<()> {
        let name = self.word("Nom");
        self.update(table, pick, json!({ field: name })).await
    }

    async fn update(&mut self, table: u64, pick: usize, fields: Value) -> anyhow::Result<()> {
        match self.pick(table, pick) {
            Some(row) => self.patch(table, row, fields).await,
            None => Ok(()),
        }
    }

    async fn patch(&self, table: u64, row: u64, fields: Value) -> anyhow::Result<()> {
        let path = format!("/api/database/rows/table/{table}/{row}/?user_field_names=true");
        self.world.sandbox.baserow(Method::PATCH, &path, Some(fields)).await?;
        Ok(())
    }

    /// Two rows of each table stay, so that there is always something to do.
    async fn delete(&mut self, table: u64, pick: usize) -> anyhow::Result<Option<u64>> {
        if self.rows.get(&table).is_none_or(|rows| rows.len() < 3) {
            return Ok(None);
        }
        let Some(row) = self.pick(table, pick) else {
            return Ok(None);
        };
        let path = format!("/api/database/rows/table/{table}/{row}/");
        self.world.sandbox.baserow(Method::DELETE, &path, None).await?;
        self.rows.entry(table).or_default().retain(|known| *known != row);
        Ok(Some(row))
    }

    fn pick(&self, table: u64, pick: usize) -> Option<u64> {
        let rows = self.rows.get(&table).filter(|rows| !rows.is_empty())?;
        Some(rows[pick % rows.len()])
    }

    /// One of the pages that people know, if its row still lives.
    fn pick_page(&self, pick: usize) -> Option<(u64, String)> {
        let living = self.rows.get(&PROJECT)?;
        let known: Vec<(&u64, &String)> = self
            .known_pages
            .iter()
            .filter(|(row, _)| living.contains(row))
            .collect();
        let (row, page) = known.get(pick % known.len().max(1))?;
        Some((**row, (*page).clone()))
    }

    /// A text that nothing else in this world has.
    fn word(&mut self, kind: &str) -> String {
        self.words += 1;
        format!("{kind} {:03}", self.words)
    }
}
