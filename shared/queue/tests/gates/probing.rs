//! One probe, one holder, one job.

use std::time::Duration;

use passerelle_model::ledger::{Settlement, Verdict};
use passerelle_model::outcome::Outcome;
use passerelle_model::time::Timestamp;
use passerelle_queue::gate::{CallResult, GatePolicy, GateState, GateTarget, ProbeFinding};
use passerelle_queue::{Leased, QueueName};
use test_support::{PATIENCE, eventually};

use crate::world::{READ, WRITE, World, failed, policy};

/// Long enough to see that a job does not come.
const A_WHILE: Duration = Duration::from_millis(200);

async fn done(job: Leased) {
    let verdict = Verdict::Done(Outcome::Synced);
    let _ = job
        .settle(Settlement {
            verdict,
            steps: Vec::new(),
            started: Timestamp::now(),
        })
        .await;
}

#[tokio::test]
async fn while_stopped_nothing_is_fetched_and_the_holder_of_the_probe_gets_exactly_one_job() {
    let world = World::start(GatePolicy {
        lease: Duration::from_secs(20),
        ..policy()
    })
    .unwrap();
    let (holder, other) = (world.replica(), world.replica());
    holder.stop(READ).await;
    world.accept(10).await.unwrap();
    let mut holders_worker = world.worker(&holder, 4);
    let mut others_worker = world.worker(&other, 4);
    assert!(holders_worker.next_within(A_WHILE).await.is_none());
    holder.take_probe().await;
    assert!(
        holders_worker.next_within(A_WHILE).await.is_none(),
        "first the health check"
    );
    holder.gates.checked(GateTarget::Docmost, Ok(())).await.unwrap();
    let job = holders_worker.next_within(PATIENCE).await.unwrap();
    assert!(job.is_probe());
    assert!(holders_worker.next_within(A_WHILE).await.is_none());
    assert!(others_worker.next_within(A_WHILE).await.is_none());
    let stats = world.queue.stats().await.unwrap();
    assert_eq!((stats.active, stats.running, stats.dead), (9, 1, 0));
    // A mail that was sent meanwhile says nothing of the wiki.
    holder
        .gates
        .job_ended(QueueName::Mail, ProbeFinding::Done)
        .await
        .unwrap();
    assert!(holders_worker.next_within(A_WHILE).await.is_none());
    done(job).await;
    holder
        .gates
        .job_ended(QueueName::Sync, ProbeFinding::Done)
        .await
        .unwrap();
    let mut seen = 0;
    eventually("the rest follows, by the ramp, to both", async || {
        for worker in [&mut holders_worker, &mut others_worker] {
            while let Ok(job) = worker.jobs.try_recv() {
                assert!(!job.is_probe());
                done(job).await;
                seen += 1;
            }
        }
        if seen == 9 { Ok(()) } else { Err(seen) }
    })
    .await;
}

#[tokio::test]
async fn a_probe_job_that_failed_for_reasons_of_its_own_is_followed_by_another() {
    let world = World::start(GatePolicy {
        lease: Duration::from_secs(20),
        ..policy()
    })
    .unwrap();
    let replica = world.replica();
    replica.stop(READ).await;
    world.accept(3).await.unwrap();
    let mut worker = world.worker(&replica, 4);
    replica.take_probe().await;
    replica.gates.checked(GateTarget::Docmost, Ok(())).await.unwrap();
    for finding in [
        ProbeFinding::Undecided,
        ProbeFinding::Failed(GateTarget::Baserow, "500".to_owned()),
    ] {
        done(worker.next_within(PATIENCE).await.unwrap()).await;
        assert!(worker.next_within(A_WHILE).await.is_none());
        replica.gates.job_ended(QueueName::Sync, finding).await.unwrap();
        assert_eq!(replica.state(READ).await.unwrap(), GateState::Probing);
    }
    done(worker.next_within(PATIENCE).await.unwrap()).await;
    replica
        .gates
        .job_ended(
            QueueName::Sync,
            ProbeFinding::Failed(GateTarget::Docmost, "503".to_owned()),
        )
        .await
        .unwrap();
    assert_eq!(replica.state(READ).await.unwrap(), GateState::Stopped);
}

#[tokio::test]
async fn never_more_than_one_replica_probes_a_target() {
    let lease = Duration::from_millis(200);
    let world = World::start(GatePolicy { lease, ..policy() }).unwrap();
    let replicas: Vec<_> = (0..8).map(|_| world.replica()).collect();
    replicas[0].stop(READ).await;
    replicas[1].stop(WRITE).await;
    let (mut probes, mut frozen) = (0, None);
    eventually("twelve probes", async || {
        let began = replicas[0]
            .redis_time(&world)
            .await
            .map_err(|error| error.to_string())?;
        let awake: Vec<usize> = (0..8).filter(|at| Some(*at) != frozen).collect();
        let tended = futures::future::join_all(awake.iter().map(|at| replicas[*at].gates.tend())).await;
        let took = replicas[0]
            .redis_time(&world)
            .await
            .map_err(|error| error.to_string())?
            .since(began);
        let finds_work = |at: usize| tended[at].as_ref().is_ok_and(|targets| !targets.is_empty());
        let holders: Vec<usize> = (0..awake.len())
            .filter(|at| finds_work(*at))
            .map(|at| awake[at])
            .collect();
        // Where asking all of them took as long as a lease, two may have held it one after the
        // other.
        assert!(holders.len() <= 1 || took >= lease, "{tended:?} within {took:?}");
        if let [holder] = holders[..] {
            probes += 1;
            frozen = None;
            // Every second holder freezes: its lease must run out first.
            if probes % 2 == 0 {
                let ill = Err("503".to_owned());
                let outcome = replicas[holder].gates.checked(GateTarget::Docmost, ill).await;
                outcome.map_err(|error| error.to_string())?;
            } else {
                frozen = Some(holder);
            }
        }
        if probes >= 12 { Ok(()) } else { Err(probes.to_string()) }
    })
    .await;
}

#[tokio::test]
async fn a_holder_that_vanishes_is_followed_after_its_lease_and_not_believed_any_more() {
    let world = World::start(GatePolicy {
        lease: Duration::from_mins(1),
        ..policy()
    })
    .unwrap();
    let (vanished, heir) = (world.replica(), world.replica());
    vanished.stop(READ).await;
    vanished.take_probe().await;
    assert_eq!(heir.gates.tend().await.unwrap(), [], "the lease holds");
    // As if the minute were over.
    let () = world
        .ask(
            redis::cmd("HINCRBY")
                .arg("{bridge}:gate:docmost:read")
                .arg("lease")
                .arg(-60_000),
        )
        .await
        .unwrap();
    heir.take_probe().await;
    vanished.gates.checked(GateTarget::Docmost, Ok(())).await.unwrap();
    vanished
        .gates
        .job_ended(QueueName::Sync, ProbeFinding::Done)
        .await
        .unwrap();
    assert_eq!(heir.state(READ).await.unwrap(), GateState::Probing);
    assert_eq!(
        heir.gates.tend().await.unwrap(),
        [GateTarget::Docmost],
        "it still has its health check to do"
    );
}

#[tokio::test]
async fn waits_between_probes_double_up_to_the_longest() {
    let world = World::start(GatePolicy {
        first_probe: Duration::from_millis(10),
        longest_probe: Duration::from_millis(80),
        ..policy()
    })
    .unwrap();
    let replica = world.replica();
    replica.stop(READ).await;
    let mut waits = Vec::new();
    for _ in 0..5 {
        replica.take_probe().await;
        let before = replica.redis_time(&world).await.unwrap();
        replica
            .gates
            .checked(GateTarget::Docmost, Err("503".to_owned()))
            .await
            .unwrap();
        let after = replica.redis_time(&world).await.unwrap();
        let next = replica.status(READ).await.unwrap().next_probe.unwrap();
        waits.push((next.since(before).as_millis(), next.since(after).as_millis()));
    }
    for ((longest, shortest), expected) in waits.iter().zip([20, 40, 80, 80, 80]) {
        assert!(*longest >= expected && *shortest <= expected * 11 / 10, "{waits:?}");
    }
}

#[tokio::test]
async fn a_gate_that_stops_later_waits_for_the_probe_of_its_sibling() {
    let world = World::start(GatePolicy {
        first_probe: Duration::from_secs(10),
        ..policy()
    })
    .unwrap();
    let replica = world.replica();
    replica.stop(READ).await;
    replica.stop(WRITE).await;
    let (read, write) = (
        replica.status(READ).await.unwrap(),
        replica.status(WRITE).await.unwrap(),
    );
    assert!(write.next_probe >= read.next_probe);
    assert!(write.next_probe.unwrap().since(read.next_probe.unwrap()) < Duration::from_secs(2));
}

#[tokio::test]
async fn a_healthy_target_without_work_ramps_up_by_itself() {
    let world = World::start(GatePolicy {
        lease: Duration::from_millis(50),
        step: Duration::from_millis(10),
        ..policy()
    })
    .unwrap();
    let replica = world.replica();
    replica.stop(READ).await;
    eventually("the gate flows", async || {
        // A lease as short as this one may end before the finding is told: then the target is
        // checked again.
        for target in replica.gates.tend().await.map_err(|error| error.to_string())? {
            let outcome = replica.gates.checked(target, Ok(())).await;
            outcome.map_err(|error| error.to_string())?;
        }
        match replica.state(READ).await {
            Ok(GateState::Flowing) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    replica.gates.tend().await.unwrap();
    assert_eq!(replica.messages().await.unwrap(), ["opened", "over: 0 drained, 0 dead"]);
}

#[tokio::test]
async fn while_probing_only_the_holder_is_heard() {
    let world = World::start(policy()).unwrap();
    let (holder, other) = (world.replica(), world.replica());
    holder.stop(READ).await;
    holder.take_probe().await;
    other.saw(READ, &vec![failed(); 20]).await;
    other.saw(READ, &vec![CallResult::Answered; 20]).await;
    assert_eq!(holder.state(READ).await.unwrap(), GateState::Probing);
}
