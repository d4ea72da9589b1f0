//! `doctor` on calls that fail: each kind of failure has its own cure, in each system.

use passerelle_model::config::{DocmostSettings, Reader, RedisSettings};
use passerelle_model::id::ProcessName;
use passerelle_queue::Redis;
use passerelle_queue::gate::{GatePolicy, Gates};
use passerelle_sandbox::faults::{Fault, FaultKind};
use passerelle_worker::clients::docmost::Docmost;
use rstest::rstest;
use serde_json::{Value, json};
use test_support::{TestCertificate, TlsFront};

use crate::doctor::{complaints, examined};
use crate::town::Town;

/// The settings of the three addresses, and the check that is about each.
const ADDRESSES: [(&str, &str); 3] = [
    ("BASEROW_URL", "baserow"),
    ("DOCMOST_URL", "docmost"),
    ("INGRESS_URL", "ingress"),
];

/// The cures of one check.
fn cures(findings: &[Value], check: &str) -> String {
    let found = complaints(findings, check);
    let lines = found
        .iter()
        .map(|finding| format!("{} → {}", finding["found"], finding["fix"]));
    lines.collect::<Vec<_>>().join("\n")
}

#[rstest]
#[case("http://nowhere.invalid", "correct the host in")]
#[case("http://127.0.0.1:1", "correct host and port in")]
#[tokio::test]
async fn an_address_that_leads_nowhere_is_told_with_what_is_wrong_about_it(#[case] address: &str, #[case] cure: &str) {
    let town = Town::start().unwrap();
    let elsewhere = ADDRESSES.map(|(setting, _)| (setting, address));
    let (code, findings) = examined(&town, &elsewhere).await.unwrap();
    assert_eq!(code, 2);
    for (setting, check) in ADDRESSES {
        let told = cures(&findings, check);
        assert!(told.contains(&format!("{cure} {setting}")), "{check}: {told}");
    }
}

#[tokio::test]
async fn a_server_without_tls_and_a_certificate_that_nobody_knows_are_told_apart() {
    let town = Town::start().unwrap();
    // What a server makes of a greeting in TLS.
    town.desk.errors.expect("request parse error");
    let port = |url: String| url.rsplit(':').next().and_then(|port| port.parse().ok()).unwrap();
    let ingress = town.ingress().unwrap();
    let ports: [u16; 3] = [port(town.baserow.url()), port(town.docmost.url()), port(ingress)];
    let plain = ports.map(|port| format!("https://127.0.0.1:{port}"));
    let certificate = TestCertificate::make().unwrap();
    let mut fronts = Vec::new();
    for port in ports {
        fronts.push(TlsFront::start(&certificate, port).await.unwrap());
    }
    let unknown: Vec<String> = fronts
        .iter()
        .map(|front| format!("https://127.0.0.1:{}", front.port()))
        .collect();
    for (addresses, cure) in [(plain.as_slice(), "with http://"), (&unknown, "EXTRA_CA_FILE")] {
        let changes: Vec<(&str, &str)> = ADDRESSES
            .iter()
            .zip(addresses)
            .map(|((setting, _), address)| (*setting, address.as_str()))
            .collect();
        let (code, findings) = examined(&town, &changes).await.unwrap();
        assert_eq!(code, 2);
        for (_, check) in ADDRESSES {
            let told = cures(&findings, check);
            assert!(told.contains(cure), "{check}, {cure}: {told}");
        }
    }
}

#[rstest]
#[case(502, json!("<html>Bad gateway</html>"), "behind its proxy")]
#[case(404, json!("<html>Not found</html>"), "correct the path in")]
#[case(200, json!("<html>Sign in</html>"), "login page before")]
#[case(302, json!(""), "write the address that it leads to into")]
#[tokio::test]
async fn what_answers_in_the_place_of_a_product_or_an_ingress_is_told_by_its_status(
    #[case] status: u16,
    #[case] body: Value,
    #[case] cure: &str,
) {
    let town = Town::start().unwrap();
    let headers = [("location".to_owned(), "https://login.example.org/".to_owned())].into();
    let answer = FaultKind::Status {
        status,
        headers,
        body: Some(body),
    };
    town.baserow.faults.add(Fault::on("*", answer.clone()));
    town.docmost.faults.add(Fault::on("*", answer));
    // Any server may stand at the address of the ingress.
    let (code, findings) = examined(&town, &[("INGRESS_URL", &town.docmost.url())]).await.unwrap();
    assert_eq!(code, 2);
    for (_, check) in ADDRESSES {
        let told = cures(&findings, check);
        assert!(told.contains(cure), "{check}: {told}");
        assert!(status != 302 || told.contains("to https://login.example.org"), "{told}");
    }
}

#[tokio::test]
async fn a_product_that_fails_by_itself_or_asks_us_to_wait_is_not_blamed_on_a_setting() {
    let town = Town::start().unwrap();
    for (status, headers, cure) in [
        (503, vec![("retry-after", "17")], "wait 17 s"),
        (
            429,
            vec![("retry-after-auth", "33"), ("retry-after", "33")],
            "wait 33 s",
        ),
        (500, vec![], "read the log of"),
    ] {
        let headers = headers
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let answer = FaultKind::Status {
            status,
            headers: headers.collect(),
            body: None,
        };
        for product in [&town.baserow, &town.docmost] {
            product.faults.clear();
            product.faults.add(Fault::on("/api", answer.clone()));
        }
        let (code, findings) = examined(&town, &[]).await.unwrap();
        assert_eq!(code, 2);
        for check in ["baserow", "docmost"] {
            let told = cures(&findings, check);
            assert!(told.contains(cure), "{status} {check}: {told}");
            assert!(!told.contains("_PASSWORD") && !told.contains("_TOKEN"), "{told}");
        }
    }
}

#[tokio::test]
async fn wrong_logins_are_told_by_their_settings() {
    let town = Town::start().unwrap();
    let wrong = [
        ("BASEROW_TOKEN", "wrong-token-1234"),
        ("DOCMOST_PASSWORD", "wrong-password-1234"),
    ];
    let (_, findings) = examined(&town, &wrong).await.unwrap();
    assert!(
        cures(&findings, "baserow").contains("correct BASEROW_TOKEN"),
        "{findings:?}"
    );
    assert!(
        cures(&findings, "docmost").contains("correct DOCMOST_EMAIL and DOCMOST_PASSWORD"),
        "{findings:?}"
    );
    let (_, findings) = examined(&town, &[("BASEROW_PASSWORD", "wrong-password-1234")])
        .await
        .unwrap();
    let told = cures(&findings, "baserow webhooks");
    assert!(told.contains("correct BASEROW_EMAIL or BASEROW_PASSWORD"), "{told}");
}

/// A worker signs in to Docmost.
async fn a_worker_signs_in(town: &Town) -> anyhow::Result<()> {
    let mut reader = Reader::from_pairs(town.pairs());
    let redis = Redis::open(&RedisSettings::read(&mut reader))?;
    let gates = Gates::new(redis.clone(), ProcessName::unique("worker"), GatePolicy::default());
    let client = Docmost::new(&DocmostSettings::read(&mut reader), redis, gates)?;
    client.account_id().await?;
    Ok(())
}

/// How often somebody has tried to sign in to Docmost.
async fn logins(town: &Town) -> anyhow::Result<usize> {
    let log = town.http.get(format!("{}/_sandbox/log", town.docmost.url()));
    let calls: Vec<Value> = log.send().await?.json().await?;
    Ok(calls.iter().filter(|call| call["path"] == "/api/auth/login").count())
}

#[tokio::test]
async fn doctor_and_check_sign_in_no_more_where_the_workers_have_a_session_of_the_same_login() {
    let town = Town::start().unwrap();
    a_worker_signs_in(&town).await.unwrap();
    assert_eq!(logins(&town).await.unwrap(), 1);
    for _ in 0..2 {
        let (_, findings) = examined(&town, &[]).await.unwrap();
        assert!(complaints(&findings, "docmost").is_empty(), "{findings:?}");
    }
    let checked = town.passerelle(&["check", "--live"]).await;
    assert!(!checked.out.contains("DOCMOST_URL"), "{}", checked.out);
    assert_eq!(logins(&town).await.unwrap(), 1);
}

#[tokio::test]
async fn a_wrong_password_is_found_out_although_the_workers_have_a_session() {
    let town = Town::start().unwrap();
    a_worker_signs_in(&town).await.unwrap();
    let wrong = [("DOCMOST_PASSWORD", "wrong-password-1234")];
    let (_, findings) = examined(&town, &wrong).await.unwrap();
    assert!(
        cures(&findings, "docmost").contains("correct DOCMOST_EMAIL and DOCMOST_PASSWORD"),
        "{findings:?}"
    );
    // As it is after the password was changed: Docmost refuses the session, and a login says why.
    let refused = FaultKind::Status {
        status: 401,
        headers: [].into(),
        body: None,
    };
    town.docmost.faults.add(Fault::on("/api/users/me", refused));
    let before = logins(&town).await.unwrap();
    let (_, findings) = examined(&town, &[]).await.unwrap();
    assert!(!cures(&findings, "docmost").is_empty(), "{findings:?}");
    assert_eq!(logins(&town).await.unwrap(), before + 1);
}

#[tokio::test]
async fn where_docmost_takes_no_more_logins_the_workers_session_shows_everything() {
    let town = Town::start().unwrap();
    a_worker_signs_in(&town).await.unwrap();
    let limited = FaultKind::Status {
        status: 429,
        headers: [("retry-after-auth".to_owned(), "33".to_owned())].into(),
        body: None,
    };
    town.docmost.faults.add(Fault::on("/api/auth/login", limited));
    let (_, findings) = examined(&town, &[]).await.unwrap();
    let is_ok = |check: &str| {
        findings
            .iter()
            .any(|found| found["check"] == check && found["state"] == "ok")
    };
    assert!(is_ok("docmost") && is_ok("docmost spaces"), "{findings:?}");
}
