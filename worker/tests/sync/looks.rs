//! A forced sync looks at the wiki, and mends what people did to a page as the rule says.

use passerelle_model::event::EventKind;
use passerelle_model::id::{RowKey, Slot};
use passerelle_model::ledger::Verdict;
use passerelle_model::outcome::Outcome;
use passerelle_sandbox::docmost::{HUMAN_EMAIL, OWNER_EMAIL};
use passerelle_store::LinkState;
use serde_json::{Value, json};

use crate::world::World;

impl World {
    /// A sync that an operator forces.
    async fn forced(&self, row: RowKey) -> anyhow::Result<Outcome> {
        self.sync_as(row, EventKind::Forced, "forced").await
    }

    /// A person does something to a page.
    async fn person(&self, path: &str, page: &Value, more: Value) -> anyhow::Result<Value> {
        let mut body = more;
        body["pageId"] = page["id"].clone();
        self.wiki_as(HUMAN_EMAIL, path, body).await
    }

    /// The first page, and the row that it is of.
    async fn one_page(&self) -> anyhow::Result<(RowKey, Value)> {
        let row = self.project("Refonte").await?;
        self.synced(row).await?;
        Ok((row, self.pages().await?[0].clone()))
    }
}

#[tokio::test]
async fn a_page_that_a_person_trashed_is_restored_by_a_forced_sync() {
    let world = World::start().await.unwrap();
    let (row, page) = world.one_page().await.unwrap();
    world.person("pages/delete", &page, json!({})).await.unwrap();
    assert_eq!(world.sync(row).await.unwrap(), Outcome::NoChange, "nobody looks");
    assert_eq!(world.forced(row).await.unwrap(), Outcome::Synced);
    assert_eq!(world.pages().await.unwrap()[0]["id"], page["id"]);
    assert_eq!(world.forced(row).await.unwrap(), Outcome::NoChange);
}

#[tokio::test]
async fn a_page_that_a_person_trashed_stays_there_where_the_rule_respects_it_also_when_the_trash_is_emptied() {
    let world = World::with_page("page_trashed = \"respect\"", "x").await.unwrap();
    let (row, page) = world.one_page().await.unwrap();
    world.person("pages/delete", &page, json!({})).await.unwrap();
    assert_eq!(world.forced(row).await.unwrap(), Outcome::NoChange);
    let link = world.context.store.link(row, &Slot::page()).await.unwrap().unwrap();
    assert_eq!(link.state, LinkState::Left);
    world.change(row, json!({"Nom": "Refonte 2"})).await.unwrap();
    assert_eq!(world.sync(row).await.unwrap(), Outcome::NoChange);
    let for_good = json!({"pageId": page["id"], "permanentlyDelete": true});
    world.wiki_as(OWNER_EMAIL, "pages/delete", for_good).await.unwrap();
    assert_eq!(world.forced(row).await.unwrap(), Outcome::NoChange);
    assert!(world.all_pages().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_page_that_went_with_its_row_comes_back_with_it_also_where_people_may_trash_pages() {
    let world = World::with_page("page_trashed = \"respect\"", "x").await.unwrap();
    let (row, page) = world.one_page().await.unwrap();
    world.delete(row).await.unwrap();
    world.synced(row).await.unwrap();
    assert!(world.pages().await.unwrap().is_empty());
    world.restore_row(row).await.unwrap();
    world.synced(row).await.unwrap();
    assert_eq!(world.pages().await.unwrap()[0]["id"], page["id"]);
}

#[tokio::test]
async fn a_title_that_a_person_changed_and_a_label_that_they_took_away_are_put_back_by_a_forced_sync() {
    let world = World::start().await.unwrap();
    let (row, page) = world.one_page().await.unwrap();
    world
        .person("pages/update", &page, json!({"title": "Mes notes"}))
        .await
        .unwrap();
    assert_eq!(world.forced(row).await.unwrap(), Outcome::Synced);
    assert_eq!(world.pages().await.unwrap()[0]["title"], page["title"]);
    let labels = world.person("pages/labels", &page, json!({})).await.unwrap();
    for label in labels["items"].as_array().unwrap() {
        world
            .person("pages/labels/remove", &page, json!({"labelId": label["id"]}))
            .await
            .unwrap();
    }
    assert_eq!(world.forced(row).await.unwrap(), Outcome::NoChange);
    assert_eq!(world.pages().await.unwrap()[0]["labels"], page["labels"]);
}

#[tokio::test]
async fn a_page_that_people_moved_is_followed_or_brought_back_as_the_rule_says() {
    for (lines, ends_in) in [("", "general"), ("page_moved = \"bring back\"", "agence")] {
        let world = World::with_page(lines, "x").await.unwrap();
        let (row, page) = world.one_page().await.unwrap();
        let spaces = world.wiki_as(HUMAN_EMAIL, "spaces", json!({})).await.unwrap();
        let general = spaces["items"]
            .as_array()
            .unwrap()
            .iter()
            .find(|space| space["slug"] == "general");
        let general = general.unwrap()["id"].clone();
        world
            .person("pages/move-to-space", &page, json!({"spaceId": general}))
            .await
            .unwrap();
        world.change(row, json!({"Nom": "Refonte 2"})).await.unwrap();
        assert_eq!(world.forced(row).await.unwrap(), Outcome::Synced);
        let now = world.pages().await.unwrap();
        assert_eq!(
            (&now[0]["title"], &now[0]["spaceSlug"]),
            (&json!("Refonte 2"), &json!(ends_in))
        );
        assert_eq!(world.forced(row).await.unwrap(), Outcome::NoChange, "{lines}");
    }
}

#[tokio::test]
async fn a_page_in_a_space_that_the_bridge_may_not_see_is_named_and_gets_no_second_page() {
    let world = World::start().await.unwrap();
    let (row, page) = world.one_page().await.unwrap();
    let secret = json!({"name": "Direction", "slug": "direction"});
    let secret = world.wiki_as(OWNER_EMAIL, "spaces/create", secret).await.unwrap();
    let there = json!({"pageId": page["id"], "spaceId": secret["id"]});
    world.wiki_as(OWNER_EMAIL, "pages/move-to-space", there).await.unwrap();
    world.change(row, json!({"Nom": "Refonte 2"})).await.unwrap();
    let verdict = world.attempt(row).await.verdict;
    let Verdict::Bury { failure, .. } = verdict else {
        panic!("not buried: {verdict:?}");
    };
    let parts = [
        page["id"].as_str().unwrap(),
        "the bridge's account is not in",
        "move the page back",
    ];
    assert!(
        parts.iter().all(|part| failure.message.contains(part)),
        "{}",
        failure.message
    );
    assert_eq!(world.all_pages().await.unwrap().len(), 1);
    let other = world.project("Ailleurs").await.unwrap();
    world.synced(other).await.unwrap();
}

#[tokio::test]
async fn pages_of_others_below_a_page_do_not_go_to_the_trash_with_it() {
    let world = World::start().await.unwrap();
    let course = world.create(3, json!({"Titre": "Rust"})).await.unwrap();
    let bloc = json!({"Titre": "Bases", "Formation": [course.row.get()]});
    world.create(4, bloc).await.unwrap();
    world.synced(course).await.unwrap();
    let own = world.pages().await.unwrap();
    let space = world
        .wiki_as(HUMAN_EMAIL, "pages/info", json!({"pageId": own[0]["id"]}))
        .await
        .unwrap();
    for (title, above) in [("Notes de Zoé", &own[0]), ("Exercices", &own[1])] {
        let page = json!({"spaceId": space["spaceId"], "title": title, "parentPageId": above["id"]});
        world.wiki_as(HUMAN_EMAIL, "pages/create", page).await.unwrap();
    }
    world.delete(course).await.unwrap();
    world.synced(course).await.unwrap();
    let living = world.pages().await.unwrap();
    let titles: Vec<_> = living.iter().map(|page| page["title"].as_str().unwrap()).collect();
    assert_eq!(titles, ["Notes de Zoé", "Exercices"]);
    assert!(living.iter().all(|page| page["parentPageId"].is_null()), "{living:?}");
}

#[tokio::test]
async fn a_bloc_that_is_linked_no_more_names_no_page_and_gets_the_same_one_again() {
    let world = World::start().await.unwrap();
    let course = world.create(3, json!({"Titre": "Rust"})).await.unwrap();
    let bloc = json!({"Titre": "Bases", "Formation": [course.row.get()]});
    let bloc = world.create(4, bloc).await.unwrap();
    world.synced(course).await.unwrap();
    let before = world.row(bloc).await.unwrap();
    world.change(course, json!({"bloc": []})).await.unwrap();
    world.synced(course).await.unwrap();
    let now = world.row(bloc).await.unwrap();
    let is_empty = |field: &str| now[field].as_str().unwrap_or_default().is_empty();
    assert!(is_empty("docmost_page_id") && is_empty("docmost_url"), "{now}");
    world.change(course, json!({"bloc": [bloc.row.get()]})).await.unwrap();
    world.synced(course).await.unwrap();
    assert_eq!(
        world.row(bloc).await.unwrap()["docmost_page_id"],
        before["docmost_page_id"]
    );
}
