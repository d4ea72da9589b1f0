//! The rules: what they make of a row, and whether all is as it should be.

use serde_json::json;

use crate::browser::{Browser, PHONE, WIDE};
use crate::site::Site;

#[tokio::test]
async fn a_rule_fits_the_real_table_and_shows_the_page_that_it_makes_of_a_row() {
    let Some(browser) = Browser::open("en", WIDE).await.unwrap() else {
        return;
    };
    let site = Site::build().await.unwrap();
    let row = site.project("Refonte du site").await.unwrap();
    browser.goto(&site.address("/")).await.unwrap();
    browser.sign_in("camille", &site.password).await.unwrap();
    browser.goto(&site.address("/rules")).await.unwrap();
    browser.reads("Each row of projet has a page in").await;
    browser.reads("It does well.").await;
    browser.fill(".look input[name=row]", &row.to_string()).await.unwrap();
    browser.press("Show its page").await.unwrap();
    browser.reads("Projet Refonte du site").await;
    browser.reads("The page is so already.").await;
    browser.has_shown_no_error().await.unwrap();
    browser.close().await.unwrap();
}

#[tokio::test]
async fn a_preview_is_drawn_as_the_wiki_shows_the_page_and_hostile_values_are_text_in_it() {
    let Some(browser) = Browser::open("fr", PHONE).await.unwrap() else {
        return;
    };
    let site = Site::build().await.unwrap();
    let hostile =
        "<img src=x onerror=alert(1)> [ici](javascript:alert(1)) ![](https://evil.example.org/a.png) \u{1b}\u{202e}";
    let named = json!({"Name": format!("{hostile} https://ok.example.org/")});
    let client = site.system.baserow.create("client", named).await.unwrap();
    let fields = json!({"Nom": hostile, "Statut": "En cours", "Client": [client.row.get()]});
    let row = site.system.baserow.create("projet", fields).await.unwrap();
    site.system.drain().await;
    browser.goto(&site.address("/")).await.unwrap();
    browser.sign_in("camille", &site.password).await.unwrap();
    let preview = format!("/rules/preview?rule=projet-page&row={row}");
    browser.goto(&site.address(&preview)).await.unwrap();
    browser.reads("Telle que le wiki la montre").await;
    browser.reads("🚧 Projet <img src=x onerror=alert(1)>").await;
    browser.reads("Statut En cours").await;
    for (selector, many) in [
        (".wiki table", 1),
        (".wiki img, .wiki script", 0),
        (".wiki a[href^='javascript']", 0),
    ] {
        assert_eq!(browser.count(selector).await.unwrap(), many, "{selector}");
    }
    assert!(browser.count(".wiki a[href='https://ok.example.org/']").await.unwrap() > 0);
    browser.fits().await.unwrap();
    browser.has_shown_no_error().await.unwrap();
    browser.close().await.unwrap();
}

#[tokio::test]
async fn an_operator_examines_the_bridge_with_the_keyboard_alone_and_reads_what_is_wrong() {
    let Some(browser) = Browser::open("fr", WIDE).await.unwrap() else {
        return;
    };
    let site = Site::build().await.unwrap();
    site.project("Refonte du site").await.unwrap();
    // If a worker looks there meanwhile.
    site.system.expect_errors("docmost is in trouble");
    site.system
        .break_docmost(&[json!({"path": "*", "kind": "reset"})])
        .await
        .unwrap();
    browser.goto(&site.address("/")).await.unwrap();
    browser.sign_in("camille", &site.password).await.unwrap();
    browser.reads("Vue d’ensemble").await;
    browser.goto(&site.address("/rules")).await.unwrap();
    browser.reads("Rien n’a été examiné ici").await;
    for _ in 0..40 {
        browser.type_keys("\t").await.unwrap();
        if browser.focused().await.unwrap().as_deref() == Some("Examiner maintenant") {
            break;
        }
    }
    browser.type_keys("\n").await.unwrap();
    browser.reads("Examiné pour camille").await;
    browser.reads("DOCMOST_URL").await;
    browser.fits().await.unwrap();
    browser.has_shown_no_error().await.unwrap();
    site.system.break_docmost(&[]).await.unwrap();
    browser.press("Examiner maintenant").await.unwrap();
    browser.reads("Chaque règle convient.").await;
    browser.has_shown_no_error().await.unwrap();
    browser.close().await.unwrap();
}
