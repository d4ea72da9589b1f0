//! The spool of the ingress under SIGKILL: whatever was answered 200 is in the queue in the end,
//! once (C9).

use std::collections::BTreeSet;

use system_tests::System;
use test_support::eventually;
use tokio::task::JoinSet;

use crate::world::{delivery, event};

/// Posts deliveries until the ingress vanishes or `most` are answered; returns those that were
/// answered 200.
fn post_until_killed(system: &System, from: usize, most: usize) -> JoinSet<anyhow::Result<Vec<usize>>> {
    const AT_ONCE: usize = 16;
    let mut posting = JoinSet::new();
    for lane in 0..AT_ONCE {
        let caller = system.caller();
        posting.spawn(async move {
            let mut answered = Vec::new();
            for number in (from + lane..from + most).step_by(AT_ONCE) {
                match caller.post(delivery(u64::try_from(number)? + 1, number)).await {
                    Ok(answer) if answer.status == 200 => answered.push(number),
                    Ok(answer) => anyhow::bail!("{answer:?}"),
                    Err(_gone) => break,
                }
            }
            Ok(answered)
        });
    }
    posting
}

async fn alive(system: &System) {
    eventually("the ingress answers", async || {
        match system.get(&format!("{}/healthz", system.ingress_url)).await {
            Ok((200, _)) => Ok(()),
            other => Err(format!("{other:?}\n{}", system.logs())),
        }
    })
    .await;
}

fn spooled_bytes(system: &System) -> u64 {
    let files = std::fs::read_dir(system.spool()).into_iter().flatten().flatten();
    files
        .filter_map(|file| file.metadata().ok())
        .map(|metadata| metadata.len())
        .sum()
}

/// All of these are in the queue, each once, and the spool is empty.
async fn are_accepted_once(system: &System, answered: &BTreeSet<usize>) {
    eventually("the spool is drained", async || match spooled_bytes(system) {
        0 => Ok(()),
        bytes => Err(format!("{bytes} bytes\n{}", system.logs())),
    })
    .await;
    let accepted = system.accepted().await.unwrap_or_default();
    let missing: Vec<_> = answered
        .iter()
        .filter(|number| !accepted.contains_key(&event(**number)))
        .collect();
    assert!(missing.is_empty(), "answered 200 and lost: {missing:?}");
    system.expect_open(u64::try_from(accepted.len()).unwrap_or_default());
    let twice: Vec<_> = accepted.iter().filter(|(_, times)| **times > 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
}

#[tokio::test]
async fn an_ingress_that_is_killed_again_and_again_while_it_spools_loses_nothing_that_it_answered() {
    let mut system = System::builder().workers(0).without_webhook().start().await.unwrap();
    system.redis.kill().unwrap();
    let mut answered = BTreeSet::new();
    for round in 0..6 {
        let mut posting = post_until_killed(&system, round * 10_000, 10_000);
        let before = spooled_bytes(&system);
        eventually("some are spooled", async || {
            if spooled_bytes(&system) > before + 10_000 {
                Ok(())
            } else {
                Err(system.logs())
            }
        })
        .await;
        system.ingress.kill().unwrap();
        while let Some(lane) = posting.join_next().await {
            answered.extend(lane.unwrap().unwrap());
        }
        system.start_ingress().unwrap();
        alive(&system).await;
    }
    assert!(answered.len() > 100, "{}", answered.len());
    system.redis.boot().unwrap();
    are_accepted_once(&system, &answered).await;
}

#[tokio::test]
async fn an_ingress_that_is_killed_again_and_again_while_it_drains_loses_nothing_and_doubles_nothing() {
    let mut system = System::builder().workers(0).without_webhook().start().await.unwrap();
    system.redis.kill().unwrap();
    let mut posting = post_until_killed(&system, 0, 3000);
    let mut answered = BTreeSet::new();
    while let Some(lane) = posting.join_next().await {
        answered.extend(lane.unwrap().unwrap());
    }
    assert_eq!(answered.len(), 3000);
    system.ingress.kill().unwrap();
    system.redis.boot().unwrap();
    for _ in 0..5 {
        let before = system.accepted().await.unwrap().len();
        system.start_ingress().unwrap();
        eventually("it drains", async || match system.accepted().await {
            Ok(accepted) if accepted.len() > before || spooled_bytes(&system) == 0 => Ok(()),
            other => Err(format!("{:?}", other.map(|accepted| accepted.len()))),
        })
        .await;
        system.ingress.kill().unwrap();
    }
    system.start_ingress().unwrap();
    are_accepted_once(&system, &answered).await;
}
