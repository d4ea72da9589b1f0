//! The wiki fails during a visit, before it, or after it.

use passerelle_model::ledger::{Settlement, Verdict};
use passerelle_model::outcome::Outcome;
use passerelle_sandbox::docmost::editor::Editor;
use passerelle_sandbox::docmost::{HUMAN_EMAIL, OWNER_EMAIL};
use passerelle_sandbox::faults::{Fault, FaultKind};
use rstest::rstest;
use serde_json::json;
use test_support::{TestCertificate, TlsFront};

use super::{Wiki, steps, text_of};
use crate::world::attempt;

fn down() -> FaultKind {
    FaultKind::Status {
        status: 500,
        headers: [].into(),
        body: None,
    }
}

fn is_retried(settlement: &Settlement) -> bool {
    matches!(settlement.verdict, Verdict::Retry { .. } | Verdict::Hold { .. })
}

#[rstest]
#[case::the_socket_is_refused("/collab", down())]
#[case::the_socket_hangs("/collab", FaultKind::Hang)]
#[case::nobody_is_let_in("/collab/auth", down())]
#[case::the_token_is_not_answered("/collab/auth", FaultKind::Hang)]
#[case::the_state_does_not_come("/collab/sync", down())]
#[case::cut_while_syncing("/collab/sync", FaultKind::Reset)]
#[case::closed_with_4401("/collab/update", FaultKind::Close { code: 4401 })]
#[case::cut_before_the_update("/collab/update", FaultKind::Reset)]
#[case::cut_before_the_acknowledgement("/collab/update", FaultKind::LostAnswer)]
#[case::killed_after_the_acknowledgement("/collab/update", FaultKind::ContentLost)]
#[case::the_store_fails("/collab/store", down())]
#[tokio::test]
async fn a_visit_that_fails_is_repeated_and_the_section_is_right_in_the_end(
    #[case] path: &str,
    #[case] kind: FaultKind,
) {
    let wiki = Wiki::start("").await.unwrap();
    let mut person = wiki.person().await.unwrap();
    person.write("notes").await.unwrap();
    wiki.follow("Mistral").await.unwrap();
    person.close().await.unwrap();
    // Two at once: one in place of a token is answered by a new token.
    wiki.world.docmost_fault(Fault::on(path, kind).times(2));
    wiki.rename("Sirocco").await.unwrap();
    let first = wiki.world.attempt(wiki.row).await;
    assert!(is_retried(&first), "{first:#?}");
    wiki.world.docmost.faults.clear();
    assert_eq!(wiki.world.sync_eventually(wiki.row).await, Outcome::Synced);
    let blocks = wiki.blocks().await.unwrap();
    assert!(text_of(&blocks[0]).contains("NomSirocco"));
    assert!(blocks.iter().any(|block| text_of(block) == "notes"));
    assert_eq!(wiki.world.pages().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_page_in_the_trash_is_taken_out_and_written() {
    let wiki = Wiki::start("").await.unwrap();
    wiki.world.trash_page(&wiki.page).await.unwrap();
    wiki.rename("Mistral").await.unwrap();
    let attempt = wiki.world.attempt(wiki.row).await;
    assert!(
        matches!(attempt.verdict, Verdict::Done(Outcome::Synced)),
        "{attempt:#?}"
    );
    let page = wiki.stored().await.unwrap();
    assert!(page["deletedAt"].is_null() && text_of(&page["content"]).contains("NomMistral"));
}

#[tokio::test]
async fn a_page_that_is_deleted_for_good_is_made_anew_with_its_section() {
    let wiki = Wiki::start("").await.unwrap();
    wiki.world
        .wiki_as(
            OWNER_EMAIL,
            "pages/delete",
            json!({"pageId": wiki.page, "permanentlyDelete": true}),
        )
        .await
        .unwrap();
    wiki.follow("Mistral").await.unwrap();
    let pages = wiki.world.pages().await.unwrap();
    assert_eq!(pages.len(), 1);
    assert!(text_of(&pages[0]["content"]).contains("NomMistral"));
}

#[tokio::test]
async fn an_account_that_may_only_read_gets_a_failure_that_says_so() {
    let wiki = Wiki::start("").await.unwrap();
    wiki.world.make_reader().await.unwrap();
    wiki.rename("Mistral").await.unwrap();
    let attempt = wiki.world.attempt(wiki.row).await;
    let (Verdict::Bury { failure, .. } | Verdict::Retry { failure, .. } | Verdict::Hold { failure, .. }) =
        &attempt.verdict
    else {
        panic!("{attempt:#?}");
    };
    assert_eq!(failure.status, Some(403), "{failure:?}");
}

#[tokio::test]
async fn a_page_that_the_wiki_cannot_store_is_never_taken_for_written() {
    let wiki = Wiki::start("").await.unwrap();
    let mut person = Editor::open(&wiki.world.docmost.url(), HUMAN_EMAIL, &wiki.page)
        .await
        .unwrap();
    person.write("poison\0").await.unwrap();
    wiki.rename("Mistral").await.unwrap();
    let first = wiki.world.attempt(wiki.row).await;
    assert!(is_retried(&first), "{first:#?}");
    let last = person.texts().len() - 1;
    person.delete_block(last.try_into().unwrap()).await.unwrap();
    assert_eq!(wiki.world.sync_eventually(wiki.row).await, Outcome::Synced);
    assert!(text_of(&wiki.blocks().await.unwrap()[0]).contains("NomMistral"));
}

#[tokio::test]
async fn documents_behind_a_certificate_of_strangers_are_not_spoken_to() {
    let wiki = Wiki::start("").await.unwrap();
    let front = TlsFront::start(&TestCertificate::signed().unwrap(), wiki.world.docmost.address.port())
        .await
        .unwrap();
    let context = wiki
        .world
        .replica_where(&[("DOCMOST_COLLAB_URL", &front.url())])
        .await
        .unwrap();
    wiki.rename("Mistral").await.unwrap();
    let refused = attempt(&context, wiki.row).await;
    let (Verdict::Retry { failure, .. } | Verdict::Hold { failure, .. }) = &refused.verdict else {
        panic!("{refused:#?}");
    };
    assert!(failure.message.contains("EXTRA_CA_FILE"), "{failure:?}");
    wiki.world.synced(wiki.row).await.unwrap();
    assert!(text_of(&wiki.blocks().await.unwrap()[0]).contains("NomMistral"));
}

#[tokio::test]
async fn a_nul_and_controls_of_a_row_reach_no_page() {
    let wiki = Wiki::start("").await.unwrap();
    wiki.follow("a\u{0}b").await.unwrap();
    let blocks = wiki.blocks().await.unwrap();
    assert!(text_of(&blocks[0]).contains("Nomab"), "{}", text_of(&blocks[0]));
}

#[tokio::test]
async fn a_wiki_that_refuses_an_empty_append_is_waited_for() {
    let wiki = Wiki::start("").await.unwrap();
    let refused = FaultKind::Status {
        status: 400,
        headers: [].into(),
        body: None,
    };
    let mut fault = Fault::on("/api/pages/update", refused);
    fault.body_contains = Some("append".to_owned());
    wiki.world.docmost_fault(fault);
    wiki.rename("Mistral").await.unwrap();
    let first = wiki.world.attempt(wiki.row).await;
    assert!(matches!(first.verdict, Verdict::Hold { .. }), "{first:#?}");
    assert!(steps(&first).contains(&"update_page"));
    wiki.world
        .docmost_control(reqwest::Method::DELETE, "collab?stored=true")
        .await
        .unwrap();
    assert_eq!(wiki.world.sync_eventually(wiki.row).await, Outcome::Synced);
    assert!(text_of(&wiki.blocks().await.unwrap()[0]).contains("NomMistral"));
}
