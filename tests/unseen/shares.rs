//! Shares: told once, whoever finds them, and never for what existed before.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use system_tests::System;
use test_support::eventually;

/// A page that a person writes and shares; the share.
async fn share(system: &System, title: &str) -> anyhow::Result<Value> {
    let person = system.person();
    let space = person.call("spaces/info", json!({"spaceId": "agence"})).await?;
    let page = person
        .call("pages/create", json!({"spaceId": space["id"], "title": title}))
        .await?;
    let share = json!({"pageId": page["id"], "includeSubPages": false});
    person.call("shares/create", share).await
}

/// How often workers have reported a share.
fn reported(system: &System) -> usize {
    let logs: String = system.workers.iter().map(system_tests::Process::output).collect();
    logs.matches("can be read by anybody who has the link").count()
}

async fn wait_until_told(system: &System, times: usize) {
    eventually("so many shares are told", async || match reported(system) {
        seen if seen == times => Ok(()),
        seen => Err(format!("{seen}\n{}", system.logs())),
    })
    .await;
}

/// Waits until the story of the share has all these words.
async fn wait_for_story(system: &System, share: &Value, words: &[&str]) {
    let id = format!("share/{}", share["id"].as_str().unwrap_or_default());
    eventually("the story is told", async || {
        match system.operator(&["trace", &id]).await {
            Ok(story) if words.iter().all(|word| story.contains(word)) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
}

#[tokio::test]
async fn a_new_share_is_told_once_also_across_restarts_and_old_ones_are_no_news() {
    let mut system = System::builder()
        .workers(0)
        .worker_variable("WORKER_WIKI_SECONDS", "1")
        .start()
        .await
        .unwrap();
    share(&system, "Depuis toujours").await.unwrap();
    system.start_worker().unwrap();
    system.wait_for_log("the shares that exist are known").await;
    let new = share(&system, "Fuite").await.unwrap();
    wait_until_told(&system, 1).await;
    wait_for_story(&system, &new, &["Fuite", "Human", "The share was new"]).await;

    system.workers[0].kill().unwrap();
    system.start_worker().unwrap();
    share(&system, "Autre").await.unwrap();
    wait_until_told(&system, 2).await;
}

#[tokio::test]
async fn a_worker_that_dies_right_after_it_told_of_a_share_leads_to_no_second_message_and_trace_says_why() {
    let looks = ("WORKER_WIKI_SECONDS".to_owned(), "1".to_owned());
    let mut system = System::builder()
        .workers(0)
        .variable("WORKER_LEASE_SECONDS", "2")
        .start()
        .await
        .unwrap();
    let crash = ("PASSERELLE_CRASH_AT".to_owned(), "BeforeSettle".to_owned());
    system
        .start_worker_with(&BTreeMap::from([looks.clone(), crash]))
        .unwrap();
    system.wait_for_log("the shares that exist are known").await;
    let new = share(&system, "Fuite").await.unwrap();
    wait_until_told(&system, 1).await;
    system.start_worker_with(&BTreeMap::from([looks])).unwrap();
    wait_for_story(&system, &new, &["already known", "whose worker died"]).await;
    system.drain().await;
    assert_eq!(reported(&system), 1);
}

#[tokio::test]
async fn a_pushed_share_is_told_at_once_and_the_round_tells_nobody_again() {
    let system = System::builder()
        .worker_variable("WORKER_WIKI_SECONDS", "1")
        .start()
        .await
        .unwrap();
    system.wait_for_log("the shares that exist are known").await;
    let new = share(&system, "Fuite").await.unwrap();
    let push = json!({"event_id": "push-1", "event_type": "share.created", "share_id": new["id"]});
    assert_eq!(system.caller().push(push.to_string()).await.unwrap().status, 200);
    wait_until_told(&system, 1).await;
    share(&system, "Autre").await.unwrap();
    wait_until_told(&system, 2).await;
    system.drain().await;
    assert_eq!(reported(&system), 2);
}

#[tokio::test]
async fn a_share_that_was_taken_back_before_anybody_looked_is_told_too() {
    let system = System::builder()
        .worker_variable("WORKER_WIKI_SECONDS", "0")
        .start()
        .await
        .unwrap();
    let new = share(&system, "Fuite").await.unwrap();
    let back = json!({"shareId": new["id"]});
    system.person().call("shares/delete", back).await.unwrap();
    let push = json!({"event_id": "push-1", "event_type": "share.created", "share_id": new["id"]});
    assert_eq!(system.caller().push(push.to_string()).await.unwrap().status, 200);
    system.drain().await;
    assert_eq!(reported(&system), 1);
}
