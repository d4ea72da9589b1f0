//! `gates`: stopping, releasing and ramping by hand, kept with who and why.

use passerelle_model::ledger::LedgerRecord;

use crate::desk::Desk;

#[tokio::test]
async fn a_gate_is_stopped_and_released_by_hand_and_who_and_why_are_kept_in_the_ledger() {
    let desk = Desk::new().unwrap();
    let stopped = desk
        .passerelle(&["gates", "stop", "docmost:write", "--why", "an upgrade"])
        .await;
    assert_eq!(stopped.code, 0, "{}", stopped.err);
    let line = stopped.out.lines().find(|line| line.contains("docmost:write"));
    assert!(line.is_some_and(|line| line.contains("stopped")), "{}", stopped.out);
    let released = desk
        .passerelle(&[
            "gates",
            "release",
            "docmost:write",
            "--why",
            "it is done",
            "--by",
            "noor",
        ])
        .await;
    let line = released.out.lines().find(|line| line.contains("docmost:write"));
    assert!(line.is_some_and(|line| line.ends_with("flowing")), "{}", released.out);
    assert!(
        released.out.contains("an upgrade"),
        "the incident is listed: {}",
        released.out
    );

    let entries = desk.queue().unwrap().read_ledger(None, 10).await.unwrap();
    let acts: Vec<String> = entries
        .into_iter()
        .flat_map(|entry| entry.records)
        .filter_map(|record| match record {
            Ok(LedgerRecord::Switched { on, act, by, why, .. }) => Some(format!("{on} {act} by {by}: {why}")),
            _ => None,
        })
        .collect();
    let expected = [
        "gate/docmost:write stop by camille: an upgrade",
        "gate/docmost:write release by noor: it is done",
    ];
    assert_eq!(acts, expected);
}

#[tokio::test]
async fn a_gate_that_does_not_exist_or_no_reason_is_refused_with_what_to_say() {
    let desk = Desk::new().unwrap();
    let unknown = desk.passerelle(&["gates", "stop", "docmost", "--why", "x"]).await;
    assert_eq!(unknown.code, 2);
    assert!(unknown.err.contains("docmost:write"), "{}", unknown.err);
    let silent = desk.passerelle(&["gates", "stop", "docmost:write", "--why", " "]).await;
    assert_eq!(silent.code, 2);
    assert!(silent.err.contains("--why"), "{}", silent.err);
}

#[tokio::test]
async fn the_former_words_for_operating_a_gate_still_work_and_say_what_they_are_called_now() {
    let desk = Desk::new().unwrap();
    for (former, now, state) in [("close", "stop", "stopped"), ("open", "release", "flowing")] {
        let answer = desk
            .passerelle(&["gates", former, "docmost:write", "--why", "an old habit"])
            .await;
        assert_eq!(answer.code, 0, "{}", answer.err);
        let notice = format!("`gates {former}` is called `gates {now}` now");
        assert!(answer.err.contains(&notice), "{}", answer.err);
        assert_eq!(answer.err.lines().count(), 1, "{}", answer.err);
        let line = answer.out.lines().find(|line| line.contains("docmost:write"));
        assert!(line.is_some_and(|line| line.contains(state)), "{}", answer.out);
    }
    let help = desk.passerelle(&["gates", "--help"]).await;
    assert!(!help.out.contains("close"), "{}", help.out);
}

#[tokio::test]
async fn stats_names_the_gate_of_an_outage_and_why() {
    let desk = Desk::new().unwrap();
    let flowing = desk.passerelle(&["stats"]).await;
    assert!(!flowing.out.contains("The gate"), "{}", flowing.out);
    desk.passerelle(&["gates", "stop", "docmost:write", "--why", "an upgrade"])
        .await;
    let stats = desk.passerelle(&["stats"]).await;
    let line = stats.out.lines().find(|line| line.contains("docmost:write"));
    let line = line.unwrap_or_default();
    assert!(
        line.contains("is stopped") && line.contains("an upgrade"),
        "{}",
        stats.out
    );
}
