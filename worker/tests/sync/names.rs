//! Tables, fields and spaces are known by id: they may be renamed, and several may have one name.

use passerelle_model::id::RowKey;
use passerelle_model::ledger::Verdict;
use passerelle_model::outcome::{IgnoredReason, Outcome};
use passerelle_worker::content::notice::NoticeKind;
use reqwest::Method;
use serde_json::json;

use crate::world::World;

/// The message of an attempt that was held.
async fn held(world: &World, row: RowKey) -> anyhow::Result<String> {
    match world.attempt(row).await.verdict {
        Verdict::Hold { failure, .. } => Ok(failure.message),
        other => anyhow::bail!("not held: {other:?}"),
    }
}

/// How many notices tell of a new name.
async fn told(world: &World) -> anyhow::Result<usize> {
    let notices = world.context.store.latest_notices(None, 100).await?;
    Ok(notices
        .iter()
        .filter(|notice| notice.kind == NoticeKind::Renamed.as_str())
        .count())
}

#[tokio::test]
async fn a_renamed_field_is_followed_in_reading_and_writing_and_the_admin_is_told_once() {
    let world = World::start().await.unwrap();
    let first = world.project("Éole").await.unwrap();
    world.synced(first).await.unwrap();
    for (field, name) in [(2, "Intitulé"), (4, "Commanditaire"), (6, "Page du wiki")] {
        world.rename_field(field, name).await.unwrap();
    }
    world.change(first, json!({"Intitulé": "Borée"})).await.unwrap();
    world.synced(first).await.unwrap();
    let client = world.create(1, json!({"Name": "Ville"})).await.unwrap();
    let fields = json!({"Intitulé": "Zéphyr", "Commanditaire": [client.row.get()]});
    let second = world.create(2, fields).await.unwrap();
    world.synced(second).await.unwrap();

    let titles = world.titles().await.unwrap();
    assert_eq!(titles, ["Projet Borée - Atelier Nord", "Projet Zéphyr - Ville"]);
    let written = world.row(second).await.unwrap();
    assert_eq!(written["Page du wiki"], world.pages().await.unwrap()[1]["id"]);
    assert_eq!(told(&world).await.unwrap(), 3, "one for each field, whoever needs it");
}

#[tokio::test]
async fn a_renamed_table_keeps_its_pages_and_another_one_of_its_old_name_gets_none() {
    let world = World::start().await.unwrap();
    let row = world.project("Éole").await.unwrap();
    world.synced(row).await.unwrap();
    let name = json!({"name": "projets"});
    world.baserow_control(Method::PATCH, "tables/2", name).await.unwrap();
    let other = json!({"name": "projet", "primary": "Nom", "database": 2});
    let other = world.baserow_control(Method::POST, "tables", other).await.unwrap();
    let stranger = world
        .create(other["id"].as_u64().unwrap(), json!({"Nom": "Intrus"}))
        .await
        .unwrap();
    world.change(row, json!({"Nom": "Borée"})).await.unwrap();

    // A process that has not seen the table under its old name.
    let replica = world.replica().await.unwrap();
    let outcomes = [
        crate::world::attempt(&replica, row).await.verdict,
        crate::world::attempt(&replica, stranger).await.verdict,
    ];
    let no_rule = Outcome::Ignored(IgnoredReason::NoRule);
    assert_eq!(outcomes, [Verdict::Done(Outcome::Synced), Verdict::Done(no_rule)]);
    assert_eq!(world.titles().await.unwrap(), ["Projet Borée - Atelier Nord"]);
    assert_eq!(told(&world).await.unwrap(), 1);
}

#[tokio::test]
async fn a_name_of_two_tables_is_refused_with_both_numbers_and_other_tables_go_on() {
    let world = World::start().await.unwrap();
    let other = json!({"name": "projet", "primary": "Nom", "database": 2});
    let other = world.baserow_control(Method::POST, "tables", other).await.unwrap();
    let other = other["id"].as_u64().unwrap();
    let stranger = world.create(other, json!({"Nom": "Intrus"})).await.unwrap();
    let row = world.project("Éole").await.unwrap();
    for row in [row, stranger] {
        let message = held(&world, row).await.unwrap();
        let both = [
            "t2 of the database 1",
            &format!("t{other} of the database 2"),
            "table = 2 or table =",
        ];
        assert!(both.iter().all(|part| message.contains(part)), "{message}");
    }
    assert!(world.pages().await.unwrap().is_empty());
    let course = world.create(3, json!({"Titre": "Rust"})).await.unwrap();
    world.synced(course).await.unwrap();
}

#[tokio::test]
async fn a_name_of_two_spaces_is_refused_with_both_slugs_and_a_slug_is_enough() {
    let rule = "write_back = {}\n";
    let world = World::with_page(rule, "x").await.unwrap();
    // The rule says `agence`: the slug of one space, and from now on the name of another.
    world.space("agence", "agence-2026").await.unwrap();
    let row = world.project("Éole").await.unwrap();
    let message = held(&world, row).await.unwrap();
    assert!(
        message.contains("agence-2026") && message.contains("space = "),
        "{message}"
    );
    assert!(world.pages().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_space_that_was_looked_up_stays_the_one_whatever_other_space_takes_its_name() {
    let world = World::with_page("write_back = {}\n", "x").await.unwrap();
    let first = world.project("Éole").await.unwrap();
    world.synced(first).await.unwrap();
    world.space("agence", "agence-2026").await.unwrap();
    world.context.cache.forget_space("agence").await;
    let second = world.project("Borée").await.unwrap();
    world.synced(second).await.unwrap();
    let pages = world.pages().await.unwrap();
    assert!(pages.iter().all(|page| page["spaceSlug"] == "agence"), "{pages:?}");
}
