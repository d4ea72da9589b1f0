//! When a gate stops, and what it remembers.

use std::time::Duration;

use passerelle_model::time::Timestamp;
use passerelle_queue::gate::{CallResult, GateName, GatePolicy, GateState, GateTarget, Incident, Operation};
use test_support::eventually;

use crate::world::{READ, WRITE, World, failed, policy};

#[tokio::test]
async fn ten_calls_of_which_half_failed_stop_the_gate_and_nine_do_not() {
    let world = World::start(policy()).unwrap();
    let replica = world.replica();
    let other = world.replica();
    for _ in 0..4 {
        replica.saw(READ, &[CallResult::Answered, failed()]).await;
    }
    other.saw(READ, &[CallResult::Answered]).await;
    assert_eq!(replica.state(READ).await.unwrap(), GateState::Flowing);
    other.saw(READ, &[failed()]).await;
    let status = replica.status(READ).await.unwrap();
    assert_eq!(status.state, GateState::Stopped);
    assert_eq!(status.why.as_deref(), Some("5 of 10 calls failed: 503"));
    assert_eq!(
        replica.state(WRITE).await.unwrap(),
        GateState::Flowing,
        "each kind of call has its own gate"
    );
}

#[tokio::test]
async fn old_failures_are_forgotten_with_the_window() {
    let world = World::start(GatePolicy {
        window: Duration::from_millis(60),
        ..policy()
    })
    .unwrap();
    let replica = world.replica();
    replica
        .saw(
            READ,
            &[
                failed(),
                failed(),
                failed(),
                failed(),
                failed(),
                failed(),
                CallResult::Answered,
            ],
        )
        .await;
    assert_eq!(replica.state(READ).await.unwrap(), GateState::Flowing);
    let began = tokio::time::Instant::now();
    eventually("the window has passed", async || {
        if began.elapsed() > Duration::from_millis(80) {
            Ok(())
        } else {
            Err(())
        }
    })
    .await;
    replica
        .saw(
            READ,
            &[
                failed(),
                failed(),
                CallResult::Answered,
                CallResult::Answered,
                CallResult::Answered,
            ],
        )
        .await;
    assert_eq!(replica.state(READ).await.unwrap(), GateState::Flowing);
}

#[tokio::test]
async fn five_calls_without_a_connection_stop_the_gate_whoever_made_them() {
    let world = World::start(policy()).unwrap();
    let (one, two) = (world.replica(), world.replica());
    let lost = || CallResult::NoConnection("refused".to_owned());
    one.saw(READ, &[lost(), lost()]).await;
    two.saw(READ, &[lost(), lost()]).await;
    assert_eq!(one.state(READ).await.unwrap(), GateState::Flowing);
    one.saw(READ, &[CallResult::Answered, lost()]).await;
    two.saw(READ, &[lost(), lost(), lost()]).await;
    assert_eq!(
        one.state(READ).await.unwrap(),
        GateState::Flowing,
        "an answer in between ends the row"
    );
    two.saw(READ, &[lost()]).await;
    assert_eq!(one.state(READ).await.unwrap(), GateState::Stopped);
}

#[tokio::test]
async fn a_lone_event_in_a_long_outage_stops_the_gate_after_eight_failures() {
    let world = World::start(GatePolicy {
        window: Duration::from_millis(6),
        ..policy()
    })
    .unwrap();
    let replica = world.replica();
    for _ in 0..7 {
        replica.saw(READ, &[failed()]).await;
        assert_eq!(replica.state(READ).await.unwrap(), GateState::Flowing);
    }
    replica.saw(READ, &[failed()]).await;
    assert_eq!(replica.state(READ).await.unwrap(), GateState::Stopped);
}

#[tokio::test]
async fn three_logins_that_fail_in_a_row_are_enough() {
    let world = World::start(policy()).unwrap();
    let replica = world.replica();
    replica.saw(GateName::DocmostLogin, &[failed(), failed()]).await;
    assert_eq!(replica.state(GateName::DocmostLogin).await.unwrap(), GateState::Flowing);
    replica.saw(GateName::DocmostLogin, &[failed()]).await;
    assert_eq!(replica.state(GateName::DocmostLogin).await.unwrap(), GateState::Stopped);
}

#[tokio::test]
async fn a_target_that_asks_for_ten_minutes_gets_them_and_a_little_more() {
    let world = World::start(policy()).unwrap();
    let replica = world.replica();
    let ten_minutes = Duration::from_mins(10);
    replica.saw(READ, &[CallResult::Throttled(Some(ten_minutes))]).await;
    let status = replica.status(READ).await.unwrap();
    let wait = status.next_probe.unwrap().since(status.since.unwrap());
    assert!(wait >= ten_minutes && wait <= ten_minutes.mul_f64(1.11), "{wait:?}");
    // Trouble of another kind of call does not make it try earlier.
    replica.stop(WRITE).await;
    replica.take_probe().await;
    assert_eq!(replica.state(READ).await.unwrap(), GateState::Stopped);
    assert_eq!(replica.state(WRITE).await.unwrap(), GateState::Probing);
}

#[tokio::test]
async fn an_account_that_is_refused_five_times_in_a_row_stops_the_gate() {
    let world = World::start(policy()).unwrap();
    let replica = world.replica();
    let refused = || CallResult::Refused("401".to_owned());
    replica
        .saw(GateName::BaserowRead, &[refused(), refused(), refused(), refused()])
        .await;
    assert_eq!(replica.state(GateName::BaserowRead).await.unwrap(), GateState::Flowing);
    replica.saw(GateName::BaserowRead, &[refused()]).await;
    assert_eq!(replica.state(GateName::BaserowRead).await.unwrap(), GateState::Stopped);
}

#[tokio::test]
async fn a_stopped_gate_survives_a_restart_of_redis() {
    let mut world = World::start(policy()).unwrap();
    let replica = world.replica();
    replica
        .saw(READ, &[CallResult::Throttled(Some(Duration::from_mins(10)))])
        .await;
    let before = replica.status(READ).await.unwrap();
    // Appended facts reach the disk within a second.
    eventually("the append-only file is written", async || {
        let info: String = world
            .ask(redis::cmd("INFO").arg("persistence"))
            .await
            .map_err(|error| error.to_string())?;
        if info.contains("aof_pending_bio_fsync:0") {
            Ok(())
        } else {
            Err(info)
        }
    })
    .await;
    world.server.kill().unwrap();
    world.server.boot().unwrap();
    let after = eventually("Redis is back", async || {
        replica.status(READ).await.map_err(|error| error.to_string())
    })
    .await;
    assert_eq!(after, before);
}

#[tokio::test]
async fn a_gate_stopped_by_hand_is_not_probed_and_who_stopped_it_is_kept() {
    let world = World::start(policy()).unwrap();
    let replica = world.replica();
    replica
        .gates
        .operate(WRITE, Operation::Stop, "anna", "Docmost is being upgraded")
        .await
        .unwrap();
    for _ in 0..20 {
        assert_eq!(replica.gates.tend().await.unwrap(), []);
    }
    let status = replica.status(WRITE).await.unwrap();
    assert_eq!(
        (status.state, status.by.as_deref(), status.next_probe),
        (GateState::Stopped, Some("anna"), None)
    );
    replica
        .gates
        .operate(WRITE, Operation::Release, "anna", "done")
        .await
        .unwrap();
    assert_eq!(replica.state(WRITE).await.unwrap(), GateState::Flowing);
    let sentences: Vec<String> = replica
        .gates
        .incidents(10)
        .await
        .unwrap()
        .iter()
        .map(Incident::sentence)
        .collect();
    assert!(
        sentences.contains(&"gate docmost:write: stop by anna: Docmost is being upgraded".to_owned()),
        "{sentences:?}"
    );
}

#[tokio::test]
async fn stopped_time_is_remembered_so_that_jobs_do_not_grow_old_in_it() {
    let world = World::start(policy()).unwrap();
    let replica = world.replica();
    let before = Timestamp::now();
    replica.stop(READ).await;
    let stopped = async || {
        replica
            .gates
            .stopped_since(GateTarget::Docmost, before)
            .await
            .map_err(|error| error.to_string())
    };
    eventually("stopped time grows while stopped", async || match stopped().await? {
        time if time >= Duration::from_millis(50) => Ok(()),
        time => Err(format!("{time:?}")),
    })
    .await;
    replica
        .gates
        .operate(READ, Operation::Release, "anna", "repaired")
        .await
        .unwrap();
    let after = stopped().await.unwrap();
    assert!(after >= Duration::from_millis(50), "{after:?}");
    assert_eq!(stopped().await.unwrap(), after, "and ends when the gate flows");
    assert_eq!(
        replica.gates.stopped_since(GateTarget::Baserow, before).await.unwrap(),
        Duration::ZERO
    );
}

#[tokio::test]
async fn four_calls_without_an_answer_stop_a_gate_of_their_target_whatever_kind_they_were() {
    let world = World::start(policy()).unwrap();
    let (one, two) = (world.replica(), world.replica());
    let silent = || CallResult::NoAnswer("no answer in time".to_owned());
    // Answers in between, or of a row that is slow each time, are no outage.
    one.saw(READ, &[silent(), silent(), silent(), CallResult::Answered, silent()])
        .await;
    two.saw(WRITE, &[silent(), CallResult::Answered, silent()]).await;
    two.saw(GateName::BaserowRead, &[silent(), silent()]).await;
    assert_eq!(one.state(READ).await.unwrap(), GateState::Flowing);
    assert_eq!(one.state(WRITE).await.unwrap(), GateState::Flowing);
    one.saw(WRITE, &[silent(), silent()]).await;
    let status = one.status(WRITE).await.unwrap();
    assert_eq!(status.state, GateState::Stopped);
    assert_eq!(
        status.why.as_deref(),
        Some("4 calls in a row got no answer: no answer in time")
    );
    let trouble = two.gates.trouble_of(GateTarget::Docmost).await;
    assert!(
        trouble.is_some(),
        "the reading calls may still be counted against their jobs"
    );
}

#[tokio::test]
async fn no_trouble_is_known_of_a_target_that_works() {
    let world = World::start(GatePolicy {
        decision: Duration::from_millis(30),
        ..policy()
    })
    .unwrap();
    let replica = world.replica();
    replica.saw(READ, &[failed()]).await;
    assert_eq!(replica.gates.trouble_of(READ.target()).await, None);
    // What another replica has seen counts as well.
    world.replica().stop(READ).await;
    assert!(replica.gates.trouble_of(READ.target()).await.is_some());
    assert!(replica.gates.stopped_for(READ).is_some() && replica.gates.stopped_for(GateName::BaserowRead).is_none());
}
