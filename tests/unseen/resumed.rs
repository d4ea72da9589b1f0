//! A reconciliation by hand that was broken off: the same command goes on where it stopped.

use std::path::Path;
use std::time::Duration;

use passerelle_model::config::{Reader, RedisSettings};
use passerelle_model::id::RowKey;
use passerelle_queue::Redis;
use passerelle_queue::schedule::Trail;
use serde_json::{Value, json};
use system_tests::system::STOPS_WITHIN;
use system_tests::{Process, System};
use test_support::eventually;

use crate::reconcile::{findings, import, reconcile};

/// Two pages of Baserow's list.
const ROWS: usize = 250;

async fn imported(system: &System) -> anyhow::Result<Vec<RowKey>> {
    let names: Vec<String> = (1..=ROWS).map(|number| format!("Projet {number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    import(system, &names).await
}

/// From now on the second of the next lists is not answered (`hang`), or answered with a failure.
async fn break_second_page(system: &System, table: RowKey, kind: &Value) -> anyhow::Result<()> {
    let path = format!("/api/database/rows/table/{}/", table.table);
    let mut fault = json!({"path": path, "method": "GET", "skip": 1});
    for (name, value) in kind.as_object().into_iter().flatten() {
        fault[name] = value.clone();
    }
    faults(system, &[fault]).await
}

async fn faults(system: &System, faults: &[Value]) -> anyhow::Result<()> {
    let put = reqwest::Method::PUT;
    system
        .baserow
        .control(put, "/_sandbox/faults", Some(json!(faults)))
        .await?;
    Ok(())
}

/// A run that has done its first page of rows, and waits for the second.
async fn stuck_on_its_second_page(system: &System, row: RowKey, log: &Path) -> anyhow::Result<Process> {
    break_second_page(system, row, &json!({"kind": "hang"})).await?;
    let arguments = ["reconcile", "--table", "projet", "--rate", "1000", "--by", "lea"].map(str::to_owned);
    let run = Process::start("passerelle", &arguments, system.environment(), log)?;
    let settings = RedisSettings::read(&mut Reader::from_pairs([("REDIS_URL", system.redis.url())]));
    let trail = Trail::new(
        Redis::open(&settings)?,
        &format!("reconcile:t{}", row.table),
        Duration::from_hours(1),
    );
    eventually("the first page is done", async || match trail.read().await {
        Ok(marks) if marks.len() == 1 => Ok(()),
        other => Err(format!("{other:?} {}", run.output())),
    })
    .await;
    Ok(run)
}

/// A run that fails at the second page of rows; what it complained of.
async fn broken_off(system: &System, row: RowKey) -> anyhow::Result<String> {
    break_second_page(system, row, &json!({"kind": "status", "status": 500})).await?;
    let ended = reconcile(system, &["--table", "projet", "--rate", "1000"]).await;
    faults(system, &[]).await?;
    match ended {
        Ok(answer) => anyhow::bail!("it was not broken off: {answer}"),
        Err(complaint) => Ok(complaint.to_string()),
    }
}

#[tokio::test]
async fn a_reconciliation_that_was_killed_goes_on_where_it_stopped_and_the_next_one_begins_at_the_beginning() {
    let mut system = System::builder().workers(0).without_webhook().start().await.unwrap();
    let rows = imported(&system).await.unwrap();
    let log = tempfile::NamedTempFile::new().unwrap();
    let mut killed = stuck_on_its_second_page(&system, rows[0], log.path()).await.unwrap();
    killed.kill().unwrap();
    faults(&system, &[]).await.unwrap();

    let looked = reconcile(&system, &["--table", "projet", "--dry-run"]).await.unwrap();
    assert_eq!(
        (&looked["rows"], &looked["goes_on_after"]),
        (&json!(ROWS), &Value::Null)
    );
    let on = eventually("the killed run's turn is over", async || {
        reconcile(&system, &["--table", "projet", "--rate", "1000"]).await
    })
    .await;
    assert_eq!(on["goes_on_after"], "200 rows of projet");
    assert_eq!(
        (&on["rows"], &on["asked"]),
        (&json!(50), &json!(50)),
        "each row is asked for once"
    );
    system.start_worker().unwrap();
    system.drain().await;
    let again = reconcile(&system, &["--table", "projet"]).await.unwrap();
    assert_eq!((&again["rows"], &again["goes_on_after"]), (&json!(ROWS), &Value::Null));
    assert_eq!(findings(&again), []);

    what_happens_meanwhile_is_seen(&system, &rows).await.unwrap();
}

/// The rows have their pages now.
async fn what_happens_meanwhile_is_seen(system: &System, rows: &[RowKey]) -> anyhow::Result<()> {
    let gone = |row: RowKey| vec![(row.to_string(), "row_gone".to_owned())];
    let report = broken_off(system, rows[0]).await?;
    assert!(report.contains("The same command resumes where it stopped"), "{report}");
    system.baserow.delete(rows[240]).await?;
    let on = reconcile(system, &["--table", "projet"]).await?;
    assert_eq!(
        (&on["rows"], findings(&on)),
        (&json!(49), gone(rows[240])),
        "behind the border"
    );
    system.drain().await;

    broken_off(system, rows[0]).await?;
    system.baserow.delete(rows[3]).await?;
    let anew = reconcile(system, &["--table", "projet"]).await?;
    assert_eq!(
        (&anew["rows"], findings(&anew)),
        (&json!(248), gone(rows[3])),
        "a row before it: begun anew"
    );
    system.drain().await;

    broken_off(system, rows[0]).await?;
    let report = reconcile(system, &["--table", "projet", "--from-start"]).await?;
    assert_eq!((&report["rows"], &report["goes_on_after"]), (&json!(248), &Value::Null));
    Ok(())
}

#[tokio::test]
async fn a_reconciliation_that_was_told_to_stop_says_so_and_the_next_one_goes_on_without_waiting() {
    let system = System::builder().workers(0).start().await.unwrap();
    system.expect_open(u64::try_from(ROWS).unwrap());
    let rows = imported(&system).await.unwrap();
    let log = tempfile::NamedTempFile::new().unwrap();
    let mut stopped = stuck_on_its_second_page(&system, rows[0], log.path()).await.unwrap();
    stopped.signal("INT").unwrap();
    let status = stopped.ended(STOPS_WITHIN).await.unwrap();
    assert_eq!(status.code(), Some(130), "{}", stopped.output());
    faults(&system, &[]).await.unwrap();
    let on = reconcile(&system, &["--table", "projet", "--rate", "1000"])
        .await
        .unwrap();
    assert_eq!(
        (&on["goes_on_after"], &on["asked"]),
        (&json!("200 rows of projet"), &json!(50))
    );
}
