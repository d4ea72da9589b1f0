//! What people do to a section.

use super::*;

/// A page with a section that says `before`, above some text.
fn page(before: &Section) -> Page {
    let page = Page::of(&[paragraph("du texte")]);
    page.bring(before, &new());
    page
}

fn rows(status: &str) -> Section {
    section(&[("Client", "ACME"), ("Statut", status)])
}

/// The same block with another id, as a browser pastes it.
fn pasted(block: &Node, id: &str) -> Node {
    block.clone().with("id", id)
}

#[test]
fn text_typed_into_the_section_is_replaced_and_that_is_known() {
    let (before, after) = (rows("En cours"), rows("Terminé"));
    let page = page(&before);
    page.type_behind("ACME", " et associés");
    let patch = page.bring(&after, &known(&before));
    assert_eq!(patch.found, Found::There { edited: true });
    assert_eq!(page.section(), after.fingerprint());
}

#[test]
fn comments_and_widths_of_columns_survive_a_change_of_the_row() {
    let (before, after) = (rows("En cours"), rows("En cours de clôture"));
    let page = page(&before);
    page.comment("ACME");
    page.comment("En cours");
    let cell = page.element("tableHeader");
    page.set(&cell, "colwidth", json!([120]));
    page.bring(&after, &known(&before));
    assert_eq!(page.section(), after.fingerprint());
    assert_eq!(page.commented(), ["ACME", "En cours"]);
    assert!(page.json().to_string().contains("\"colwidth\":[120]"));
}

#[test]
fn a_section_that_people_delete_stays_away_unless_the_rule_puts_it_back() {
    let (before, after) = (rows("En cours"), rows("Terminé"));
    let page = page(&before);
    page.delete(0);
    let patch = page.bring(&after, &known(&before));
    assert_eq!((patch.update, patch.found), (None, Found::TakenAway));
    let recreate = Known {
        recreate: true,
        ..known(&before)
    };
    assert_eq!(page.bring(&after, &recreate).found, Found::Missing);
    assert_eq!(page.section(), after.fingerprint());
    assert_eq!(page.kinds(), [SYNCED_BLOCK, "paragraph"]);
}

#[test]
fn a_section_that_people_drag_elsewhere_is_followed() {
    let (before, after) = (rows("En cours"), rows("Terminé"));
    let page = page(&before);
    let block = page.blocks().remove(0);
    page.delete(0);
    let columns = Node::new("columns").holding(vec![Node::new("column").holding(vec![block])]);
    page.put(1, &columns);
    page.bring(&after, &known(&before));
    assert_eq!(page.kinds(), ["paragraph", "columns"]);
    assert_eq!(page.section(), after.fingerprint());
}

#[test]
fn a_copy_of_the_section_belongs_to_whoever_made_it() {
    let (before, after) = (rows("En cours"), rows("Terminé"));
    let page = page(&before);
    let block = page.blocks().remove(0);
    page.put(2, &pasted(&block, "abcdefghijkl"));
    page.bring(&after, &known(&before));
    assert_eq!(page.section(), after.fingerprint());
    assert_eq!(in_page(&page.json(), "abcdefghijkl"), Some(before.fingerprint()));
}

#[test]
fn a_section_that_people_cut_and_paste_is_adopted_if_there_is_no_doubt() {
    let (before, after) = (rows("En cours"), rows("Terminé"));
    let page = page(&before);
    let block = page.blocks().remove(0);
    page.delete(0);
    page.put(1, &pasted(&block, "abcdefghijkl"));
    let patch = page.bring(&after, &known(&before));
    let id = "abcdefghijkl".to_owned();
    assert_eq!(patch.found, Found::Pasted { id: id.clone() });
    assert_eq!(in_page(&page.json(), &id), Some(after.fingerprint()));

    let again = rows("Clos");
    let adopted = Known { id, ..known(&after) };
    assert_eq!(page.bring(&again, &adopted).found, Found::There { edited: false });

    let page = self::page(&before);
    page.delete(0);
    page.put(0, &pasted(&block, "abcdefghijkl"));
    page.put(0, &pasted(&block, "mnopqrstuvwx"));
    assert_eq!(page.bring(&after, &known(&before)).found, Found::TakenAway);
}

#[test]
fn a_section_that_people_unsync_is_theirs() {
    let (before, after) = (rows("En cours"), rows("Terminé"));
    let page = page(&before);
    let content = page.blocks().remove(0).content.remove(0);
    page.delete(0);
    page.put(0, &content);
    assert_eq!(page.bring(&after, &known(&before)).found, Found::TakenAway);
    assert_eq!(
        page.said(0),
        ["Tenu à jour depuis BaserowProjetClientACMEStatutEn cours", "du texte"]
    );
}

#[test]
fn of_two_sections_with_one_id_the_first_is_filled_and_the_others_go() {
    let (before, after) = (rows("En cours"), rows("Terminé"));
    let page = page(&before);
    let block = page.blocks().remove(0);
    page.put(2, &block);
    let column = Node::new("columns").holding(vec![Node::new("column").holding(vec![block])]);
    page.put(3, &column);
    let patch = page.bring(&after, &known(&before));
    assert_eq!(patch.doubles, 2);
    assert_eq!(page.kinds(), [SYNCED_BLOCK, "paragraph", "columns"]);
    assert_eq!(
        page.blocks()[2].content[0].content[0].kind,
        "paragraph",
        "no column is empty"
    );
    assert_eq!(page.section(), after.fingerprint());
    assert_eq!(page.bring(&after, &known(&after)).update, None);
}
