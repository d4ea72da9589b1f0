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

    ╭────────────────────────────────────────────────────────────
    │ Tenu à jour depuis Baserow ; ce qui est écrit dans ce cadre sera remplacé. Baserow: brwt2r1x <https://baserow.test/database/1/table/2/row/1>
    │ Statut | En cours
    │ Client | –
    ╰────────────────────────────────────────────────────────────

    Not compared with a page: there is none yet that the row names.
    ");

    let bridge = docmost::BRIDGE_EMAIL;
    let space = town
        .docmost_as(bridge, "spaces/info", &json!({"spaceId": "agence"}))
        .await
        .unwrap();
    let page = json!({"spaceId": space["id"], "title": "Ancien titre", "format": "markdown", "content": "notes"});
    let page = town.docmost_as(bridge, "pages/create", &page).await.unwrap();
    let linked = json!({"docmost_page_id": page["id"]});
    let row = "rows/table/2/1/?user_field_names=true";
    town.baserow_as_user(Method::PATCH, row, Some(linked)).await.unwrap();
    let shown = town.passerelle(&["preview", "t2/r1"]).await;
    assert!(shown.out.contains("─\nnotes\n"), "{}", shown.out);
    let shown = shown.out.replace(&town.baserow.url(), "https://baserow.test");
    let (_, changes) = shown.split_once("A sync would change:\n").unwrap();
    insta::assert_snapshot!(changes, @"
    - title: Ancien titre
    + title: Projet Éole *1* - (sans client)
    - icon: none
    + icon: 🚧
    + ╭────────────────────────────────────────────────────────────
    + │ Tenu à jour depuis Baserow ; ce qui est écrit dans ce cadre sera remplacé. Baserow: brwt2r1x <https://baserow.test/database/1/table/2/row/1>
    + │ Statut | En cours
    + │ Client | –
    + ╰────────────────────────────────────────────────────────────
    ");
    // The same lines before a sync by hand, and where rows are reconciled.
    let indented = changes.lines().collect::<Vec<_>>().join("\n  ");
    let worker = [("WORKER_HEALTH_BIND", "127.0.0.1:0")];
    for arguments in [
        &["sync", "projet/1", "--dry-run"][..],
        &["reconcile", "--dry-run", "--by", "camille"],
    ] {
        let said = town.passerelle_with(arguments, &worker).await;
        assert_eq!(said.code, 0, "{}{}", said.out, said.err);
        let said = said.out.replace(&town.baserow.url(), "https://baserow.test");
        // The first worker's context gives the bridge its word, which stands in the mark.
        let (_, mark) = said.split_once("Baserow: ").unwrap();
        let (mark, _) = mark.split_once(' ').unwrap();
        let said = said.replace(mark, "brwt2r1x");
        let expected = format!("t2/r1: a sync would change its page:\n  {indented}\n");
        assert!(format!("{said}\n").contains(&expected), "{arguments:?}: {said}");
    }
    let stats = town.desk.queue().unwrap().stats().await.unwrap();
    assert_eq!(stats.active + stats.running, 0, "nothing was requested");
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
