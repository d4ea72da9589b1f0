//! What stands in a page is what people see in Baserow, to the letter.

use anyhow::Context as _;
use passerelle_model::ledger::Verdict;
use passerelle_model::outcome::Outcome;
use passerelle_sandbox::docmost::BRIDGE_EMAIL;
use serde_json::{Value, json};

use crate::world::World;

/// The blocks of the only page.
async fn blocks(world: &World) -> anyhow::Result<Vec<Value>> {
    let pages = world.pages().await?;
    let page = json!({"pageId": pages.first().context("there is no page")?["id"]});
    let page = world.wiki_as(BRIDGE_EMAIL, "pages/info", page).await?;
    Ok(page["content"]["content"]
        .as_array()
        .context("the page is empty")?
        .clone())
}

#[tokio::test]
async fn a_moment_is_shown_as_people_see_it_and_not_as_it_travels() {
    let template = "{{ row[\"Modifié le\"] }}\n\n{{ row[\"Date de début\"] | date }}";
    let world = World::with_page_of("essai", "title = \"{{ row.note }}\"", template)
        .await
        .unwrap();
    let fields = json!({"note": "x", "Date de début": "2026-12-05"});
    let row = world.create(9, fields).await.unwrap();
    assert_eq!(world.sync(row).await.unwrap(), Outcome::Synced);
    let blocks = blocks(&world).await.unwrap();
    let moment = blocks[0]["content"][0]["text"].as_str().unwrap();
    let form: String = moment
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    assert_eq!(form, "0000-00-00 00:00", "{moment}");
    assert_eq!(blocks[1]["content"][0]["text"], "05/12/2026");
}

#[tokio::test]
async fn any_text_of_a_row_stands_in_the_page_as_exactly_itself() {
    let world = World::with_page(
        "body_updates = \"replace\"",
        "---\n| | |\n|---|---|\n| **Nom** | {{ row.Nom }} |\n",
    )
    .await
    .unwrap();
    let row = world.project("x").await.unwrap();
    world.synced(row).await.unwrap();
    for text in [
        "https://ex.org/a_b_c?x=1&y=2#h",
        "jean_paul@exemple.test",
        "---",
        "# titre",
        ":::danger x :::",
        "![i](https://a.test/b)",
        "<b>*a* | b</b> &amp; \\_",
        "[x](https://a.test)",
    ] {
        world.change(row, json!({"Nom": text})).await.unwrap();
        assert_eq!(world.sync(row).await.unwrap(), Outcome::Synced, "{text}");
        let blocks = blocks(&world).await.unwrap();
        assert_eq!(blocks[0]["type"], "horizontalRule");
        let row = &blocks[1]["content"][0]["content"];
        assert_eq!(row[0]["content"][0]["content"][0]["text"], "Nom");
        let runs = row[1]["content"][0]["content"].as_array().unwrap();
        let shown: String = runs.iter().filter_map(|run| run["text"].as_str()).collect();
        assert_eq!(shown, text);
        for run in runs.iter().filter(|run| !run["marks"].is_null()) {
            let (shown, href) = (&run["text"], run["marks"][0]["attrs"]["href"].as_str().unwrap());
            assert!(*shown == href || *shown == href.replace("mailto:", ""), "{run}");
        }
    }
}

#[tokio::test]
async fn a_value_that_does_not_fit_its_filter_fails_its_row_by_name_and_no_other() {
    let world = World::with_page("", "{{ row.docmost_url | date or '–' }}")
        .await
        .unwrap();
    let bad = world.project("x").await.unwrap();
    world
        .change(bad, json!({"docmost_url": "https://a.test"}))
        .await
        .unwrap();
    let Verdict::Bury { failure, .. } = world.attempt(bad).await.verdict else {
        panic!("it should be buried");
    };
    assert!(
        failure.message.contains("\"page.md\", line 1") && failure.message.contains("is no date"),
        "{failure:?}"
    );
    let good = world.project("y").await.unwrap();
    assert_eq!(world.sync(good).await.unwrap(), Outcome::Synced);
}
