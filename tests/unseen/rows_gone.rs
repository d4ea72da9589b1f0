//! Rows that go: their own pages, and those that show them.

use serde_json::json;
use system_tests::System;
use tempfile::TempDir;
use test_support::eventually;

/// A rule for `projet` whose page has these lines too.
fn rules(lines: &str) -> anyhow::Result<TempDir> {
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("page.md"), "{{ row.Nom }}")?;
    let text = format!(
        "[sources]\n\"*\" = {{ proof = \"hmac\", secrets = \"BASEROW_WEBHOOK_SECRET\" }}\n\n[[rules]]\nname = \"projet\"\n\
         table = \"projet\"\n\n[rules.page]\nspace = \"agence\"\ntitle = \"{{{{ row.Nom }}}}\"\nbody = \"page.md\"\n{lines}\n"
    );
    std::fs::write(folder.path().join("bridge.toml"), text)?;
    Ok(folder)
}

async fn titles(system: &System) -> anyhow::Result<Vec<String>> {
    let pages = system.docmost.pages("agence").await?;
    let titles = pages.iter().map(|page| page["title"].as_str().unwrap_or_default());
    Ok(titles.map(str::to_owned).collect())
}

#[tokio::test]
async fn the_page_of_a_deleted_row_can_stay_and_say_so_and_comes_back_with_its_row() {
    let rules = rules("row_deleted = \"mark\"\nmark = { prefix = \"[parti] \", icon = \"⚰️\" }").unwrap();
    let system = System::builder()
        .bridge_file(&rules.path().join("bridge.toml"))
        .start()
        .await
        .unwrap();
    let row = system
        .baserow
        .create("projet", json!({"Nom": "Refonte"}))
        .await
        .unwrap();
    system.drain().await;
    system.baserow.delete(row).await.unwrap();
    system.drain().await;
    let pages = system.docmost.pages("agence").await.unwrap();
    assert_eq!(
        (&pages[0]["title"], &pages[0]["icon"]),
        (&json!("[parti] Refonte"), &json!("⚰️"))
    );
    system.baserow.restore(row).await.unwrap();
    system.drain().await;
    assert_eq!(titles(&system).await.unwrap(), ["Refonte"]);
}

/// B9: Baserow tells the table of the projects itself, because the link is seen from both sides.
#[tokio::test]
async fn a_deleted_client_leaves_the_titles_of_its_projects() {
    let system = System::builder().start().await.unwrap();
    let client = json!({"Name": "Atelier Nord"});
    let client = system.baserow.create("client", client).await.unwrap();
    let project = json!({"Nom": "Refonte", "Client": [client.row.get()]});
    system.baserow.create("projet", project).await.unwrap();
    system.drain().await;
    assert_eq!(titles(&system).await.unwrap(), ["Projet Refonte - Atelier Nord"]);
    system.baserow.delete(client).await.unwrap();
    system.drain().await;
    eventually("the title has followed", async || match titles(&system).await {
        Ok(titles) if titles == ["Projet Refonte - (sans client)"] => Ok(()),
        other => Err(format!("{other:?}\n{}", system.logs())),
    })
    .await;
}
