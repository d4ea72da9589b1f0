//! What `doctor` says of the bridge's accounts: whether they are let in, and what they may do.

use passerelle_sandbox::faults::{Fault, FaultKind};
use serde_json::{Value, json};

use crate::doctor::{complaints, examined};
use crate::town::{SECRET, TOKEN, Town};

#[tokio::test]
async fn a_token_that_lost_a_right_is_found_with_the_table_and_nothing_is_written() {
    let town = Town::start().unwrap();
    let rows = async || {
        let path = "rows/table/2/?user_field_names=true";
        town.baserow_as_user(reqwest::Method::GET, path, None).await
    };
    let before = rows().await.unwrap();
    let tokens = format!("{}/_sandbox/baserow/tokens", town.baserow.url());
    for (may, lost) in [
        (json!(["create", "read"]), "update"),
        (json!(["create", "update"]), "read"),
        (json!(["read", "update"]), "create"),
    ] {
        let token = json!({"key": TOKEN, "user": 2, "may": may});
        let set = town.http.post(&tokens).json(&token).send().await.unwrap();
        set.error_for_status().unwrap();
        let (code, findings) = examined(&town, &[]).await.unwrap();
        assert_eq!(code, 2);
        let found: Vec<&str> = complaints(&findings, "baserow rights")
            .iter()
            .filter_map(|finding| finding["found"].as_str())
            .collect();
        let told = format!("BASEROW_TOKEN may not {lost} rows of the table");
        assert!(
            !found.is_empty() && found.iter().all(|found| found.contains(&told)),
            "{found:?}"
        );
        // Rows are made only by the rules that copy pages.
        let is_of_wiki =
            |found: &&str| found.contains("(wiki rule compte-rendu)") && found.contains("\"comptes_rendus\"");
        assert!(lost != "create" || found.iter().all(is_of_wiki), "{found:?}");
    }
    assert_eq!(rows().await.unwrap(), before, "asking for rights changes nothing");
}

#[tokio::test]
async fn an_account_with_a_second_factor_is_told_to_be_of_no_use() {
    let town = Town::start().unwrap();
    let asks = json!({"data": {"userHasMfa": true, "requiresMfaSetup": false, "isMfaEnforced": false},
        "success": true, "status": 200});
    town.docmost.faults.add(Fault::on(
        "/api/auth/login",
        FaultKind::Status {
            status: 200,
            headers: [("content-type".to_owned(), "application/json".to_owned())].into(),
            body: Some(asks),
        },
    ));
    let (code, findings) = examined(&town, &[]).await.unwrap();
    assert_eq!(code, 2);
    let found = complaints(&findings, "docmost");
    assert!(
        found[0]["found"].as_str().unwrap().contains("asks for a second factor"),
        "{found:?}"
    );
}

#[tokio::test]
async fn wrong_accounts_are_found_without_telling_any_secret() {
    let town = Town::start().unwrap();
    let wrong = [
        ("BASEROW_TOKEN", "wrong-token-1234"),
        ("DOCMOST_PASSWORD", "wrong-password-1234"),
    ];
    let said = town.passerelle_with(&["--json", "doctor"], &wrong).await;
    assert_eq!(said.code, 2);
    assert!(!said.out.contains("-1234") && !said.out.contains(SECRET));
    let report: Value = serde_json::from_str(&said.out).unwrap();
    let findings = report["findings"].as_array().unwrap();
    assert!(
        complaints(findings, "baserow")[0]["fix"]
            .as_str()
            .unwrap()
            .contains("BASEROW_TOKEN")
    );
    assert!(
        complaints(findings, "docmost")[0]["found"]
            .as_str()
            .unwrap()
            .contains("DOCMOST_PASSWORD")
    );
}
