//! States and incidents that a version wrote which called a flowing gate open and a stopped one
//! closed.

use std::time::Duration;

use passerelle_model::time::Timestamp;
use passerelle_queue::gate::{GateState, GateTarget, Incident, Operation};
use test_support::PATIENCE;

use crate::world::{READ, WRITE, World, policy};

const GATE: &str = "{bridge}:gate";

/// Writes a gate as the former version stored it.
async fn write_gate(world: &World, gate: &str, fields: &[(&str, String)]) -> anyhow::Result<()> {
    let () = world
        .ask(redis::cmd("SADD").arg(format!("{GATE}:closed")).arg(gate))
        .await?;
    let mut write = redis::cmd("HSET");
    write.arg(format!("{GATE}:{gate}"));
    for (field, value) in fields {
        write.arg(*field).arg(value);
    }
    let _added: u64 = world.ask(&write).await?;
    Ok(())
}

#[tokio::test]
async fn a_gate_that_a_former_version_stopped_is_stopped_and_its_time_counts_as_stopped() {
    let world = World::start(policy()).unwrap();
    let replica = world.replica();
    let now = replica.redis_time(&world).await.unwrap();
    let since = now.minus(Duration::from_mins(1));
    let text = |word: &str| word.to_owned();
    let time = |time: Timestamp| time.as_millis().to_string();
    let stopped = [
        ("state", text("stopped")),
        ("since", time(since)),
        ("why", text("5 calls in a row found no connection")),
        ("by", text("rule")),
        ("down", time(since)),
        ("closed_from", time(since)),
        ("next", time(now.plus(Duration::from_mins(10)))),
        ("wait", text("5000")),
        ("asked", text("1")),
    ];
    write_gate(&world, READ.as_str(), &stopped).await.unwrap();
    let by_hand = [
        ("state", text("stopped")),
        ("since", time(since)),
        ("why", text("an upgrade")),
        ("by", text("anna")),
        ("down", time(since)),
        ("closed_from", time(since)),
        ("wait", text("5000")),
        ("manual", text("1")),
    ];
    write_gate(&world, WRITE.as_str(), &by_hand).await.unwrap();

    assert_eq!(replica.gates.tend().await.unwrap(), []);
    assert_eq!(replica.state(READ).await.unwrap(), GateState::Stopped);
    let by_hand = replica.status(WRITE).await.unwrap();
    assert_eq!((by_hand.state, by_hand.next_probe), (GateState::Stopped, None));
    assert!(replica.gates.stopped_for(READ).is_some());
    for gate in [READ, WRITE] {
        let released = replica.gates.operate(gate, Operation::Release, "anna", "it works");
        released.await.unwrap();
        assert_eq!(replica.state(gate).await.unwrap(), GateState::Flowing);
    }
    let stopped = replica.gates.stopped_since(GateTarget::Docmost, since).await.unwrap();
    assert!(stopped >= Duration::from_mins(1), "{stopped:?}");
}

#[tokio::test]
async fn a_ramp_that_the_release_before_began_goes_on_with_a_limit_of_jobs_and_ends() {
    let world = World::start(policy()).unwrap();
    let replica = world.replica();
    let now = replica.redis_time(&world).await.unwrap().as_millis().to_string();
    let text = |word: &str| word.to_owned();
    let ramping = [
        ("state", text("ramping")),
        ("since", now.clone()),
        ("why", text("a job got through")),
        ("by", text("rule")),
        ("down", now.clone()),
        ("began", now.clone()),
        ("length", text("120000")),
        ("rate", text("0.02")),
        ("tokens", text("0")),
        ("filled", now),
        ("given", text("0")),
        ("wait", text("5000")),
    ];
    write_gate(&world, READ.as_str(), &ramping).await.unwrap();
    world.accept(3).await.unwrap();
    let mut worker = world.worker(&replica, 4);
    for _ in 0..3 {
        assert!(worker.next_within(PATIENCE).await.is_some());
    }
    replica.tend_until(READ, GateState::Flowing).await;
}

#[tokio::test]
async fn a_worker_of_the_release_before_finds_all_that_it_reads_of_a_ramp() {
    let world = World::start(policy()).unwrap();
    let replica = world.replica();
    let ramp = replica.gates.operate(READ, Operation::Ramp, "anna", "repaired");
    ramp.await.unwrap();
    let mut read = redis::cmd("HMGET");
    read.arg(format!("{GATE}:{READ}"))
        .arg(&["began", "length", "rate", "tokens", "filled", "given", "wait"]);
    let fields: Vec<f64> = world.ask(&read).await.unwrap();
    assert!(fields[1] > 0.0 && fields[2] > 0.0, "{fields:?}");
}

#[tokio::test]
async fn incidents_in_the_former_words_are_read_in_the_present_ones() {
    let world = World::start(policy()).unwrap();
    let facts = [
        r#"{"at":1763800000000,"target":"docmost","kind":"operated","gate":"docmost:read","verb":"close","by":"anna","why":"an upgrade"}"#,
        r#"{"at":1763800060000,"target":"docmost","kind":"operated","gate":"docmost:read","verb":"open","by":"anna","why":"done"}"#,
        r#"{"at":1763800060000,"target":"docmost","kind":"open","gate":"docmost:read","why":"done","down_ms":60000,"given":3}"#,
    ];
    for fact in facts {
        let mut push = redis::cmd("LPUSH");
        let () = world
            .ask(push.arg(format!("{GATE}:incidents")).arg(fact))
            .await
            .unwrap();
    }
    let incidents = world.replica().gates.incidents(10).await.unwrap();
    let sentences: Vec<String> = incidents.iter().rev().map(Incident::sentence).collect();
    let expected = [
        "gate docmost:read: stop by anna: an upgrade",
        "gate docmost:read: release by anna: done",
        "gate docmost:read flows again: done; 3 jobs let through meanwhile",
    ];
    assert_eq!(sentences, expected);
}
