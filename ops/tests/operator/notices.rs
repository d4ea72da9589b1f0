//! `notices discard`: what a wrong rule has made is stopped before it is sent.

use passerelle_model::config::Channel;
use passerelle_model::id::JobKey;
use passerelle_model::time::Timestamp;
use passerelle_store::{NoticeState, Store, StoredNotice};

use crate::desk::Desk;

/// A desk with notices of two rules.
async fn with_notices() -> anyhow::Result<(Desk, Store)> {
    let desk = Desk::new()?;
    let store = desk.remember(Vec::new()).await?;
    for (id, rule, state) in [
        ("notice/e1/a", "attribution-mail", NoticeState::Waiting),
        ("notice/e2/a", "attribution-mail", NoticeState::Waiting),
        ("notice/e3/a", "attribution-mail", NoticeState::Sent),
        ("notice/e4/b", "capacity", NoticeState::Waiting),
    ] {
        let notice = StoredNotice {
            id: JobKey::parse(id)?,
            kind: "trainer-assigned".to_owned(),
            channel: Channel::Mail,
            rule: rule.to_owned(),
            row: None,
            event: None,
            args: "{}".to_owned(),
            created: Timestamp::now(),
            state,
            ended: None,
            tries: 0,
            error: None,
        };
        store.add_notice(&notice).await?;
    }
    Ok((desk, store))
}

#[tokio::test]
async fn the_waiting_notices_of_a_rule_are_discarded_with_a_reason_and_no_others() {
    let (desk, store) = with_notices().await.unwrap();
    let discard = [
        "notices",
        "discard",
        "--rule",
        "attribution-mail",
        "--why",
        "a wrong formula",
    ];
    let said = desk.passerelle(&[&discard[..], &["--dry-run"]].concat()).await;
    assert!(
        said.out
            .contains("2 waiting notices of rule attribution-mail would be discarded"),
        "{}{}",
        said.out,
        said.err
    );
    let said = desk.passerelle(&[&discard[..], &["--by", "noor"]].concat()).await;
    assert_eq!(
        said.out.trim(),
        "2 waiting notices of rule attribution-mail discarded.",
        "{}{}",
        said.out,
        said.err
    );
    let states: Vec<(String, NoticeState)> = store
        .latest_notices(None, 10)
        .await
        .unwrap()
        .into_iter()
        .map(|notice| (notice.id.to_string(), notice.state))
        .collect();
    for (id, state) in states {
        let expected = match id.as_str() {
            "notice/e1/a" | "notice/e2/a" => NoticeState::Failed,
            "notice/e3/a" => NoticeState::Sent,
            _ => NoticeState::Waiting,
        };
        assert_eq!(state, expected, "{id}");
    }
    let shown = desk.passerelle(&["notices", "--state", "failed"]).await;
    assert!(
        shown.out.contains("discarded by noor: a wrong formula"),
        "{}",
        shown.out
    );
}
