//! A reconciliation from the console.

use serde_json::json;

use crate::browser::{Browser, WIDE};
use crate::site::Site;

#[tokio::test]
async fn a_reconciliation_is_planned_carried_out_and_seen_to_its_end() {
    let Some(browser) = Browser::open("en", WIDE).await.unwrap() else {
        return;
    };
    let site = Site::build().await.unwrap();
    site.project("Refonte du site").await.unwrap();
    let imported = json!({"Nom": "Gare du Nord", "Statut": "En cours"});
    let row = site.system.baserow.import("projet", imported).await.unwrap();
    browser.goto(&site.address("/reconcile")).await.unwrap();
    browser.sign_in("camille", &site.password).await.unwrap();
    browser.reads("None has been started here").await;
    browser.press("Only compare").await.unwrap();
    browser
        .reads("1 row differs from its page. Nothing was requested.")
        .await;
    browser.reads(&format!("{row} projet-page has no page")).await;
    assert!(site.system.docmost.pages_of(row).await.unwrap().is_empty());

    browser
        .fill(".plan input[name=why]", "a file was imported")
        .await
        .unwrap();
    browser.press("Compare and sync").await.unwrap();
    browser.reads("1 sync was requested.").await;
    site.system.drain().await;
    assert_eq!(site.system.docmost.pages_of(row).await.unwrap().len(), 1);
    browser.goto(&site.address(&format!("/why?q={row}"))).await.unwrap();
    browser.reads("Requested by camille: a file was imported").await;
    browser.goto(&site.address("/reconcile")).await.unwrap();
    browser.press("Only compare").await.unwrap();
    browser.reads("Every row equals its page.").await;
    browser.has_shown_no_error().await.unwrap();
    browser.close().await.unwrap();
}
