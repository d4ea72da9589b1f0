//! `gates`: closing, opening and ramping by hand, kept with who and why.

use passerelle_model::ledger::LedgerRecord;

use crate::desk::Desk;

#[tokio::test]
async fn a_gate_is_closed_and_opened_by_hand_and_who_and_why_are_kept_in_the_ledger() {
    let desk = Desk::new().unwrap();
    let closed = desk
        .passerelle(&["gates", "close", "docmost:write", "--why", "an upgrade"])
        .await;
    assert_eq!(closed.code, 0, "{}", closed.err);
    let line = closed.out.lines().find(|line| line.contains("docmost:write"));
    assert!(line.is_some_and(|line| line.contains("stopped")), "{}", closed.out);
    let opened = desk
        .passerelle(&["gates", "open", "docmost:write", "--why", "it is done", "--by", "noor"])
        .await;
    let line = opened.out.lines().find(|line| line.contains("docmost:write"));
    assert!(line.is_some_and(|line| line.ends_with("open")), "{}", opened.out);
    assert!(
        opened.out.contains("an upgrade"),
        "the incident is listed: {}",
        opened.out
    );

    let entries = desk.queue().unwrap().read_ledger(None, 10).await.unwrap();
    let acts: Vec<String> = entries
        .into_iter()
        .flat_map(|entry| entry.records)
        .filter_map(|record| match record {
            Ok(LedgerRecord::Switched {
                queue, act, by, why, ..
            }) => Some(format!("{} {act} by {by}: {why}", queue.as_str())),
            _ => None,
        })
        .collect();
    let expected = [
        "gate/docmost:write close by camille: an upgrade",
        "gate/docmost:write open by noor: it is done",
    ];
    assert_eq!(acts, expected);
}

#[tokio::test]
async fn a_gate_that_does_not_exist_or_no_reason_is_refused_with_what_to_say() {
    let desk = Desk::new().unwrap();
    let unknown = desk.passerelle(&["gates", "close", "docmost", "--why", "x"]).await;
    assert_eq!(unknown.code, 2);
    assert!(unknown.err.contains("docmost:write"), "{}", unknown.err);
    let silent = desk
        .passerelle(&["gates", "close", "docmost:write", "--why", " "])
        .await;
    assert_eq!(silent.code, 2);
    assert!(silent.err.contains("--why"), "{}", silent.err);
}
