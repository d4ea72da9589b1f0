//! `provision`: fields and webhooks, made once, put right, never taken away.

use passerelle_model::ledger::LedgerRecord;
use reqwest::Method;
use serde_json::{Value, json};

use crate::town::{SECRET, Town};

pub(crate) const RULES: &str = r#"owned_fields = ["docmost_page_id", "page_url", "page"]
[sources]
"*" = { proof = "token", secrets = "BASEROW_WEBHOOK_SECRET" }

[[rules]]
name = "projet-page"
table = "projet"
links = { client = "Client" }

[rules.page]
space = "Agence"
title = "{{ row.Nom }} {{ client.Name }}"
body = "page.md"
write_back = { page_id = "docmost_page_id", url = "page_url" }

[[rules]]
name = "formation"
table = "formation"
on = ["created", "updated"]

[rules.page]
space = "Agence"
title = "{{ row.Titre }}"
body = "page.md"

[rules.collection]
of = "bloc"
slot = "bloc"
title = "{{ row.Titre }}"
body = "page.md"
write_back = { page_id = "page" }
"#;
pub(crate) const RUN: [&str; 3] = ["provision", "--url", "https://bridge.example.org"];

/// Names and types of a table's fields.
pub(crate) async fn fields(town: &Town, table: u64) -> anyhow::Result<Vec<String>> {
    let fields = town
        .baserow_as_user(Method::GET, &format!("fields/table/{table}/"), None)
        .await?;
    let fields = fields.as_array().cloned().unwrap_or_default();
    Ok(fields
        .iter()
        .map(|field| format!("{} {}", field["name"], field["type"]).replace('"', ""))
        .collect())
}

async fn webhooks(town: &Town, table: u64) -> anyhow::Result<Vec<Value>> {
    let hooks = town
        .baserow_as_user(Method::GET, &format!("webhooks/table/{table}/"), None)
        .await?;
    Ok(hooks.as_array().cloned().unwrap_or_default())
}

#[tokio::test]
async fn a_dry_run_tells_everything_and_does_nothing() {
    let town = Town::start().unwrap();
    town.rules(RULES).unwrap();
    let before = fields(&town, 2).await.unwrap();
    let said = town.passerelle(&[&RUN[..], &["--dry-run"]].concat()).await;
    assert_eq!(said.code, 0, "{}", said.err);
    insta::assert_snapshot!(said.out, @r#"
      projet     create the field "page_url" (url)
      bloc       create the field "page" (text)
      client     create a webhook for rows.updated to https://bridge.example.org/api/webhooks/baserow/client-changed
      projet     create a webhook for rows.created, rows.deleted, rows.updated to https://bridge.example.org/api/webhooks/baserow/projet-changed
      formation  create a webhook for rows.created, rows.updated to https://bridge.example.org/api/webhooks/baserow/formation-changed
      bloc       create a webhook for rows.created, rows.deleted, rows.updated to https://bridge.example.org/api/webhooks/baserow/bloc-changed
    6 changes would be made. Nothing was changed.
    "#);
    assert_eq!(fields(&town, 2).await.unwrap(), before);
    assert!(webhooks(&town, 2).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_is_missing_is_made_and_a_second_run_finds_nothing_to_do() {
    let town = Town::start().unwrap();
    town.rules(RULES).unwrap();
    let said = town.passerelle(&RUN).await;
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(!said.out.contains(SECRET) && !said.err.contains(SECRET));
    assert!(fields(&town, 2).await.unwrap().contains(&"page_url url".to_owned()));
    assert!(fields(&town, 4).await.unwrap().contains(&"page text".to_owned()));
    let hooks = webhooks(&town, 2).await.unwrap();
    assert_eq!(hooks.len(), 1);
    assert_eq!(
        hooks[0]["url"],
        "https://bridge.example.org/api/webhooks/baserow/projet-changed"
    );
    assert_eq!(hooks[0]["headers"], json!({"X-Bridge-Token": SECRET}));
    assert_eq!(
        hooks[0]["events"],
        json!(["rows.created", "rows.deleted", "rows.updated"])
    );
    assert_eq!(
        webhooks(&town, 1).await.unwrap()[0]["events"],
        json!(["rows.updated"]),
        "clients are shown in titles"
    );

    let again = town.passerelle(&RUN).await;
    assert!(again.out.contains("Nothing to do"), "{}", again.out);
    assert_eq!(webhooks(&town, 2).await.unwrap(), hooks);
    let checked = town.passerelle(&["check", "--live"]).await;
    assert_eq!(checked.code, 0, "{}", checked.out);
}

#[tokio::test]
async fn a_webhook_that_was_switched_off_or_has_an_old_secret_is_put_right_and_others_are_left_alone() {
    let town = Town::start().unwrap();
    town.rules(RULES).unwrap();
    town.passerelle(&RUN).await;
    let other = json!({"name": "ours", "url": "https://elsewhere.example.org/x", "headers": {"X-A": "b"}});
    town.baserow_as_user(Method::POST, "webhooks/table/2/", Some(other))
        .await
        .unwrap();
    let hooks = webhooks(&town, 2).await.unwrap();
    let path = format!("webhooks/{}/", hooks[0]["id"]);
    town.baserow_as_user(Method::PATCH, &path, Some(json!({"active": false})))
        .await
        .unwrap();

    let rotated = format!("0f1e2d3c4b5a69788796a5b4c3d2e1f0,{SECRET}");
    let said = town
        .passerelle_with(&RUN, &[("BASEROW_WEBHOOK_SECRET", &rotated)])
        .await;
    assert!(
        said.err.contains("switched off") && said.err.contains("first live secret"),
        "{}",
        said.err
    );
    let after = webhooks(&town, 2).await.unwrap();
    assert_eq!(after[0]["active"], true);
    assert_eq!(
        after[0]["headers"]["X-Bridge-Token"],
        "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
    );
    assert_eq!(after[1], hooks[1]);
}

#[tokio::test]
async fn without_a_user_it_is_off_and_says_what_to_do() {
    let town = Town::start().unwrap();
    let nobody = [("BASEROW_EMAIL", ""), ("BASEROW_PASSWORD", "")];
    let said = town.passerelle_with(&RUN, &nobody).await;
    assert_eq!(said.code, 2);
    assert!(said.err.contains("BASEROW_EMAIL and BASEROW_PASSWORD"), "{}", said.err);
    let wrong = town.passerelle_with(&RUN, &[("BASEROW_PASSWORD", "wrong")]).await;
    assert_eq!(wrong.code, 1);
    assert!(wrong.err.contains("check BASEROW_EMAIL"), "{}", wrong.err);
}

#[tokio::test]
async fn the_fields_that_a_wiki_rule_writes_are_made_and_its_table_needs_no_webhook() {
    let town = Town::start().unwrap();
    let rules = r#"[sources]
"*" = { proof = "token", secrets = "BASEROW_WEBHOOK_SECRET" }

[[wiki]]
name = "notes"
label = "notes"

[wiki.row]
table = "comptes_rendus"
page_id = "page"
fields = { Titre = "{{ page.title }}", Auteur = "{{ page.author }}" }
"#;
    town.rules(rules).unwrap();
    let said = town.passerelle(&RUN).await;
    assert_eq!(said.code, 0, "{}", said.err);
    insta::assert_snapshot!(said.err, @r#"
    done: comptes_rendus: create the field "Auteur" (text)
    done: comptes_rendus: create the field "page" (text)
    "#);
    assert_eq!(said.out.trim(), "2 changes made.");
    let made = fields(&town, 8).await.unwrap();
    for field in ["page text", "Auteur text"] {
        assert!(made.contains(&field.to_owned()), "{made:?}");
    }
    let checked = town.passerelle(&["check", "--live"]).await;
    assert_eq!(checked.code, 0, "{}", checked.out);
    assert!(
        checked.out.contains("0 rules and 1 wiki rule, no problems"),
        "{}",
        checked.out
    );
    assert!(town.passerelle(&RUN).await.out.contains("Nothing to do"));
}

#[tokio::test]
async fn webhooks_of_an_earlier_address_are_told_and_taken_away_when_asked() {
    let town = Town::start().unwrap();
    town.rules(RULES).unwrap();
    town.passerelle(&["provision", "--url", "https://old.example.org"])
        .await;
    let other = json!({"name": "ours", "url": "https://elsewhere.example.org/x"});
    town.baserow_as_user(Method::POST, "webhooks/table/2/", Some(other))
        .await
        .unwrap();
    let said = town.passerelle(&RUN).await;
    assert!(
        said.out
            .contains("calls another address of this bridge, https://old.example.org/"),
        "{}",
        said.out
    );
    assert_eq!(webhooks(&town, 2).await.unwrap().len(), 3);
    let said = town.passerelle(&[&RUN[..], &["--remove-earlier"]].concat()).await;
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(
        said.err.contains("remove webhook") && !said.out.contains("another address"),
        "{}",
        said.out
    );
    let left = webhooks(&town, 2).await.unwrap();
    let left: Vec<&str> = left.iter().filter_map(|hook| hook["url"].as_str()).collect();
    assert_eq!(
        left,
        [
            "https://elsewhere.example.org/x",
            "https://bridge.example.org/api/webhooks/baserow/projet-changed"
        ]
    );
    assert!(town.passerelle(&RUN).await.out.contains("Nothing to do"));
}

#[tokio::test]
async fn webhooks_of_a_second_bridge_on_the_same_baserow_are_told_and_stay() {
    let town = Town::start().unwrap();
    town.rules(RULES).unwrap();
    let others = [("BASEROW_WEBHOOK_SECRET", "0f1e2d3c4b5a69788796a5b4c3d2e1f0")];
    let second = ["provision", "--url", "https://second.example.org"];
    let made = town.passerelle_with(&second, &others).await;
    assert_eq!(made.code, 0, "{}", made.err);
    let moved = ["provision", "--url", "https://old.example.org"];
    assert_eq!(town.passerelle(&moved).await.code, 0);
    let said = town.passerelle(&[&RUN[..], &["--remove-earlier"]].concat()).await;
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(
        said.out.contains("calls https://second.example.org/") && said.out.contains("another bridge's, and stays"),
        "{}",
        said.out
    );
    for table in [2, 4] {
        let left = webhooks(&town, table).await.unwrap();
        let mut left: Vec<&str> = left
            .iter()
            .filter_map(|hook| hook["url"].as_str()?.split('/').nth(2))
            .collect();
        left.sort_unstable();
        assert_eq!(left, ["bridge.example.org", "second.example.org"]);
    }
    // During a rotation both secrets are ours.
    let rotated = format!("0f1e2d3c4b5a69788796a5b4c3d2e1f0,{SECRET}");
    let said = town
        .passerelle_with(
            &[&RUN[..], &["--remove-earlier"]].concat(),
            &[("BASEROW_WEBHOOK_SECRET", &rotated)],
        )
        .await;
    assert!(said.err.contains("remove webhook"), "{}{}", said.out, said.err);
    assert_eq!(webhooks(&town, 2).await.unwrap().len(), 1);
}

#[tokio::test]
async fn where_no_user_is_known_the_ledger_keeps_the_user_of_baserow() {
    let town = Town::start().unwrap();
    town.rules(RULES).unwrap();
    let said = town.passerelle_with(&RUN, &[("USER", "")]).await;
    assert_eq!(said.code, 0, "{}", said.err);
    let ledger = town.desk.queue().unwrap().read_ledger(None, 100).await.unwrap();
    let facts = ledger.into_iter().flat_map(|entry| entry.records).flatten();
    let by: std::collections::BTreeSet<String> = facts
        .filter_map(|fact| match fact {
            LedgerRecord::Switched { by, .. } => Some(by),
            _ => None,
        })
        .collect();
    assert_eq!(by.into_iter().collect::<Vec<_>>(), [crate::town::EMAIL]);
}
