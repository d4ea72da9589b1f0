//! Many dead letters at once: what was planned, no more; how far it is; and how it ends.

use passerelle_queue::DeadLetter;
use passerelle_store::Role;
use reqwest::StatusCode;
use test_support::eventually;

use crate::acts::{group, hidden};
use crate::house::{Answer, Guest, House};
use crate::lines::buried;

/// A house with so many dead letters of one cause, and an operator.
async fn with_letters(rows: u64) -> anyhow::Result<(House, Guest, Vec<DeadLetter>)> {
    let house = House::build().await?;
    let letters = house.dead_rows(1..=rows).await?;
    let guest = house.guest("camille", Role::Operator).await?;
    Ok((house, guest, letters))
}

/// The plan that the page shows.
async fn plan(guest: &mut Guest, what: &str) -> anyhow::Result<Answer> {
    let group = group(guest).await?;
    guest.get(&format!("/letters/plan/{group}?do={what}")).await
}

/// Presses the button of a plan.
async fn start(guest: &mut Guest, plan: &Answer, what: &str) -> anyhow::Result<Answer> {
    let names = ["token", "once", "group", "newest"];
    let values: Vec<String> = names.iter().map(|name| hidden(plan, name)).collect::<Result<_, _>>()?;
    let mut fields: Vec<(&str, &str)> = names.into_iter().zip(values.iter().map(String::as_str)).collect();
    fields.extend([("do", what), ("why", "mended")]);
    guest.post("/act/letters", &fields).await
}

/// Waits until the page of the run says something.
async fn run_says(guest: &mut Guest, words: &[&str]) -> String {
    eventually(&format!("the run says {words:?}"), async || {
        let page = guest.get("/letters/run").await.map_err(|error| error.to_string())?.body;
        if words.iter().all(|words| page.contains(words)) {
            Ok(page)
        } else {
            Err(page)
        }
    })
    .await
}

#[tokio::test]
async fn what_died_after_the_plan_was_shown_is_not_discarded_with_it() {
    let (house, mut guest, _) = with_letters(3).await.unwrap();
    let planned = plan(&mut guest, "discard").await.unwrap();
    assert!(
        planned.body.contains("Discard 3 dead letters for good?"),
        "{}",
        planned.body
    );
    house.dead_rows(7..=8).await.unwrap();
    eventually("the console knows of the new ones", async || {
        let page = guest.get("/letters").await.map_err(|error| error.to_string())?.body;
        if page.contains("5 letters") { Ok(()) } else { Err(page) }
    })
    .await;
    let answer = start(&mut guest, &planned, "discard").await.unwrap();
    assert_eq!(answer.header("location"), "/letters/run");
    run_says(&mut guest, &["It is done.", "3 of 3", "camille: mended"]).await;
    let left = house.queue.dead_letters(None, 10).await.unwrap();
    let rows: Vec<String> = left.iter().map(|letter| letter.job.to_string()).collect();
    assert_eq!(rows, ["t2/r8", "t2/r7"]);
}

#[tokio::test]
async fn a_cancelled_replay_says_how_many_were_done_and_leaves_the_others() {
    let (house, mut guest, letters) = with_letters(8).await.unwrap();
    let planned = plan(&mut guest, "replay").await.unwrap();
    start(&mut guest, &planned, "replay").await.unwrap();
    // No worker is there, so the three that went ahead do not end.
    run_says(
        &mut guest,
        &[
            "the others follow if they succeed",
            "3 of 8",
            "<progress value=\"3\" max=\"8\"",
        ],
    )
    .await;
    let another = plan(&mut guest, "discard").await.unwrap();
    let other = start(&mut guest, &another, "discard").await.unwrap();
    assert_eq!(other.status, StatusCode::CONFLICT, "one at a time");
    guest.submit_from("/letters/run", "/act/cancel", &[]).await.unwrap();
    let page = run_says(
        &mut guest,
        &["It was cancelled after 3 letters; the others are untouched."],
    )
    .await;
    assert!(!page.contains("/act/cancel"), "{page}");
    let left = house.queue.dead_letters(None, 10).await.unwrap();
    assert_eq!(left, letters[3..]);
    assert_eq!(house.acts().await.unwrap(), ["replayed by camille: mended"; 3]);
}

#[tokio::test]
async fn when_the_letters_that_went_ahead_die_again_the_others_stay_untouched() {
    let (house, mut guest, letters) = with_letters(6).await.unwrap();
    let planned = plan(&mut guest, "replay").await.unwrap();
    let worker = house.worker(buried("title is not allowed"));
    start(&mut guest, &planned, "replay").await.unwrap();
    eventually("the run is over", async || {
        house.keep_ledger().await.map_err(|error| error.to_string())?;
        let page = guest.get("/letters/run").await.map_err(|error| error.to_string())?.body;
        if page.contains("was replayed first and died again") {
            Ok(())
        } else {
            Err(page)
        }
    })
    .await;
    worker.abort();
    let left = house.queue.dead_letters(None, 10).await.unwrap();
    assert_eq!(left.len(), 6);
    assert_eq!(left[3..], letters[3..], "these were not touched");
}

#[tokio::test]
async fn letters_that_somebody_else_has_discarded_meanwhile_are_not_counted_as_done() {
    let (house, mut guest, letters) = with_letters(3).await.unwrap();
    let planned = plan(&mut guest, "discard").await.unwrap();
    house
        .queue
        .discard(&[letters[1].id.clone()], "noor", "no use")
        .await
        .unwrap();
    start(&mut guest, &planned, "discard").await.unwrap();
    run_says(&mut guest, &["It is done.", "2 of 3", "1 was gone already."]).await;
    assert_eq!(house.queue.stats().await.unwrap().dead, 0);
}
