//! States of real pages.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

use super::*;

/// The bytes of the name of a captured page, with their length.
const NAME: usize = 42;

fn capture(name: &str) -> Value {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/contract/captures/docmost-collab");
    serde_json::from_str(&std::fs::read_to_string(format!("{folder}/{name}.json")).unwrap()).unwrap()
}

/// The state that the server sent.
fn state_in(name: &str) -> Vec<u8> {
    let capture = capture(name);
    let frames = capture["frames"].as_array().unwrap();
    let frame = frames
        .iter()
        .find(|frame| frame["decoded"]["sync"] == "1 SyncStep2")
        .unwrap();
    let bytes = BASE64_STANDARD.decode(frame["base64"].as_str().unwrap()).unwrap();
    // Behind the name: the type, the kind of sync, and the length of what follows.
    let length = bytes[NAME + 2..].iter().take_while(|byte| **byte >= 0x80).count() + 1;
    bytes[NAME + 2 + length..].to_vec()
}

/// The section that was put into the captured page, with this text in the last cell.
fn captured_section(cell: &str) -> Section {
    let mut text = capture("15-section-content").to_string();
    text = text.replace("rev002", cell);
    let mut blocks: Vec<Node> = serde_json::from_str(&text).unwrap();
    Section {
        boxed: blocks.remove(0),
    }
}

#[test]
fn a_captured_page_gets_the_section_that_a_real_wiki_stored() {
    let page = Page::opened(&state_in("14-rust-makes-section"), 3);
    let texts = page.said(0);
    let wanted = captured_section("rev002");
    assert_eq!(page.bring(&wanted, &new()).found, Found::Missing);
    assert_eq!(page.said(1), texts);
    let answer = capture("21-empty-append")["response"]["body"]["data"]["content"].clone();
    assert_eq!(in_page(&answer, ID), Some(wanted.fingerprint()), "as the wiki answered");
    assert_eq!(page.section(), wanted.fingerprint());
}

#[test]
fn a_captured_section_changes_by_one_cell_and_then_by_nothing() {
    let page = Page::opened(&state_in("15-rust-changes-one-cell"), 3);
    let patch = page.bring(&captured_section("rev002"), &known(&captured_section("rev001")));
    assert_eq!(patch.found, Found::There { edited: false });
    let bytes = patch.update.unwrap().len();
    assert!(bytes < 60, "{bytes} bytes");
    let page = Page::opened(&state_in("16-rust-nothing-to-do"), 3);
    let wanted = captured_section("rev002");
    assert_eq!(page.bring(&wanted, &known(&wanted)).update, None);
}
