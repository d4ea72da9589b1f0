//! What people do to the section, and what becomes of it when the row changes.

use passerelle_model::outcome::Outcome;
use passerelle_sandbox::docmost;

use super::{TEMPLATE, Wiki, sections, steps, text_of};
use crate::world::World;

const ID: &str = "baserow";

#[tokio::test]
async fn a_page_shows_its_row_in_a_section_and_opening_it_changes_nothing() {
    let wiki = Wiki::start("").await.unwrap();
    let blocks = wiki.blocks().await.unwrap();
    assert_eq!(blocks.len(), 2, "the section, and a paragraph to write in");
    assert_eq!(blocks[0]["attrs"]["id"], ID);
    let text = text_of(&blocks[0]);
    let is_signed = text.starts_with("Tenu à jour depuis Baserow") && text.contains("Baserow: brw");
    assert!(is_signed, "{text}");
    assert!(text.ends_with("ProjetNomÉoleClientACME"), "{text}");
    wiki.person().await.unwrap().close().await.unwrap();
    let end = "collab?stored=true";
    wiki.world.docmost_control(reqwest::Method::DELETE, end).await.unwrap();
    assert_eq!(
        wiki.stored().await.unwrap()["lastUpdatedByEmail"],
        docmost::BRIDGE_EMAIL
    );
    assert_eq!(wiki.world.sync(wiki.row).await.unwrap(), Outcome::NoChange);
}

#[tokio::test]
async fn the_section_follows_the_row_and_what_people_write_around_it_stays() {
    let wiki = Wiki::start("").await.unwrap();
    let mut person = wiki.person().await.unwrap();
    person.write("notes de réunion").await.unwrap();
    wiki.follow("Mistral").await.unwrap();
    let blocks = wiki.blocks().await.unwrap();
    assert!(text_of(&blocks[0]).contains("NomMistral"));
    assert_eq!(text_of(&blocks[2]), "notes de réunion");
    assert_eq!(wiki.stored().await.unwrap()["title"], "Mistral");
    person
        .until(|content| text_of(content).contains("NomMistral"))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_section_that_people_delete_or_unsync_stays_away_and_that_is_said_once() {
    for is_unsynced in [false, true] {
        let wiki = Wiki::start("").await.unwrap();
        let mut person = wiki.person().await.unwrap();
        if is_unsynced {
            person.unsync_section().await.unwrap();
        } else {
            person.delete_section().await.unwrap();
        }
        wiki.rename("Mistral").await.unwrap();
        let first = wiki.world.attempt(wiki.row).await;
        assert!(steps(&first).contains(&"section_taken_away"), "{:?}", steps(&first));
        wiki.rename("Sirocco").await.unwrap();
        let second = wiki.world.attempt(wiki.row).await;
        assert!(!steps(&second).contains(&"section_taken_away"));
        let blocks = wiki.blocks().await.unwrap();
        assert_eq!(sections(&blocks, ID).len(), 0);
        assert_eq!(wiki.stored().await.unwrap()["title"], "Sirocco", "the title follows");
        let all: String = blocks.iter().map(text_of).collect();
        assert_eq!(
            all.contains("NomÉole"),
            is_unsynced,
            "what they unsynced is theirs: {all}"
        );
    }
}

#[tokio::test]
async fn a_section_that_people_delete_is_put_back_at_the_top_if_the_rule_says_so() {
    let wiki = Wiki::start("section = { recreate = true }").await.unwrap();
    let mut person = wiki.person().await.unwrap();
    person.write("notes").await.unwrap();
    let deleted = person.delete_section().await.unwrap();
    wiki.follow("Mistral").await.unwrap();
    let blocks = wiki.blocks().await.unwrap();
    assert!(text_of(sections(&blocks, ID)[0]).contains("NomMistral"));
    assert_eq!(blocks[0]["attrs"]["id"], ID);

    // A person undoes the deletion: there are two now, and one remains.
    person
        .until(|content| text_of(content).contains("NomMistral"))
        .await
        .unwrap();
    person.undo_deletion(deleted).await.unwrap();
    assert_eq!(sections(person.content()["content"].as_array().unwrap(), ID).len(), 2);
    wiki.rename("Sirocco").await.unwrap();
    let attempt = wiki.world.attempt(wiki.row).await;
    assert!(steps(&attempt).contains(&"section_doubled"), "{:?}", steps(&attempt));
    let blocks = wiki.blocks().await.unwrap();
    assert_eq!(sections(&blocks, ID).len(), 1);
    assert!(text_of(&blocks[0]).contains("NomSirocco") && blocks.iter().any(|block| text_of(block) == "notes"));
}

#[tokio::test]
async fn a_section_that_people_move_copy_or_cut_and_paste_is_followed_where_it_is() {
    let wiki = Wiki::start("").await.unwrap();
    let mut person = wiki.person().await.unwrap();
    person.write("notes").await.unwrap();
    person.drag_section().await.unwrap();
    person.copy_section().await.unwrap();
    wiki.follow("Mistral").await.unwrap();
    let blocks = wiki.blocks().await.unwrap();
    let texts: Vec<String> = blocks.iter().map(text_of).collect();
    let at = texts.iter().position(|text| text.contains("NomMistral")).unwrap();
    assert_eq!(
        (blocks[at]["attrs"]["id"].as_str(), texts[at - 1].as_str()),
        (Some(ID), "notes")
    );
    let theirs = texts.iter().filter(|text| text.contains("NomÉole")).count();
    assert_eq!(theirs, 1, "the copy is theirs: {texts:?}");

    let wiki = Wiki::start("").await.unwrap();
    let mut person = wiki.person().await.unwrap();
    person.cut_and_paste_section().await.unwrap();
    wiki.follow("Mistral").await.unwrap();
    wiki.follow("Sirocco").await.unwrap();
    let blocks = wiki.blocks().await.unwrap();
    assert_eq!(sections(&blocks, ID).len(), 0, "it has the id that the paste gave it");
    assert!(text_of(&blocks[1]).contains("NomSirocco"));
}

#[tokio::test]
async fn comments_and_what_people_type_into_the_section_meet_the_next_change_of_the_row() {
    let wiki = Wiki::start("").await.unwrap();
    let mut person = wiki.person().await.unwrap();
    person.comment("ACME").await.unwrap();
    person.type_behind("Projet", " (important)").await.unwrap();
    wiki.rename("Mistral").await.unwrap();
    let attempt = wiki.world.attempt(wiki.row).await;
    assert!(steps(&attempt).contains(&"section_edited"), "{:?}", steps(&attempt));
    person
        .until(|content| text_of(content).contains("NomMistral"))
        .await
        .unwrap();
    assert_eq!(person.commented(), ["ACME"]);
    assert!(
        !text_of(&person.content()).contains("important"),
        "replaced, as the note in it says"
    );
}

#[tokio::test]
async fn a_page_of_an_earlier_rule_gets_its_section_at_the_next_sync_and_keeps_its_text() {
    let world = World::with_page("", "Nom : {{ row.Nom }}").await.unwrap();
    let wiki = Wiki::of(world).await.unwrap();
    let mut person = wiki.person().await.unwrap();
    person.write("notes").await.unwrap();
    let before: Vec<String> = person.texts();
    let later = wiki
        .world
        .replica_with("body_updates = \"section\"", TEMPLATE)
        .await
        .unwrap();
    let attempt = crate::world::attempt(&later, wiki.row).await;
    assert!(steps(&attempt).contains(&"visit_page"), "{attempt:?}");
    let blocks = wiki.blocks().await.unwrap();
    assert!(text_of(&blocks[0]).ends_with("ProjetNomÉoleClientACME"));
    let texts: Vec<String> = blocks.iter().skip(1).map(text_of).collect();
    assert_eq!(texts, before);
}

#[tokio::test]
async fn an_older_docmost_without_synced_blocks_gets_a_box_that_is_kept_in_the_same_way() {
    let options = docmost::Options {
        docmost_without_synced_blocks: true,
        ..docmost::Options::default()
    };
    let world = World::with_docmost(options, "body_updates = \"section\"", TEMPLATE)
        .await
        .unwrap();
    let wiki = Wiki::of(world).await.unwrap();
    let mut person = wiki.person().await.unwrap();
    person.write("notes").await.unwrap();
    wiki.follow("Mistral").await.unwrap();
    let blocks = wiki.blocks().await.unwrap();
    assert_eq!(blocks[0]["type"], "callout");
    assert!(text_of(&blocks[0]).contains("NomMistral") && text_of(&blocks[2]) == "notes");
    person.delete_block(0).await.unwrap();
    wiki.follow("Sirocco").await.unwrap();
    assert!(
        wiki.blocks()
            .await
            .unwrap()
            .iter()
            .all(|block| block["type"] != "callout")
    );
}
