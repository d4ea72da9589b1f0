//! What may be sent.

use super::*;

#[test]
fn a_nul_reaches_neither_a_text_nor_an_attribute() {
    let link = Mark::new("link").with("href", "https://a.test/\0x");
    let text = Node::new("paragraph").holding(vec![Node::run("a\0b", vec![link]), Node::run("\0", Vec::new())]);
    let section = Section::new(line(), vec![text.with("id", "x\0")]).unwrap();
    let json = serde_json::to_string(&section.as_block(Form::SyncedBlock)).unwrap();
    assert!(!json.contains("\\u0000"), "{json}");
    assert!(json.contains("\"ab\"") && json.contains("https://a.test/x"));
}

#[test]
fn what_an_editor_would_delete_is_not_sent() {
    let empty = |kind: &str| Node::new(kind);
    let section = Section::new(
        line(),
        vec![
            empty("table").holding(vec![empty("tableRow").holding(vec![empty("tableCell")])]),
            empty("bulletList"),
            empty("blockquote"),
        ],
    );
    let block = section.unwrap().as_block(Form::Box);
    let kinds: Vec<&str> = block.content.iter().map(|node| node.kind.as_str()).collect();
    assert_eq!(kinds, ["paragraph", "table"], "containers without content are left out");
    assert_eq!(block.content[1].content[0].content[0].content[0].kind, "paragraph");
    for unknown in [
        Node::new("iframe"),
        paragraph("x").holding(vec![Node::run("x", vec![Mark::new("blink")])]),
    ] {
        assert!(matches!(Section::new(line(), vec![unknown]), Err(Unfit::Unknown(_))));
    }
    let nested = Node::new(SYNCED_BLOCK).holding(vec![paragraph("x")]);
    assert!(
        Section::new(line(), vec![nested]).is_err(),
        "a synced block in a synced block"
    );
}

#[test]
fn a_section_of_more_than_200_kib_is_refused_with_its_size() {
    let long = Section::new(line(), vec![paragraph(&"texte ".repeat(40_000))]);
    assert!(matches!(long, Err(Unfit::TooLarge(size)) if size > MOST_BYTES));
}

#[test]
fn a_new_page_is_dressed_so_that_opening_it_changes_nothing() {
    let mut ids = (0..).map(|number| format!("id{number}"));
    let block = section(&[("Statut", "En cours")]).as_block(Form::SyncedBlock);
    let block = dressed(&block, &mut || ids.next().unwrap());
    let page = Page::of(&[block, paragraph("")]);
    let before = page.json();
    page.dress();
    assert_eq!(page.json(), before);
}
