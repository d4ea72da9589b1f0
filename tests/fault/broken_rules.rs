//! Rules that no row can be carried out by: their rows wait until the rule is mended, and those of
//! other tables go on.

use reqwest::Method;
use serde_json::json;
use test_support::eventually;

use crate::{TOKEN, Town};

#[tokio::test]
async fn lost_rights_hold_the_rows_of_their_tables_alone_until_they_are_given_back() {
    let mut town = Town::start().await.unwrap();
    let nadia = town.create("personne", json!({"Nom": "Nadia"})).await.unwrap();
    let fields = json!({"Libelle": "Cours", "Personne": [nadia.row.get()]});
    let linking = town.create("attribution", fields).await.unwrap();
    let rights = "BASEROW_TOKEN may not do this on the table: give it read, create and update rights";
    town.ends(linking, rights).await.unwrap();
    // More of them than it takes to think that the whole account is refused.
    let mut rows = vec![linking];
    for number in 0..8 {
        let fields = json!({"Libelle": format!("Visite {number}")});
        rows.push(town.create("intervention", fields).await.unwrap());
    }
    let held = eventually("both tables are held", async || {
        let shown = town
            .system
            .operator(&["gates", "--json"])
            .await
            .map_err(|error| error.to_string())?;
        let shown: serde_json::Value = serde_json::from_str(&shown).map_err(|error| error.to_string())?;
        match shown["held_tables"].as_array() {
            Some(held) if held.len() >= 2 => Ok(held.clone()),
            _ => Err(shown.to_string()),
        }
    })
    .await;
    assert!(
        held.iter()
            .all(|table| table["why"].as_str().is_some_and(|why| why == rights)),
        "{held:?}"
    );

    let token = json!({"key": TOKEN, "tables": [1, 2, 3, 4, 5, 6, 7, 8, 9]});
    let tokens = "/_sandbox/baserow/tokens";
    town.system
        .baserow
        .control(Method::POST, tokens, Some(token))
        .await
        .unwrap();
    for row in rows {
        eventually("the row gets its page", async || {
            match town.system.docmost.pages_of(row).await {
                Ok(pages) if pages.len() == 1 => Ok(()),
                other => Err(format!("{other:?}\n{}", town.system.logs())),
            }
        })
        .await;
    }
    town.system.drain().await;
    let told = town
        .system
        .store()
        .await
        .unwrap()
        .latest_notices(None, 100)
        .await
        .unwrap();
    let told: Vec<_> = told.iter().filter(|notice| notice.kind == "rule-broken").collect();
    for table in held {
        let number = table["table"].as_str().unwrap_or_default();
        let of = told.iter().filter(|notice| notice.args.contains(number));
        assert_eq!(of.count(), 1, "{number} is told once: {told:#?}");
    }
}
