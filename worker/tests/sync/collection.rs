//! A course becomes a page with one page per bloc below it.

use std::collections::BTreeMap;

use passerelle_model::event::EventKind;
use passerelle_model::id::RowKey;
use passerelle_model::ledger::Verdict;
use passerelle_model::outcome::Outcome;
use passerelle_sandbox::faults::{Fault, FaultKind};
use rstest::rstest;
use serde_json::{Value, json};

use crate::world::World;

const FORMATION: u64 = 3;
const BLOC: u64 = 4;

async fn course(world: &World, title: &str, blocs: &[&str]) -> anyhow::Result<(RowKey, Vec<RowKey>)> {
    let mut keys = Vec::new();
    for bloc in blocs {
        keys.push(world.create(BLOC, json!({ "Titre": bloc })).await?);
    }
    let fields = json!({"Titre": title, "Statut": "Publié", "bloc": ids(&keys)});
    Ok((world.create(FORMATION, fields).await?, keys))
}

fn ids(rows: &[RowKey]) -> Vec<u64> {
    rows.iter().map(|row| row.row.get()).collect()
}

/// The living pages: of each root its title, with the titles of the pages below it in their order.
async fn tree(world: &World) -> anyhow::Result<BTreeMap<String, Vec<String>>> {
    let mut pages = world.pages().await?;
    pages.sort_by_key(|page| page["position"].as_str().unwrap_or_default().to_owned());
    let title = |page: &Value| page["title"].as_str().unwrap_or_default().to_owned();
    let roots = pages.iter().filter(|page| page["parentPageId"].is_null());
    Ok(roots
        .map(|root| {
            let below = pages.iter().filter(|page| page["parentPageId"] == root["id"]);
            (title(root), below.map(title).collect())
        })
        .collect())
}

async fn the_tree_is(world: &World, root: &str, below: &[&str]) -> anyhow::Result<()> {
    let expected = BTreeMap::from([(root.to_owned(), below.iter().map(|&title| title.to_owned()).collect())]);
    let found = tree(world).await?;
    anyhow::ensure!(found == expected, "{found:?} instead of {expected:?}");
    Ok(())
}

#[tokio::test]
async fn a_course_becomes_a_page_with_its_blocs_below_and_every_row_knows_its_page() {
    let world = World::start().await.unwrap();
    let (formation, blocs) = course(&world, "Rust", &["Un", "Deux", "Trois"]).await.unwrap();
    world.synced(formation).await.unwrap();
    the_tree_is(&world, "Formation Rust", &["Un", "Deux", "Trois"])
        .await
        .unwrap();
    let pages = world.pages().await.unwrap();
    for (bloc, page) in blocs
        .iter()
        .zip(pages.iter().filter(|page| !page["parentPageId"].is_null()))
    {
        assert_eq!(world.row(*bloc).await.unwrap()["docmost_page_id"], page["id"]);
        let label = format!("baserow-t3-r{}-bloc-{}", formation.row, bloc.row);
        assert_eq!(page["labels"], json!([label, world.bridge_label().await.unwrap()]));
    }
    world.docmost.calls.clear();
    assert_eq!(world.sync(formation).await.unwrap(), Outcome::NoChange);
    assert_eq!(world.docmost.calls.list().len(), 0);
}

#[tokio::test]
async fn a_late_bloc_gets_its_page_and_a_renamed_one_renames_it() {
    let world = World::start().await.unwrap();
    let (formation, blocs) = course(&world, "Rust", &["Un"]).await.unwrap();
    world.synced(formation).await.unwrap();
    let fields = json!({"Titre": "Deux", "Formation": ids(&[formation])});
    let late = world.create(BLOC, fields).await.unwrap();
    let created = world.sync_as(late, EventKind::Created, "created").await.unwrap();
    assert_eq!(created, Outcome::Synced);
    assert_eq!(world.requested_rows().await.unwrap(), [formation]);
    world.synced(formation).await.unwrap();
    the_tree_is(&world, "Formation Rust", &["Un", "Deux"]).await.unwrap();

    let [first] = blocs[..] else { panic!("one bloc") };
    world.change(first, json!({"Titre": "Premier"})).await.unwrap();
    assert_eq!(world.sync(first).await.unwrap(), Outcome::Synced);
    world.synced(formation).await.unwrap();
    the_tree_is(&world, "Formation Rust", &["Premier", "Deux"])
        .await
        .unwrap();
}

#[tokio::test]
async fn the_page_of_an_unlinked_bloc_goes_to_the_trash_and_comes_back_with_the_link() {
    let world = World::start().await.unwrap();
    let (formation, blocs) = course(&world, "Rust", &["Un", "Deux"]).await.unwrap();
    world.synced(formation).await.unwrap();
    world
        .change(formation, json!({ "bloc": ids(&blocs[1..]) }))
        .await
        .unwrap();
    assert_eq!(
        world.sync(blocs[0]).await.unwrap(),
        Outcome::Synced,
        "the bloc cannot tell, its page can"
    );
    assert_eq!(world.requested_rows().await.unwrap(), [formation]);
    world.synced(formation).await.unwrap();
    the_tree_is(&world, "Formation Rust", &["Deux"]).await.unwrap();
    assert_eq!(world.sync(formation).await.unwrap(), Outcome::NoChange);

    world.change(formation, json!({ "bloc": ids(&blocs) })).await.unwrap();
    world.synced(formation).await.unwrap();
    let Value::Array(linked) = world.row(formation).await.unwrap()["bloc"].clone() else {
        panic!("a link field is a list");
    };
    let order: Vec<&str> = linked.iter().filter_map(|link| link["value"].as_str()).collect();
    the_tree_is(&world, "Formation Rust", &order).await.unwrap();
    assert_eq!(world.all_pages().await.unwrap().len(), 3, "no page was made twice");
}

/// Fails a call once.
fn failing_once(path: &str) -> Fault {
    let failed = FaultKind::Status {
        status: 500,
        headers: [].into(),
        body: None,
    };
    Fault::on(path, failed).times(1)
}

/// A course, its bloc, and a late bloc whose page has no label.
async fn with_a_bare_page(world: &World) -> anyhow::Result<(RowKey, RowKey, RowKey)> {
    let (formation, blocs) = course(world, "Rust", &["Un"]).await?;
    world.synced(formation).await?;
    let fields = json!({"Titre": "Deux", "Formation": ids(&[formation])});
    let late = world.create(BLOC, fields).await?;
    world.docmost_fault(failing_once("/api/pages/labels/add"));
    let failed = world.attempt(formation).await;
    anyhow::ensure!(matches!(failed.verdict, Verdict::Retry { .. }), "{failed:?}");
    the_tree_is(world, "Formation Rust", &["Un", "Deux"]).await?;
    Ok((formation, blocs[0], late))
}

/// How a page becomes unwanted before it has its label.
enum Gone {
    Unlinked,
    Deleted,
    WithItsCourse,
}

#[rstest]
#[case::unlinked(Gone::Unlinked)]
#[case::deleted(Gone::Deleted)]
#[case::with_its_course(Gone::WithItsCourse)]
#[tokio::test]
async fn a_bloc_that_goes_before_its_page_has_a_label_leaves_no_page(#[case] gone: Gone) {
    let world = World::start().await.unwrap();
    let (formation, bloc, late) = with_a_bare_page(&world).await.unwrap();
    match gone {
        Gone::Unlinked => drop(world.change(formation, json!({ "bloc": ids(&[bloc]) })).await.unwrap()),
        Gone::Deleted => world.delete(late).await.unwrap(),
        Gone::WithItsCourse => world.delete(formation).await.unwrap(),
    }
    if matches!(gone, Gone::WithItsCourse) {
        let ended = world.sync_as(formation, EventKind::Deleted, "deleted").await.unwrap();
        assert_eq!(ended, Outcome::Synced);
        assert_eq!(tree(&world).await.unwrap(), BTreeMap::new());
    } else {
        let _ended = world.sync_eventually(formation).await;
        the_tree_is(&world, "Formation Rust", &["Un"]).await.unwrap();
    }
    assert_eq!(world.context.store.intents(formation).await.unwrap(), []);
}

#[tokio::test]
async fn an_unwanted_page_without_a_label_that_is_not_trashed_at_once_is_found_again() {
    let world = World::start().await.unwrap();
    let (formation, _, late) = with_a_bare_page(&world).await.unwrap();
    world.delete(late).await.unwrap();
    world.docmost_fault(failing_once("/api/pages/delete"));
    let failed = world.attempt(formation).await;
    assert!(matches!(failed.verdict, Verdict::Retry { .. }), "{failed:?}");
    let _ended = world.sync_eventually(formation).await;
    the_tree_is(&world, "Formation Rust", &["Un"]).await.unwrap();
    assert_eq!(world.context.store.intents(formation).await.unwrap(), []);
}

#[tokio::test]
async fn a_course_that_comes_back_from_the_trash_brings_no_removed_bloc_along() {
    let world = World::start().await.unwrap();
    let (formation, blocs) = course(&world, "Rust", &["Un", "Deux"]).await.unwrap();
    world.synced(formation).await.unwrap();
    world
        .change(formation, json!({ "bloc": ids(&blocs[1..]) }))
        .await
        .unwrap();
    world.synced(formation).await.unwrap();

    let gone = FaultKind::Status {
        status: 404,
        headers: [("content-type".to_owned(), "application/json".to_owned())].into(),
        body: Some(json!({"error": "ERROR_ROW_DOES_NOT_EXIST"})),
    };
    let path = format!("/api/database/rows/table/{FORMATION}/{}/", formation.row);
    world.baserow.faults.set(vec![Fault::on(&path, gone)]);
    world.synced(formation).await.unwrap();
    assert_eq!(world.pages().await.unwrap().len(), 0);
    world.baserow.faults.clear();
    world.synced(formation).await.unwrap();
    the_tree_is(&world, "Formation Rust", &["Deux"]).await.unwrap();
    assert_eq!(world.all_pages().await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_lost_answer_at_any_call_ends_in_the_same_tree() {
    let world = World::start().await.unwrap();
    let mut expected = BTreeMap::new();
    for calls_before in 0.. {
        let title = format!("Cours {calls_before}");
        let (formation, _) = course(&world, &title, &["Un", "Deux"]).await.unwrap();
        world.docmost_fault(Fault {
            skip: calls_before,
            times: Some(1),
            ..Fault::on("/api/", FaultKind::LostAnswer)
        });
        assert_eq!(world.sync_eventually(formation).await.reason(), None);
        let was_met = world.docmost.faults.list().iter().any(|fault| fault.used > 0);
        world.docmost.faults.clear();
        assert_eq!(world.sync(formation).await.unwrap(), Outcome::NoChange);
        expected.insert(format!("Formation {title}"), vec!["Un".to_owned(), "Deux".to_owned()]);
        if !was_met {
            assert!(calls_before > 8, "only {calls_before} calls were tried");
            break;
        }
    }
    assert_eq!(tree(&world).await.unwrap(), expected);
}

#[tokio::test]
async fn a_course_of_301_blocs_is_refused_by_name_and_writes_nothing() {
    let world = World::start().await.unwrap();
    let titles: Vec<String> = (1..=301).map(|number| format!("Bloc {number}")).collect();
    let titles: Vec<&str> = titles.iter().map(String::as_str).collect();
    let (formation, _) = course(&world, "Longue", &titles).await.unwrap();
    let failure = world.sync(formation).await.unwrap_err().to_string();
    assert!(
        failure.contains("301 rows are linked, a page may have at most 300 sub-pages"),
        "{failure}"
    );
    assert_eq!(world.pages().await.unwrap().len(), 0);
    let (beside, _) = course(&world, "Courte", &["Un"]).await.unwrap();
    world.synced(beside).await.unwrap();
    the_tree_is(&world, "Formation Courte", &["Un"]).await.unwrap();
}
