//! The rules: what they do, whether they fit, how they did.

use std::time::Duration;

use futures::future::{BoxFuture, ready};
use passerelle_console::rulebook::{Does, Previewed, ReadsRules, RuleSheet, Rulebook};
use passerelle_model::config::{Problem, TableRef};
use passerelle_model::event::EventKind;
use passerelle_model::id::{JobKey, RowKey};
use passerelle_store::{Named, Role};
use reqwest::StatusCode;

use crate::house::House;
use crate::lines::{attempted, buried, changed, remember, row};

/// The rules of these tests, as whoever serves the console would read them.
#[derive(Debug)]
pub(crate) struct Book;

impl ReadsRules for Book {
    fn rules(&self) -> BoxFuture<'_, Rulebook> {
        let missing = Problem {
            place: "bridge.toml:15 (rule projet-page) title".to_owned(),
            what: "the table \"projet\" has no field \"Nmo\"".to_owned(),
            hint: "correct the name".to_owned(),
        };
        let rule = |name: &str, does, problems| RuleSheet {
            name: name.to_owned(),
            table: TableRef::Name("projet".to_owned()),
            table_id: None,
            on: vec![EventKind::Created],
            does,
            space: (does == Does::Page).then(|| "Agence".to_owned()),
            problems,
        };
        Box::pin(ready(Rulebook {
            rules: vec![
                rule("projet-page", Does::Page, vec![missing]),
                rule("projet-mail", Does::Notice, Vec::new()),
            ],
            problems: Vec::new(),
            unasked: None,
        }))
    }

    fn preview<'a>(&'a self, rule: &'a str, row: RowKey) -> BoxFuture<'a, Result<Previewed, String>> {
        Box::pin(ready(Ok(Previewed {
            rule: rule.to_owned(),
            space: "Agence".to_owned(),
            group: None,
            title: format!("SECRET {row}"),
            icon: None,
            body: vec!["<b>one</b>".to_owned()],
            below: None,
            changes: Some(vec!["- title: a".to_owned()]),
        })))
    }
}

#[tokio::test]
async fn a_rule_tells_its_last_event_what_failed_and_what_does_not_fit() {
    let house = House::build_with(&[("CONSOLE_ROW_CONTENTS", "operators")])
        .await
        .unwrap();
    let mut reader = house.guest("dominique", Role::Reader).await.unwrap();
    let page = reader.get("/rules").await.unwrap().body;
    assert_eq!(page.matches("No event of its table yet.").count(), 2, "{page}");
    assert_eq!(page.matches("It does well.").count(), 1, "{page}");
    assert!(
        page.contains("has no field") && page.contains("correct the name"),
        "{page}"
    );

    let names = [("projet".to_owned(), "2".to_owned())];
    house.store.remember_names(Named::Table, &names).await.unwrap();
    let history = vec![
        changed(1, "event-5", 5).unwrap(),
        attempted(2, 5, 1, buried("SECRET")).unwrap(),
    ];
    remember(&house.store, history).await.unwrap();
    let hour = Duration::from_hours(1);
    let job = JobKey::Row(row(5).unwrap());
    house
        .queue
        .hold_table(&job, "SECRET of a table", hour, hour)
        .await
        .unwrap();
    let page = reader.get("/rules").await.unwrap().body;
    assert!(
        !page.contains("No event of its table yet.") && !page.contains("It does well."),
        "{page}"
    );
    assert!(page.contains("Its table is held") && !page.contains("SECRET"), "{page}");
    let mut operator = house.guest("camille", Role::Operator).await.unwrap();
    let page = operator.get("/rules").await.unwrap().body;
    assert!(page.contains("SECRET of a table"), "{page}");
}

#[tokio::test]
async fn a_preview_shows_the_page_of_a_row_to_those_who_may_see_it() {
    let house = House::build_with(&[("CONSOLE_ROW_CONTENTS", "operators")])
        .await
        .unwrap();
    let mut operator = house.guest("camille", Role::Operator).await.unwrap();
    let preview = "/rules/preview?rule=projet-page&row=t2%2Fr5";
    let page = operator.get(preview).await.unwrap().body;
    for part in [
        "SECRET t2/r5",
        "&lt;b&gt;one&lt;/b&gt;",
        "- title: a",
        "A sync would change",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    let page = operator
        .get("/rules/preview?rule=projet-page&row=nothing")
        .await
        .unwrap()
        .body;
    assert!(page.contains("This names no row"), "{page}");
    let mut reader = house.guest("dominique", Role::Reader).await.unwrap();
    let refused = reader.get(preview).await.unwrap();
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(!refused.body.contains("SECRET"), "{}", refused.body);
}
