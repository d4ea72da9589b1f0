//! What the section does to a page, and what it leaves alone.

mod captured;
mod fitting;
mod merging;
mod page;
mod people;

use serde_json::json;

use super::*;
use crate::content::document::{Mark, Node};
use page::Page;

/// A section as a template makes it: a heading, and a table with a row per field.
fn section(rows: &[(&str, &str)]) -> Section {
    Section::new(line(), vec![heading("Projet"), table(rows)]).unwrap()
}

fn line() -> Node {
    paragraph("Tenu à jour depuis Baserow")
}

fn paragraph(text: &str) -> Node {
    Node::new("paragraph").holding(vec![Node::run(text, Vec::new())])
}

fn heading(text: &str) -> Node {
    Node::new("heading")
        .with("level", 2)
        .holding(vec![Node::run(text, Vec::new())])
}

fn table(rows: &[(&str, &str)]) -> Node {
    let cell = |kind: &str, text: &str| Node::new(kind).holding(vec![paragraph(text)]);
    let rows = rows.iter().map(|(label, value)| {
        Node::new("tableRow").holding(vec![cell("tableHeader", label), cell("tableCell", value)])
    });
    Node::new("table").holding(rows.collect())
}

/// A page that never had a section.
fn new() -> Known {
    Known {
        id: ID.to_owned(),
        written: None,
        recreate: false,
        form: Form::SyncedBlock,
    }
}

/// A page whose section said this.
fn known(section: &Section) -> Known {
    Known {
        written: Some(section.fingerprint()),
        ..new()
    }
}

#[test]
fn a_page_without_a_section_gets_it_at_its_top_and_keeps_its_text() {
    let page = Page::of(&[paragraph("du texte"), heading("Notes")]);
    let wanted = section(&[("Statut", "En cours")]);
    let patch = page.bring(&wanted, &new());
    assert_eq!(patch.found, Found::Missing);
    let blocks = page.blocks();
    assert_eq!(blocks[0].kind, SYNCED_BLOCK);
    assert_eq!(blocks[0].attrs["id"], json!(ID));
    assert_eq!(fingerprint(&blocks[0].content), wanted.fingerprint());
    assert_eq!(page.said(1), ["du texte", "Notes"]);
}

#[test]
fn an_empty_page_gets_a_paragraph_below_the_section_and_footnotes_stay_the_last() {
    let page = Page::of(&[]);
    page.bring(&section(&[]), &new());
    assert_eq!(page.kinds(), [SYNCED_BLOCK, "paragraph"]);
    let page = Page::of(&[Node::new("footnotes").holding(vec![paragraph("1")])]);
    page.bring(&section(&[]), &new());
    assert_eq!(page.kinds(), [SYNCED_BLOCK, "paragraph", "footnotes"]);
}

#[test]
fn a_cell_that_changes_costs_a_few_bytes_and_touches_no_other_node() {
    let page = Page::of(&[paragraph("du texte")]);
    let before = section(&[("Client", "ACME"), ("Statut", "En cours")]);
    page.bring(&before, &new());
    let heading = page.ids();
    let after = section(&[("Client", "ACME"), ("Statut", "En courses")]);
    let patch = page.bring(&after, &known(&before));
    assert_eq!(patch.found, Found::There { edited: false });
    let bytes = patch.update.unwrap().len();
    assert!(bytes < 60, "{bytes} bytes");
    assert_eq!(page.ids(), heading, "no node was replaced");
    assert_eq!(page.section(), after.fingerprint());
}

#[test]
fn a_section_that_says_what_it_should_costs_no_update() {
    let page = Page::of(&[]);
    let wanted = section(&[("Statut", "En cours")]);
    page.bring(&wanted, &new());
    page.dress();
    let patch = page.bring(&wanted, &known(&wanted));
    assert_eq!((patch.update, patch.found), (None, Found::There { edited: false }));
}

#[test]
fn rows_that_come_go_and_change_leave_the_others_alone() {
    let page = Page::of(&[]);
    let mut before = section(&[("a", "1"), ("b", "2"), ("c", "3")]);
    page.bring(&before, &new());
    for rows in [
        &[("a", "1"), ("n", "9"), ("b", "2"), ("c", "3")][..],
        &[("n", "9"), ("c", "4")],
        &[("z", "0"), ("n", "9"), ("c", "4"), ("y", "5")],
        &[("n", "8")],
    ] {
        let kept = page.cell_ids(rows[rows.len().min(2) - 1].0);
        let after = section(rows);
        page.bring(&after, &known(&before));
        assert_eq!(page.section(), after.fingerprint());
        if !kept.is_empty() {
            assert_eq!(page.cell_ids(rows[rows.len().min(2) - 1].0), kept);
        }
        before = after;
    }
}

#[test]
fn words_and_their_marks_change_in_place() {
    let texts = [
        vec![Node::run("ACME & Frères 👩‍💻", vec![Mark::new("bold")])],
        vec![
            Node::run("ACME ", vec![Mark::new("bold")]),
            Node::run("& Frères 👩‍💻!", Vec::new()),
        ],
        vec![Node::run("ACME & Frères 👩‍🔬!", vec![Mark::new("italic")])],
        vec![
            Node::run("voir ", Vec::new()),
            Node::run("la fiche", vec![Mark::new("link").with("href", "https://a.test/x_y")]),
        ],
        vec![
            Node::run("voir ", Vec::new()),
            Node::run("la fiche", vec![Mark::new("link").with("href", "https://a.test/autre")]),
        ],
        vec![
            Node::run("a", Vec::new()),
            Node::new("hardBreak"),
            Node::run("b", vec![Mark::new("code")]),
        ],
        vec![Node::run("a", Vec::new())],
        Vec::new(),
        vec![Node::run(
            "née 🎓",
            vec![Mark::new("bold"), Mark::new("textStyle").with("color", "#ff0000")],
        )],
    ];
    let page = Page::of(&[]);
    let mut before: Option<Section> = None;
    for runs in texts {
        let wanted = Section::new(line(), vec![Node::new("paragraph").holding(runs)]).unwrap();
        page.bring(&wanted, &before.as_ref().map_or_else(new, known));
        assert_eq!(page.section(), wanted.fingerprint());
        before = Some(wanted);
    }
}

#[test]
fn attributes_that_a_template_no_longer_gives_go_away() {
    let page = Page::of(&[]);
    let code = |language: Option<&str>| {
        let block = Node::new("codeBlock").holding(vec![Node::run("select 1", Vec::new())]);
        let block = language
            .into_iter()
            .fold(block, |block, name| block.with("language", name));
        Section::new(line(), vec![block]).unwrap()
    };
    page.bring(&code(Some("sql")), &new());
    page.bring(&code(None), &known(&code(Some("sql"))));
    assert_eq!(page.section(), code(None).fingerprint());
}

#[test]
fn a_wiki_without_synced_blocks_gets_a_box_that_is_found_again() {
    let page = Page::of(&[paragraph("du texte")]);
    let boxed = |section: &Section| Known {
        form: Form::Box,
        ..known(section)
    };
    let before = section(&[("Statut", "En cours")]);
    page.bring(
        &before,
        &Known {
            form: Form::Box,
            ..new()
        },
    );
    assert_eq!(page.kinds(), [BOX, "paragraph"]);
    let after = section(&[("Statut", "Terminé")]);
    let patch = page.bring(&after, &boxed(&before));
    assert_eq!(patch.found, Found::There { edited: false });
    assert_eq!(in_page(&page.json(), ID), Some(after.fingerprint()));
    assert_eq!(page.said(1), ["du texte"]);
}
