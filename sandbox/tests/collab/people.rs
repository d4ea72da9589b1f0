//! People in their editors.

use passerelle_sandbox::docmost::editor::Editor;
use passerelle_sandbox::docmost::{HUMAN_EMAIL, OWNER_EMAIL};
use serde_json::{Value, json};

use crate::client::Server;

fn block(id: &str, content: &[Value]) -> Value {
    json!({"type": "transclusionSource", "attrs": {"id": id}, "content": content})
}

fn paragraph(text: &str) -> Value {
    json!({"type": "paragraph", "content": [{"type": "text", "text": text}]})
}

#[tokio::test]
async fn two_people_see_what_the_other_types_also_after_one_was_offline() {
    let server = Server::start().unwrap();
    let page = server.page("du texte").await.unwrap();
    let mut one = Editor::open(&server.url(), HUMAN_EMAIL, &page).await.unwrap();
    let mut other = Editor::open(&server.url(), OWNER_EMAIL, &page).await.unwrap();
    one.type_behind("du texte", " de l'un").await.unwrap();
    other
        .until(|content| content.to_string().contains("de l'un"))
        .await
        .unwrap();
    one.offline();
    one.write("écrit sans réseau").await.unwrap();
    other.write("écrit pendant ce temps").await.unwrap();
    one.online().await.unwrap();
    other
        .until(|content| content.to_string().contains("sans réseau"))
        .await
        .unwrap();
    one.until(|content| content.to_string().contains("pendant ce temps"))
        .await
        .unwrap();
    assert_eq!(one.content(), other.content());
    assert_eq!(server.force(&page).await.unwrap().len(), 3);
}

#[tokio::test]
async fn the_document_of_a_page_by_another_name_is_another_document() {
    let server = Server::start().unwrap();
    let page = server.page("du texte").await.unwrap();
    let slug = server.ask("pages/info", json!({"pageId": page})).await.unwrap()["slugId"].clone();
    let mut one = Editor::open(&server.url(), HUMAN_EMAIL, &page).await.unwrap();
    let mut other = Editor::open(&server.url(), HUMAN_EMAIL, slug.as_str().unwrap())
        .await
        .unwrap();
    one.write("de l'un").await.unwrap();
    other.write("de l'autre").await.unwrap();
    assert_eq!(
        (one.texts().len(), other.texts().len()),
        (2, 2),
        "they do not see each other"
    );
}

#[tokio::test]
async fn an_open_editor_deletes_what_its_schema_does_not_know() {
    let server = Server::start().unwrap();
    let page = server.page("du texte").await.unwrap();
    let mut person = Editor::open(&server.url(), HUMAN_EMAIL, &page).await.unwrap();
    let strange = json!({"type": "nouveau", "content": [{"type": "text", "text": "x"}]});
    for broken in [block("a", &[strange, paragraph("reste")]), block("b", &[])] {
        person.insert(1, &[broken]).await.unwrap();
        let mut opened = Editor::open(&server.url(), OWNER_EMAIL, &page).await.unwrap();
        opened.write("ouvert").await.unwrap();
        assert!(opened.synced_block().is_err(), "the whole block is gone");
    }
    let blinking = json!({"type": "paragraph", "content": [
        {"type": "text", "text": "garde "}, {"type": "text", "text": "perd", "marks": [{"type": "blink"}]},
    ]});
    person.insert(1, &[blinking]).await.unwrap();
    let opened = Editor::open(&server.url(), OWNER_EMAIL, &page).await.unwrap();
    assert_eq!(opened.texts()[1], "garde ");
}

#[tokio::test]
async fn what_people_do_to_a_synced_block_does_to_its_id_what_it_did_in_the_real_editor() {
    let server = Server::start().unwrap();
    let page = server.page("du texte").await.unwrap();
    let mut person = Editor::open(&server.url(), HUMAN_EMAIL, &page).await.unwrap();
    person
        .insert(0, &[block("baserow", &[paragraph("ACME")])])
        .await
        .unwrap();
    let id = |person: &Editor| {
        person.synced_block().unwrap().1["attrs"]["id"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    person.drag_section().await.unwrap();
    assert_eq!((id(&person).as_str(), person.synced_block().unwrap().0), ("baserow", 1));
    person.copy_section().await.unwrap();
    let ids: Vec<Value> = person.content()["content"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|block| block["type"] == "transclusionSource")
        .map(|block| block["attrs"]["id"].clone())
        .collect();
    assert_eq!((ids.len(), &ids[0]), (2, &json!("baserow")));
    assert_ne!(ids[1], "baserow", "the copy has an id of its own");
    person.delete_section().await.unwrap();
    person.cut_and_paste_section().await.unwrap();
    assert!(
        id(&person) != "baserow" && json!(id(&person)) != ids[1],
        "a paste gives a new id"
    );
    person.comment("ACME").await.unwrap();
    assert_eq!(person.commented(), ["ACME"]);
    person.unsync_section().await.unwrap();
    assert!(person.synced_block().is_err() && person.texts().contains(&"ACME".to_owned()));
}
