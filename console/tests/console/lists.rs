//! Lists: what waits and why, rows, and files.

use passerelle_model::ledger::{FailureClass, FailureRecord, LedgerRecord, Verdict};
use passerelle_queue::{JobState, JobsOf};
use passerelle_store::Role;
use reqwest::StatusCode;
use test_support::eventually;

use crate::house::House;
use crate::lines::{buried, changed, has_page, remember};

const SECRET: &str = "=SECRET(42)";

fn failure(message: &str) -> FailureRecord {
    FailureRecord {
        class: FailureClass::Transient,
        target: "docmost".to_owned(),
        message: message.to_owned(),
        status: Some(503),
        body: Some(message.to_owned()),
    }
}

/// Row 5's job has failed, and waits an hour.
async fn with_a_waiting_job(message: &str) -> anyhow::Result<House> {
    let house = House::build().await?;
    if let LedgerRecord::Accepted(event) = changed(1, "event-5", 5)? {
        let _ = house.queue.accept(event).await?;
    }
    let worker = house.worker(Verdict::Retry {
        after_ms: 3_600_000,
        failure: failure(message),
    });
    eventually("the job waits", async || match house.queue.stats().await {
        Ok(stats) if stats.scheduled == 1 => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    worker.abort();
    house.keep_ledger().await?;
    Ok(house)
}

#[tokio::test]
async fn what_waits_says_why_and_until_when_and_runs_now_when_an_operator_wants_it() {
    let house = with_a_waiting_job("the disk is full").await.unwrap();
    let mut guest = house.guest("camille", Role::Operator).await.unwrap();
    let page = guest.get("/waiting").await.unwrap().body;
    for part in [
        "t2/r5",
        "It failed, and is tried again",
        "the disk is full",
        "/act/run-now",
        "<time datetime=",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    let other = guest.get("/waiting?state=queued").await.unwrap().body;
    assert!(!other.contains("t2/r5"), "{other}");
    let fields = [("queue", "sync"), ("job", "t2/r5"), ("why", "the disk is larger")];
    let answer = guest.submit_from("/waiting", "/act/run-now", &fields).await.unwrap();
    let page = guest.get(answer.header("location")).await.unwrap().body;
    assert!(page.contains("the next free worker takes it"), "{page}");
    let jobs = house.queue.jobs(&JobsOf::Queue, &[], None, 10).await.unwrap().jobs;
    assert_eq!(jobs[0].state, JobState::Queued);
    assert_eq!(
        house.acts().await.unwrap(),
        ["job/t2/r5 run_now by camille: the disk is larger"]
    );
    let fields = [("queue", "sync"), ("job", "t2/r99"), ("why", "there is none")];
    let answer = guest.submit_from("/waiting", "/act/run-now", &fields).await.unwrap();
    let page = guest.get(answer.header("location")).await.unwrap().body;
    assert!(page.contains("There is no such job"), "{page}");
    house.keep_ledger().await.unwrap();
    let acts = guest.get("/acts").await.unwrap().body;
    assert!(
        acts.contains("Run now") && acts.contains("the disk is larger"),
        "{acts}"
    );
}

#[tokio::test]
async fn rows_are_listed_by_table_and_page_by_page_without_a_gap() {
    let house = House::build().await.unwrap();
    for number in 1..=120 {
        let page = format!("019a0000-0000-7000-8000-{number:012}");
        has_page(&house.store, number, &page, &format!("slug{number}"))
            .await
            .unwrap();
    }
    let mut guest = house.guest("camille", Role::Reader).await.unwrap();
    let (mut address, mut seen) = ("/rows?table=2".to_owned(), Vec::new());
    loop {
        let page = guest.get(&address).await.unwrap().body;
        let rows = page.split("/why?q=t2%2Fr").skip(1);
        seen.extend(rows.filter_map(|rest| rest.split('"').next()?.parse::<u32>().ok()));
        let next = page
            .split("rel=\"next\"")
            .next()
            .and_then(|before| before.rsplit("href=\"").next());
        match next.filter(|_| page.contains("rel=\"next\"")) {
            Some(next) => next
                .split('"')
                .next()
                .unwrap()
                .replace("&amp;", "&")
                .clone_into(&mut address),
            None => break,
        }
    }
    assert_eq!(seen, (1..=120).collect::<Vec<u32>>());
    let none = guest.get("/rows?table=9").await.unwrap().body;
    assert!(none.contains("There is nothing in this list."), "{none}");
}

#[tokio::test]
async fn a_list_is_a_file_of_all_its_lines_and_no_cell_is_a_formula() {
    let house = House::build().await.unwrap();
    let mut history = Vec::new();
    for number in 1..=1100 {
        history.push(changed(number, &format!("event-{number}"), u64::try_from(number).unwrap()).unwrap());
    }
    remember(&house.store, history).await.unwrap();
    house
        .queue
        .note_act("queue/sync", "looked", SECRET, "+1, \"quoted\"\nand more")
        .await
        .unwrap();
    house.dead_rows(2001..=2001).await.unwrap();
    let mut guest = house.guest("camille", Role::Operator).await.unwrap();
    let csv = guest.get("/export/events.csv").await.unwrap();
    assert_eq!(
        csv.header("content-disposition"),
        "attachment; filename=\"passerelle-events.csv\""
    );
    assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8");
    assert_eq!(csv.body.lines().count(), 1101, "a head and each line once");
    assert!(csv.body.contains("\"event-1\"") && csv.body.contains("\"event-1100\""));
    let json = guest.get("/export/events.json?list=open").await.unwrap();
    let json: serde_json::Value = serde_json::from_str(&json.body).unwrap();
    assert_eq!(json["lines"].as_array().unwrap().len(), 1100);
    assert_eq!(
        (&json["complete"], &json["lines"][0]["event"]),
        (&true.into(), &"event-1100".into())
    );
    let letters = guest.get("/export/letters.csv").await.unwrap().body;
    assert!(letters.contains("title is not allowed"), "{letters}");
    for list in ["rows", "notices", "acts"] {
        assert_eq!(
            guest.get(&format!("/export/{list}.csv")).await.unwrap().status,
            StatusCode::OK,
            "{list}"
        );
    }
    let unknown = guest.get("/export/accounts.csv").await.unwrap();
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    let stranger = house.stranger().unwrap().get("/export/events.csv").await.unwrap();
    assert_eq!(stranger.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn what_a_person_wrote_into_an_act_is_no_formula_in_the_file_of_acts() {
    let house = House::build().await.unwrap();
    house
        .queue
        .note_act("queue/sync", "looked", SECRET, "+1, \"quoted\"")
        .await
        .unwrap();
    house.keep_ledger().await.unwrap();
    let mut guest = house.guest("camille", Role::Reader).await.unwrap();
    let acts = guest.get("/export/acts.csv").await.unwrap().body;
    assert!(
        acts.contains("\"'=SECRET(42)\"") && acts.contains("\"'+1, \"\"quoted\"\"\""),
        "{acts}"
    );
}

/// Every page and file.
const PAGES: [&str; 22] = [
    "/",
    "/why?q=t2%2Fr5",
    "/why?q=t2%2Fr6",
    "/events",
    "/events?list=dead",
    "/waiting",
    "/rows",
    "/reconcile",
    "/rules",
    "/letters",
    "/notices",
    "/operate",
    "/acts",
    "/letters/run",
    "/export/events.csv",
    "/export/events.json",
    "/export/letters.csv",
    "/export/letters.json",
    "/export/notices.csv",
    "/export/notices.json",
    "/export/rows.csv",
    "/export/acts.csv",
];

#[tokio::test]
async fn where_row_contents_are_for_operators_no_page_shows_a_reader_a_value_of_a_row() {
    let hide = [("CONSOLE_ROW_CONTENTS", "operators")];
    let house = with_a_waiting_job_and(&hide).await.unwrap();
    let mut reader = house.guest("dominique", Role::Reader).await.unwrap();
    let mut operator = house.guest("camille", Role::Operator).await.unwrap();
    let group = crate::acts::group(&mut operator).await.unwrap();
    let plan = format!("/letters/plan/{group}");
    let mut shown_to_operators = Vec::new();
    for page in PAGES.into_iter().chain([plan.as_str()]) {
        let answer = reader.get(page).await.unwrap();
        assert_eq!(answer.status, StatusCode::OK, "{page}");
        assert!(!answer.body.contains("SECRET"), "{page}: {}", answer.body);
        let answer = operator.get(page).await.unwrap();
        if answer.body.contains("SECRET") {
            shown_to_operators.push(page);
        }
    }
    let wanted = [
        "/why?q=t2%2Fr5",
        "/why?q=t2%2Fr6",
        "/waiting",
        "/letters",
        "/notices",
        "/export/letters.csv",
        "/export/letters.json",
        "/export/notices.csv",
        "/export/notices.json",
        &plan,
    ];
    assert_eq!(shown_to_operators, wanted);
    let page = reader.get("/why?q=t2%2Fr6").await.unwrap().body;
    assert!(page.contains("for operators only"), "{page}");
}

/// A value of a row wherever a failure may carry it: in the ledger, a dead letter, a notice, a
/// gate.
async fn with_a_waiting_job_and(more: &[(&str, &str)]) -> anyhow::Result<House> {
    let house = House::build_with(more).await?;
    for row in [5, 6] {
        if let LedgerRecord::Accepted(event) = changed(1, &format!("event-{row}"), row)? {
            let _ = house.queue.accept(event).await?;
        }
        let verdict = if row == 5 {
            Verdict::Retry {
                after_ms: 3_600_000,
                failure: failure(SECRET),
            }
        } else {
            buried(SECRET)
        };
        let worker = house.worker(verdict);
        eventually("the job has ended", async || match house.queue.stats().await {
            Ok(stats) if stats.active + stats.running == 0 => Ok(()),
            other => Err(format!("{other:?}")),
        })
        .await;
        worker.abort();
    }
    house.keep_ledger().await?;
    house.failed_notice(SECRET, SECRET).await?;
    Ok(house)
}
