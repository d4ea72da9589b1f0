//! What one caller may cost the others: memory and time of a real ingress, seen from outside.

mod process;

use std::time::{Duration, Instant};

use futures::future::join_all;
use rstest::rstest;
use test_support::eventually;

use process::{Ingress, delivery, text};

/// All bodies in hand together.
const LIMIT_KIB: u64 = 64 * 1024;
/// The buffers of a connection that sends a large body, also while the body waits for its share.
const CONNECTION_KIB: u64 = 512;
/// A neighbour's delivery waits no longer than Baserow does, also on a busy machine. Slow senders
/// are cut after ten seconds and more.
const SOON: Duration = Duration::from_secs(5);

/// A list that makes a body of this many bytes.
fn list_of(element: &str, bytes: usize) -> String {
    let count = bytes / (element.len() + 1);
    format!("[{}{element}]", format!("{element},").repeat(count))
}

#[rstest]
#[case::empty_rows("rows.created", "items", "{}", 8 << 20)]
#[case::rows_of_many_fields("rows.updated", "items", "{\"id\":1,\"a\":2,\"b\":3,\"c\":4}", 1 << 20)]
#[case::fields_without_names("rows.created", "items", "{\"\":1,\"\":1,\"\":1,\"\":1}", 1 << 20)]
#[case::row_ids("rows.deleted", "row_ids", "123456", 6 << 20)]
#[case::lists_in_lists("rows.created", "items", "[[[[[[[[]]]]]]]]", 8 << 20)]
#[tokio::test]
async fn a_delivery_of_endlessly_many_rows_costs_bounded_memory_and_asks_for_its_table(
    #[case] kind: &str,
    #[case] field: &str,
    #[case] element: &str,
    #[case] bytes: usize,
) {
    let ingress = Ingress::start().await.unwrap();
    let before = ingress.peak_kib().unwrap();
    let body = delivery("e-1", kind, &format!("\"{field}\": {}", list_of(element, bytes)));
    assert_eq!(ingress.deliver(body).await.unwrap(), (200, "queued".to_owned()));
    let grown = ingress.peak_kib().unwrap() - before;
    assert!(grown <= LIMIT_KIB, "{grown} KiB");
    assert_eq!(ingress.jobs().await.unwrap(), ["table/t2"]);
}

#[tokio::test]
async fn many_large_bodies_at_once_are_all_accepted_within_the_same_memory() {
    let ingress = Ingress::start().await.unwrap();
    let before = ingress.peak_kib().unwrap();
    let callers = 60;
    let bodies = (0..callers).map(|number| {
        let row = format!(
            "\"items\": [{{\"id\": {}, \"Rapport\": \"{}\"}}]",
            number + 1,
            text(number, 2_000_000)
        );
        ingress.deliver(delivery(&format!("e-{number}"), "rows.created", &row))
    });
    for answer in join_all(bodies).await {
        assert_eq!(answer.unwrap(), (200, "queued".to_owned()));
    }
    let grown = ingress.peak_kib().unwrap() - before;
    assert!(grown <= LIMIT_KIB + callers * CONNECTION_KIB, "{grown} KiB");
}

#[tokio::test]
async fn large_deliveries_that_waited_in_the_spool_are_drained_within_the_same_memory() {
    let mut ingress = Ingress::start().await.unwrap();
    let before = ingress.peak_kib().unwrap();
    ingress.redis.kill().unwrap();
    for number in 0..20_u64 {
        let row = format!(
            "\"items\": [{{\"id\": {}, \"Rapport\": \"{}\"}}]",
            number + 1,
            text(number, 2_000_000)
        );
        let body = delivery(&format!("e-{number}"), "rows.created", &row);
        assert_eq!(ingress.deliver(body).await.unwrap(), (200, "queued".to_owned()));
    }
    ingress.redis.boot().unwrap();
    eventually("all are in the queue", async || match ingress.jobs().await {
        Ok(jobs) if jobs.len() == 20 => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    let grown = ingress.peak_kib().unwrap() - before;
    assert!(grown <= LIMIT_KIB, "{grown} KiB");
}

#[tokio::test]
async fn a_body_far_above_the_limit_for_whole_bodies_keeps_its_rows_and_costs_little() {
    let ingress = Ingress::start().await.unwrap();
    let before = ingress.peak_kib().unwrap();
    let row = |id: u64| format!("{{\"id\": {id}, \"Rapport\": \"{}\"}}", text(id, 200_000));
    let rows: Vec<String> = (1..=200).map(row).collect();
    let body = delivery(
        "e-1",
        "rows.updated",
        &format!("\"items\": [{}], \"old_items\": [{}]", rows.join(","), rows.join(",")),
    );
    assert!(body.len() > 80_000_000);
    assert_eq!(ingress.deliver(body).await.unwrap(), (200, "queued".to_owned()));
    let grown = ingress.peak_kib().unwrap() - before;
    assert!(grown <= LIMIT_KIB, "{grown} KiB");
    let jobs = ingress.jobs().await.unwrap();
    assert_eq!(
        (jobs.len(), jobs[0].as_str(), jobs[199].as_str()),
        (200, "t2/r1", "t2/r200")
    );
}

#[tokio::test]
async fn nine_hundred_thousand_rows_in_one_delivery_hold_up_no_neighbour() {
    let ingress = Ingress::start().await.unwrap();
    let ids: Vec<String> = (1..=900_000).map(|id| id.to_string()).collect();
    let body = delivery("e-1", "rows.deleted", &format!("\"row_ids\": [{}]", ids.join(",")));
    let large = ingress.deliver(body);
    let neighbours = async {
        let mut slowest = Duration::ZERO;
        for number in 0..50 {
            let began = Instant::now();
            let body = delivery(&format!("n-{number}"), "rows.created", "\"items\": [{\"id\": 5}]");
            assert_eq!(ingress.deliver(body).await.unwrap().0, 200);
            slowest = slowest.max(began.elapsed());
        }
        slowest
    };
    let (large, slowest) = tokio::join!(large, neighbours);
    assert_eq!(large.unwrap().0, 200);
    assert!(slowest < SOON, "{slowest:?}");
}

#[tokio::test]
async fn slow_senders_of_large_bodies_lose_their_own_and_delay_nobody() {
    let ingress = Ingress::start().await.unwrap();
    let mut slow = Vec::new();
    for _ in 0..40 {
        slow.push(ingress.begin_signed_body(2_000_000, 100_000).await.unwrap());
    }
    let began = Instant::now();
    // One that is proven by its token has memory of its own; a small one does not need that which
    // the slow ones hold.
    let large = delivery(
        "large",
        "rows.created",
        &format!("\"items\": [{{\"id\": 7, \"a\": \"{}\"}}]", text(1, 1_900_000)),
    );
    assert_eq!(ingress.deliver(large).await.unwrap(), (200, "queued".to_owned()));
    let small = delivery("small", "rows.created", "\"items\": [{\"id\": 8}]");
    assert_eq!(ingress.deliver_signed(small).await.unwrap(), (200, "queued".to_owned()));
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    assert_eq!(ingress.jobs().await.unwrap(), ["t2/r7", "t2/r8"]);
    // A large one that is signed finds no memory, and is not refused for it.
    let began = Instant::now();
    let large = delivery(
        "signed",
        "rows.created",
        &format!("\"items\": [{{\"id\": 9, \"a\": \"{}\"}}]", text(1, 1_900_000)),
    );
    assert_eq!(ingress.deliver_signed(large).await.unwrap(), (200, "queued".to_owned()));
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    for connection in slow {
        assert!(connection.answer().await.unwrap().starts_with("HTTP/1.1 408 "));
    }
}

#[tokio::test]
async fn a_proven_delivery_that_never_ends_is_answered_and_asks_for_its_table() {
    let ingress = Ingress::start_with(&[("INGRESS_LARGEST_BODY_BYTES", "3000000")])
        .await
        .unwrap();
    let start = delivery("endless", "rows.created", "\"items\": [");
    let start = start.strip_suffix('}').unwrap();
    let answer = ingress
        .send_for_ever(start, &list_of("{\"id\":1}", 60_000))
        .await
        .unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(ingress.jobs().await.unwrap(), ["table/t2"]);
}
