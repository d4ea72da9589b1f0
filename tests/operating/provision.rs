//! A new installation: stock Baserow, which cannot sign, and the rules as they are shipped.

use system_tests::System;

use crate::project;

#[tokio::test]
async fn webhooks_that_provision_makes_by_the_shipped_rules_are_let_in_and_a_row_gets_its_page() {
    let system = System::builder()
        .without_webhook()
        .variable("BASEROW_EMAIL", "admin@example.com")
        .variable("BASEROW_PASSWORD", "Baserow-pass-1")
        .start()
        .await
        .unwrap();
    let made = system
        .operator(&["provision", "--url", &system.ingress_url, "--by", "lea"])
        .await
        .unwrap();
    let row = project(&system, "Refonte").await.unwrap();
    system.drain().await;
    let pages = system.docmost.pages_of(row).await.unwrap();
    assert_eq!(pages.len(), 1, "{made}\n{}", system.logs());
    assert!(!made.contains(system_tests::system::SECRET), "{made}");
}
