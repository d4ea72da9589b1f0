//! The overview: what stands side by side is of one moment, and what takes long keeps nothing else away.

use passerelle_model::ledger::Verdict;
use passerelle_model::outcome::Outcome;
use passerelle_store::Role;
use test_support::eventually;

use crate::house::House;
use crate::lines::{attempted, changed, has_page, remember};

#[tokio::test]
async fn a_change_is_never_told_without_its_page() {
    let house = House::build().await.unwrap();
    let worker = house.worker(Verdict::Done(Outcome::Synced));
    eventually("the worker is there", async || match house.queue.workers().await {
        Ok(workers) if workers.len() == 1 => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    let mut guest = house.guest("camille", Role::Reader).await.unwrap();
    let page = guest.get("/").await.unwrap().body;
    assert!(
        page.contains("All is well: 0 pages in step, nothing has changed yet."),
        "{page}"
    );
    has_page(&house.store, 5, "page-5", "Ab3dE6gH9k").await.unwrap();
    let history = vec![
        changed(1, "event-5", 5).unwrap(),
        attempted(2, 5, 1, Verdict::Done(Outcome::Synced)).unwrap(),
    ];
    remember(&house.store, history).await.unwrap();
    let page = eventually("the change is told", async || {
        let page = guest.get("/").await.map_err(|error| error.to_string())?.body;
        if page.contains("in step, last change") {
            Ok(page)
        } else {
            Err(page)
        }
    })
    .await;
    assert!(page.contains("All is well: 1 page in step, last change"), "{page}");
    worker.abort();
}
