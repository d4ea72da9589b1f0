//! What Baserow may hold, and what people may do to tables and spaces, that no rule can make a page
//! of: each has a named end and a sentence that says what to do; and the rows beside it go on as if
//! nothing were.

mod broken_rules;

use std::path::Path;

use passerelle_model::id::RowKey;
use reqwest::Method;
use serde_json::{Value, json};
use system_tests::System;
use system_tests::webhook::delivery;
use tempfile::TempDir;
use test_support::eventually;

/// The rows beside are clients; everything else has a rule of its own to break.
const BRIDGE: &str = r#"
owned_fields = ["docmost_page_id", "docmost_url"]

[sources]
"*" = { proof = "hmac", secrets = "BASEROW_WEBHOOK_SECRET" }

[[rules]]
name = "client"
table = "client"
page = { space = "Agence", title = "{{ row.Name }}", body = "empty.md" }

[[rules]]
name = "projet"
table = "projet"
links = { client = "Client" }

[rules.page]
space = "Agence"
title = "{{ row.Nom }} ({{ client.Name or 'personne' }})"
body = "projet.md"
icon = { field = "Statut", values = { "En cours" = "🚧" }, default = "📁" }

[[rules]]
name = "essai"
table = "essai"
page = { space = "Éphémère", title = "{{ row.note }}", body = "empty.md" }

[[rules]]
name = "bloc"
table = "bloc"
page = { space = "Agence", title = "{{ row.Titre }}", body = "empty.md" }

[[rules]]
name = "attribution"
table = "attribution"
links = { personne = "Personne" }
page = { space = "Agence", title = "{{ row.Libelle }} {{ personne.Nom }}", body = "empty.md" }

[[rules]]
name = "intervention"
table = "intervention"
page = { space = "Agence", title = "{{ row.Libelle }}", body = "empty.md" }
"#;

/// The worker's token: it may not read `personne` (5) and `intervention` (7).
const TOKEN: &str = "a-token-with-limits";

struct Town {
    system: System,
    neighbour: RowKey,
    visits: usize,
    _bridge: TempDir,
}

impl Town {
    async fn start() -> anyhow::Result<Self> {
        let bridge = tempfile::tempdir()?;
        write_rules(bridge.path())?;
        let spaces = ["General", "Agence", "Éphémère"].map(str::to_owned);
        let builder = System::builder()
            .without_webhook()
            .bridge_file(&bridge.path().join("bridge.toml"))
            .spaces(&spaces)
            .variable("GATE_PROBE_SECONDS", "0.2")
            .variable("GATE_PROBE_LONGEST_SECONDS", "1")
            .worker_variable("BASEROW_TOKEN", TOKEN);
        let system = builder.start().await?;
        let token = json!({"key": TOKEN, "tables": [1, 2, 3, 4, 6, 8, 9]});
        system
            .baserow
            .control(Method::POST, "/_sandbox/baserow/tokens", Some(token))
            .await?;
        system.watch_all_tables().await?;
        let neighbour = system.baserow.create("client", json!({"Name": "Voisin 0"})).await?;
        system.drain().await;
        Ok(Self {
            system,
            neighbour,
            visits: 0,
            _bridge: bridge,
        })
    }

    async fn create(&self, table: &str, fields: Value) -> anyhow::Result<RowKey> {
        self.system.baserow.create(table, fields).await
    }

    /// The latest event of a row has ended, or waits, with this sentence; and the row beside it is
    /// synced as ever.
    async fn ends(&mut self, row: RowKey, expected: &str) -> anyhow::Result<()> {
        eventually(expected, async || {
            let sentences = self
                .system
                .why(&row.to_string())
                .await
                .map_err(|error| error.to_string())?;
            match sentences.last() {
                Some(sentence) if sentence.contains(expected) => Ok(()),
                _ => Err(format!("{sentences:?}\n{}", self.system.logs())),
            }
        })
        .await;
        self.visits += 1;
        let name = format!("Voisin {}", self.visits);
        self.system
            .baserow
            .update(self.neighbour, json!({ "Name": name }))
            .await?;
        eventually("the row beside it is synced", async || {
            let pages = self.system.docmost.pages_of(self.neighbour).await;
            match &pages {
                Ok(pages) if pages.len() == 1 && pages[0]["title"] == name => Ok(()),
                _ => Err(format!("after {expected:?}: {pages:?}\n{}", self.system.logs())),
            }
        })
        .await;
        Ok(())
    }

    /// The same, and the page has this title.
    async fn is_shown(&mut self, row: RowKey, title: &str) -> anyhow::Result<()> {
        self.ends(row, "The page was made equal to the row").await?;
        let pages = self.system.docmost.pages_of(row).await?;
        anyhow::ensure!(pages.len() == 1 && pages[0]["title"] == title, "{pages:?}");
        Ok(())
    }
}

fn write_rules(folder: &Path) -> std::io::Result<()> {
    std::fs::write(folder.join("bridge.toml"), BRIDGE)?;
    std::fs::write(folder.join("empty.md"), "")?;
    std::fs::write(
        folder.join("projet.md"),
        "{{ row.Nom | paragraphs }}\n\n{{ row.Statut or '–' }}\n",
    )
}

#[tokio::test]
async fn whatever_a_row_holds_has_a_named_end_and_harms_no_neighbour() {
    let mut town = Town::start().await.unwrap();
    let created = "The page was made equal to the row";
    texts_that_look_dangerous(&mut town).await.unwrap();

    let long = "é".repeat(500_000);
    let row = town.create("projet", json!({ "Nom": long })).await.unwrap();
    town.ends(row, "because the row does not fit its rule: the page would have 10")
        .await
        .unwrap();
    town.system.expect_dead(1);

    let fields = json!({"Nom": "Sans client", "Client": [99_999]});
    let row = town.create("projet", fields).await.unwrap();
    town.is_shown(row, "Sans client (personne)").await.unwrap();

    let row = town
        .create("projet", json!({"Nom": "Option", "Statut": "En cours"}))
        .await
        .unwrap();
    town.ends(row, created).await.unwrap();
    let options = json!({"select_options": [{"id": 2, "value": "Actif", "color": "blue"}]});
    person(&town, "/api/database/fields/3/", options).await.unwrap();
    town.system
        .baserow
        .update(row, json!({"Nom": "Option renommée"}))
        .await
        .unwrap();
    town.is_shown(row, "Option renommée (personne)").await.unwrap();
    let pages = town.system.docmost.pages_of(row).await.unwrap();
    assert_eq!(pages[0]["icon"], "📁", "a value without an icon has the default one");
}

#[tokio::test]
async fn one_bad_row_of_a_delivery_of_twenty_harms_none_of_the_others() {
    let mut town = Town::start().await.unwrap();
    let names = (1..=20).map(|number| match number {
        7 => "é".repeat(500_000),
        _ => format!("Lot {number}"),
    });
    let (mut rows, mut items) = (Vec::new(), Vec::new());
    for name in names {
        let row = town
            .system
            .baserow
            .import("projet", json!({ "Nom": name }))
            .await
            .unwrap();
        items.push(json!({"id": row.row.get(), "order": "1.00"}));
        rows.push(row);
    }
    let event = delivery("rows.created", rows[0].table, "twenty-rows", &items);
    let answer = town.system.caller().post(event.to_string()).await.unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    let bad = rows.remove(6);
    town.ends(bad, "because the row does not fit its rule: the page would have 10")
        .await
        .unwrap();
    town.system.expect_dead(1);
    town.system.drain().await;
    for row in rows {
        assert_eq!(town.system.docmost.pages_of(row).await.unwrap().len(), 1, "{row}");
    }
}

async fn texts_that_look_dangerous(town: &mut Town) -> anyhow::Result<()> {
    let titles = [
        ("🚀👩‍👩‍👧‍👦🇫🇷", "🚀👩‍👩‍👧‍👦🇫🇷"),
        ("مشروع תוכנית \u{202e}abc", "مشروع תוכנית \u{202e}abc"),
        (
            "<script>alert(1)</script> | [x](y) `z`",
            "<script>alert(1)</script> | [x](y) `z`",
        ),
        ("a\u{0}b\u{1}c", "abc"),
        ("{{ row.Statut }} {% raw %}", "{{ row.Statut }} {% raw %}"),
    ];
    for (name, title) in titles {
        let row = town.create("projet", json!({ "Nom": name })).await?;
        town.is_shown(row, &format!("{title} (personne)")).await?;
    }
    Ok(())
}

async fn person(town: &Town, path: &str, body: Value) -> anyhow::Result<Value> {
    town.system.baserow.as_person(Method::PATCH, path, body).await
}

#[tokio::test]
async fn whatever_people_do_to_fields_tables_and_spaces_has_a_named_end_and_harms_no_neighbour() {
    let mut town = Town::start().await.unwrap();
    a_renamed_field(&mut town).await.unwrap();
    a_deleted_table(&mut town).await.unwrap();
    a_deleted_space(&mut town).await.unwrap();
    // The table and the space may come back.
    town.system.expect_open(2);
}

async fn a_renamed_field(town: &mut Town) -> anyhow::Result<()> {
    let row = town.create("projet", json!({"Nom": "Renommé"})).await?;
    town.is_shown(row, "Renommé (personne)").await?;
    person(town, "/api/database/fields/2/", json!({"name": "Intitulé"})).await?;
    town.system
        .baserow
        .update(row, json!({"Intitulé": "Renommé 2"}))
        .await?;
    town.is_shown(row, "Renommé 2 (personne)").await?;
    person(town, "/api/database/fields/2/", json!({"name": "Nom"})).await?;
    town.system.baserow.update(row, json!({"Nom": "Renommé 3"})).await?;
    town.is_shown(row, "Renommé 3 (personne)").await
}

async fn a_deleted_table(town: &mut Town) -> anyhow::Result<()> {
    let row = town.create("bloc", json!({"Titre": "Perdu"})).await?;
    town.is_shown(row, "Perdu").await?;
    let path = format!("/_sandbox/baserow/tables/{}", row.table);
    town.system.baserow.control(Method::DELETE, &path, None).await?;
    // A delivery that was on its way.
    let item = json!({"id": row.row.get(), "order": "1.00", "Titre": "Perdu"});
    let late = delivery("rows.updated", row.table, "a-late-event", &[item]);
    let answer = town.system.caller().post(late.to_string()).await?;
    anyhow::ensure!(answer.status == 200, "{answer:?}");
    town.ends(row, "the table does not exist").await
}

async fn a_deleted_space(town: &mut Town) -> anyhow::Result<()> {
    let row = town.create("essai", json!({"note": "Avant"})).await?;
    town.is_shown(row, "Avant").await?;
    let path = "/_sandbox/spaces/%C3%A9ph%C3%A9m%C3%A8re";
    town.system.docmost.control(Method::DELETE, path, None).await?;
    let row = town.create("essai", json!({"note": "Après"})).await?;
    town.ends(row, "pace").await?;
    let sentences = town.system.why(&row.to_string()).await?;
    anyhow::ensure!(
        sentences[0].contains("add the bridge's account to the space") || sentences[0].contains("cannot see a space"),
        "{sentences:?}"
    );
    Ok(())
}
