//! Every way in which an event can end, or wait, produced through real processes; and `trace` says
//! in one plain sentence which it is.

use std::collections::BTreeSet;

use passerelle_model::id::{RowKey, TableId};
use passerelle_model::outcome::Outcome;
use serde_json::{Value, json};
use system_tests::System;
use system_tests::webhook::delivery;
use test_support::eventually;

fn event(number: u32) -> String {
    format!("7a1c0c5e-0000-4000-8000-{number:012}")
}

fn item(row: RowKey, name: &str) -> Value {
    json!({"id": row.row.get(), "order": "1.00", "Nom": name, "docmost_page_id": null})
}

async fn project(system: &System, name: &str) -> anyhow::Result<RowKey> {
    system.baserow.create("projet", json!({ "Nom": name })).await
}

async fn post(system: &System, body: &Value) -> anyhow::Result<()> {
    let answer = system.caller().post(body.to_string()).await?;
    anyhow::ensure!(answer.status == 200, "{answer:?}");
    Ok(())
}

/// Posts an event of one row and waits until everything is done.
async fn done(system: &System, kind: &str, row: RowKey, number: u32) -> anyhow::Result<()> {
    post(system, &delivery(kind, row.table, &event(number), &[item(row, "x")])).await?;
    system.drain().await;
    Ok(())
}

/// The only sentence about an event, whose time of day is of no interest, is this one.
async fn the_reason_is(system: &System, number: u32, sentence: &str) -> anyhow::Result<()> {
    let sentences = system.why(&event(number)).await?;
    anyhow::ensure!(sentences.len() == 1, "not one sentence: {sentences:?}");
    let (begin, end) = sentence.split_once('…').unwrap_or((sentence, ""));
    anyhow::ensure!(
        sentences[0].starts_with(begin) && sentences[0].ends_with(end),
        "{:?}\n is not\n{sentence:?}",
        sentences[0]
    );
    Ok(())
}

#[tokio::test]
async fn trace_says_in_one_plain_sentence_how_each_event_ended() {
    let system = System::builder().without_webhook().start().await.unwrap();
    page_written_once_and_again(&system).await.unwrap();
    closed_at_the_door(&system).await.unwrap();
    overtaken(&system).await.unwrap();
    without_a_row_or_a_rule(&system).await.unwrap();
    given_up_and_discarded(&system).await.unwrap();
    partly_unreadable(&system).await.unwrap();
    without_a_page_of_its_own(&system).await.unwrap();

    let counts = system.every_item_has_one_outcome().await.unwrap();
    let produced: BTreeSet<&str> = counts.outcomes.keys().map(String::as_str).collect();
    // Of a duplicate, its event knows alone.
    let all = Outcome::NAMES.into_iter().filter(|name| *name != "duplicate");
    assert_eq!(produced, all.collect());
    assert_eq!(counts.duplicates, 1);
}

async fn page_written_once_and_again(system: &System) -> anyhow::Result<()> {
    let row = project(system, "Refonte").await?;
    done(system, "rows.created", row, 1).await?;
    the_reason_is(
        system,
        1,
        "The page was made equal to the row, … after the event arrived.",
    )
    .await?;
    done(system, "rows.created", row, 2).await?;
    let equal =
        "The row asks for what was last written to its page, so nothing was written. Nobody looked at the page.";
    the_reason_is(system, 2, equal).await?;

    post(
        system,
        &delivery("rows.created", row.table, &event(1), &[item(row, "x")]),
    )
    .await?;
    system.drain().await;
    let story = system.operator(&["trace", &event(1)]).await?;
    anyhow::ensure!(
        story.contains("duplicates once") && story.contains("nothing was done twice"),
        "{story}"
    );
    Ok(())
}

async fn closed_at_the_door(system: &System) -> anyhow::Result<()> {
    let row = project(system, "Écho").await?;
    let mut body = delivery("rows.updated", row.table, &event(10), &[item(row, "x")]);
    body["old_items"] = body["items"].clone();
    post(system, &body).await?;
    body["event_id"] = json!(event(11));
    body["old_items"][0]["docmost_page_id"] = json!("some-page");
    post(system, &body).await?;
    system.drain().await;
    let equal = "The event changed nothing that a rule uses, so nothing was written. Nobody looked at the page.";
    the_reason_is(system, 10, equal).await?;
    let own = "The bridge's own write into the row caused this event, so there was nothing to do.";
    the_reason_is(system, 11, own).await
}

async fn overtaken(system: &System) -> anyhow::Result<()> {
    let row = project(system, "Deux fois").await?;
    system
        .operator(&["pause", "--why", "two events shall meet", "--by", "lea"])
        .await?;
    for number in [20, 21] {
        post(
            system,
            &delivery("rows.created", row.table, &event(number), &[item(row, "x")]),
        )
        .await?;
    }
    system
        .operator(&["resume", "--why", "they have met", "--by", "lea"])
        .await?;
    system.drain().await;
    let later = "A later event of the same row ran in its place: the page has the newer state.";
    the_reason_is(system, 20, later).await?;
    the_reason_is(
        system,
        21,
        "The page was made equal to the row, … after the event arrived.",
    )
    .await
}

async fn without_a_row_or_a_rule(system: &System) -> anyhow::Result<()> {
    let projet = system.baserow.table("projet").await?;
    let row = |table: TableId, id: u64| format!("t{table}/r{id}").parse::<RowKey>();
    let unwatched = row(system.baserow.table("essai").await?, 1)?;
    done(system, "rows.created", unwatched, 30).await?;
    let no_rule = "No rule in bridge.toml watches this table and kind of event.";
    the_reason_is(system, 30, no_rule).await?;

    let mut body = delivery("rows.created", projet, &event(31), &[json!({"id": 0, "order": "0.00"})]);
    body["webhook_id"] = Value::Null;
    post(system, &body).await?;
    post(system, &delivery("rows.updated", projet, &event(32), &[])).await?;
    let mut body = delivery("field.updated", projet, &event(33), &[]);
    body["field"] = json!({"id": 3, "name": "Statut"});
    post(system, &body).await?;
    done(system, "rows.created", row(projet, 9_999)?, 34).await?;
    let sentences = [
        (
            31,
            "It was Baserow's test call: it shows that the webhook works, and requests nothing.",
        ),
        (
            32,
            "It names no rows: Baserow sends such events when a linked table is edited.",
        ),
        (33, "No rule can use this kind of event."),
        (
            34,
            "The row is no longer in Baserow and has no page: there was nothing to do.",
        ),
    ];
    for (number, sentence) in sentences {
        the_reason_is(system, number, sentence).await?;
    }
    Ok(())
}

async fn given_up_and_discarded(system: &System) -> anyhow::Result<()> {
    let refusal = json!({"message": ["title is not allowed"], "error": "Bad Request", "statusCode": 400});
    let fault = json!({"path": "/api/pages/create", "kind": "status", "status": 400, "body": refusal});
    system.break_docmost(&[fault]).await?;
    // The letter is discarded in the end.
    system.expect_dead(0);
    let row = project(system, "Refusé").await?;
    done(system, "rows.created", row, 40).await?;
    system.break_docmost(&[]).await?;
    let kept = "It is dead (permanent), because Docmost does not accept it as it is: [\"title is not allowed\"]. \
                It is kept as a dead letter: fix the cause, then replay it (passerelle dead list).";
    the_reason_is(system, 40, kept).await?;
    system
        .operator(&["dead", "discard", "--all", "--why", "it was only a test", "--by", "lea"])
        .await?;
    system.drain().await;
    let discarded = "It is dead (permanent), because … lea discarded it: it was only a test.";
    the_reason_is(system, 40, discarded).await
}

async fn partly_unreadable(system: &System) -> anyhow::Result<()> {
    let row = project(system, "Voisin").await?;
    let items = [json!({"id": "seven", "Nom": "x"}), item(row, "x")];
    post(system, &delivery("rows.created", row.table, &event(50), &items)).await?;
    system.drain().await;
    let sentences = system.why(&event(50)).await?;
    anyhow::ensure!(sentences.len() == 2, "{sentences:?}");
    let refused = "Some rows of this delivery have no readable number, so they were skipped; the others were accepted.";
    anyhow::ensure!(sentences.iter().any(|sentence| sentence == refused), "{sentences:?}");
    anyhow::ensure!(
        sentences
            .iter()
            .any(|sentence| sentence.starts_with("The page was made equal to the row")),
        "{sentences:?}"
    );
    Ok(())
}

async fn without_a_page_of_its_own(system: &System) -> anyhow::Result<()> {
    let client = system.baserow.create("client", json!({"Name": "Atelier Nord"})).await?;
    let fields = json!({"Nom": "Refonte", "Client": [client.row.get()]});
    let row = system.baserow.create("projet", fields).await?;
    done(system, "rows.created", row, 60).await?;
    let (is, was) = (
        json!({"id": client.row.get(), "Name": "Atelier Nord"}),
        json!({"id": client.row.get(), "Name": "Nord"}),
    );
    let mut renamed = delivery("rows.updated", client.table, &event(61), &[is]);
    renamed["old_items"] = json!([was]);
    post(system, &renamed).await?;
    system.drain().await;
    let woke = "A sync was requested of the rows whose pages show this one, … after the event arrived.";
    the_reason_is(system, 61, woke).await?;
    system.baserow.delete(row).await?;
    let id = json!(row.row.get());
    post(system, &delivery("rows.deleted", row.table, &event(62), &[id])).await?;
    system.drain().await;
    let trashed = "The page went to the trash, because its row no longer exists, … after the event arrived.";
    the_reason_is(system, 62, trashed).await
}

#[tokio::test]
async fn trace_says_in_one_plain_sentence_what_each_open_event_waits_for() {
    let system = System::builder().without_webhook().start().await.unwrap();
    let in_hand = "It waits for a worker, or a worker is running it right now.";

    system
        .operator(&["pause", "--why", "to look at a queued event", "--by", "lea"])
        .await
        .unwrap();
    let queued = project(&system, "En file").await.unwrap();
    post(
        &system,
        &delivery("rows.created", queued.table, &event(1), &[item(queued, "x")]),
    )
    .await
    .unwrap();
    the_reason_is(&system, 1, in_hand).await.unwrap();
    let failing = json!({"path": "/api/labels/pages", "kind": "status", "status": 500});
    system.break_docmost(&[failing]).await.unwrap();
    system
        .operator(&["resume", "--why", "seen", "--by", "lea"])
        .await
        .unwrap();
    let again = "The next attempt is at …, because Docmost was unavailable: Internal server error.";
    becomes(&system, 1, again).await;

    let slow = json!({"path": "/api/pages/create", "kind": "hang"});
    system.break_docmost(&[slow]).await.unwrap();
    let running = project(&system, "En cours").await.unwrap();
    post(
        &system,
        &delivery("rows.created", running.table, &event(2), &[item(running, "x")]),
    )
    .await
    .unwrap();
    eventually("a worker has the job in hand", async || {
        match system.queue.stats().await {
            Ok(stats) if stats.running > 0 => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    the_reason_is(&system, 2, in_hand).await.unwrap();

    system.expect_errors("docmost is in trouble");
    system.expect_open(3);
    let throttled = json!({"path": "*", "kind": "status", "status": 429, "headers": {"retry-after": "60"}});
    system.break_docmost(&[throttled]).await.unwrap();
    let held = project(&system, "Freiné").await.unwrap();
    post(
        &system,
        &delivery("rows.created", held.table, &event(3), &[item(held, "x")]),
    )
    .await
    .unwrap();
    let waits =
        "It is held until …, because Docmost throttled the bridge: Too many requests. Holding counts no attempt.";
    becomes(&system, 3, waits).await;
}

async fn becomes(system: &System, number: u32, sentence: &str) {
    eventually(sentence, async || {
        the_reason_is(system, number, sentence)
            .await
            .map_err(|wrong| format!("{wrong:#}\n{}", system.logs()))
    })
    .await;
}
