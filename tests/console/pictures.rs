//! The pictures of docs/CONSOLE.md: `make pictures`.

use std::path::PathBuf;

use serde_json::json;

use crate::browser::{Browser, PHONE, WIDE};
use crate::playground::{FIRST, start};
use crate::site::Site;

fn folder() -> PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/pictures")
}

async fn take(browser: &Browser, name: &str) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder())?;
    let picture = browser.picture().await?;
    Ok(std::fs::write(folder().join(format!("{name}.png")), picture)?)
}

#[tokio::test]
#[ignore = "writes into docs/pictures: make pictures"]
async fn the_pictures_of_the_documentation() {
    let Some(browser) = Browser::open("en", WIDE).await.unwrap() else {
        return;
    };
    let phone = Browser::open("fr", PHONE).await.unwrap().unwrap();
    let site = Site::build().await.unwrap();
    for name in ["Refonte du site", "Gare du Nord", "Atelier de quartier"] {
        site.project(name).await.unwrap();
    }
    let row = site.project("Maison des arts").await.unwrap();
    let address = site.address("/");
    browser.goto(&address).await.unwrap();
    take(&browser, "sign-in").await.unwrap();
    browser.sign_in("camille", &site.password).await.unwrap();
    browser.reads("All is well: 4 pages in step").await;
    take(&browser, "overview").await.unwrap();
    phone.goto(&address).await.unwrap();
    phone.sign_in("camille", &site.password).await.unwrap();
    phone.reads("Tout va bien : 4 pages").await;
    take(&phone, "overview-phone").await.unwrap();
    for (browser, name) in [(&browser, "why"), (&phone, "why-phone")] {
        browser.goto(&site.address(&format!("/why?q={row}"))).await.unwrap();
        browser.reads(&row.to_string()).await;
        take(browser, name).await.unwrap();
        browser.goto(&address).await.unwrap();
    }
    browser.goto(&site.address("/rules")).await.unwrap();
    browser.reads("It does well.").await;
    take(&browser, "rules").await.unwrap();
    let preview = format!("/rules/preview?rule=projet-page&row={row}");
    browser.goto(&site.address(&preview)).await.unwrap();
    browser.reads("The page is so already.").await;
    take(&browser, "preview").await.unwrap();
    browser.goto(&address).await.unwrap();
    browser.prefers("dark").await.unwrap();
    site.system.expect_errors("docmost is in trouble");
    let fault = json!({"path": "*", "kind": "reset"});
    site.system.break_docmost(&[fault]).await.unwrap();
    for number in 0..20 {
        let fields = json!({"Nom": format!("Chantier {number}"), "Statut": "En cours"});
        site.system.baserow.create("projet", fields).await.unwrap();
    }
    browser.reads("Docmost has been away for").await;
    take(&browser, "outage-dark").await.unwrap();
    site.system.break_docmost(&[]).await.unwrap();
    browser.reads("All is well: 24 pages").await;
    browser.close().await.unwrap();
    phone.close().await.unwrap();
}

#[tokio::test]
#[ignore = "writes into docs/pictures: make pictures"]
async fn the_picture_of_the_playground() {
    let Some(browser) = Browser::open("en", WIDE).await.unwrap() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (_play, address) = start(folder.path()).await.unwrap();
    browser.goto(&address).await.unwrap();
    browser.reads("Projet Gare du Nord - Ville de Lille of row 2").await;
    let name = format!("{FIRST} input[name=name]");
    browser.retype(&name, "Maison des arts").await.unwrap();
    browser.enter(&name).await.unwrap();
    browser.reads("Projet Maison des arts - Atelier Nord of row 1").await;
    take(&browser, "playground").await.unwrap();
    browser.close().await.unwrap();
}
