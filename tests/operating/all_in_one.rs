//! `passerelle all`: the whole bridge in one process.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::process::Command;

use passerelle_model::id::TableId;
use serde_json::json;
use system_tests::process::program_path;
use system_tests::system::STOPS_WITHIN;
use system_tests::webhook::delivery;
use system_tests::{System, SystemBuilder};
use test_support::{eventually, free_port};
use tokio::task::JoinSet;

use crate::project;

/// Projects of which some are in hand when the process is told to stop.
const PROJECTS: usize = 30;

/// Where its parts listen beside the deliveries' address.
struct Addresses {
    worker: String,
    console: String,
}

impl Addresses {
    fn free() -> anyhow::Result<Self> {
        let free = || anyhow::Ok(format!("127.0.0.1:{}", free_port()?));
        Ok(Self {
            worker: free()?,
            console: free()?,
        })
    }

    fn settings(&self) -> BTreeMap<String, String> {
        BTreeMap::from([
            ("WORKER_HEALTH_BIND".to_owned(), self.worker.clone()),
            ("CONSOLE_BIND".to_owned(), self.console.clone()),
        ])
    }
}

/// A sandbox, and one process with the whole bridge, over a database that is not there yet.
async fn started(builder: SystemBuilder, addresses: &Addresses) -> anyhow::Result<System> {
    let mut system = builder.start().await?;
    system.ingress.stop(STOPS_WITHIN).await?;
    let database = system.environment()["DATABASE_URL"]
        .trim_start_matches("sqlite://")
        .to_owned();
    for suffix in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{database}{suffix}"));
    }
    system.start_all_in_one(&addresses.settings())?;
    answers(&system, &format!("{}/readyz", system.ingress_url), "").await;
    answers(&system, &format!("http://{}/healthz", addresses.console), "ok").await;
    Ok(system)
}

/// Waits until this address answers 200 with these words.
async fn answers(system: &System, url: &str, words: &str) {
    eventually(&format!("{url} answers"), async || match system.get(url).await {
        Ok((200, body)) if body.contains(words) => Ok(()),
        other => Err(format!("{other:?}\n{}", system.logs())),
    })
    .await;
}

#[tokio::test]
async fn one_process_takes_a_delivery_makes_the_page_and_answers_the_console() {
    let addresses = Addresses::free().unwrap();
    let mut system = started(System::builder().workers(0), &addresses).await.unwrap();
    let row = project(&system, "Toiture").await.unwrap();
    system.drain().await;
    system.every_item_has_one_outcome().await.unwrap();
    assert_eq!(system.docmost.pages_of(row).await.unwrap().len(), 1);

    let (status, login) = system
        .get(&format!("http://{}/login", addresses.console))
        .await
        .unwrap();
    assert!(status == 200 && login.contains("password"), "{status}: {login}");
    for metric in [
        "passerelle_ingress_deliveries_total",
        "passerelle_worker_attempts_total",
    ] {
        answers(&system, &format!("{}/metrics", system.ingress_url), metric).await;
    }
    answers(&system, &format!("http://{}/readyz", addresses.worker), "ready").await;
    let (status, _) = system
        .get(&format!("http://{}/metrics", addresses.worker))
        .await
        .unwrap();
    assert_eq!(status, 404, "nobody counts the same numbers twice");

    let ended = system.workers[0].stop(STOPS_WITHIN).await.unwrap();
    assert!(ended.success(), "{ended}\n{}", system.logs());
}

#[tokio::test]
async fn a_stop_signal_ends_all_parts_and_loses_nothing() {
    let addresses = Addresses::free().unwrap();
    let builder = System::builder().workers(0).without_webhook();
    let mut system = started(builder, &addresses).await.unwrap();
    let (mut sent, mut answers) = (JoinSet::new(), Vec::new());
    for number in 0..PROJECTS {
        let row = project(&system, &format!("Projet {number}")).await.unwrap();
        let caller = system.caller();
        let body = delivery(
            "rows.created",
            row.table,
            &format!("event-{number}"),
            &[json!({"id": row.row.get()})],
        );
        sent.spawn(async move {
            (
                row,
                caller
                    .post(body.to_string())
                    .await
                    .is_ok_and(|answer| answer.status == 200),
            )
        });
        // Some are answered by now, others are on their way, and jobs are in hand.
        if number == PROJECTS / 2 {
            while answers.len() < PROJECTS / 4 {
                answers.push(sent.join_next().await.unwrap().unwrap());
            }
            system.workers[0].signal("TERM").unwrap();
        }
    }
    answers.extend(sent.join_all().await);
    let ended = system.workers[0].ended(STOPS_WITHIN).await.unwrap();
    assert!(ended.success(), "{ended}\n{}", system.logs());
    for address in [&addresses.worker, &addresses.console] {
        drop(TcpListener::bind(address).unwrap());
    }

    system.start_all_in_one(&addresses.settings()).unwrap();
    system.drain().await;
    let accepted: Vec<_> = answers.into_iter().filter(|(_, is_accepted)| *is_accepted).collect();
    assert!(accepted.len() >= PROJECTS / 4, "{accepted:?}");
    for (row, _) in accepted {
        assert_eq!(system.docmost.pages_of(row).await.unwrap().len(), 1, "{row}");
    }
    system.every_item_has_one_outcome().await.unwrap();
}

#[tokio::test]
async fn while_the_database_is_away_deliveries_are_accepted_and_a_stop_signal_still_ends_it() {
    let mut system = System::builder().workers(0).without_webhook().start().await.unwrap();
    system.ingress.stop(STOPS_WITHIN).await.unwrap();
    let mut settings = Addresses::free().unwrap().settings();
    let nowhere = format!("postgres://nobody@127.0.0.1:{}/nothing", free_port().unwrap());
    settings.insert("DATABASE_URL".to_owned(), nowhere);
    system.start_all_in_one(&settings).unwrap();
    answers(&system, &format!("{}/readyz", system.ingress_url), "").await;
    system.wait_for_log("no jobs are taken before the store is there").await;
    let table = TableId::new(2).unwrap();
    let delivery = delivery("rows.created", table, "while-it-is-away", &[json!({"id": 1})]);
    let answer = system.caller().post(delivery.to_string()).await.unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    let ended = system.workers[0].stop(STOPS_WITHIN).await.unwrap();
    assert!(ended.success(), "{ended}\n{}", system.logs());
    system.expect_open(1);
}

#[tokio::test]
async fn an_address_that_is_taken_ends_the_start_with_one_sentence() {
    let system = System::builder().workers(0).without_webhook().start().await.unwrap();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = other.local_addr().unwrap().to_string();
    for (part, setting) in [
        ("ingress", "INGRESS_BIND"),
        ("worker", "WORKER_HEALTH_BIND"),
        ("console", "CONSOLE_BIND"),
    ] {
        let output = Command::new(program_path("passerelle").unwrap())
            .arg("all")
            .env_clear()
            .envs(system.environment())
            .envs([
                ("INGRESS_BIND", "127.0.0.1:0"),
                ("CONSOLE_BIND", "127.0.0.1:0"),
                ("LOG_LEVEL", "error"),
                (setting, taken.as_str()),
            ])
            .output()
            .unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr);
        let sentence = format!("the {part} cannot start: the address {taken} cannot be taken ({setting}");
        assert_eq!(output.status.code(), Some(1), "{complaint}");
        assert!(
            complaint.starts_with(&sentence) && complaint.lines().count() == 1,
            "{complaint}"
        );
    }
}
