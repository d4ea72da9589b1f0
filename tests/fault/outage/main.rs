//! Outage mode over real processes: a target goes away and comes back, in the ways that were seen,
//! and nothing is lost or burned by it.
//!
//! Minutes are scaled: a minute of the real policy is half a second here, the proportions are the
//! real ones (`SCALED`).

mod ramp;
mod world;

use anyhow::Context as _;
use passerelle_model::time::Timestamp;
use passerelle_queue::gate::{GateName, Incident, IncidentKind};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use test_support::eventually;

use ramp::most_above_ramp;
use world::{MINUTE, Outage, builder, delivery};

/// I4: Docmost is down for five minutes while events arrive.
#[tokio::test]
async fn docmost_down_for_five_minutes_holds_all_events_and_loses_none() {
    let mut outage = Outage::start(builder()).await.unwrap();
    outage.warm_up().await.unwrap();
    outage
        .break_docmost(json!({"path": "*", "kind": "reset"}))
        .await
        .unwrap();
    let began = Instant::now();
    outage.projects(10).await.unwrap();
    outage.stopped().await;
    outage.projects(30).await.unwrap();
    eventually("five minutes are over", async || {
        if began.elapsed() > 5 * MINUTE { Ok(()) } else { Err(()) }
    })
    .await;
    outage.system.drained_webhooks().await;
    let held = outage.system.queue.stats().await.unwrap();
    assert_eq!((held.active + held.running + held.scheduled, held.dead), (40, 0));
    outage.mend_docmost().await.unwrap();
    outage.converged().await.unwrap();
    assert_eq!(outage.burned(), 0, "{}", outage.system.logs());
}

/// The exam of the outage mode: 10,000 events, five replicas, half an hour of 503.
#[tokio::test]
async fn half_an_hour_of_503_with_ten_thousand_events_burns_nothing_and_spares_docmost() {
    const EVENTS: usize = 10_000;
    const ROWS: usize = 200;
    /// As many as tell their rate: the first ones come faster.
    const PROBES: usize = 16;
    let builder = builder()
        .workers(5)
        .without_webhook()
        .worker_variable("DOCMOST_CONCURRENCY", "80");
    let mut outage = Outage::start(builder).await.unwrap();
    outage.warm_up().await.unwrap();
    outage.projects(ROWS).await.unwrap();
    outage
        .break_docmost(json!({"path": "*", "kind": "status", "status": 503}))
        .await
        .unwrap();
    outage.forget_calls().await.unwrap();
    let began = Instant::now();
    post_events(&outage, EVENTS).await.unwrap();
    outage.stopped().await;
    eventually("half an hour is over", async || match outage.probes().await {
        Ok(probes) if probes > PROBES && began.elapsed() > 30 * MINUTE => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    let minutes = began.elapsed().as_secs_f64() / MINUTE.as_secs_f64();
    let calls = outage.calls().await.unwrap();
    let probes = outage.probes().await.unwrap();
    let per_minute = steady_rate(&calls).unwrap();
    let in_flight = calls.len() - probes;
    assert!(per_minute <= 1.0, "{per_minute} probes a minute");
    assert!(in_flight <= 5 * 16 * 3, "{in_flight} calls were under way");
    assert_eq!(outage.burned(), 0, "{}", outage.system.logs());

    outage.mend_and_slow_docmost(80).await.unwrap();
    outage.converged().await.unwrap();
    assert_eq!(outage.burned(), 0, "{}", outage.system.logs());
    let most = most_above_ramp(&outage, 5.0 * 16.0).await.unwrap();
    assert!(most <= 1.2, "{most} times the ramp");
    let over = eventually("the end is told", async || {
        let incidents = outage.incidents().await.map_err(|error| error.to_string())?;
        let over = incidents
            .iter()
            .filter(|incident| matches!(incident.what, IncidentKind::Over { .. }));
        over.map(Incident::sentence)
            .next()
            .ok_or_else(|| format!("{incidents:?}"))
    })
    .await;
    let opened = outage.incidents().await.unwrap();
    let opened = opened
        .iter()
        .filter(|incident| matches!(incident.what, IncidentKind::Opened { .. }))
        .count();
    assert_eq!(opened, 1);
    println!(
        "{EVENTS} events of {ROWS} rows, 5 workers, {minutes:.0} min of 503 (a minute is {MINUTE:?}): {probes} probes, {per_minute:.2} a minute after the \
         first minutes, {in_flight} other calls, {} attempts burned, at most {most:.2} of the ramp, 0 dead, all rows converged; {over}",
        outage.burned()
    );
}

/// Health checks a minute, once their waits have grown to the longest: from the sixth on.
fn steady_rate(calls: &[Value]) -> anyhow::Result<f64> {
    let probes = calls.iter().filter(|call| call["path"] == "/api/health");
    let times: Vec<i64> = probes.filter_map(|call| call["at_ms"].as_i64()).skip(5).collect();
    let (first, last) = (
        times.first().context("few probes")?,
        times.last().context("few probes")?,
    );
    let lasted = Timestamp::from_millis(*last).since(Timestamp::from_millis(*first));
    let intervals = f64::from(u32::try_from(times.len() - 1)?);
    anyhow::ensure!(intervals > 10.0, "only {intervals} waits");
    Ok(intervals * MINUTE.as_secs_f64() / lasted.as_secs_f64())
}

async fn post_events(outage: &Outage, count: usize) -> anyhow::Result<()> {
    const AT_ONCE: usize = 25;
    let caller = outage.system.caller();
    let mut posting = tokio::task::JoinSet::new();
    for lane in 0..AT_ONCE {
        let (caller, rows) = (caller.clone(), outage.rows.clone());
        posting.spawn(async move {
            for number in (lane..count).step_by(AT_ONCE) {
                let answer = caller.post(delivery(rows[number % rows.len()], number)).await?;
                anyhow::ensure!(answer.status == 200, "{answer:?}");
            }
            Ok(())
        });
    }
    while let Some(lane) = posting.join_next().await {
        lane??;
    }
    Ok(())
}

#[tokio::test]
async fn a_docmost_that_asks_for_ten_minutes_is_left_alone_for_ten_minutes() {
    let mut outage = Outage::start(builder().workers(2)).await.unwrap();
    let fault = json!({"path": "*", "kind": "status", "status": 429, "headers": {"retry-after": "10"}});
    outage.break_docmost(fault).await.unwrap();
    outage.projects(20).await.unwrap();
    outage.stopped().await;
    let stopped = outage.gates.list().await.unwrap();
    let (until, since) = stopped
        .iter()
        .filter_map(|gate| gate.next_probe.zip(gate.since))
        .max()
        .unwrap();
    assert!(until.since(since) >= Duration::from_secs(10), "{stopped:?}");
    outage.mend_docmost().await.unwrap();
    outage.converged().await.unwrap();
    // The calls that were under way had five seconds; from then on there was silence until the
    // named time.
    let calls = outage.calls().await.unwrap();
    let early = calls.iter().filter_map(|call| call["at_ms"].as_i64()).filter(|at| {
        let before = until.since(Timestamp::from_millis(*at));
        before > Duration::ZERO && before < Duration::from_secs(5)
    });
    assert_eq!(early.count(), 0, "{calls:?}");
    assert_eq!(outage.burned(), 0, "{}", outage.system.logs());
}

#[tokio::test]
async fn a_hanging_docmost_a_killed_prober_and_a_restarted_redis_lose_nothing() {
    let builder = builder().workers(3).worker_variable("DOCMOST_TIMEOUT_SECONDS", "2");
    let mut outage = Outage::start(builder).await.unwrap();
    outage.warm_up().await.unwrap();
    outage
        .break_docmost(json!({"path": "*", "kind": "hang"}))
        .await
        .unwrap();
    outage.projects(30).await.unwrap();
    outage.stopped().await;

    let first = holder(&outage).await;
    let killed = outage
        .system
        .workers
        .iter_mut()
        .find(|worker| worker.output().contains(&first))
        .unwrap();
    killed.kill().unwrap();
    eventually("another worker probes", async || {
        let next = holder(&outage).await;
        if next == first { Err(next) } else { Ok(()) }
    })
    .await;

    outage.system.redis.kill().unwrap();
    outage.system.redis.boot().unwrap();
    eventually("the gate is still stopped after the restart", async || {
        match outage.is_stopped().await {
            Ok(true) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    holder(&outage).await;
    outage.mend_docmost().await.unwrap();
    outage.converged().await.unwrap();
    assert_eq!(outage.burned(), 0, "{}", outage.system.logs());
}

/// Who probes, once somebody does.
async fn holder(outage: &Outage) -> String {
    let client = redis::Client::open(outage.system.redis.url()).ok();
    eventually("somebody probes", async || {
        let client = client.as_ref().ok_or("no client".to_owned())?;
        let mut connection = client
            .get_multiplexed_async_connection()
            .await
            .map_err(|error| error.to_string())?;
        for gate in GateName::ALL {
            let mut ask = redis::cmd("HGET");
            ask.arg(format!("{{bridge}}:gate:{gate}")).arg("holder");
            let holder: Option<String> = ask
                .query_async(&mut connection)
                .await
                .map_err(|error| error.to_string())?;
            if let Some(holder) = holder {
                return Ok(holder);
            }
        }
        Err("nobody".to_owned())
    })
    .await
}

#[tokio::test]
async fn a_flapping_docmost_is_spared_and_all_rows_arrive_in_the_end() {
    let mut outage = Outage::start(builder().workers(2)).await.unwrap();
    outage.warm_up().await.unwrap();
    for flap in 1..=3 {
        outage
            .break_docmost(json!({"path": "*", "kind": "status", "status": 503}))
            .await
            .unwrap();
        outage.projects(15).await.unwrap();
        outage.stopped().await;
        outage.probes_reach(outage.probes().await.unwrap() + 2).await;
        outage.mend_docmost().await.unwrap();
        eventually(&format!("flap {flap}: it ramps"), async || {
            match outage.is_stopped().await {
                Ok(false) => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
    }
    outage.converged().await.unwrap();
    assert_eq!(outage.burned(), 0, "{}", outage.system.logs());
}
