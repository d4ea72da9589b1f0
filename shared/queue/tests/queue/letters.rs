//! Dead letters: listed, counted, replayed, discarded.

use std::time::Duration;

use anyhow::Context as _;
use passerelle_model::event::EventKind;
use passerelle_model::ledger::{LedgerRecord, Verdict};
use passerelle_queue::DeadLetter;
use test_support::eventually;

use crate::world::{World, failure, settlement};

/// A world with this many dead letters.
async fn with_letters(rows: u64) -> anyhow::Result<World> {
    let world = World::start()?;
    for row in 1..=rows {
        world.accept(&[row]).await?;
    }
    bury_all(&world).await?;
    Ok(world)
}

/// Every job dies.
async fn bury_all(world: &World) -> anyhow::Result<()> {
    let worker = world.worker(16, |leased| async move {
        leased
            .settle(settlement(Verdict::Bury {
                reason: "permanent".to_owned(),
                failure: failure(),
            }))
            .await;
    });
    world.drained().await;
    worker.stop().await
}

#[tokio::test]
async fn a_row_that_dies_again_has_one_letter_which_says_how_often_and_since_when() {
    let world = with_letters(2).await.unwrap();
    let first = world.queue.dead_letters(None, 10).await.unwrap();
    for _ in 0..2 {
        world.accept(&[1]).await.unwrap();
        bury_all(&world).await.unwrap();
    }
    let letters = world.queue.dead_letters(None, 10).await.unwrap();
    let row = |letter: &DeadLetter| letter.job.row().unwrap().row.get();
    let told: Vec<_> = letters.iter().map(|letter| (row(letter), letter.deaths)).collect();
    assert_eq!(told, [(1, 3), (2, 1)], "the newest first");
    let died = first.iter().find(|letter| row(letter) == 1).unwrap().died;
    assert_eq!(letters[0].first_died().as_millis(), died.as_millis());
    let load = world.redis.dead_load().await.unwrap();
    assert_eq!(load.letters, 2);
    let ids: Vec<String> = letters.into_iter().map(|letter| letter.id).collect();
    assert_eq!(world.queue.replay(&ids[..1], "Ada", "mended").await.unwrap(), 1);
    assert_eq!(world.queue.discard(&ids[1..], "Ada", "no use").await.unwrap(), 1);
    let load = world.redis.dead_load().await.unwrap();
    assert_eq!((load.letters, load.bytes), (0, 0));
    // What was replayed begins to count anew.
    bury_all(&world).await.unwrap();
    let anew = world.queue.dead_letters(None, 10).await.unwrap().remove(0);
    assert_eq!((row(&anew), anew.deaths, &anew.first), (1, 1, &None));
    world.queue.discard(&[anew.id], "Ada", "no use").await.unwrap();
    let of: usize = world
        .ask(redis::cmd("HLEN").arg("{bridge}:sync:letter:of"))
        .await
        .unwrap();
    assert_eq!(of, 0, "nothing is left behind");
}

#[tokio::test]
async fn a_buried_job_frees_its_row_and_is_listed_newest_first_in_pages() {
    let world = with_letters(25).await.unwrap();
    let mut seen = Vec::new();
    loop {
        let page = world
            .queue
            .dead_letters(seen.last().map(String::as_str), 10)
            .await
            .unwrap();
        if page.is_empty() {
            break;
        }
        seen.extend(page.into_iter().map(|letter| letter.id));
    }
    assert_eq!(seen.len(), 25);
    assert!(seen.is_sorted_by(|newer, older| newer > older));
    let letter = world.queue.dead_letter(&seen[0]).await.unwrap().unwrap();
    assert_eq!((letter.reason.as_str(), letter.attempts), ("permanent", 1));
    assert_eq!(letter.failure, failure());
    world.accept(&[1]).await.unwrap();
    let stats = world.queue.stats().await.unwrap();
    assert_eq!(
        (stats.active, stats.dead),
        (1, 25),
        "new events of the row are not blocked"
    );
}

#[tokio::test]
async fn the_bytes_of_dead_letters_are_counted_and_go_with_them() {
    let world = with_letters(4).await.unwrap();
    let load = world.redis.dead_load().await.unwrap();
    assert_eq!(load.letters, 4);
    assert!(load.bytes > 4 * 200, "{load:?}");
    let letters = world.queue.dead_letters(None, 10).await.unwrap();
    let ids: Vec<String> = letters.into_iter().map(|letter| letter.id).collect();
    assert_eq!(world.queue.discard(&ids[..2], "Ada", "no use").await.unwrap(), 2);
    assert_eq!(world.queue.discard(&ids[..2], "Ada", "no use").await.unwrap(), 0);
    let half = world.redis.dead_load().await.unwrap();
    assert_eq!(
        (half.letters, half.bytes.abs_diff(load.bytes / 2) < 20),
        (2, true),
        "{load:?} {half:?}"
    );
    assert_eq!(world.queue.replay(&ids[2..], "Ada", "mended").await.unwrap(), 2);
    let none = world.redis.dead_load().await.unwrap();
    assert_eq!((none.letters, none.bytes), (0, 0));
}

#[tokio::test]
async fn a_replayed_letter_is_one_new_forced_event_however_often_it_is_asked_for() {
    let world = with_letters(3).await.unwrap();
    let ids: Vec<String> = world
        .queue
        .dead_letters(None, 10)
        .await
        .unwrap()
        .into_iter()
        .map(|letter| letter.id)
        .collect();
    let replaying = (0..5).map(|_| world.queue.replay(&ids, "Ada", "mended"));
    let replayed: u64 = futures::future::join_all(replaying)
        .await
        .into_iter()
        .map(Result::unwrap)
        .sum();
    assert_eq!(replayed, 3);
    assert_eq!(
        world
            .queue
            .replay(&["unknown".to_owned()], "Ada", "mended")
            .await
            .unwrap(),
        0
    );
    let stats = world.queue.stats().await.unwrap();
    assert_eq!((stats.active, stats.dead), (3, 0));
    let facts = world.facts().await.unwrap();
    let forced = facts.iter().filter(|fact| {
        matches!(fact, LedgerRecord::Accepted(event) if event.kind == EventKind::Forced && event.source.as_str() == "operator")
    });
    let recorded = facts.iter().filter(
        |fact| matches!(fact, LedgerRecord::Replayed { by, why, letter, .. } if by == "Ada" && why == "mended" && ids.contains(letter)),
    );
    assert_eq!((forced.count(), recorded.count()), (3, 3));
}

#[tokio::test]
async fn a_discarded_letter_is_gone_and_the_ledger_knows_who_did_it() {
    let world = with_letters(3).await.unwrap();
    let letters = world.queue.dead_letters(None, 2).await.unwrap();
    let ids: Vec<String> = letters.into_iter().map(|letter| letter.id).collect();
    assert_eq!(world.queue.discard(&ids, "Ada", "obsolete").await.unwrap(), 2);
    assert_eq!(world.queue.discard(&ids, "Ada", "obsolete").await.unwrap(), 0);
    assert_eq!(world.queue.stats().await.unwrap().dead, 1);
    let facts = world.facts().await.unwrap();
    let recorded = facts
        .iter()
        .filter(|fact| matches!(fact, LedgerRecord::Discarded { by, why, .. } if by == "Ada" && why == "obsolete"));
    assert_eq!(recorded.count(), 2);
}

#[tokio::test]
async fn a_hundred_thousand_letters_are_listed_without_blocking_redis() {
    const CALLS: u32 = 20;
    let world = with_letters(1).await.unwrap();
    let letter = world.queue.dead_letters(None, 1).await.unwrap().remove(0);
    let copy = serde_json::to_string(&letter).unwrap();
    let fill = r"for i = 1, 100000 do
        local id = string.format('01J%023d', i)
        redis.call('ZADD', KEYS[1], 0, id)
        redis.call('SET', KEYS[2] .. ':' .. id, ARGV[1])
    end";
    let mut command = redis::cmd("EVAL");
    command
        .arg(fill)
        .arg(2)
        .arg("{bridge}:sync:dead")
        .arg("{bridge}:sync:letter")
        .arg(copy);
    // It takes longer than a usual answer may.
    let mut connection = redis::Client::open(world.server.url())
        .unwrap()
        .get_connection()
        .unwrap();
    let _: () = command.query(&mut connection).unwrap();
    let before = redis_cpu(&world).await.unwrap();
    for _ in 0..CALLS {
        assert_eq!(world.queue.dead_letters(None, 500).await.unwrap().len(), 500);
    }
    let took = redis_cpu(&world).await.unwrap() - before;
    assert!(
        took < 0.01 * f64::from(CALLS),
        "{CALLS} calls blocked Redis for {took} s, more than 10 ms each"
    );
    assert_eq!(world.queue.stats().await.unwrap().dead, 100_001);
}

/// The seconds of CPU that Redis has used: what it waits for a turn on a busy machine does not
/// count.
async fn redis_cpu(world: &World) -> anyhow::Result<f64> {
    let info: String = world.ask(redis::cmd("INFO").arg("cpu")).await?;
    let used = |name: &str| {
        info.lines()
            .find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
    };
    let used: Option<f64> = used("used_cpu_user:")
        .zip(used("used_cpu_sys:"))
        .map(|(user, sys): (f64, f64)| user + sys);
    used.context("Redis does not say what it has used")
}

#[tokio::test]
async fn an_alert_about_dead_letters_has_one_beginning_until_it_is_over() {
    let world = with_letters(1).await.unwrap();
    let day = Duration::from_hours(24);
    let asked = (0..5).map(|_| world.redis.alert("dead", day));
    let starts: Vec<_> = futures::future::join_all(asked)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    assert!(starts.iter().all(|since| *since == starts[0]), "{starts:?}");
    let other = World::start().unwrap();
    let first = other.redis.alert("dead", Duration::from_millis(20)).await.unwrap();
    eventually("the next alert", async || match other.redis.alert("dead", day).await {
        Ok(since) if since > first => Ok(()),
        seen => Err(format!("{seen:?}")),
    })
    .await;
}
