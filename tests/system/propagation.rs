//! A change of a linked row concerns the rows whose pages show what changed, and no others: a
//! client with hundreds of projects costs nothing when one more is linked.

use std::time::{Duration, Instant};

use passerelle_model::id::RowKey;
use serde_json::{Value, json};
use system_tests::{System, SystemBuilder};

fn builder() -> SystemBuilder {
    System::builder().webhooks_of(&["client", "projet", "formation", "bloc"])
}

async fn client(system: &System, name: &str) -> anyhow::Result<RowKey> {
    system.baserow.create("client", json!({ "Name": name })).await
}

async fn project(system: &System, name: &str, client: RowKey) -> anyhow::Result<RowKey> {
    let fields = json!({"Nom": name, "Statut": "En cours", "Client": [client.row.get()]});
    system.baserow.create("projet", fields).await
}

/// The calls that both products have answered so far, those of the test among them.
async fn calls(system: &System) -> anyhow::Result<usize> {
    let mut count = 0;
    for calls in [
        system
            .baserow
            .control(reqwest::Method::GET, "/_sandbox/log", None)
            .await?,
        system
            .docmost
            .control(reqwest::Method::GET, "/_sandbox/log", None)
            .await?,
    ] {
        let calls = calls.as_array().into_iter().flatten();
        count += calls
            .filter(|call| call["path"].as_str().is_some_and(|path| path.starts_with("/api/")))
            .count();
    }
    Ok(count)
}

async fn title(system: &System, row: RowKey) -> anyhow::Result<String> {
    let pages = system.docmost.pages_of(row).await?;
    assert_eq!(pages.len(), 1, "{pages:#?}");
    Ok(pages[0]["title"].as_str().unwrap_or_default().to_owned())
}

/// How many items the ledger has.
async fn items(system: &System) -> anyhow::Result<i64> {
    Ok(system.store().await?.counts().await?.items)
}

#[tokio::test]
async fn forty_new_projects_of_one_client_cost_no_more_calls_than_forty_times_one() {
    let system = builder().start().await.unwrap();
    let alone = client(&system, "Seul").await.unwrap();
    system.drain().await;
    // Names of tables and spaces are asked for once.
    project(&system, "Premier", alone).await.unwrap();
    system.drain().await;
    let other = client(&system, "Autre").await.unwrap();
    system.drain().await;
    let before = calls(&system).await.unwrap();
    project(&system, "Unique", other).await.unwrap();
    system.drain().await;
    let of_one = calls(&system).await.unwrap() - before;

    let busy = client(&system, "Fidèle").await.unwrap();
    system.drain().await;
    let before = calls(&system).await.unwrap();
    for number in 0..40 {
        project(&system, &format!("Projet {number}"), busy).await.unwrap();
    }
    system.drain().await;
    let of_forty = calls(&system).await.unwrap() - before;
    assert!(of_forty <= 40 * of_one, "{of_forty} calls for forty, {of_one} for one");
    system.every_item_has_one_outcome().await.unwrap();
}

#[tokio::test]
async fn the_next_project_of_a_client_with_six_hundred_has_its_page_in_the_time_of_any_other() {
    let system = builder().start().await.unwrap();
    let small = client(&system, "Petit").await.unwrap();
    let large = client(&system, "Grand").await.unwrap();
    let rows: Vec<Value> = (0..600)
        .map(|number| json!({"Nom": format!("Ancien {number}"), "Client": [large.row.get()]}))
        .collect();
    let path = "/_sandbox/baserow/tables/projet/rows";
    system
        .baserow
        .control(reqwest::Method::POST, path, Some(json!(rows)))
        .await
        .unwrap();
    project(&system, "Premier", small).await.unwrap();
    system.drain().await;
    let before = items(&system).await.unwrap();

    let took = async |client| {
        let began = Instant::now();
        let row = project(&system, "Suivant", client).await.unwrap();
        system.drain().await;
        assert!(title(&system, row).await.unwrap().starts_with("Projet Suivant - "));
        began.elapsed()
    };
    let (any, large_one) = (took(small).await, took(large).await);
    assert_eq!(
        items(&system).await.unwrap() - before,
        4,
        "a project and its client, twice"
    );
    assert!(
        large_one < any * 4 + Duration::from_secs(5),
        "{large_one:?} of the large client, {any:?} of another"
    );
}

#[tokio::test]
async fn a_client_whose_projects_are_many_gets_its_new_name_on_all_of_them_and_on_no_other() {
    let system = builder().start().await.unwrap();
    let (one, two) = (
        client(&system, "Nord").await.unwrap(),
        client(&system, "Sud").await.unwrap(),
    );
    let mut rows = Vec::new();
    for number in 0..5 {
        rows.push(project(&system, &format!("P{number}"), one).await.unwrap());
    }
    let other = project(&system, "Autre", two).await.unwrap();
    system.drain().await;
    let before = items(&system).await.unwrap();
    system.baserow.update(one, json!({"Name": "Nord-Est"})).await.unwrap();
    system.drain().await;
    for (number, row) in rows.iter().enumerate() {
        assert_eq!(
            title(&system, *row).await.unwrap(),
            format!("Projet P{number} - Nord-Est")
        );
    }
    assert_eq!(title(&system, other).await.unwrap(), "Projet Autre - Sud");
    // Baserow tells the projects' table too, without naming a row.
    assert_eq!(items(&system).await.unwrap() - before, 1 + 5 + 1);
}

#[tokio::test]
async fn a_project_that_its_client_lost_from_the_clients_side_shows_it_no_more() {
    let system = builder().start().await.unwrap();
    let nord = client(&system, "Nord").await.unwrap();
    let (kept, lost) = (
        project(&system, "Gardé", nord).await.unwrap(),
        project(&system, "Perdu", nord).await.unwrap(),
    );
    system.drain().await;
    system
        .baserow
        .update(nord, json!({"projet": [kept.row.get()]}))
        .await
        .unwrap();
    system.drain().await;
    assert_eq!(title(&system, lost).await.unwrap(), "Projet Perdu - (sans client)");
    // The last link: Baserow tells the projects' table nothing.
    system.baserow.update(nord, json!({"projet": []})).await.unwrap();
    system.drain().await;
    assert_eq!(title(&system, kept).await.unwrap(), "Projet Gardé - (sans client)");
    system
        .baserow
        .update(nord, json!({"projet": [lost.row.get()]}))
        .await
        .unwrap();
    system.drain().await;
    assert_eq!(title(&system, lost).await.unwrap(), "Projet Perdu - Nord");
}

#[tokio::test]
async fn a_bloc_that_is_moved_before_another_moves_its_page_and_one_that_left_from_its_side_loses_it() {
    let system = builder().start().await.unwrap();
    let mut blocs = Vec::new();
    for name in ["Un", "Deux", "Trois"] {
        blocs.push(system.baserow.create("bloc", json!({ "Titre": name })).await.unwrap());
    }
    let ids: Vec<u64> = blocs.iter().map(|bloc| bloc.row.get()).collect();
    let fields = json!({"Titre": "Rust", "Statut": "Publié", "bloc": ids});
    let course = system.baserow.create("formation", fields).await.unwrap();
    system.drain().await;
    assert_eq!(below(&system, course, &blocs).await.unwrap(), ["Un", "Deux", "Trois"]);

    let path = format!(
        "/api/database/rows/table/{}/{}/move/?user_field_names=true&before_id={}",
        blocs[2].table, blocs[2].row, blocs[0].row
    );
    system
        .baserow
        .control(reqwest::Method::PATCH, &path, Some(json!({})))
        .await
        .unwrap();
    system.drain().await;
    assert_eq!(below(&system, course, &blocs).await.unwrap(), ["Trois", "Un", "Deux"]);

    system.baserow.update(blocs[0], json!({"Formation": []})).await.unwrap();
    system.drain().await;
    assert_eq!(below(&system, course, &blocs).await.unwrap(), ["Trois", "Deux"]);
}

/// The titles of the living pages below a course's page, in their order.
async fn below(system: &System, course: RowKey, blocs: &[RowKey]) -> anyhow::Result<Vec<String>> {
    let text = |page: &Value, key: &str| page[key].as_str().unwrap_or_default().to_owned();
    let mut below = Vec::new();
    for bloc in blocs {
        let label = format!("baserow-t{}-r{}-bloc-{}", course.table, course.row, bloc.row);
        let found = system.docmost.call("labels/pages", json!({ "name": label })).await?;
        for page in found["items"].as_array().into_iter().flatten() {
            let page = system.docmost.page(&text(page, "id")).await?;
            if page["deletedAt"].is_null() {
                below.push((text(&page, "position"), text(&page, "title")));
            }
        }
    }
    below.sort_unstable();
    Ok(below.into_iter().map(|(_, title)| title).collect())
}

#[tokio::test]
async fn a_field_that_no_page_shows_costs_no_call_but_that_of_its_own_table() {
    let system = builder().start().await.unwrap();
    let nord = client(&system, "Nord").await.unwrap();
    project(&system, "P", nord).await.unwrap();
    let field = json!({"name": "Téléphone", "type": "text"});
    let path = format!("/api/database/fields/table/{}/", nord.table);
    system
        .baserow
        .as_person(reqwest::Method::POST, &path, field)
        .await
        .unwrap();
    system.drain().await;
    let before = calls(&system).await.unwrap();
    system.baserow.update(nord, json!({"Téléphone": "01"})).await.unwrap();
    system.drain().await;
    let mine = 3;
    assert!(calls(&system).await.unwrap() - before <= mine, "the test's own calls");
}
