//! Redis loses what it had answered, or the database is an older copy: the bridge notices it, tells
//! the admin once, and repairs by itself.

mod database;

use std::collections::BTreeMap;
use std::time::Duration;

use passerelle_model::id::RowKey;
use passerelle_model::time::{LongAgo, Timestamp};
use serde_json::{Value, json};
use system_tests::people::{ADMIN, Mail};
use system_tests::{System, SystemBuilder};
use test_support::{eventually, free_port};

fn builder() -> SystemBuilder {
    System::builder().webhooks_of(&["projet", "attribution"]).with_mail()
}

fn long_ago() -> LongAgo {
    LongAgo::of_age(Duration::ZERO, Timestamp::now().plus(Duration::from_secs(1)))
}

async fn project(system: &System, name: &str) -> anyhow::Result<RowKey> {
    system.baserow.create("projet", json!({"Nom": name})).await
}

/// Waits until every row has its page.
async fn have_pages(system: &System, rows: &[RowKey]) {
    for row in rows {
        eventually(&format!("{row} has its page"), async || {
            let fields = system.baserow.read(*row).await.map_err(|error| error.to_string())?;
            let id = fields["docmost_page_id"].as_str().unwrap_or_default().to_owned();
            let page = system.docmost.page(&id).await;
            page.map(drop)
                .map_err(|error| format!("{error} {fields}\n{}", system.logs()))
        })
        .await;
    }
}

/// The messages to the admin that Redis went back, once there is one.
async fn alarms(system: &System) -> Vec<Mail> {
    eventually("the admin is told", async || {
        let mails = system.people.mails().await.map_err(|error| error.to_string())?;
        let alarms: Vec<Mail> = mails
            .into_iter()
            .filter(|mail| mail.to == [ADMIN] && mail.subject.starts_with("Redis est revenu en arrière"))
            .collect();
        if alarms.is_empty() {
            Err(system.logs())
        } else {
            Ok(alarms)
        }
    })
    .await
}

async fn switch(system: &System, verb: &str) -> anyhow::Result<()> {
    let why = ["--by", "camille", "--why", "the wiki moves"];
    system.operator(&[&[verb], why.as_slice()].concat()).await.map(drop)
}

/// The repair has come to its end, everything is done, and the numbers add up.
async fn is_whole_again(system: &System) -> anyhow::Result<()> {
    let store = system.store().await?;
    eventually("the bridge has made up for it", async || {
        match store.unrepaired_life().await {
            Ok(None) => Ok(()),
            other => Err(format!("{other:?}\n{}", system.logs())),
        }
    })
    .await;
    system.drain().await;
    system.every_item_has_one_outcome().await?;
    let stats: Value = serde_json::from_str(&system.operator(&["--json", "stats"]).await?)?;
    anyhow::ensure!(stats["answered"]["missing"] == 0, "{stats}");
    anyhow::ensure!(
        stats["answered"]["answered"] == stats["answered"]["recorded"],
        "{stats}"
    );
    Ok(())
}

/// The mails that are to be sent are sent; this one did not come twice, and the admin was told
/// once.
async fn was_sent_once(system: &System, sent: &Mail) -> anyhow::Result<()> {
    let mut redis = redis::Client::open(system.redis.url())?.get_connection()?;
    eventually("no mail waits", async || {
        let waiting: Result<u64, _> = redis::cmd("HLEN").arg("{bridge}:mail:records").query(&mut redis);
        match waiting {
            Ok(0) => Ok(()),
            other => Err(format!("{other:?}\n{}", system.logs())),
        }
    })
    .await;
    let mails = system.people.mails().await?;
    let again: Vec<&Mail> = mails.iter().filter(|mail| mail.to == sent.to).collect();
    assert_eq!((again.len(), alarms(system).await.len()), (1, 1), "{mails:?}");
    Ok(())
}

#[tokio::test]
async fn a_redis_that_was_replaced_by_an_older_copy_is_told_once_and_repaired_and_no_mail_is_sent_twice() {
    let mut system = builder().workers(0).start().await.unwrap();
    let person = json!({"Nom": "Zoe", "Email": "zoe@example.org", "heures_max": 40});
    let zoe = system.baserow.create("personne", person).await.unwrap();
    let given = json!({"Libelle": "Rust avancé", "Personne": [zoe.row.get()], "heures": 14});
    system.baserow.create("attribution", given).await.unwrap();
    system.drained_webhooks().await;
    // The copy still has the job of the notice that is sent now.
    let copy = system.redis.copy().unwrap();
    system.start_worker().unwrap();
    let to_zoe = system.people.mails_reach(1).await;
    system.drain().await;
    system.workers[0].stop(Duration::from_mins(1)).await.unwrap();

    let rows = [
        project(&system, "Un").await.unwrap(),
        project(&system, "Deux").await.unwrap(),
        project(&system, "Trois").await.unwrap(),
    ];
    system.drained_webhooks().await;
    system.redis.go_back_to(&copy).unwrap();
    system.start_worker().unwrap();

    let told = alarms(&system).await;
    assert!(told[0].subject.contains("3 livraisons perdues au moins"), "{told:?}");
    have_pages(&system, &rows).await;
    is_whole_again(&system).await.unwrap();
    was_sent_once(&system, &to_zoe[0]).await.unwrap();
}

#[tokio::test]
async fn a_mail_of_an_event_that_the_store_knows_is_sent_once_although_redis_has_lost_its_job() {
    let mut system = builder().workers(1).start().await.unwrap();
    let person = json!({"Nom": "Zoe", "Email": "zoe@example.org", "heures_max": 40});
    let zoe = system.baserow.create("personne", person).await.unwrap();
    let _earlier = project(&system, "Avant").await.unwrap();
    system.drain().await;
    let copy = system.redis.copy().unwrap();
    switch(&system, "pause").await.unwrap();
    let given = json!({"Libelle": "Rust avancé", "Personne": [zoe.row.get()], "heures": 14});
    system.baserow.create("attribution", given).await.unwrap();
    system.drained_webhooks().await;
    let store = system.store().await.unwrap();
    eventually("the store knows the event", async || {
        match store.open_rows(None, long_ago(), 10).await {
            Ok(open) if open.len() == 1 => Ok(()),
            other => Err(format!("{other:?}\n{}", system.logs())),
        }
    })
    .await;
    system.workers[0].stop(Duration::from_mins(1)).await.unwrap();
    // The copy knows no pause.
    system.redis.go_back_to(&copy).unwrap();
    system.start_worker().unwrap();
    alarms(&system).await;
    is_whole_again(&system).await.unwrap();
    let to_zoe = eventually("Zoe is told", async || {
        let mails = system.people.mails().await.map_err(|error| error.to_string())?;
        let to_zoe = mails.into_iter().find(|mail| mail.to == ["zoe@example.org"]);
        to_zoe.ok_or_else(|| system.logs())
    })
    .await;
    was_sent_once(&system, &to_zoe).await.unwrap();
}

#[tokio::test]
async fn a_redis_that_is_flushed_while_everything_runs_is_told_once_and_repaired() {
    let system = builder().start().await.unwrap();
    let first = project(&system, "Avant").await.unwrap();
    system.drain().await;
    let mut redis = redis::Client::open(system.redis.url())
        .unwrap()
        .get_connection()
        .unwrap();
    redis::cmd("FLUSHALL").exec(&mut redis).unwrap();
    let second = project(&system, "Après").await.unwrap();
    assert_eq!(alarms(&system).await[0].subject, "Redis est revenu en arrière");
    have_pages(&system, &[first, second]).await;
    is_whole_again(&system).await.unwrap();
    assert_eq!(alarms(&system).await.len(), 1);
}

#[tokio::test]
async fn a_power_cut_that_takes_the_tail_of_redis_is_told_once_and_every_row_gets_its_page() {
    let mut system = builder().workers(0).start().await.unwrap();
    // The store knows a life of the data before it ends.
    system.start_worker().unwrap();
    let mut rows = vec![project(&system, "Avant").await.unwrap()];
    have_pages(&system, &rows).await;
    system.drain().await;
    system.workers[0].stop(Duration::from_mins(1)).await.unwrap();
    for number in 0..20 {
        rows.push(project(&system, &format!("Projet {number}")).await.unwrap());
    }
    system.drained_webhooks().await;
    // About the half of it.
    system.redis.lose_tail(20_000).unwrap();
    system.start_worker().unwrap();
    let told = alarms(&system).await;
    assert!(told[0].subject.contains("livraisons perdues au moins"), "{told:?}");
    have_pages(&system, &rows).await;
    is_whole_again(&system).await.unwrap();
    assert_eq!(alarms(&system).await.len(), 1);
}

#[tokio::test]
async fn a_paused_queue_is_a_stall_that_readiness_and_one_mail_name_with_their_cause() {
    let port = free_port().unwrap();
    let system = builder()
        .workers(1)
        .worker_variable("STALL_QUEUED_SECONDS", "1")
        .worker_variable("WORKER_HEALTH_BIND", &format!("127.0.0.1:{port}"))
        .start()
        .await
        .unwrap();
    switch(&system, "pause").await.unwrap();
    let row = project(&system, "Un").await.unwrap();
    let ready = format!("http://127.0.0.1:{port}/readyz");
    let warning = "camille (the wiki moves)";
    eventually("readiness names the stall", async || match system.get(&ready).await {
        Ok((200, body)) if body.contains("warning: the oldest queued job waits since") && body.contains(warning) => {
            Ok(())
        }
        other => Err(format!("{other:?}\n{}", system.logs())),
    })
    .await;
    let mails = system.people.mails_reach(1).await;
    assert!(
        mails[0].subject.starts_with("À l’arrêt depuis") && mails[0].text.contains(warning),
        "{mails:?}"
    );
    switch(&system, "resume").await.unwrap();
    have_pages(&system, &[row]).await;
    eventually("nothing stands still", async || match system.get(&ready).await {
        Ok((200, body)) if body == "ready" => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    assert_eq!(system.people.mails().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_worker_that_dies_between_two_steps_of_the_message_of_a_stall_costs_none_and_makes_no_second_one() {
    let builder = builder().workers(0).variable("WORKER_LEASE_SECONDS", "1");
    let mut system = builder.variable("STALL_QUEUED_SECONDS", "1").start().await.unwrap();
    switch(&system, "pause").await.unwrap();
    let row = project(&system, "Un").await.unwrap();
    let crash = BTreeMap::from([("PASSERELLE_CRASH_AT".to_owned(), "AfterNoticeStored".to_owned())]);
    system.start_worker_with(&crash).unwrap();
    eventually("the worker dies", async || {
        if system.workers[0].is_running() {
            Err(system.logs())
        } else {
            Ok(())
        }
    })
    .await;
    assert_eq!(system.people.mails().await.unwrap(), []);
    system.start_worker().unwrap();
    let mails = system.people.mails_reach(1).await;
    assert!(mails[0].subject.starts_with("À l’arrêt depuis"), "{mails:?}");
    switch(&system, "resume").await.unwrap();
    have_pages(&system, &[row]).await;
    system.drain().await;
    assert_eq!(system.people.mails().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_program_that_meets_a_later_layout_of_redis_ends_with_one_sentence() {
    let mut system = System::builder().workers(0).start().await.unwrap();
    let mut redis = redis::Client::open(system.redis.url())
        .unwrap()
        .get_connection()
        .unwrap();
    let write = |layout: u64| {
        redis::cmd("HSET")
            .arg("{bridge}:life")
            .arg("layout")
            .arg(layout)
            .to_owned()
    };
    write(99).exec(&mut redis).unwrap();
    system.start_worker().unwrap();
    let ended = system.workers[0].ended(Duration::from_mins(1)).await.unwrap();
    system.expect_errors("later version");
    assert!(!ended.success());
    let said = system.workers[0].output();
    assert!(
        said.contains("later version (layout 99") && said.contains("docs/UPGRADING.md"),
        "{said}"
    );
    let refused = system.operator(&["stats"]).await.unwrap_err().to_string();
    assert!(refused.contains("docs/UPGRADING.md"), "{refused}");
    let refused = system.operator(&["doctor"]).await.unwrap_err().to_string();
    assert!(refused.contains("redis layout"), "{refused}");
    system.ingress.ended(Duration::from_mins(1)).await.unwrap();
    write(2).exec(&mut redis).unwrap();
    system.start_ingress().unwrap();
}
