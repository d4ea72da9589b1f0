//! Pages that an earlier version has made: their marks do not name the bridge. The store that such
//! a version has left takes them once, if our own account made them.

use passerelle_model::event::EventKind;
use passerelle_model::id::{RowKey, Slot};
use passerelle_model::ledger::Verdict;
use passerelle_model::outcome::Outcome;
use passerelle_model::time::Timestamp;
use passerelle_sandbox::docmost::{BRIDGE_EMAIL, HUMAN_EMAIL};
use rstest::rstest;
use serde_json::{Value, json};

use crate::world::{World, attempt};

/// What an earlier version had left of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    /// The label on the page.
    Label,
    /// The word in its text, and its id in the row.
    NamedByRow,
    /// The word in its text, and the intent to create it.
    Intent,
    /// The same, and somebody has put the page into the trash.
    IntentAndTrash,
}

/// The store at this address is one that an earlier version has left.
async fn left_by_an_earlier_version(url: &str) -> anyhow::Result<()> {
    let pool = sqlx::AnyPool::connect(url).await?;
    sqlx::query("UPDATE bridge SET marked_before = 1")
        .execute(&pool)
        .await?;
    pool.close().await;
    Ok(())
}

impl World {
    async fn of_an_earlier_version() -> anyhow::Result<Self> {
        let world = Self::start().await?;
        left_by_an_earlier_version(&world.store_url()).await?;
        Ok(world)
    }

    /// A page as an earlier version has made it for a row.
    async fn earlier_page(&self, row: RowKey, by: &str, left: Left) -> anyhow::Result<Value> {
        let space = self.wiki_as(by, "spaces/info", json!({"spaceId": "agence"})).await?;
        let mark = json!({"type": "link", "attrs": {"href": "https://baserow.test/"}});
        let word = format!("brwt{}r{}x", row.table, row.row);
        let line = json!({"type": "paragraph", "content": [{"type": "text", "text": word, "marks": [mark]}]});
        let mut page = json!({"spaceId": space["id"], "title": "Ancien titre", "format": "json"});
        page["content"] = match left {
            Left::Label => json!({"type": "doc", "content": [{"type": "paragraph"}]}),
            Left::NamedByRow | Left::Intent | Left::IntentAndTrash => json!({"type": "doc", "content": [line]}),
        };
        let page = self.wiki_as(by, "pages/create", page).await?;
        let id = &page["id"];
        match left {
            Left::Label => {
                let labels = json!({"pageId": id, "names": [format!("baserow-t{}-r{}", row.table, row.row)]});
                self.wiki_as(by, "pages/labels/add", labels).await?;
            }
            Left::NamedByRow => drop(self.change(row, json!({"docmost_page_id": id})).await?),
            Left::Intent | Left::IntentAndTrash => {
                let store = &self.context.store;
                store.open_intent(row, &Slot::page(), Timestamp::from_millis(1)).await?;
            }
        }
        if left == Left::IntentAndTrash {
            self.trash_page(id.as_str().unwrap_or_default()).await?;
        }
        Ok(page)
    }
}

fn labels(page: &Value) -> Vec<&str> {
    let labels = page["labels"].as_array().into_iter().flatten();
    labels.filter_map(Value::as_str).collect()
}

#[rstest]
#[case(Left::Label)]
#[case(Left::NamedByRow)]
#[case(Left::Intent)]
#[case(Left::IntentAndTrash)]
#[tokio::test]
async fn a_page_of_an_earlier_version_is_adopted_and_carries_the_marks_of_this_bridge_then(#[case] left: Left) {
    let world = World::of_an_earlier_version().await.unwrap();
    let row = world.project("Refonte").await.unwrap();
    let page = world.earlier_page(row, BRIDGE_EMAIL, left).await.unwrap();
    assert_eq!(world.sync_eventually(row).await, Outcome::Synced);
    let pages = world.all_pages().await.unwrap();
    assert_eq!(pages.len(), 1, "{pages:#?}");
    assert_eq!((&pages[0]["id"], &pages[0]["deletedAt"]), (&page["id"], &Value::Null));
    assert_eq!(pages[0]["title"], "Projet Refonte - Atelier Nord");
    let own = format!("baserow-t{}-r{}", row.table, row.row);
    let bridge = world.bridge_label().await.unwrap();
    assert_eq!(labels(&pages[0]), [own.as_str(), bridge.as_str()]);
    assert_eq!(world.row(row).await.unwrap()["docmost_page_id"], page["id"]);
    assert_eq!(world.sync(row).await.unwrap(), Outcome::NoChange);
}

#[rstest]
#[case::somebody_else_made_it(true, HUMAN_EMAIL)]
#[case::the_store_is_no_earlier_one(false, BRIDGE_EMAIL)]
#[tokio::test]
async fn a_page_with_the_marks_of_an_earlier_version_that_is_not_ours_stays_as_it_is(
    #[case] is_earlier: bool,
    #[case] by: &str,
    #[values(Left::Label, Left::NamedByRow, Left::Intent)] left: Left,
) {
    let world = World::start().await.unwrap();
    if is_earlier {
        left_by_an_earlier_version(&world.store_url()).await.unwrap();
    }
    let row = world.project("Refonte").await.unwrap();
    let page = world.earlier_page(row, by, left).await.unwrap();
    assert_eq!(world.sync_eventually(row).await, Outcome::Synced);
    let pages = world.pages().await.unwrap();
    assert_eq!(pages.len(), 2, "{pages:#?}");
    assert_eq!(
        (&pages[0]["id"], &pages[0]["title"]),
        (&page["id"], &json!("Ancien titre"))
    );
}

#[tokio::test]
async fn a_page_of_an_earlier_version_that_one_bridge_has_adopted_is_not_another_ones() {
    let world = World::of_an_earlier_version().await.unwrap();
    let row = world.project("Refonte").await.unwrap();
    world.earlier_page(row, BRIDGE_EMAIL, Left::Label).await.unwrap();
    world.synced(row).await.unwrap();
    let adopted = world.pages().await.unwrap()[0].clone();
    // A copy of the earlier store, for tests: it takes the marks of an earlier version, too.
    let url = world.store_url().replace("ledger.sqlite", "copy.sqlite");
    let other = world.bridge_with(&[("DATABASE_URL", &url)]).await.unwrap();
    left_by_an_earlier_version(&url).await.unwrap();
    assert_eq!(attempt(&other, row).await.verdict, Verdict::Done(Outcome::Synced));
    let pages = world.pages().await.unwrap();
    assert_eq!((pages.len(), &pages[0]), (2, &adopted));
}

#[tokio::test]
async fn a_page_of_an_earlier_version_that_the_store_knows_gets_the_new_marks_by_a_forced_sync() {
    let world = World::of_an_earlier_version().await.unwrap();
    let row = world.project("Refonte").await.unwrap();
    world.synced(row).await.unwrap();
    let page = world.pages().await.unwrap()[0].clone();
    let bridge = world.bridge_label().await.unwrap();
    let known = json!({"pageId": page["id"]});
    let listed = world.wiki_as(HUMAN_EMAIL, "pages/labels", known).await.unwrap();
    let new = listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|label| label["name"] == bridge.as_str());
    let new = json!({"pageId": page["id"], "labelId": new.unwrap()["id"]});
    world.wiki_as(HUMAN_EMAIL, "pages/labels/remove", new).await.unwrap();
    let _ = world.sync_as(row, EventKind::Forced, "forced").await.unwrap();
    let pages = world.pages().await.unwrap();
    assert_eq!(pages.len(), 1);
    assert!(labels(&pages[0]).contains(&bridge.as_str()), "{:?}", pages[0]);
}
