//! The rules: what they do, whether they fit, how they did.

use std::time::Duration;

use futures::future::{BoxFuture, ready};
use passerelle_console::reconcile::{Progress, Wanted};
use passerelle_console::rulebook::{Does, Previewed, ReadsRules, RuleSheet, Rulebook};
use passerelle_model::config::{Problem, TableRef};
use passerelle_model::event::EventKind;
use passerelle_model::id::{JobKey, RowKey};
use passerelle_store::{Named, Role};
use reqwest::StatusCode;
use test_support::eventually;
use tokio_util::sync::CancellationToken;

use crate::house::House;
use crate::lines::{attempted, buried, changed, remember, row};

/// The rules of these tests, as the program that serves the console reads them.
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

    /// Goes on until it is told to stop.
    fn reconcile<'a>(
        &'a self,
        _wanted: &'a Wanted,
        tell: &'a (dyn Fn(Progress) + Send + Sync),
        stop: &'a CancellationToken,
    ) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            tell(Progress {
                table: "projet".to_owned(),
                rows: 200,
                of: 400,
                ..Progress::default()
            });
            stop.cancelled().await;
            Ok(())
        })
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

#[tokio::test]
async fn a_reconciliation_shows_how_far_it_is_is_the_only_one_and_stops_when_told() {
    let house = House::build().await.unwrap();
    let mut operator = house.guest("camille", Role::Operator).await.unwrap();
    let start = [("do", "start"), ("why", "the rules changed"), ("table", "2")];
    let without_reason = operator.submit_from("/reconcile", "/act/reconcile", &start[..1]).await;
    assert_eq!(without_reason.unwrap().status, StatusCode::BAD_REQUEST);
    let begun = operator
        .submit_from("/reconcile", "/act/reconcile", &start)
        .await
        .unwrap();
    assert_eq!(begun.status, StatusCode::SEE_OTHER);
    eventually("it is seen how far it is", async || {
        let page = operator
            .get("/reconcile")
            .await
            .map_err(|error| error.to_string())?
            .body;
        let is_shown = page.contains("It goes on: projet.") && page.contains("200 / 400");
        if is_shown { Ok(()) } else { Err(page) }
    })
    .await;
    let second = operator
        .submit_from("/reconcile", "/act/reconcile", &start)
        .await
        .unwrap();
    assert_eq!(second.status, StatusCode::CONFLICT, "{}", second.body);
    operator
        .submit_from("/reconcile", "/act/reconcile/stop", &[])
        .await
        .unwrap();
    eventually("it is stopped", async || {
        let page = operator
            .get("/reconcile")
            .await
            .map_err(|error| error.to_string())?
            .body;
        if page.contains("Stopped.") { Ok(()) } else { Err(page) }
    })
    .await;
}
