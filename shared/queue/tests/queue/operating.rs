//! What operators do to the queue: pause, resume, force.

use std::sync::Arc;
use std::time::Duration;

use passerelle_model::id::{JobKey, RowKey, TableId};
use passerelle_model::ledger::{LedgerRecord, Verdict};
use passerelle_queue::{Budget, JobState, JobsOf, RunNow, SeenJobs};
use test_support::eventually;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::world::{Worker, World, failure, settlement, synced};

#[tokio::test]
async fn a_paused_queue_accepts_and_does_not_run_until_it_is_resumed() {
    let world = World::start().unwrap();
    let (sender, mut runs) = mpsc::unbounded_channel();
    world.queue.pause("Ada", "a move").await.unwrap();
    let worker = world.worker(1, move |leased| {
        let _ = sender.send(());
        async move {
            leased.settle(synced()).await;
        }
    });
    world.accept(&[1]).await.unwrap();
    let paused = world.queue.stats().await.unwrap();
    assert!(
        paused
            .paused
            .is_some_and(|pause| pause.by == "Ada" && pause.why == "a move")
    );
    assert_eq!(paused.active, 1);
    assert!(
        tokio::time::timeout(Duration::from_millis(300), runs.recv())
            .await
            .is_err()
    );
    world.queue.resume("Ada", "moved").await.unwrap();
    runs.recv().await.unwrap();
    worker.stop().await.unwrap();
}

/// A worker that nobody wakes looks again after a second at the earliest. On a busy machine one
/// wake-up may be late, but not each.
#[tokio::test]
async fn a_resumed_queue_wakes_its_workers() {
    let world = World::start().unwrap();
    let (sender, mut runs) = mpsc::unbounded_channel();
    let worker = world.worker(1, move |leased| {
        let _ = sender.send(());
        async move {
            leased.settle(synced()).await;
        }
    });
    let mut waits = Vec::new();
    for row in 1..=5 {
        world.queue.pause("Ada", "a move").await.unwrap();
        world.accept(&[row]).await.unwrap();
        let resumed = Instant::now();
        world.queue.resume("Ada", "moved").await.unwrap();
        runs.recv().await.unwrap();
        waits.push(resumed.elapsed());
    }
    assert!(waits.iter().any(|wait| wait.as_millis() < 900), "{waits:?}");
    worker.stop().await.unwrap();
}

#[tokio::test]
async fn a_forced_row_is_run_and_can_be_traced_by_the_returned_event() {
    let world = World::start().unwrap();
    let events = Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = Arc::clone(&events);
    let worker = world.worker(1, move |leased| {
        seen.lock().unwrap().push(leased.job().last_event.clone());
        async move {
            leased.settle(synced()).await;
        }
    });
    let row: RowKey = "t12/r9".parse().unwrap();
    let event = world.queue.force(row, "Ada", "asked for").await.unwrap();
    eventually("it has run", async || {
        if events.lock().unwrap().is_empty() {
            Err("not yet")
        } else {
            Ok(())
        }
    })
    .await;
    worker.stop().await.unwrap();
    assert_eq!(*events.lock().unwrap(), [event]);
}

#[tokio::test]
async fn a_budget_that_all_share_counts_each_name_once_and_is_free_again_after_its_window() {
    let world = World::start().unwrap();
    let budget = |millis| Budget {
        most: 3,
        window: Duration::from_millis(millis),
    };
    let spend = async |name: &str, millis| world.redis.spend("mails", name, budget(millis)).await.unwrap();
    for name in ["a", "b", "a", "c", "b"] {
        assert_eq!(spend(name, 3_600_000).await, None, "{name}");
    }
    let wait = spend("d", 3_600_000).await.unwrap();
    assert!(
        wait > Duration::from_mins(59) && wait <= Duration::from_hours(1),
        "{wait:?}"
    );
    assert_eq!(spend("c", 3_600_000).await, None, "what was allowed once stays so");
    eventually("the window has passed", async || match spend("d", 100).await {
        None => Ok(()),
        wait => Err(wait),
    })
    .await;
}

/// A worker whose attempts fail for an hour.
fn failing(world: &World) -> Worker {
    world.worker(4, |leased| async move {
        let verdict = match leased.job().key.row().map(|row| row.row.get() % 2) {
            Some(1) => Verdict::Retry {
                after_ms: 3_600_000,
                failure: failure(),
            },
            _ => Verdict::Hold {
                after_ms: 3_600_000,
                failure: failure(),
            },
        };
        leased.settle(settlement(verdict)).await;
    })
}

/// Waits until that many jobs wait for their time.
async fn waiting(world: &World, count: u64) {
    eventually("they wait for their time", async || match world.queue.stats().await {
        Ok(stats) if stats.scheduled == count => Ok(()),
        other => Err(other),
    })
    .await;
}

fn rows(numbers: &[u64]) -> Vec<JobKey> {
    let keys = numbers.iter().map(|number| format!("t12/r{number}"));
    keys.filter_map(|key| JobKey::parse(&key).ok()).collect()
}

#[tokio::test]
async fn jobs_are_listed_with_what_they_wait_for_page_by_page() {
    let world = World::start().unwrap();
    let worker = failing(&world);
    world.accept(&[1, 2, 3, 10]).await.unwrap();
    waiting(&world, 4).await;
    worker.stop().await.unwrap();
    world.accept(&[4]).await.unwrap();

    let all = world.queue.jobs(&JobsOf::Queue, &[], None, 10).await.unwrap();
    let states: Vec<JobState> = all.jobs.iter().map(|seen| seen.state).collect();
    let keys: Vec<JobKey> = all.jobs.iter().map(|seen| seen.job.key.clone()).collect();
    assert_eq!(keys, rows(&[1, 2, 3, 4, 10]));
    let (held, scheduled, queued) = (JobState::Held, JobState::Scheduled, JobState::Queued);
    assert_eq!(states, [scheduled, held, scheduled, queued, held]);
    assert_eq!(
        all.counts.into_iter().collect::<Vec<_>>(),
        [(queued, 1), (scheduled, 2), (held, 2)]
    );
    for seen in &all.jobs {
        let hour = seen.until.map(|until| until.since(seen.since).as_secs());
        let expected = (seen.state != queued).then_some(3600);
        assert_eq!(hour, expected, "{seen:?}");
        assert_eq!(seen.job.attempts, u32::from(seen.state == scheduled), "{seen:?}");
    }

    let mut after: Option<JobKey> = None;
    let mut pages = Vec::new();
    loop {
        let page = world.queue.jobs(&JobsOf::Queue, &[], after.as_ref(), 2).await.unwrap();
        assert_eq!(page.counts.values().sum::<u64>(), 5, "the numbers are of all");
        pages.extend(page.jobs.iter().map(|seen| seen.job.key.clone()));
        if !page.has_more {
            break;
        }
        after = pages.last().cloned();
    }
    assert_eq!(pages, keys);

    let some = world.queue.jobs(&JobsOf::Queue, &[held], None, 10).await.unwrap();
    assert_eq!(some.jobs.len(), 2);
    let other = JobsOf::Table(TableId::new(1).unwrap());
    assert_eq!(
        world.queue.jobs(&other, &[], None, 10).await.unwrap(),
        SeenJobs::default()
    );
    let one = JobsOf::Jobs(rows(&[3, 99]));
    assert_eq!(world.queue.jobs(&one, &[], None, 10).await.unwrap().jobs.len(), 1);
}

#[tokio::test]
async fn a_waiting_job_that_is_run_now_runs_at_once_and_the_ledger_says_who_and_why() {
    let world = World::start().unwrap();
    let worker = failing(&world);
    world.accept(&[1, 2]).await.unwrap();
    waiting(&world, 2).await;
    worker.stop().await.unwrap();

    let became = world
        .queue
        .run_now(&rows(&[1, 2, 3, 1]), "Ada", "it is mended")
        .await
        .unwrap();
    assert_eq!(became, [RunNow::Ready, RunNow::Ready, RunNow::Gone, RunNow::WasReady]);
    let acts: Vec<String> = world.facts().await.unwrap().iter().filter_map(act).collect();
    assert_eq!(
        acts,
        [
            "job/t12/r1 run_now by Ada: it is mended",
            "job/t12/r2 run_now by Ada: it is mended"
        ]
    );
    let (started, mut runs) = mpsc::unbounded_channel();
    let (release, held_back) = tokio::sync::watch::channel(false);
    let worker = world.worker(2, move |leased| {
        let (started, mut held_back) = (started.clone(), held_back.clone());
        async move {
            let _ = started.send(leased.job().key.clone());
            let _ = held_back.wait_for(|released| *released).await;
            leased.settle(synced()).await;
        }
    });
    for _ in 0..2 {
        runs.recv().await.unwrap();
    }
    let became = world.queue.run_now(&rows(&[1]), "Ada", "again").await.unwrap();
    assert_eq!(became, [RunNow::Running]);
    release.send(true).unwrap();
    world.drained().await;
    worker.stop().await.unwrap();
    assert!(runs.try_recv().is_err(), "each ran once");
    assert_eq!(world.each_item_ended_once().await.unwrap(), 2);
}

#[tokio::test]
async fn a_job_of_a_held_table_is_listed_as_such_and_not_run_by_hand() {
    let world = World::start().unwrap();
    world.accept(&[1]).await.unwrap();
    let job = &rows(&[9])[0];
    let hour = Duration::from_hours(1);
    world
        .queue
        .hold_table(job, "the field is gone", hour, hour)
        .await
        .unwrap();
    let seen = world.queue.jobs(&JobsOf::Queue, &[], None, 10).await.unwrap().jobs;
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].state, JobState::TableHeld);
    assert_eq!(seen[0].table_trouble.as_deref(), Some("the field is gone"));
    assert!(seen[0].until.is_some_and(|until| until > seen[0].since));
    let became = world.queue.run_now(&rows(&[1]), "Ada", "now").await.unwrap();
    assert_eq!(became, [RunNow::TableHeld]);
    assert_eq!(
        world.facts().await.unwrap().len(),
        1,
        "nothing was done, nothing is written down"
    );
}

/// 2,500 jobs are asked for by three calls of each set, not by 5,000 calls at once.
#[tokio::test]
async fn a_list_of_many_waiting_jobs_asks_redis_in_bounded_portions() {
    const JOBS: u64 = 2_500;
    let world = World::start().unwrap();
    let worker = world.worker(64, |leased| async move {
        let verdict = Verdict::Retry {
            after_ms: 3_600_000,
            failure: failure(),
        };
        leased.settle(settlement(verdict)).await;
    });
    for some in (1..=JOBS).collect::<Vec<u64>>().chunks(250) {
        world.accept(some).await.unwrap();
    }
    eventually("all wait", async || match world.queue.stats().await {
        Ok(stats) if stats.scheduled == JOBS => Ok(()),
        other => Err(other),
    })
    .await;
    worker.stop().await.unwrap();
    let () = world.ask(redis::cmd("CONFIG").arg("RESETSTAT")).await.unwrap();
    let seen = world.queue.jobs(&JobsOf::Queue, &[], None, 10_000).await.unwrap();
    assert_eq!(u64::try_from(seen.jobs.len()).unwrap(), JOBS);
    assert!(
        seen.jobs
            .iter()
            .all(|job| job.until.is_some_and(|until| until > job.since))
    );
    let asked: String = world.ask(redis::cmd("INFO").arg("commandstats")).await.unwrap();
    assert!(!asked.contains("cmdstat_zscore:"), "{asked}");
    assert!(asked.contains("cmdstat_zmscore:calls=6,"), "{asked}");
}

fn act(fact: &LedgerRecord) -> Option<String> {
    match fact {
        LedgerRecord::Switched { on, act, by, why, .. } => Some(format!("{on} {act} by {by}: {why}")),
        _ => None,
    }
}
