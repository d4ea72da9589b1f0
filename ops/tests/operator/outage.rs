//! What an operator can do while the database or Redis is down, read-only or new; and that no
//! answer shows a password.

use passerelle_model::event::Disposition::Sync;
use passerelle_model::ledger::{FailureClass, Verdict};
use rstest::rstest;
use test_support::eventually;

use crate::desk::{Desk, accepted, at, delivery, failure};

/// A database that cannot be opened.
const DOWN: [(&str, &str); 1] = [("DATABASE_URL", "sqlite:///proc/no/store.sqlite")];

#[tokio::test]
async fn pause_resume_and_gates_need_no_database() {
    let desk = Desk::new().unwrap();
    for (arguments, answer) in [
        (&["pause", "--why", "a move"][..], "sync is paused"),
        (&["resume", "--why", "moved"], "is running again"),
        (
            &["gates", "stop", "store", "--why", "a move"],
            "until you ramp or release it",
        ),
        (&["gates"], "a move"),
        (&["sync", "t2/r1"], "is queued"),
        (&["dead", "list"], "No dead letters."),
    ] {
        let said = desk.passerelle_with(arguments, &DOWN).await;
        assert_eq!(said.code, 0, "{arguments:?}: {}", said.err);
        assert!(said.out.contains(answer), "{arguments:?}: {}", said.out);
    }
}

#[tokio::test]
async fn stats_shows_the_half_that_it_can_read_and_names_the_other() {
    let mut desk = Desk::new().unwrap();
    desk.remember(vec![accepted(1, "e1", &[(5, Sync)]).unwrap()])
        .await
        .unwrap();
    let said = desk.passerelle_with(&["stats"], &DOWN).await;
    assert_eq!(said.code, 1);
    assert!(said.out.contains("queued            0"), "{}", said.out);
    assert!(said.out.contains("Not read: the ledger: the store"), "{}", said.out);

    desk.redis.kill().unwrap();
    let said = desk.passerelle(&["stats"]).await;
    assert_eq!(said.code, 1);
    assert!(said.out.contains("1 accepted = 0 ended + 1 open"), "{}", said.out);
    assert!(said.out.contains("Not read: the queue:"), "{}", said.out);
}

#[tokio::test]
async fn trace_without_the_database_shows_what_redis_has() {
    let desk = Desk::new().unwrap();
    let queue = desk.queue().unwrap();
    let _ = queue
        .accept(delivery("e1", at(0), &[(5, Sync)]).unwrap())
        .await
        .unwrap();
    for subject in ["t2/r5", "e1"] {
        let said = desk.passerelle_with(&["trace", subject], &DOWN).await;
        assert_eq!(said.code, 1, "{}", said.out);
        assert!(said.out.contains("event e1 was accepted at 2024-11-22"), "{}", said.out);
        assert!(said.out.contains("Not read: the ledger: the store"), "{}", said.out);
    }
}

#[tokio::test]
async fn dead_letters_are_listed_shown_and_discarded_without_the_database() {
    let desk = Desk::new().unwrap();
    let queue = desk.queue().unwrap();
    let _ = queue
        .accept(delivery("e1", at(0), &[(5, Sync)]).unwrap())
        .await
        .unwrap();
    let give_up = Verdict::Bury {
        reason: "permanent".to_owned(),
        failure: failure(FailureClass::Permanent),
    };
    let worker = desk.worker(move |_| give_up.clone()).unwrap();
    eventually("the job is dead", async || match queue.stats().await {
        Ok(stats) if stats.dead == 1 => Ok(()),
        other => Err(other),
    })
    .await;
    worker.abort();
    let letter = queue.dead_letters(None, 1).await.unwrap().remove(0).id;
    let listed = desk.passerelle_with(&["dead", "list"], &DOWN).await;
    assert!(
        listed.code == 0 && listed.out.contains("1 of 1 dead letters"),
        "{}{}",
        listed.out,
        listed.err
    );
    assert!(
        listed.err.contains("Not read: whether letters are superseded"),
        "{}",
        listed.err
    );
    let shown = desk.passerelle_with(&["dead", "show", &letter], &DOWN).await;
    assert!(shown.out.contains("Docmost answered 503"), "{}{}", shown.out, shown.err);
    assert!(shown.out.contains("Not read: the history of its row"), "{}", shown.out);
    let gone = desk
        .passerelle_with(&["dead", "discard", &letter, "--why", "a test"], &DOWN)
        .await;
    assert!(
        gone.out.contains("1 of 1 dead letters discarded"),
        "{}{}",
        gone.out,
        gone.err
    );
}

#[tokio::test]
async fn a_read_only_database_is_read_and_the_answer_says_what_may_be_missing() {
    let desk = Desk::new().unwrap();
    desk.remember(vec![accepted(1, "e1", &[(5, Sync)]).unwrap()])
        .await
        .unwrap();
    let fresh = delivery("e2", at(0), &[(5, Sync)]).unwrap();
    let _ = desk.queue().unwrap().accept(fresh).await.unwrap();
    let read_only = format!("sqlite://{}?mode=ro", desk.database().display());
    let said = desk
        .passerelle_with(&["trace", "t2/r5"], &[("DATABASE_URL", read_only.as_str())])
        .await;
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(said.out.contains("Event e1"), "{}", said.out);
    assert!(
        said.out.contains("the newest facts may be missing here"),
        "{}",
        said.out
    );
}

#[tokio::test]
async fn no_verb_creates_the_database() {
    let desk = Desk::new().unwrap();
    for arguments in [
        &["stats"][..],
        &["trace", "t2/r1"],
        &["pause", "--why", "x"],
        &["dead", "list"],
        &["notices"],
        &["doctor"],
        &["console", "user", "list"],
        &["console", "user", "add", "camille", "--role", "reader"],
    ] {
        let _ = desk.passerelle_with(arguments, &[]).await;
        assert!(!desk.database().exists(), "{arguments:?}");
    }
}

#[rstest]
#[case("DATABASE_URL", "postgres://bridge:geheim?wort123@127.0.0.1:1/bridge")]
#[case("DATABASE_URL", "postgres://bridge:geheim/wort123@127.0.0.1:1/bridge")]
#[case("DATABASE_URL", "postgres://bridge:geheim#wort123@127.0.0.1:1/bridge")]
#[case("DATABASE_URL", "postgres://bridge:geheim@wort123@127.0.0.1:1/bridge")]
#[case("DATABASE_URL", "geheim:wort123@127.0.0.1")]
#[case("REDIS_URL", "redis://bridge:geheim?wort123@127.0.0.1:1/0")]
#[case("REDIS_URL", "redis://:geheim/wort123@127.0.0.1:1")]
#[case("REDIS_URL", "redis://:geheimwort123@127.0.0.1:1")]
#[case("REDIS_URL", "geheim:wort123@127.0.0.1")]
#[case("BASEROW_URL", "http://me:geheim?wort123@127.0.0.1:1")]
#[case("DOCMOST_URL", "http://me:geheimwort123@127.0.0.1:1")]
#[case("INGRESS_URL", "http://me:geheim/wort123@127.0.0.1:1")]
#[case("SMTP_URL", "smtp://me:geheimwort123@127.0.0.1:1")]
#[case("SLACK_WEBHOOK_URL", "http://hooks.example.org/geheim/wort123")]
#[tokio::test]
async fn no_part_of_a_password_is_ever_shown(#[case] setting: &str, #[case] value: &str) {
    let desk = Desk::new().unwrap();
    let others = [
        ("BASEROW_URL", "http://127.0.0.1:1"),
        ("BASEROW_TOKEN", "a-token"),
        ("DOCMOST_URL", "http://127.0.0.1:1"),
        ("DOCMOST_EMAIL", "bridge@example.org"),
        ("DOCMOST_PASSWORD", "geheim-auch"),
        ("BASEROW_WEBHOOK_SECRET", "geheim-0123456789abcdef"),
        ("BRIDGE_FILE", concat!(env!("CARGO_MANIFEST_DIR"), "/../bridge.toml")),
    ];
    let mut settings: Vec<(&str, &str)> = others.into_iter().filter(|(name, _)| *name != setting).collect();
    settings.push((setting, value));
    for arguments in [&["doctor"][..], &["stats"], &["trace", "t2/r1"], &["check", "--live"]] {
        let said = desk.passerelle_with(arguments, &settings).await;
        let all = format!("{}{}", said.out, said.err);
        assert!(
            !all.contains("geheim") && !all.contains("wort123"),
            "{arguments:?}: {all}"
        );
    }
}
