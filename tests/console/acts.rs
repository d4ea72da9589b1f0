//! What operators do in the browser, and what the bridge does then.

use passerelle_model::id::RowKey;
use passerelle_model::time::Timestamp;
use serde_json::json;

use crate::browser::{Browser, WIDE};
use crate::site::Site;

/// When a worker began the first attempt at a row.
async fn began(site: &Site, row: RowKey) -> anyhow::Result<Timestamp> {
    let stories = site.system.store().await?.trace_row(row, 10).await?;
    let attempts = stories
        .iter()
        .flat_map(|story| &story.items)
        .flat_map(|item| &item.attempts);
    attempts
        .map(|attempt| attempt.started)
        .min()
        .ok_or_else(|| anyhow::anyhow!("there was no attempt"))
}

/// When an act was done.
async fn acted(site: &Site, name: &str) -> anyhow::Result<Timestamp> {
    let lines = site.system.store().await?.act_lines(None, 100).await?;
    let found = lines.iter().find(|line| line.act.act == name);
    Ok(found.ok_or_else(|| anyhow::anyhow!("nobody did {name}"))?.act.at)
}

#[tokio::test]
async fn while_an_operator_has_paused_the_queue_no_worker_takes_a_job() {
    let Some(browser) = Browser::open("en", WIDE).await.unwrap() else {
        return;
    };
    let site = Site::build().await.unwrap();
    browser.goto(&site.address("/operate")).await.unwrap();
    browser.sign_in("camille", &site.password).await.unwrap();
    browser.unfold("Pause").await.unwrap();
    browser
        .fill(".act-details[open] input[name=why]", "the wiki is moved")
        .await
        .unwrap();
    browser.press("Pause").await.unwrap();
    browser.reads("camille: the wiki is moved").await;
    let fields = json!({"Nom": "Refonte", "Statut": "En cours"});
    let row = site.system.baserow.create("projet", fields).await.unwrap();
    site.system.drained_webhooks().await;
    let stats = site.system.queue.stats().await.unwrap();
    assert_eq!((stats.active, stats.running), (1, 0), "{stats:?}");
    browser.goto(&site.address("/")).await.unwrap();
    browser.reads("the wiki is moved").await;
    browser.goto(&site.address("/operate")).await.unwrap();
    browser.unfold("Resume").await.unwrap();
    browser
        .fill(".act-details[open] input[name=why]", "it is there")
        .await
        .unwrap();
    browser.press("Resume").await.unwrap();
    site.system.drain().await;
    assert_eq!(site.system.docmost.pages_of(row).await.unwrap().len(), 1);
    let (paused, resumed) = (
        acted(&site, "paused").await.unwrap(),
        acted(&site, "resumed").await.unwrap(),
    );
    let began = began(&site, row).await.unwrap();
    assert!(paused < resumed && resumed <= began, "{paused} {resumed} {began}");
    browser.goto(&site.address("/acts")).await.unwrap();
    browser.reads("it is there").await;
    browser.reads("the wiki is moved").await;
    browser.has_shown_no_error().await.unwrap();
    browser.close().await.unwrap();
}

#[tokio::test]
async fn a_planned_replay_writes_each_page_once_and_shows_how_far_it_is() {
    let Some(browser) = Browser::open("en", WIDE).await.unwrap() else {
        return;
    };
    let site = Site::build().await.unwrap();
    let names: [String; 6] = std::array::from_fn(|number| format!("Chantier {number}"));
    let rows = site.dead_projects(&names.each_ref().map(String::as_str)).await.unwrap();
    site.system.break_docmost(&[]).await.unwrap();
    let before = site.system.docmost.calls("/api/pages/create").await.unwrap();
    browser.goto(&site.address("/letters")).await.unwrap();
    browser.sign_in("camille", &site.password).await.unwrap();
    browser.reads("6 letters").await;
    browser.follow("Plan a replay").await.unwrap();
    browser.reads("Replay 6 dead letters?").await;
    browser
        .fill(".plan input[name=why]", "Docmost is mended")
        .await
        .unwrap();
    browser.press("Replay them").await.unwrap();
    browser.reads("Replaying dead letters").await;
    browser.mark().await.unwrap();
    browser.reads("6 of 6").await;
    browser.reads("It is done.").await;
    assert!(browser.is_marked().await.unwrap(), "the page was loaded again");
    site.system.drain().await;
    for row in rows {
        assert_eq!(site.system.docmost.pages_of(row).await.unwrap().len(), 1, "{row}");
    }
    let made = site.system.docmost.calls("/api/pages/create").await.unwrap() - before;
    assert_eq!(made, 6, "each page is made once");
    let lines = site.system.store().await.unwrap().act_lines(None, 100).await.unwrap();
    let acts: Vec<_> = lines
        .iter()
        .map(|line| (line.act.act.as_str(), line.act.by.as_str(), line.act.why.as_deref()))
        .collect();
    assert_eq!(acts, [("replayed", "camille", Some("Docmost is mended")); 6]);
    browser.goto(&site.address("/letters")).await.unwrap();
    browser.reads("There are no dead letters here.").await;
    browser.has_shown_no_error().await.unwrap();
    browser.close().await.unwrap();
}
