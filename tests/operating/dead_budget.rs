//! Dead letters above their budget are told to the admin.

use system_tests::System;
use system_tests::people::ADMIN;
use test_support::eventually;

use crate::dead_rows;

#[tokio::test]
async fn dead_letters_above_their_budget_are_told_to_the_admin_once_however_many_workers_look() {
    let system = System::builder()
        .workers(3)
        .with_mail()
        .with_slack()
        .worker_variable("DEAD_LETTERS_BUDGET_BYTES", "1")
        .start()
        .await
        .unwrap();
    dead_rows(&system, &["un"]).await.unwrap();
    system.expect_errors("dead letters are above their budget");
    for worker in &system.workers {
        eventually("each worker has seen to it", async || {
            let output = worker.output();
            if output.contains("the admin is notified of the dead letters") {
                Ok(())
            } else {
                Err(output)
            }
        })
        .await;
    }
    let mails = system.people.mails_reach(1).await;
    assert_eq!(mails[0].to, [ADMIN]);
    assert_eq!(mails[0].subject, "Abandons : 1, au-delà du budget");
    assert!(
        mails[0].text.contains("- sync : 1") && mails[0].text.contains("passerelle dead list"),
        "{}",
        mails[0].text
    );

    dead_rows(&system, &["deux"]).await.unwrap();
    system.drain().await;
    let store = system.store().await.unwrap();
    let notices = store.latest_notices(None, 100).await.unwrap();
    let notices: Vec<&str> = notices.iter().map(|notice| notice.kind.as_str()).collect();
    assert_eq!(notices, ["dead-letters"; 2], "one by mail and one by Slack, for a day");
    let stats = system.operator(&["stats"]).await.unwrap();
    assert!(stats.contains("dead              2"), "{stats}");
}
