//! People are told: through real processes, from a row in Baserow (sandbox) to a mail in a mail
//! server (sandbox), once, whatever fails on the way.

mod linked;
mod postfix;
mod world;

use passerelle_model::id::RowKey;
use serde_json::{Value, json};
use system_tests::System;
use system_tests::people::ADMIN;
use test_support::{TestPostgres, eventually, free_port};

use world::{EVENT, builder, delivery, given, mails_after_a_crash, person, settled_notices};

/// B5
#[tokio::test]
async fn a_new_attribution_is_told_to_the_trainer_by_exactly_one_mail() {
    let system = builder().start().await.unwrap();
    let zoe = person(&system, "Zoe", 40).await.unwrap();
    given(&system, "attribution", zoe, 14).await.unwrap();
    let mails = system.people.mails_reach(1).await;
    system.drain().await;
    settled_notices(&system).await.unwrap();
    assert_eq!(system.people.mails().await.unwrap(), mails, "nothing follows");
    assert_eq!(
        (mails.len(), mails[0].to.as_slice()),
        (1, &["zoe@example.org".to_owned()][..])
    );
    assert_eq!(mails[0].subject, "Nouvelle attribution : Rust avancé");
    assert!(
        mails[0].text.contains("Bonjour Zoe,") && mails[0].text.contains("14.00"),
        "{}",
        mails[0].text
    );
}

#[tokio::test]
async fn the_same_delivery_five_times_is_one_mail_and_its_story_tells_of_it() {
    let postgres = TestPostgres::start().unwrap();
    let system = builder()
        .without_webhook()
        .database(&postgres.url())
        .start()
        .await
        .unwrap();
    let zoe = person(&system, "Zoe", 40).await.unwrap();
    let row = given(&system, "attribution", zoe, 14).await.unwrap();
    for _ in 0..5 {
        let answer = system.caller().post(delivery(row, EVENT)).await.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    system.people.mails_reach(1).await;
    system.drain().await;
    assert_eq!(settled_notices(&system).await.unwrap().len(), 1);
    assert_eq!(system.people.mails().await.unwrap().len(), 1);
    let story = system.operator(&["trace", EVENT]).await.unwrap();
    assert!(story.contains("outcome: synced"), "{story}");
    assert!(
        story.contains("trainer-assigned by mail (rule attribution-mail): sent"),
        "{story}"
    );
}

/// B4
#[tokio::test]
async fn an_intervention_that_takes_more_hours_than_there_are_is_told_to_the_admin_once() {
    let system = builder().start().await.unwrap();
    let zoe = person(&system, "Zoe", 10).await.unwrap();
    given(&system, "intervention", zoe, 4).await.unwrap();
    system.drain().await;
    assert_eq!(system.people.mails().await.unwrap(), [], "six hours are left");
    given(&system, "intervention", zoe, 9).await.unwrap();
    let mails = system.people.mails_reach(1).await;
    system.drain().await;
    settled_notices(&system).await.unwrap();
    assert_eq!(system.people.mails().await.unwrap().len(), 1);
    assert_eq!(mails[0].to, [ADMIN]);
    assert_eq!(mails[0].subject, "Capacité dépassée : Zoe (-3.00 h)");
}

/// B10
#[tokio::test]
async fn both_people_are_looked_at_when_hours_move_from_one_to_the_other() {
    let system = builder().start().await.unwrap();
    let zoe = person(&system, "Zoe", 10).await.unwrap();
    let ali = person(&system, "Ali", 5).await.unwrap();
    // Both have too few hours whatever becomes of the row that moves.
    let others = json!([
        {"Libelle": "a", "Personne": [zoe.row.get()], "heures": "20.00"},
        {"Libelle": "b", "Personne": [ali.row.get()], "heures": "30.00"},
        {"Libelle": "moves", "Personne": [zoe.row.get()], "heures": "1.00"},
    ]);
    let path = "/_sandbox/baserow/tables/attribution/rows";
    system
        .baserow
        .control(reqwest::Method::POST, path, Some(others))
        .await
        .unwrap();
    let moved = RowKey {
        table: system.baserow.table("attribution").await.unwrap(),
        row: "3".parse().unwrap(),
    };
    system
        .baserow
        .update(moved, json!({"Personne": [ali.row.get()]}))
        .await
        .unwrap();
    let mails = system.people.mails_reach(3).await;
    system.drain().await;
    settled_notices(&system).await.unwrap();
    let mut subjects: Vec<_> = mails.iter().map(|mail| mail.subject.as_str()).collect();
    subjects.sort_unstable();
    assert_eq!(
        subjects,
        [
            "Capacité dépassée : Ali (-26.00 h)",
            "Capacité dépassée : Zoe (-10.00 h)",
            "Nouvelle attribution : moves"
        ]
    );
}

#[tokio::test]
async fn a_worker_that_dies_between_the_store_and_the_queue_costs_no_mail_and_makes_no_second_one() {
    let mails = mails_after_a_crash("AfterNoticeStored", 1).await.unwrap();
    assert_eq!(mails.len(), 1, "{mails:?}");
}

/// Mail has no look-up: twice is better than never, and mail programs see that it is the same
/// message.
#[tokio::test]
async fn a_worker_that_dies_between_sending_and_remembering_sends_the_same_message_again() {
    let mails = mails_after_a_crash("AfterNoticeSent", 2).await.unwrap();
    assert_eq!(mails.len(), 2, "{mails:?}");
    assert_eq!(mails[0], mails[1]);
    assert!(!mails[0].message_id.is_empty());
}

/// C4
#[tokio::test]
async fn a_mail_server_that_is_down_delays_mails_and_nothing_else_and_health_says_so() {
    let health = free_port().unwrap();
    let system = builder()
        .worker_variable("WORKER_HEALTH_BIND", &format!("127.0.0.1:{health}"))
        .worker_variable("GATE_PROBE_SECONDS", "0.2")
        .worker_variable("GATE_PROBE_LONGEST_SECONDS", "0.5")
        .worker_variable("GATE_DECISION_SECONDS", "0.1")
        .start()
        .await
        .unwrap();
    let health = format!("http://127.0.0.1:{health}/healthz");
    let says = async |word: &str| {
        eventually(&format!("health says {word}"), async || {
            match reqwest::get(&health).await {
                Ok(answer) => match answer.text().await {
                    Ok(text) if text.starts_with(word) => Ok(text),
                    other => Err(format!("{other:?}")),
                },
                Err(error) => Err(error.to_string()),
            }
        })
        .await
    };
    says("ok").await;
    system.people.break_mail().await.unwrap();
    let zoe = person(&system, "Zoe", 40).await.unwrap();
    given(&system, "attribution", zoe, 14).await.unwrap();
    let degraded = says("degraded").await;
    assert!(degraded.contains("smtp"), "{degraded}");
    let client = system
        .baserow
        .create("client", json!({"Name": "Atelier Nord"}))
        .await
        .unwrap();
    let project = json!({"Nom": "Refonte", "Statut": "En cours", "Client": [client.row.get()]});
    let project = system.baserow.create("projet", project).await.unwrap();
    system.drain().await;
    assert_eq!(
        system.docmost.pages_of(project).await.unwrap().len(),
        1,
        "pages do not wait for mails"
    );
    assert_eq!(system.people.mails().await.unwrap(), []);

    system.people.mend_mail().await.unwrap();
    let mails = system.people.mails_reach(1).await;
    assert!(mails.iter().any(|mail| mail.to == ["zoe@example.org"]), "{mails:?}");
    says("ok").await;
}

#[tokio::test]
async fn without_a_mail_server_a_notice_is_kept_as_off_and_can_be_sent_later() {
    let system = System::builder().webhooks_of(&["attribution"]).start().await.unwrap();
    let zoe = person(&system, "Zoe", 40).await.unwrap();
    given(&system, "attribution", zoe, 14).await.unwrap();
    system.drain().await;
    let shown: Value = serde_json::from_str(&system.operator(&["notices", "--json"]).await.unwrap()).unwrap();
    let notice = &shown["notices"][0];
    assert_eq!(
        (notice["state"].as_str(), notice["rule"].as_str()),
        (Some("off"), Some("attribution-mail"))
    );
    assert!(
        notice["error"].as_str().unwrap().contains("SMTP_URL is not set"),
        "{notice}"
    );
    let id = notice["id"].as_str().unwrap();
    system.operator(&["notices", "retry", id, "--by", "lea"]).await.unwrap();
    let row = format!("t{}/r{}", notice["row"]["table"], notice["row"]["row"]);
    eventually("the story tells who sent it again", async || {
        match system.operator(&["trace", &row]).await {
            Ok(story) if story.contains("retried by lea: sent again by hand\n") => Ok(()),
            other => Err(other),
        }
    })
    .await;
    system.expect_errors("a notice is given up");
    eventually("it has failed again, with the reason", async || {
        match system.operator(&["notices", "--state", "failed"]).await {
            Ok(text) if text.contains("switched off") => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
}

/// C6, outage mode: one message at the beginning and one at the end, however many workers see it.
#[tokio::test]
async fn an_outage_is_told_once_when_it_begins_and_once_when_it_is_over_with_the_counts() {
    let scaled = [
        ("GATE_PROBE_SECONDS", "0.1"),
        ("GATE_PROBE_LONGEST_SECONDS", "0.5"),
        ("GATE_PROBE_LEASE_SECONDS", "1"),
        ("GATE_STEP_SECONDS", "0.1"),
        ("GATE_TICK_SECONDS", "0.05"),
    ];
    let builder = builder().with_slack().workers(3);
    let builder = scaled
        .into_iter()
        .fold(builder, |builder, (name, value)| builder.worker_variable(name, value));
    let system = builder.start().await.unwrap();
    let client = system
        .baserow
        .create("client", json!({"Name": "Atelier Nord"}))
        .await
        .unwrap();
    let project = |name: String| json!({"Nom": name, "Statut": "En cours", "Client": [client.row.get()]});
    system
        .baserow
        .create("projet", project("Avant".to_owned()))
        .await
        .unwrap();
    system.drain().await;
    let faults = json!([{"path": "*", "kind": "status", "status": 503}]);
    system
        .docmost
        .control(reqwest::Method::PUT, "/_sandbox/faults", Some(faults))
        .await
        .unwrap();
    for number in 0..20 {
        system
            .baserow
            .create("projet", project(format!("Pendant {number}")))
            .await
            .unwrap();
    }
    system.expect_errors("docmost is in trouble");
    let opened = system.people.mails_reach(1).await;
    assert!(
        opened[0].subject.contains("docmost") && opened[0].to == [ADMIN],
        "{opened:?}"
    );
    system
        .docmost
        .control(reqwest::Method::DELETE, "/_sandbox/faults", None)
        .await
        .unwrap();
    let mails = system.people.mails_reach(2).await;
    system.drain().await;
    settled_notices(&system).await.unwrap();
    assert_eq!(system.people.mails().await.unwrap().len(), 2, "{mails:?}");
    assert!(
        mails[1].text.contains("docmost répond de nouveau") && mails[1].text.contains("Abandonnés : 0"),
        "{mails:?}"
    );
    assert_eq!(system.people.posts().await.unwrap().len(), 2, "and the same in Slack");
}
