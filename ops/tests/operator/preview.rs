//! `preview`: the page of a row before it is written.

use passerelle_sandbox::docmost;
use reqwest::Method;
use serde_json::json;

use crate::town::Town;

#[tokio::test]
async fn the_page_of_a_row_is_shown_and_what_a_sync_would_change_of_it() {
    let town = Town::start().unwrap();
    let projet = json!({"Nom": "Éole *1*", "Statut": "En cours", "Client": []});
    let rows = "rows/table/2/?user_field_names=true";
    town.baserow_as_user(Method::POST, rows, Some(projet)).await.unwrap();
    let shown = town.passerelle(&["preview", "projet/1"]).await;
    assert_eq!(shown.code, 0, "{}{}", shown.out, shown.err);
    let out = shown.out.replace(&town.baserow.url(), "https://baserow.test");
    insta::assert_snapshot!(out, @"
    🚧 Projet Éole *1* - (sans client)
    In the space Agence, by the rule projet-page.

    Tenu à jour depuis Baserow ; ce qui est écrit dans ce cadre sera remplacé. Baserow: brwt2r1x <https://baserow.test/database/1/table/2/row/1>
    Statut | En cours
    Client | –

    Not compared with a page: there is none yet that the row names.
    ");

    let bridge = docmost::BRIDGE_EMAIL;
    let space = town
        .docmost_as(bridge, "spaces/info", &json!({"spaceId": "agence"}))
        .await
        .unwrap();
    let page = json!({"spaceId": space["id"], "title": "Ancien titre"});
    let page = town.docmost_as(bridge, "pages/create", &page).await.unwrap();
    let linked = json!({"docmost_page_id": page["id"]});
    let row = "rows/table/2/1/?user_field_names=true";
    town.baserow_as_user(Method::PATCH, row, Some(linked)).await.unwrap();
    let shown = town.passerelle(&["preview", "t2/r1"]).await;
    assert!(
        shown
            .out
            .contains("A sync would change:\n- title: Ancien titre\n+ title: Projet Éole *1* - (sans client)"),
        "{}",
        shown.out
    );
}

#[tokio::test]
async fn a_row_in_a_file_needs_no_baserow() {
    let town = Town::start().unwrap();
    let row = json!({"row": {"id": 7, "Nom": "Refonte", "Statut": null}, "client": {"id": 1, "Name": "ACME"}});
    let path = town.file("row.json", &row.to_string()).unwrap();
    let arguments = ["preview", "--file", &path, "--rule", "projet-page"];
    let none = [("BASEROW_URL", ""), ("DOCMOST_URL", ""), ("REDIS_URL", "")];
    let shown = town.passerelle_with(&arguments, &none).await;
    assert_eq!(shown.code, 0, "{}{}", shown.out, shown.err);
    assert!(
        shown.out.contains("Projet Refonte - ACME") && shown.out.contains("Client | ACME"),
        "{}",
        shown.out
    );
}
