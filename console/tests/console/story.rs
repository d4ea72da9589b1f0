//! "Why?": whatever is pasted leads to the story, and the story to the act that fits.

use passerelle_model::ledger::{LedgerRecord, Verdict};
use passerelle_model::outcome::Outcome;
use passerelle_store::{Named, Role};
use reqwest::StatusCode;
use rstest::rstest;
use test_support::eventually;

use crate::house::{Guest, House, encoded};
use crate::lines::{attempted, buried, changed, has_page, remember};

const PAGE: &str = "019a0000-0000-7000-8000-000000000005";

async fn with_a_story() -> anyhow::Result<(House, Guest)> {
    let house = House::build_with(&[("DOCMOST_URL", "https://wiki.example.org/")]).await?;
    let history = vec![
        changed(1, "3e0c9d1a-0000-4000-8000-000000000001", 5)?,
        attempted(2, 5, 1, Verdict::Done(Outcome::Synced))?,
    ];
    remember(&house.store, history).await?;
    has_page(&house.store, 5, PAGE, "Ab3dE6gH9k").await?;
    let names = [("projet".to_owned(), "2".to_owned())];
    house.store.remember_names(Named::Table, &names).await?;
    let guest = house.guest("camille", Role::Operator).await?;
    Ok((house, guest))
}

#[rstest]
#[case("t2/r5")]
#[case("projet/5")]
#[case("https://baserow.example.org/database/1/table/2/34/row/5")]
#[case("https://wiki.example.org/s/projets/p/refonte-du-site-Ab3dE6gH9k")]
#[case("Ab3dE6gH9k")]
#[case(PAGE)]
#[case(concat!("page/", "019a0000-0000-7000-8000-000000000005"))]
#[case("3e0c9d1a-0000-4000-8000-000000000001")]
#[tokio::test]
async fn whatever_is_pasted_leads_to_the_story(#[case] pasted: &str) {
    let (_house, mut guest) = with_a_story().await.unwrap();
    let page = guest.get(&format!("/why?q={}", encoded(pasted))).await.unwrap();
    assert_eq!(page.status, StatusCode::OK);
    let text = page.body;
    assert!(text.contains("The page was made equal to the row"), "{text}");
    assert!(text.contains("POST docmost pages/update"), "{text}");
    if !pasted.starts_with("3e0c") {
        assert!(text.contains("https://wiki.example.org/p/Ab3dE6gH9k"), "{text}");
    }
}

#[tokio::test]
async fn what_is_not_known_is_said_with_what_to_do() {
    let (_house, mut guest) = with_a_story().await.unwrap();
    let page = guest.get("/why?q=clients%2F5").await.unwrap();
    assert!(
        page.body.contains("clients") && page.body.contains("projet"),
        "{}",
        page.body
    );
    let page = guest.get("/why?q=t9%2Fr9").await.unwrap();
    assert!(page.body.contains("Check the webhook in Baserow"), "{}", page.body);
}

#[tokio::test]
async fn a_sync_is_requested_in_the_person_s_name_and_with_the_reason() {
    let (house, mut guest) = with_a_story().await.unwrap();
    let without = guest
        .submit("/act/sync", &[("row", "t2/r5"), ("why", "  ")])
        .await
        .unwrap();
    assert_eq!(without.status, StatusCode::BAD_REQUEST);
    let answer = guest
        .submit("/act/sync", &[("row", "t2/r5"), ("why", "a user misses it")])
        .await
        .unwrap();
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    let page = guest.get(answer.header("location")).await.unwrap();
    assert!(page.body.contains("A sync was requested"), "{}", page.body);
    assert_eq!(house.queue.stats().await.unwrap().active, 1);
    let facts = house.queue.read_ledger(None, 10).await.unwrap();
    let payload = facts
        .iter()
        .flat_map(|entry| entry.records.iter().flatten())
        .find_map(|fact| match fact {
            LedgerRecord::Accepted(event) => Some(String::from_utf8_lossy(&event.payload).into_owned()),
            _ => None,
        });
    let payload = payload.unwrap();
    assert!(
        payload.contains("camille") && payload.contains("a user misses it"),
        "{payload}"
    );
}

#[tokio::test]
async fn a_row_that_died_shows_the_cause_in_both_languages() {
    let house = House::build().await.unwrap();
    let history = vec![
        changed(1, "e1", 5).unwrap(),
        attempted(2, 5, 1, buried("Validation failed")).unwrap(),
    ];
    remember(&house.store, history).await.unwrap();
    let mut guest = house.guest("camille", Role::Operator).await.unwrap();
    let page = guest.get("/why?q=2%2F5").await.unwrap();
    assert!(
        page.body
            .contains("Docmost does not accept it as it is: Validation failed"),
        "{}",
        page.body
    );
    guest.headers.insert("accept-language", "fr".parse().unwrap());
    let page = guest.get("/why?q=2%2F5").await.unwrap();
    assert!(page.body.contains("Docmost ne l’accepte pas tel quel"), "{}", page.body);
}

#[tokio::test]
async fn without_redis_the_story_is_told_and_the_overview_says_so() {
    let (mut house, mut guest) = with_a_story().await.unwrap();
    house.errors.expect("");
    house.redis.kill().unwrap();
    let page = guest.get("/why?q=t2%2Fr5").await.unwrap();
    assert!(
        page.body.contains("The page was made equal to the row"),
        "{}",
        page.body
    );
    assert!(page.body.contains("Redis does not answer"), "{}", page.body);
    eventually("the overview says it", async || {
        let page = guest.get("/").await.unwrap();
        if page.body.contains("Redis does not answer") {
            Ok(())
        } else {
            Err(page.body)
        }
    })
    .await;
}
