//! What is stored of a document, and when.

use passerelle_sandbox::docmost::editor::Editor;
use passerelle_sandbox::docmost::{HUMAN_EMAIL, Options};
use passerelle_sandbox::faults::{Fault, FaultKind};
use serde_json::json;
use test_support::eventually;

use crate::client::{Server, Socket};

fn fails() -> FaultKind {
    FaultKind::Status {
        status: 500,
        headers: [].into(),
        body: None,
    }
}

#[tokio::test]
async fn what_is_typed_is_stored_when_it_has_been_quiet_for_a_while() {
    let server = Server::start().unwrap();
    let page = server.page("du texte").await.unwrap();
    let mut person = Editor::open(&server.url(), HUMAN_EMAIL, &page).await.unwrap();
    person.type_behind("du texte", " de plus").await.unwrap();
    assert_eq!(server.stored(&page).await.unwrap(), ["du texte"], "only in memory yet");
    person.close().await.unwrap();
    eventually("it is stored", async || match server.stored(&page).await {
        Ok(stored) if stored == ["du texte de plus"] => Ok(()),
        other => Err(other),
    })
    .await;
}

#[tokio::test]
async fn an_empty_append_stores_what_is_typed_at_once_and_answers_with_it() {
    let server = Server::with(Options::default()).unwrap();
    let page = server.page("du texte").await.unwrap();
    let mut person = Editor::open(&server.url(), HUMAN_EMAIL, &page).await.unwrap();
    person.type_behind("du texte", " de plus").await.unwrap();
    assert_eq!(server.force(&page).await.unwrap(), ["du texte de plus"]);
    assert_eq!(server.stored(&page).await.unwrap(), ["du texte de plus"]);
    let again = server.ask("pages/info", json!({"pageId": page})).await.unwrap();
    assert_eq!(server.force(&page).await.unwrap(), ["du texte de plus"]);
    let after = server.ask("pages/info", json!({"pageId": page})).await.unwrap();
    assert_eq!(again["content"], after["content"], "nothing was appended");
}

#[tokio::test]
async fn a_replacement_over_the_api_wipes_what_is_typed_also_from_the_screen() {
    let server = Server::start().unwrap();
    let page = server.page("du texte").await.unwrap();
    let mut person = Editor::open(&server.url(), HUMAN_EMAIL, &page).await.unwrap();
    person.type_behind("du texte", " de plus").await.unwrap();
    let body = json!({"pageId": page, "operation": "replace", "format": "markdown", "content": "neuf"});
    server.ask("pages/update", body).await.unwrap();
    person
        .until(|content| content.to_string().contains("neuf"))
        .await
        .unwrap();
    assert_eq!(person.texts(), ["neuf"]);
}

#[tokio::test]
async fn a_store_that_fails_is_told_to_nobody_and_loses_the_text_of_whoever_has_left() {
    let server = Server::start().unwrap();
    let page = server.page("du texte").await.unwrap();
    let mut person = Editor::open(&server.url(), HUMAN_EMAIL, &page).await.unwrap();
    server.running.faults.set(vec![Fault::on("/collab/store", fails())]);
    person.type_behind("du texte", " perdu").await.unwrap();
    person.close().await.unwrap();
    let is_open = async || {
        let pages = server.control(reqwest::Method::GET, "pages", &json!({})).await.unwrap();
        pages.as_array().unwrap().iter().any(|page| page["isOpen"] == true)
    };
    eventually("the document is forgotten", async || {
        if is_open().await { Err(()) } else { Ok(()) }
    })
    .await;
    server.running.faults.clear();
    assert_eq!(server.force(&page).await.unwrap(), ["du texte"]);
}

#[tokio::test]
async fn a_nul_keeps_a_page_from_being_stored_until_it_is_gone() {
    let server = Server::start().unwrap();
    let page = server.page("du texte").await.unwrap();
    let mut person = Editor::open(&server.url(), HUMAN_EMAIL, &page).await.unwrap();
    person.write("poison\0").await.unwrap();
    person.type_behind("du texte", " de plus").await.unwrap();
    assert_eq!(
        server.force(&page).await.unwrap(),
        ["du texte"],
        "answered 200 with the old content"
    );
    person.delete_block(1).await.unwrap();
    assert_eq!(server.force(&page).await.unwrap(), ["du texte de plus"]);
}

#[tokio::test]
async fn a_server_that_is_killed_loses_what_it_acknowledged_and_one_that_ends_in_order_does_not() {
    let server = Server::with(Options::default()).unwrap();
    for (stored, expected) in [("false", "du texte"), ("true", "du texte de plus")] {
        let page = server.page("du texte").await.unwrap();
        let mut person = Editor::open(&server.url(), HUMAN_EMAIL, &page).await.unwrap();
        person.type_behind("du texte", " de plus").await.unwrap();
        let path = format!("collab?stored={stored}");
        server
            .control(reqwest::Method::DELETE, &path, &json!({}))
            .await
            .unwrap();
        assert_eq!(server.stored(&page).await.unwrap(), [expected]);
        assert!(person.write("encore").await.is_err(), "the connection is broken");
    }
}

#[tokio::test]
async fn a_page_that_is_opened_is_written_and_one_that_an_editor_would_leave_alone_is_not() {
    let server = Server::start().unwrap();
    let page = server.page("du texte\n\n- liste").await.unwrap();
    let person = Editor::open(&server.url(), HUMAN_EMAIL, &page).await.unwrap();
    let first = person.content();
    assert_eq!(first["content"][2]["type"], "paragraph", "an empty one behind the list");
    assert_eq!(first["content"][0]["attrs"]["id"].as_str().map(str::len), Some(12));
    person.close().await.unwrap();
    server.force(&page).await.unwrap();
    let person = Editor::open(&server.url(), HUMAN_EMAIL, &page).await.unwrap();
    assert_eq!(person.content(), first);
}

#[tokio::test]
async fn sockets_on_other_paths_are_hung_up_on_and_what_cannot_be_read_is_closed_with_4401() {
    let server = Server::start().unwrap();
    for path in ["/collab/", "/", "/api/collab"] {
        assert!(Socket::open(&server, path).await.is_err(), "{path}");
    }
    let mut socket = Socket::open(&server, "/collab").await.unwrap();
    socket.send(vec![200]).await.unwrap();
    assert_eq!(socket.closed().await.unwrap(), 4401);
    let mut socket = Socket::open(&server, "/collab").await.unwrap();
    socket.say("{}").await.unwrap();
    assert_eq!(socket.closed().await.unwrap(), 4401);
    let impatient = Server::with(Options {
        docmost_socket_patience_ms: 200,
        ..Options::default()
    });
    let mut socket = Socket::open(&impatient.unwrap(), "/collab").await.unwrap();
    assert_eq!(socket.closed().await.unwrap(), 4408);
}
