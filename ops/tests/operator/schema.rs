//! `provision --schema`: tables and fields, made where they are missing.

use reqwest::Method;
use serde_json::json;

use crate::provision::{RULES, RUN, fields};
use crate::town::Town;

const AGENCY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/agence/schema.toml");
const CRM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/crm");

/// Takes away tables, as a person does before the bridge comes.
async fn without_tables(town: &Town, tables: &[&str]) -> anyhow::Result<()> {
    for table in tables {
        let url = format!("{}/_sandbox/baserow/tables/{table}", town.baserow.url());
        town.http.delete(url).send().await?.error_for_status()?;
    }
    Ok(())
}

#[tokio::test]
async fn the_tables_of_a_schema_are_made_where_there_are_none_and_the_shipped_rules_fit_them() {
    let town = Town::start().unwrap();
    let all = [
        "client",
        "projet",
        "formation",
        "bloc",
        "personne",
        "attribution",
        "intervention",
        "comptes_rendus",
    ];
    without_tables(&town, &all).await.unwrap();
    let run = [&RUN[..], &["--schema", AGENCY]].concat();
    let said = town.passerelle(&run).await;
    assert_eq!(said.code, 0, "{}", said.err);
    for line in [
        "done: personne: create the table, with the field \"Nom\" (text)",
        "done: projet: create the field \"Client\" (link_row to client)",
        "done: projet: create a webhook for",
    ] {
        assert_eq!(said.err.matches(line).count(), 1, "{line}: {}", said.err);
        assert!(!said.out.contains("create"), "each change is told once: {}", said.out);
    }
    let checked = town.passerelle(&["check", "--live"]).await;
    assert_eq!(checked.code, 0, "{}{}", checked.out, checked.err);
    let again = town.passerelle(&run).await;
    assert!(again.out.contains("Nothing to do"), "{}{}", again.out, again.err);
}

#[tokio::test]
async fn a_dry_run_of_a_schema_tells_of_tables_fields_and_webhooks_and_makes_none() {
    let town = Town::start().unwrap();
    let (bridge, schema) = (format!("{CRM}/bridge.toml"), format!("{CRM}/schema.toml"));
    let run = [&RUN[..], &["--schema", &schema, "--dry-run"]].concat();
    let said = town.passerelle_with(&run, &[("BRIDGE_FILE", &bridge)]).await;
    assert_eq!(said.code, 0, "{}", said.err);
    insta::assert_snapshot!(said.out, @r#"
      Companies  create the table, with the field "Name" (text)
      Documents  create the table, with the field "Name" (text)
      Deals      create the table, with the field "Name" (text)
      Documents  create the field "Wiki page" (text)
      Deals      create the field "Stage" (single_select: Lead, Won, Lost)
      Deals      create the field "Amount" (number)
      Deals      create the field "Notes" (long_text)
      Deals      create the field "Company" (link_row to Companies)
      Deals      create the field "Documents" (link_row to Documents)
      Deals      create the field "Wiki page" (text)
      Deals      create the field "Wiki link" (url)
      Companies  create a webhook for rows.updated to https://bridge.example.org/api/webhooks/baserow/companies-changed
      Documents  create a webhook for rows.created, rows.deleted, rows.updated to https://bridge.example.org/api/webhooks/baserow/documents-changed
      Deals      create a webhook for rows.created, rows.deleted, rows.updated to https://bridge.example.org/api/webhooks/baserow/deals-changed
    14 changes would be made. Nothing was changed.
    "#);
    let tables = town
        .baserow_as_user(Method::GET, "tables/all-tables/", None)
        .await
        .unwrap();
    assert!(!tables.to_string().contains("Deals"), "{tables}");
}

#[tokio::test]
async fn a_table_that_lacks_something_gets_it_and_what_is_otherwise_is_told_and_left_alone() {
    let town = Town::start().unwrap();
    town.rules(RULES).unwrap();
    let rename = json!({"name": "Etat"});
    town.baserow_as_user(Method::PATCH, "fields/3/", Some(rename))
        .await
        .unwrap();
    let other = json!({"name": "Date", "type": "text"});
    town.baserow_as_user(Method::DELETE, "fields/104/", None).await.unwrap();
    town.baserow_as_user(Method::POST, "fields/table/7/", Some(other))
        .await
        .unwrap();
    let said = town.passerelle(&["provision", "--schema", AGENCY]).await;
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(
        said.err
            .contains("projet: create the field \"Statut\" (single_select: Brouillon"),
        "{}",
        said.err
    );
    assert!(
        said.out.contains("intervention: the field \"Date\" is text"),
        "{}",
        said.out
    );
    let projet = fields(&town, 2).await.unwrap();
    assert!(projet.contains(&"Statut single_select".to_owned()), "{projet:?}");
}

#[tokio::test]
async fn a_schema_that_cannot_be_read_is_refused_with_its_line() {
    let town = Town::start().unwrap();
    let path = town
        .file("schema.toml", "[[tables]]\nname = \"a\"\nprimry = \"b\"\n")
        .unwrap();
    let said = town.passerelle(&["provision", "--schema", &path]).await;
    assert_eq!(said.code, 2, "{}", said.err);
    assert!(
        said.err.contains("schema.toml") && said.err.contains("line 3"),
        "{}",
        said.err
    );
}
