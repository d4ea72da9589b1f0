//! The rules: what they do, whether they fit, how they did.

use std::sync::LazyLock;
use std::time::Duration;

use futures::future::{BoxFuture, ready};
use passerelle_console::diagnosis::{Examined, Finding};
use passerelle_console::reconcile::{Progress, Wanted};
use passerelle_console::rulebook::{Does, Previewed, ReadsRules, RuleSheet, Rulebook};
use passerelle_model::config::{Problem, TableRef};
use passerelle_model::event::EventKind;
use passerelle_model::id::{JobKey, RowKey};
use passerelle_store::{Named, Role};
use reqwest::StatusCode;
use serde_json::json;
use test_support::eventually;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::house::House;
use crate::lines::{attempted, buried, changed, remember, row};

/// The rules of these tests, as the program that serves the console reads them.
#[derive(Debug)]
pub(crate) struct Book;

/// Whether an examination may come to its end.
static MAY_END: LazyLock<watch::Sender<bool>> = LazyLock::new(|| watch::Sender::new(false));

fn missing() -> Problem {
    Problem {
        place: "bridge.toml:15 (rule projet-page) title".to_owned(),
        what: "the table \"projet\" has no field \"Nmo\"".to_owned(),
        hint: "correct the name".to_owned(),
    }
}

impl ReadsRules for Book {
    fn rules(&self) -> BoxFuture<'_, Rulebook> {
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
                rule("projet-page", Does::Page, vec![missing()]),
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
            blocks: vec![json!({"type": "paragraph", "content": [
                {"type": "text", "text": "<b>one</b>\u{1b}", "marks": [{"type": "bold"}]},
                {"type": "text", "text": "two", "marks": [{"type": "link", "attrs": {"href": "javascript:alert(1)"}}]},
                {"type": "text", "text": "three", "marks": [{"type": "link", "attrs": {"href": "/s/projets"}}]},
            ]})],
            below: None,
            changes: Some(vec!["- title: a".to_owned()]),
        })))
    }

    fn examine(&self) -> BoxFuture<'_, Examined> {
        Box::pin(async {
            let mut may_end = MAY_END.subscribe();
            let _ = may_end.wait_for(|may_end| *may_end).await;
            Examined {
                rules: Ok(vec![missing()]),
                findings: vec![
                    Finding::ok("redis", "Redis answers"),
                    Finding::fail("baserow", "SECRET <b>no answer</b>", "start Baserow"),
                    Finding::warn("notices", "no mail server", "set SMTP_URL"),
                ],
            }
        })
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
    let settings = [
        ("CONSOLE_ROW_CONTENTS", "operators"),
        ("DOCMOST_PUBLIC_URL", "https://wiki.example.org"),
    ];
    let house = House::build_with(&settings).await.unwrap();
    let mut operator = house.guest("camille", Role::Operator).await.unwrap();
    let preview = "/rules/preview?rule=projet-page&row=t2%2Fr5";
    let page = operator.get(preview).await.unwrap().body;
    for part in [
        "SECRET t2/r5",
        "<p><strong>&lt;b&gt;one&lt;/b&gt;\\u001b</strong>two<a href=\"https://wiki.example.org/s/projets\"",
        "<pre>&lt;b&gt;one&lt;/b&gt;",
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

#[tokio::test]
async fn an_examination_is_started_by_an_operator_one_at_a_time_and_says_when_it_was() {
    let house = House::build().await.unwrap();
    let mut operator = house.guest("camille", Role::Operator).await.unwrap();
    let page = operator.get("/rules").await.unwrap().body;
    assert!(page.contains("Nothing has been examined here"), "{page}");
    let begun = operator
        .submit_from("/rules", "/act/examine", &[("once", "1")])
        .await
        .unwrap();
    assert_eq!(begun.header("location"), "/rules#examination");
    let page = operator.get("/rules").await.unwrap().body;
    assert!(page.contains("It is being examined, for camille."), "{page}");
    assert!(page.contains("data-live=\"/live/examination\""), "{page}");
    let second = operator
        .submit_from("/rules", "/act/examine", &[("once", "2")])
        .await
        .unwrap();
    assert_eq!(second.status, StatusCode::CONFLICT, "{}", second.body);

    MAY_END.send_replace(true);
    let page = eventually("it is over", async || {
        let page = operator.get("/rules").await.map_err(|error| error.to_string())?.body;
        if page.contains("3 things are not as they should be.") {
            Ok(page)
        } else {
            Err(page)
        }
    })
    .await;
    for part in [
        "Examined for camille <time",
        "SECRET &lt;b&gt;no answer&lt;/b&gt;",
        "start Baserow",
        "set SMTP_URL",
        "1 thing is as it should be",
        "Redis answers",
        "Examine now",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    assert_eq!(
        page.matches("has no field").count(),
        2,
        "at its rule, and in the examination: {page}"
    );

    let mut reader = house.guest("dominique", Role::Reader).await.unwrap();
    let page = reader.get("/rules").await.unwrap().body;
    assert!(!page.contains("SECRET") && !page.contains("Examine"), "{page}");
    for refused in [
        reader.submit("/act/examine", &[("once", "3")]).await.unwrap(),
        reader.get("/live/examination").await.unwrap(),
    ] {
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.body);
    }
}
