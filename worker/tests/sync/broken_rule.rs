//! A rule that no row can be carried out by.

use std::time::Duration;

use passerelle_model::ledger::{Settlement, Verdict};
use passerelle_sandbox::docmost::HUMAN_EMAIL;
use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{World, attempt};

/// Rows for pages with a label, in a table whose field for the page's id is this one.
fn wiki_rule(page_id: &str) -> String {
    format!(
        r#"[sources]
"*" = {{ proof = "hmac", secrets = "S" }}

[[wiki]]
name = "compte-rendu"
label = "compte-rendu"

[wiki.row]
table = "comptes_rendus"
page_id = "{page_id}"
fields = {{ Titre = "{{{{ page.title }}}}" }}
"#
    )
}

impl World {
    /// With such a rule, and pages of people with the label.
    async fn of_reports(page_id: &str, titles: &[&str]) -> anyhow::Result<(Self, Vec<String>)> {
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("bridge.toml"), wiki_rule(page_id))?;
        let world = Self::with_rules(&folder.path().join("bridge.toml")).await?;
        let space = world
            .wiki_as(HUMAN_EMAIL, "spaces/info", json!({"spaceId": "agence"}))
            .await?;
        let mut pages = Vec::new();
        for title in titles {
            let page = json!({"spaceId": space["id"], "title": title});
            let page = world.wiki_as(HUMAN_EMAIL, "pages/create", page).await?;
            let label = json!({"pageId": page["id"], "names": ["compte-rendu"]});
            world.wiki_as(HUMAN_EMAIL, "pages/labels/add", label).await?;
            pages.push(page["id"].as_str().unwrap_or_default().to_owned());
        }
        Ok((world, pages))
    }

    /// The reasons of the notices that tell of broken rules.
    async fn told(&self) -> anyhow::Result<Vec<String>> {
        let notices = self.context.store.latest_notices(None, 100).await?;
        let broken = notices.into_iter().filter(|notice| notice.kind == "rule-broken");
        Ok(broken.map(|notice| notice.args).collect())
    }
}

fn held_because(settlement: &Settlement) -> anyhow::Result<&str> {
    match &settlement.verdict {
        Verdict::Hold { failure, .. } => Ok(&failure.message),
        other => anyhow::bail!("not held: {other:?}"),
    }
}

#[tokio::test]
async fn a_table_that_people_deleted_holds_the_events_of_its_rows_and_is_told_once() {
    let world = World::start().await.unwrap();
    let rows = [world.project("Un").await.unwrap(), world.project("Deux").await.unwrap()];
    world.synced(rows[0]).await.unwrap();
    world
        .baserow_control(Method::DELETE, "tables/2", Value::Null)
        .await
        .unwrap();
    for row in rows {
        let settlement = world.attempt(row).await;
        let why = held_because(&settlement).unwrap();
        assert!(why.contains("take it out of Baserow's trash"), "{why}");
    }
    // So they are for a worker that has never seen the table.
    let other = world.replica().await.unwrap();
    let settlement = attempt(&other, rows[1]).await;
    let why = held_because(&settlement).unwrap();
    assert!(why.contains("the table t2 of rule \"projet-page\""), "{why}");
    assert_eq!(world.told().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_linked_table_that_people_deleted_holds_the_events_of_its_rows() {
    let world = World::start().await.unwrap();
    let (project, client) = world.project_of_client("Un").await.unwrap();
    world.synced(project).await.unwrap();
    world
        .baserow_control(Method::DELETE, &format!("tables/{}", client.table), Value::Null)
        .await
        .unwrap();
    let other = world.replica().await.unwrap();
    let settlement = attempt(&other, client).await;
    let why = held_because(&settlement).unwrap();
    assert!(
        why.contains("whose rows the pages of rule \"projet-page\" show"),
        "{why}"
    );
    assert_eq!(world.told().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_wiki_rule_whose_table_is_gone_holds_its_pages_and_is_told_once() {
    let (world, pages) = World::of_reports("docmost_page_id", &["Un", "Deux"]).await.unwrap();
    world
        .baserow_control(Method::DELETE, "tables/8", Value::Null)
        .await
        .unwrap();
    for page in &pages {
        let settlement = world.attempt_page(page).await.unwrap();
        let why = held_because(&settlement).unwrap();
        assert!(why.contains("sees no table comptes_rendus"), "{why}");
    }
    let told = world.told().await.unwrap();
    assert_eq!(told.len(), 1, "{told:?}");
}

#[tokio::test]
async fn a_page_that_waits_for_its_rule_is_tried_less_and_less_often() {
    let (world, pages) = World::of_reports("docmost_page_id", &["Un"]).await.unwrap();
    world
        .baserow_control(Method::DELETE, "tables/8", Value::Null)
        .await
        .unwrap();
    for (hours, wanted) in [(0, 2_000..=4_000), (1, 240_000..=300_000)] {
        let settlement = world.attempt_page_after(&pages[0], Duration::from_hours(hours)).await;
        let Verdict::Hold { after_ms, .. } = settlement.unwrap().verdict else {
            panic!("it is not held")
        };
        assert!(wanted.contains(&after_ms), "after {hours} h: {after_ms} ms");
    }
}

#[tokio::test]
async fn a_wiki_rule_whose_field_is_missing_holds_its_page_and_makes_no_row() {
    let (world, pages) = World::of_reports("inconnu", &["Un"]).await.unwrap();
    for _ in 0..3 {
        let settlement = world.attempt_page(&pages[0]).await.unwrap();
        let why = held_because(&settlement).unwrap();
        assert!(why.contains("has no field \"inconnu\""), "{why}");
    }
    let rows = world
        .baserow_control(Method::GET, "tables/comptes_rendus/rows", Value::Null)
        .await;
    assert_eq!(rows.unwrap(), json!([]));
    assert_eq!(world.told().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_field_that_is_gone_holds_its_table_and_the_admin_is_told_once_with_the_cure() {
    let world = World::with_page("", "{{ row.Disparu }}").await.unwrap();
    for name in ["Un", "Deux"] {
        let row = world.project(name).await.unwrap();
        let settlement = world.attempt(row).await;
        let Verdict::Hold { failure, .. } = settlement.verdict else {
            panic!("{:?}", settlement.verdict)
        };
        let cure = "the table has no field \"Disparu\", which page.md of rule \"projet\" names";
        assert!(failure.message.contains(cure), "{failure:?}");
    }
    let held = world.context.queue.held_tables().await.unwrap();
    assert_eq!((held.len(), held[0].table.as_str()), (1, "t2"));
    let told = world.context.store.latest_notices(None, 10).await.unwrap();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].kind, "rule-broken");
    assert!(
        told[0].args.contains("projet (t2)") && told[0].args.contains("Disparu"),
        "{}",
        told[0].args
    );
    assert_eq!(world.pages().await.unwrap().len(), 0);
}
