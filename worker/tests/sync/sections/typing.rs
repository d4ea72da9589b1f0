//! People type while rows change: nothing that they type is lost.

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use super::{Wiki, text_of};

#[tokio::test]
async fn fifty_changes_of_the_row_lose_no_character_of_a_person_who_is_typing() {
    let wiki = Wiki::start("").await.unwrap();
    let mut person = wiki.person().await.unwrap();
    person.write("#").await.unwrap();
    let mut typed = "#".to_owned();
    for change in 0..50 {
        for letter in ["a", "é", "🎓", " "] {
            person.type_behind(&typed, letter).await.unwrap();
            typed.push_str(letter);
        }
        wiki.follow(&format!("Nom {change}")).await.unwrap();
    }
    person
        .until(|content| text_of(content).contains("NomNom 49"))
        .await
        .unwrap();
    assert!(person.texts().contains(&typed), "{:?}", person.texts());
    let stored: Vec<String> = wiki.blocks().await.unwrap().iter().map(text_of).collect();
    assert_eq!(stored, person.texts());
    assert!(stored[0].contains("NomNom 49"));
}

#[tokio::test]
async fn what_a_person_types_offline_during_ten_changes_is_all_there_when_they_are_back() {
    let wiki = Wiki::start("").await.unwrap();
    let mut person = wiki.person().await.unwrap();
    person.write("#").await.unwrap();
    person.offline();
    let mut typed = "#".to_owned();
    for change in 0..10 {
        for _ in 0..20 {
            person.type_behind(&typed, "x").await.unwrap();
            typed.push('x');
        }
        wiki.follow(&format!("Nom {change}")).await.unwrap();
    }
    person.online().await.unwrap();
    assert!(person.texts().contains(&typed) && person.texts()[0].contains("NomNom 9"));
    wiki.follow("Fin").await.unwrap();
    let stored: Vec<String> = wiki.blocks().await.unwrap().iter().map(text_of).collect();
    assert!(stored.contains(&typed) && stored[0].contains("NomFin"), "{stored:?}");
}

/// One thing after the other.
#[derive(Debug, Clone)]
enum Turn {
    Write(u8),
    Type(u8),
    Offline,
    Online,
    Row(u8),
}

#[tokio::test]
async fn in_any_order_of_typing_and_changes_the_page_has_all_that_was_typed() {
    let turn = prop_oneof![
        (0..9_u8).prop_map(Turn::Write),
        (0..9_u8).prop_map(Turn::Type),
        Just(Turn::Offline),
        Just(Turn::Online),
        (0..9_u8).prop_map(Turn::Row),
    ];
    let turns = prop::collection::vec(turn, 12);
    let mut runner = TestRunner::deterministic();
    let wiki = Wiki::start("").await.unwrap();
    for round in 0..8 {
        let turns = turns.new_tree(&mut runner).unwrap().current();
        let mut person = wiki.person().await.unwrap();
        let mut own = vec![format!("<{round}>")];
        person.write(&own[0]).await.unwrap();
        let mut is_online = true;
        for (place, turn) in turns.iter().enumerate() {
            match turn {
                Turn::Write(number) => {
                    own.push(format!("<{round}.{place}.{number}>"));
                    person.write(own.last().unwrap()).await.unwrap();
                }
                Turn::Type(number) => {
                    let chosen = usize::from(*number) % own.len();
                    person.type_behind(&own[chosen], "é").await.unwrap();
                    own[chosen].push('é');
                }
                Turn::Offline => {
                    person.offline();
                    is_online = false;
                }
                Turn::Online if !is_online => {
                    person.online().await.unwrap();
                    is_online = true;
                }
                Turn::Online => {}
                Turn::Row(number) => wiki.follow(&format!("Nom {round}.{place}.{number}")).await.unwrap(),
            }
        }
        if !is_online {
            person.online().await.unwrap();
        }
        wiki.follow(&format!("Fin {round}")).await.unwrap();
        let stored: Vec<String> = wiki.blocks().await.unwrap().iter().map(text_of).collect();
        for text in &own {
            assert!(stored.contains(text), "{text} is missing after {turns:?}: {stored:?}");
        }
        assert!(stored[0].contains(&format!("NomFin {round}")), "{stored:?}");
    }
}
