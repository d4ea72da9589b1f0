//! Marks can be written by anybody who may edit, and copied: they are obeyed only where they are
//! the bridge's own.

use passerelle_model::event::EventKind;
use passerelle_model::id::Slot;
use passerelle_model::ledger::Verdict;
use passerelle_model::outcome::Outcome;
use passerelle_sandbox::docmost::HUMAN_EMAIL;
use passerelle_worker::content::notice::NoticeKind;
use serde_json::{Value, json};

use crate::world::{World, attempt};

impl World {
    /// A page of a person, with this label.
    async fn planted(&self, label: &str) -> anyhow::Result<Value> {
        let spaces = self.wiki_as(HUMAN_EMAIL, "spaces", json!({})).await?;
        let is_agence = |space: &&Value| space["slug"] == "agence";
        let space = spaces["items"]
            .as_array()
            .into_iter()
            .flatten()
            .find(is_agence)
            .cloned()
            .unwrap_or_default();
        let page = json!({"spaceId": space["id"], "title": "Notes de Zoé"});
        let page = self.wiki_as(HUMAN_EMAIL, "pages/create", page).await?;
        let bridge = self.bridge_label().await?;
        let labels = json!({"pageId": page["id"], "names": [label, bridge]});
        self.wiki_as(HUMAN_EMAIL, "pages/labels/add", labels).await?;
        Ok(page)
    }

    /// How many notices tell of marks that are not obeyed.
    async fn told_of_marks(&self) -> anyhow::Result<usize> {
        let notices = self.context.store.latest_notices(None, 100).await?;
        let kind = NoticeKind::ForeignMarks.as_str();
        Ok(notices.iter().filter(|notice| notice.kind == kind).count())
    }
}

#[tokio::test]
async fn a_planted_label_is_reported_once_and_its_page_is_neither_taken_nor_trashed() {
    let world = World::start().await.unwrap();
    let row = world.project("Refonte").await.unwrap();
    let page = world
        .planted(&format!("baserow-t{}-r{}", row.table, row.row))
        .await
        .unwrap();
    let settlement = world.attempt(row).await;
    assert_eq!(settlement.verdict, Verdict::Done(Outcome::Synced));
    assert!(
        settlement.steps.iter().any(|step| step.name == "marks_not_obeyed"),
        "{settlement:#?}"
    );
    // The row's page is looked for once more, and the row is deleted while its link is lost.
    let link = world.context.store.link(row, &Slot::page()).await.unwrap().unwrap();
    world.context.store.forget_link(&link).await.unwrap();
    world.delete(row).await.unwrap();
    assert_eq!(
        world.sync_as(row, EventKind::Deleted, "gone").await.unwrap(),
        Outcome::Synced
    );
    let living = world.pages().await.unwrap();
    assert_eq!(living.len(), 1, "{living:?}");
    assert_eq!(
        (&living[0]["id"], &living[0]["title"]),
        (&page["id"], &json!("Notes de Zoé"))
    );
    assert_eq!(world.told_of_marks().await.unwrap(), 1);
}

#[tokio::test]
async fn two_bridges_with_one_account_on_one_wiki_never_touch_each_others_pages() {
    let world = World::start().await.unwrap();
    let row = world.project("Refonte").await.unwrap();
    world.synced(row).await.unwrap();
    let first = world.pages().await.unwrap()[0].clone();
    // The same rows, as in a copy of the database for tests: same numbers, same page ids.
    let other = world.other_bridge().await.unwrap();
    assert_eq!(attempt(&other, row).await.verdict, Verdict::Done(Outcome::Synced));
    let pages = world.pages().await.unwrap();
    assert_eq!(pages.len(), 2, "{pages:?}");
    assert_ne!(pages[0]["labels"], pages[1]["labels"]);
    world.change(row, json!({"Nom": "Refonte 2"})).await.unwrap();
    assert_eq!(attempt(&other, row).await.verdict, Verdict::Done(Outcome::Synced));
    assert_eq!(world.pages().await.unwrap()[0], first, "it is the other's");
    world.delete(row).await.unwrap();
    assert_eq!(attempt(&other, row).await.verdict, Verdict::Done(Outcome::Synced));
    assert_eq!(world.pages().await.unwrap(), [first]);
}

#[tokio::test]
async fn a_copied_row_is_reported_once_and_gets_a_page_of_its_own() {
    let world = World::start().await.unwrap();
    let original = world.project("Refonte").await.unwrap();
    world.synced(original).await.unwrap();
    let page = world.row(original).await.unwrap()["docmost_page_id"].clone();
    let copy = world
        .create(2, json!({"Nom": "Copie", "docmost_page_id": page}))
        .await
        .unwrap();
    let settlement = world.attempt(copy).await;
    let notes: Vec<_> = settlement
        .steps
        .iter()
        .filter_map(|step| step.note.as_deref())
        .collect();
    assert!(
        notes.iter().any(|note| note.contains("it is the page of another row")),
        "{notes:?}"
    );
    assert_eq!(world.pages().await.unwrap().len(), 2);
    assert_eq!(world.told_of_marks().await.unwrap(), 1);
}

#[tokio::test]
async fn a_bridge_that_lost_its_store_and_was_told_its_word_finds_its_pages_again() {
    let world = World::start().await.unwrap();
    let row = world.project("Refonte").await.unwrap();
    world.synced(row).await.unwrap();
    world.change(row, json!({"docmost_page_id": null})).await.unwrap();
    let instance = world.bridge_label().await.unwrap().replace("baserow-bridge-", "");
    let anew = world.bridge_with(&[("BRIDGE_INSTANCE", &instance)]).await.unwrap();
    assert_eq!(attempt(&anew, row).await.verdict, Verdict::Done(Outcome::Synced));
    assert_eq!(world.pages().await.unwrap().len(), 1);
}
