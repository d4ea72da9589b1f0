//! For any order of what people do and what the bridge does, people's text is what it would have
//! been without the bridge.

use std::panic::catch_unwind;

use proptest::prelude::*;

use super::*;

/// What a person does outside the section.
#[derive(Debug, Clone)]
enum Act {
    /// Types into the paragraph of this number.
    Type(usize, String),
    /// Writes a new paragraph below the last one.
    Write(String),
    Delete(usize),
}

/// One thing after the other, on one of two sides.
#[derive(Debug, Clone)]
enum Turn {
    Person(Act),
    /// The bridge changes the section; the person hears of it only at the next meeting.
    Bridge(Vec<(String, String)>),
    /// What both sides have done reaches the other one.
    Meet,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        (0..4_usize, "[a-zé👩 ]{1,6}").prop_map(|(place, text)| Act::Type(place, text)),
        "[a-z]{1,8}".prop_map(Act::Write),
        (0..4_usize).prop_map(Act::Delete),
    ]
}

fn turn() -> impl Strategy<Value = Turn> {
    prop_oneof![
        3 => act().prop_map(Turn::Person),
        2 => prop::collection::vec(("[a-e]", "[a-zé🎓 ]{0,6}"), 0..5).prop_map(Turn::Bridge),
        1 => Just(Turn::Meet),
    ]
}

fn perform(page: &Page, own: &mut Vec<u64>, next: &mut u64, act: &Act) {
    // A person's paragraphs begin with a number of their own, so that they are found anywhere.
    let name = |number: u64| format!("#{number}#");
    match act {
        Act::Type(place, text) => {
            if let Some(number) = own.get(*place) {
                page.type_behind(&name(*number), text);
            }
        }
        Act::Write(text) => {
            page.put(
                page.blocks().len().try_into().unwrap(),
                &paragraph(&format!("{}{text}", name(*next))),
            );
            own.push(*next);
            *next += 1;
        }
        Act::Delete(place) => {
            if *place < own.len() {
                let number = own.remove(*place);
                let at = page.said(0).iter().position(|text| text.starts_with(&name(number)));
                page.delete(at.unwrap().try_into().unwrap());
            }
        }
    }
}

/// All that a person wrote.
fn written(page: &Page) -> Vec<String> {
    let mut texts = page.said(0);
    texts.retain(|text| text.starts_with('#'));
    texts
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_text_of_people_is_what_it_would_have_been_without_the_bridge(turns in prop::collection::vec(turn(), 0..30)) {
        let start = Page::of(&[]).state();
        let server = Page::opened(&start, 1);
        let person = Page::opened(&start, 2);
        let alone = Page::opened(&start, 2);
        let (mut own, mut own_alone) = (Vec::new(), Vec::new());
        let (mut next, mut next_alone) = (0, 0);
        let mut last: Option<Section> = None;
        for turn in &turns {
            match turn {
                Turn::Person(act) => {
                    perform(&person, &mut own, &mut next, act);
                    perform(&alone, &mut own_alone, &mut next_alone, act);
                }
                Turn::Bridge(rows) => {
                    let rows: Vec<(&str, &str)> = rows.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
                    let wanted = section(&rows);
                    server.bring(&wanted, &last.as_ref().map_or_else(new, known));
                    last = Some(wanted);
                }
                Turn::Meet => {
                    server.merge(&person.state());
                    person.merge(&server.state());
                }
            }
        }
        server.merge(&person.state());
        person.merge(&server.state());
        prop_assert_eq!(server.json(), person.json());
        prop_assert_eq!(written(&server), written(&alone));
        if let Some(last) = last {
            prop_assert_eq!(server.section(), last.fingerprint());
        }
    }

    #[test]
    fn a_damaged_state_is_refused_or_read_and_never_ends_the_process(
        cut in 0..400_usize, flips in prop::collection::vec((0..2000_usize, any::<u8>()), 0..6)
    ) {
        let page = Page::of(&[paragraph("du texte"), table(&[("a", "b")])]);
        page.bring(&section(&[("Statut", "En cours")]), &new());
        let mut state = page.state();
        state.truncate(state.len().saturating_sub(cut.saturating_sub(200)));
        for (place, value) in flips {
            let length = state.len().max(1);
            if let Some(byte) = state.get_mut(place % length) {
                *byte = value;
            }
        }
        // A panic of the library is caught where the state is read: it is a failed attempt.
        let _ = catch_unwind(|| bring(&state, &section(&[("Statut", "Clos")]), &new(), 5).map(|patch| patch.doubles));
    }
}
