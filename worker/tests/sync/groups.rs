//! Pages of rows below pages of the space, one per status (`page.parent`).

use passerelle_model::id::RowKey;
use passerelle_model::outcome::Outcome;
use passerelle_sandbox::docmost::{HUMAN_EMAIL, OWNER_EMAIL};
use passerelle_sandbox::faults::{Fault, FaultKind};
use serde_json::{Value, json};
use test_support::eventually;

use crate::world::{World, attempt};

const PARENT: &str = "parent = \"Projets {{ row.Statut }}\"";

/// The pages that live, each as "title < title of the page above".
async fn tree(world: &World) -> anyhow::Result<Vec<String>> {
    let pages = world.pages().await?;
    let title = |page: &Value| page["title"].as_str().unwrap_or_default().to_owned();
    let line = |page: &Value| {
        let above = pages.iter().find(|above| above["id"] == page["parentPageId"]);
        above.map_or_else(|| title(page), |above| format!("{} < {}", title(page), title(above)))
    };
    let mut lines: Vec<String> = pages.iter().map(line).collect();
    lines.sort();
    Ok(lines)
}

async fn page_of(world: &World, title: &str) -> anyhow::Result<Value> {
    let pages = world.all_pages().await?;
    let page = pages.into_iter().find(|page| page["title"] == title);
    page.ok_or_else(|| anyhow::anyhow!("no page {title:?}"))
}

/// A person moves a page to the top of its space.
async fn move_to_top(world: &World, title: &str) -> anyhow::Result<()> {
    let id = page_of(world, title).await?["id"].clone();
    let place = json!({"pageId": id, "parentPageId": null, "position": "a0000"});
    world.wiki_as(HUMAN_EMAIL, "pages/move", place).await.map(|_| ())
}

async fn status(world: &World, row: RowKey, status: &str) -> anyhow::Result<()> {
    world.change(row, json!({"Statut": status})).await?;
    world.synced(row).await
}

#[tokio::test]
async fn rows_of_one_group_stand_below_one_page_also_when_their_jobs_run_at_once() {
    let world = World::with_page(PARENT, "x").await.unwrap();
    let other = world.replica().await.unwrap();
    let (a, client) = world.project_of_client("A").await.unwrap();
    let b = world.project_for("B", client).await.unwrap();
    let both = tokio::join!(attempt(&world.context, a), attempt(&other, b));
    drop(both);
    for row in [a, b] {
        let outcome = world.sync_eventually(row).await;
        assert!(matches!(outcome, Outcome::Synced | Outcome::NoChange), "{outcome}");
    }
    let wanted = ["A < Projets En cours", "B < Projets En cours", "Projets En cours"];
    assert_eq!(tree(&world).await.unwrap(), wanted);
    assert_eq!(world.sync(a).await.unwrap(), Outcome::NoChange);
}

#[tokio::test]
async fn a_page_moves_to_another_group_with_its_row_unless_people_have_moved_it() {
    let world = World::with_page(PARENT, "x").await.unwrap();
    let (a, client) = world.project_of_client("A").await.unwrap();
    let b = world.project_for("B", client).await.unwrap();
    world.synced(a).await.unwrap();
    world.synced(b).await.unwrap();
    move_to_top(&world, "B").await.unwrap();
    status(&world, a, "Terminé").await.unwrap();
    status(&world, b, "Terminé").await.unwrap();
    let wanted = ["A < Projets Terminé", "B", "Projets En cours", "Projets Terminé"];
    assert_eq!(tree(&world).await.unwrap(), wanted);
}

#[tokio::test]
async fn pages_that_exist_move_when_the_rule_names_a_group_and_when_it_names_none_any_more() {
    let world = World::with_page("", "x").await.unwrap();
    let (a, client) = world.project_of_client("A").await.unwrap();
    let b = world.project_for("B", client).await.unwrap();
    world.synced(a).await.unwrap();
    world.synced(b).await.unwrap();
    let grouping = world.replica_with(PARENT, "x").await.unwrap();
    for row in [a, b] {
        attempt(&grouping, row).await;
    }
    let wanted = ["A < Projets En cours", "B < Projets En cours", "Projets En cours"];
    assert_eq!(tree(&world).await.unwrap(), wanted);
    let flat = world.replica_with("", "x").await.unwrap();
    attempt(&flat, a).await;
    let wanted = ["A", "B < Projets En cours", "Projets En cours"];
    assert_eq!(tree(&world).await.unwrap(), wanted);
}

#[tokio::test]
async fn a_lost_answer_makes_no_second_group_page() {
    let world = World::with_page(PARENT, "x").await.unwrap();
    let row = world.project("A").await.unwrap();
    world.docmost_fault(Fault::on("/api/pages/create", FaultKind::LostAnswer).times(1));
    assert_eq!(world.sync_eventually(row).await, Outcome::Synced);
    let wanted = ["A < Projets En cours", "Projets En cours"];
    assert_eq!(tree(&world).await.unwrap(), wanted);
}

#[tokio::test]
async fn a_move_whose_answer_was_lost_does_not_count_as_a_move_of_people() {
    let world = World::with_page(PARENT, "x").await.unwrap();
    let row = world.project("A").await.unwrap();
    world.synced(row).await.unwrap();
    world.docmost_fault(Fault::on("/api/pages/move", FaultKind::LostAnswer).times(1));
    world.change(row, json!({"Statut": "Terminé"})).await.unwrap();
    world.attempt(row).await;
    world.change(row, json!({"Statut": "Brouillon"})).await.unwrap();
    assert_eq!(world.sync_eventually(row).await, Outcome::Synced);
    let wanted = [
        "A < Projets Brouillon",
        "Projets Brouillon",
        "Projets En cours",
        "Projets Terminé",
    ];
    assert_eq!(tree(&world).await.unwrap(), wanted);
}

#[tokio::test]
async fn a_group_page_that_is_trashed_comes_back_and_one_that_is_deleted_is_made_anew() {
    let world = World::with_page(PARENT, "x").await.unwrap();
    let (a, client) = world.project_of_client("A").await.unwrap();
    world.synced(a).await.unwrap();
    let group = page_of(&world, "Projets En cours").await.unwrap();
    world.trash_page(group["id"].as_str().unwrap()).await.unwrap();
    let b = world.project_for("B", client).await.unwrap();
    assert_eq!(world.sync_eventually(b).await, Outcome::Synced);
    let wanted = ["A < Projets En cours", "B < Projets En cours", "Projets En cours"];
    assert_eq!(tree(&world).await.unwrap(), wanted);
    let gone = json!({"pageId": group["id"], "permanentlyDelete": true});
    world.wiki_as(OWNER_EMAIL, "pages/delete", gone).await.unwrap();
    let c = world.project_for("C", client).await.unwrap();
    assert_eq!(world.sync_eventually(c).await, Outcome::Synced);
    assert!(tree(&world).await.unwrap().contains(&"C < Projets En cours".to_owned()));
}

#[tokio::test]
async fn a_group_page_that_people_rename_stays_the_one_that_the_bridge_has_made() {
    let world = World::with_page(PARENT, "x").await.unwrap();
    let (a, client) = world.project_of_client("A").await.unwrap();
    world.synced(a).await.unwrap();
    let group = page_of(&world, "Projets En cours").await.unwrap();
    let renamed = json!({"pageId": group["id"], "title": "Chantiers"});
    world.wiki_as(HUMAN_EMAIL, "pages/update", renamed).await.unwrap();
    let b = world.project_for("B", client).await.unwrap();
    world.synced(b).await.unwrap();
    assert_eq!(
        tree(&world).await.unwrap(),
        ["A < Chantiers", "B < Chantiers", "Chantiers"]
    );
}

#[tokio::test]
async fn a_page_that_people_moved_from_its_group_is_brought_back_where_the_rule_says_so() {
    let lines = format!("{PARENT}\npage_moved = \"bring back\"");
    let world = World::with_page(&lines, "x").await.unwrap();
    let row = world.project("A").await.unwrap();
    world.synced(row).await.unwrap();
    move_to_top(&world, "A").await.unwrap();
    status(&world, row, "Terminé").await.unwrap();
    eventually("the page is below its group", async || {
        let tree = tree(&world).await.map_err(|error| error.to_string())?;
        if tree.contains(&"A < Projets Terminé".to_owned()) {
            Ok(())
        } else {
            Err(format!("{tree:?}"))
        }
    })
    .await;
}
