//! What people do who mean harm: forms from elsewhere, acts of readers, markup, slow connections.

use std::time::Duration;

use anyhow::ensure;
use passerelle_model::ledger::LedgerRecord;
use passerelle_store::Role;
use reqwest::StatusCode;
use rstest::rstest;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::house::{Guest, House, encoded};
use crate::lines::{attempted, buried, changed, has_page, remember};

/// Every form that there is, with fields that it would accept.
const FORMS: [(&str, &[(&str, &str)]); 11] = [
    ("/act/examine", &[]),
    (
        "/act/run-now",
        &[("queue", "sync"), ("job", "t2/r5"), ("why", "because")],
    ),
    ("/act/queue", &[("queue", "sync"), ("do", "pause"), ("why", "because")]),
    (
        "/act/gate",
        &[("gate", "docmost:write"), ("do", "stop"), ("why", "because")],
    ),
    ("/act/notice", &[("notice", "notice/a/1"), ("why", "because")]),
    (
        "/act/letters",
        &[("group", "0123456789abcdef"), ("do", "discard"), ("why", "because")],
    ),
    ("/act/cancel", &[]),
    ("/act/reconcile", &[("do", "start"), ("why", "because")]),
    ("/act/reconcile/stop", &[]),
    ("/act/sync", &[("row", "t2/r5"), ("why", "because")]),
    (
        "/act/replay",
        &[("letter", "01J8ZK3V9D2QX4T6W8Y0A1B2C3"), ("why", "because")],
    ),
];

/// Every address that takes a form, as the sources name them.
fn addresses_of_forms() -> anyhow::Result<Vec<String>> {
    let source = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![source];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)?.flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
                continue;
            }
            let text = std::fs::read_to_string(entry.path())?;
            let resources = text.split("resource(\"").skip(1);
            found.extend(resources.filter_map(|rest| {
                let (address, rest) = rest.split_once('"')?;
                let routes = rest.split("resource(\"").next()?.split(';').next()?;
                let own = routes.split(".service").next()?;
                own.contains("post()").then(|| address.to_owned())
            }));
        }
    }
    found.sort();
    Ok(found)
}

#[test]
fn no_form_is_left_out_here() {
    let mut known: Vec<&str> = FORMS
        .iter()
        .map(|(address, _)| *address)
        .chain(["/login", "/logout"])
        .collect();
    known.sort_unstable();
    assert_eq!(addresses_of_forms().unwrap(), known);
}

async fn nothing_happened(house: &House) -> anyhow::Result<()> {
    let stats = house.queue.stats().await?;
    ensure!((stats.active, stats.ledger_backlog) == (0, 0), "{stats:?}");
    Ok(())
}

async fn with_token(
    guest: &mut Guest,
    token: &str,
    address: &str,
    fields: &[(&str, &str)],
) -> anyhow::Result<StatusCode> {
    let mut all = vec![("token", token)];
    all.extend_from_slice(fields);
    Ok(guest.post(address, &all).await?.status)
}

#[tokio::test]
async fn a_form_without_the_token_of_its_session_changes_nothing() {
    let house = House::build().await.unwrap();
    let mut guest = house.guest("camille", Role::Operator).await.unwrap();
    let mut other = house.guest("dominique", Role::Operator).await.unwrap();
    let foreign = other.get("/").await.unwrap().token().unwrap().to_owned();
    for (address, fields) in FORMS {
        assert_eq!(
            guest.post(address, fields).await.unwrap().status,
            StatusCode::FORBIDDEN,
            "{address}"
        );
        for token in ["", "wrong", &foreign] {
            assert_eq!(
                with_token(&mut guest, token, address, fields).await.unwrap(),
                StatusCode::FORBIDDEN,
                "{address} {token}"
            );
        }
    }
    for address in ["/login", "/logout"] {
        assert_eq!(
            with_token(&mut guest, &foreign, address, &[]).await.unwrap(),
            StatusCode::FORBIDDEN,
            "{address}"
        );
    }
    assert_eq!(
        guest.get("/").await.unwrap().status,
        StatusCode::OK,
        "nobody was signed out"
    );
    nothing_happened(&house).await.unwrap();
}

#[rstest]
#[case("origin", "https://evil.example")]
#[case("origin", "null")]
#[case("sec-fetch-site", "cross-site")]
#[case("sec-fetch-site", "same-site")]
#[tokio::test]
async fn a_form_of_another_site_changes_nothing_even_with_the_token(#[case] header: &'static str, #[case] value: &str) {
    let house = House::build().await.unwrap();
    let mut guest = house.guest("camille", Role::Operator).await.unwrap();
    guest.headers.insert(header, value.parse().unwrap());
    for (address, fields) in FORMS {
        let answer = guest.submit(address, fields).await.unwrap();
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{address}");
    }
    nothing_happened(&house).await.unwrap();
}

#[tokio::test]
async fn a_reader_may_look_but_no_act_of_one_changes_anything() {
    let house = House::build().await.unwrap();
    has_page(&house.store, 5, "019a0000-0000-7000-8000-000000000005", "Ab3dE6gH9k")
        .await
        .unwrap();
    let mut guest = house.guest("camille", Role::Reader).await.unwrap();
    let page = guest.get("/why?q=t2%2Fr5").await.unwrap();
    assert!(
        page.body.contains("Row t2/r5") && !page.body.contains("/act/"),
        "{}",
        page.body
    );
    for (address, fields) in FORMS {
        let answer = guest.submit(address, fields).await.unwrap();
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{address}");
        assert!(answer.body.contains("may look, but not act"), "{}", answer.body);
    }
    nothing_happened(&house).await.unwrap();
}

#[tokio::test]
async fn markup_and_control_characters_are_shown_as_text_wherever_they_stand() {
    const EVIL: &str = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>\u{202e}\u{1b}[31m{{ 7*7 }}";
    let house = House::build().await.unwrap();
    let asked = passerelle_model::event::OwnEvent {
        source: "operator",
        name: "evil",
        kind: passerelle_model::event::EventKind::Forced,
        payload: serde_json::to_vec(&serde_json::json!({ "forced_by": EVIL, "why": EVIL })).unwrap(),
    };
    let job = passerelle_model::id::JobKey::parse("t2/r5").unwrap();
    let history = vec![
        changed(1, "e1", 5).unwrap(),
        LedgerRecord::Accepted(asked.asking_for([job]).unwrap()),
        attempted(3, 5, 2, buried(EVIL)).unwrap(),
    ];
    remember(&house.store, history).await.unwrap();
    house.queue.pause(EVIL, EVIL).await.unwrap();
    let mut guest = house.guest("camille", Role::Operator).await.unwrap();
    let addresses = [
        "/".to_owned(),
        "/why?q=t2%2Fr5".to_owned(),
        format!("/why?q={}", encoded(EVIL)),
        format!("/why?q={}%2F5", encoded(EVIL)),
        format!("/{}", encoded(EVIL)),
    ];
    for address in addresses {
        let page = guest.get(&address).await.unwrap();
        for raw in ["<script>alert", "<img src=x", "\u{202e}", "\u{1b}", ">49<"] {
            let shown = page.body.replace("&#x2f;", "/");
            assert!(
                !shown.contains(raw) || raw == "49" && !shown.contains(">49<"),
                "{address}: {raw:?} in {shown}"
            );
        }
    }
    let answer = guest
        .submit("/act/replay", &[("letter", EVIL), ("why", "x")])
        .await
        .unwrap();
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert!(!answer.body.contains("<script>alert"), "{}", answer.body);
}

#[tokio::test]
async fn every_answer_says_that_nothing_from_elsewhere_may_run_frame_or_keep_it() {
    let house = House::build().await.unwrap();
    let mut guest = house.guest("camille", Role::Reader).await.unwrap();
    for path in [
        "/",
        "/why",
        "/events",
        "/letters",
        "/letters/run",
        "/notices",
        "/operate",
        "/acts",
        "/waiting",
        "/rows",
        "/export/events.csv",
        "/login",
        "/nothing",
        "/why?q=unknown",
        "/healthz",
    ] {
        let answer = guest.get(path).await.unwrap();
        let policy = answer.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'"), "{path}: {policy}");
        for word in ["unsafe", "http:", "https:", "data:", "*"] {
            assert!(!policy.contains(word), "{path}: {policy}");
        }
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("x-frame-options"), "DENY", "{path}");
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        let inline = ["<script>", " style=", " onclick=", "<style", "javascript:"];
        assert!(inline.iter().all(|found| !answer.body.contains(found)), "{path}");
    }
}

#[tokio::test]
async fn clients_that_send_nothing_or_read_nothing_keep_nobody_from_being_served() {
    let house = House::build().await.unwrap();
    let mut guest = house.guest("camille", Role::Reader).await.unwrap();
    let (name, value) = guest.cookies[0].clone();
    let mut idle = Vec::new();
    for number in 0..400 {
        let mut stream = TcpStream::connect(house.address).await.unwrap();
        let head = if number % 2 == 0 {
            "GET / HTTP/1.1\r\nHost: x".to_owned()
        } else {
            format!("GET /live/overview HTTP/1.1\r\nHost: x\r\nCookie: {name}={value}\r\n\r\n")
        };
        stream.write_all(head.as_bytes()).await.unwrap();
        idle.push(stream);
    }
    let answer = tokio::time::timeout(Duration::from_secs(15), guest.get("/"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(answer.status, StatusCode::OK);
    // Who does not finish the head is sent away.
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(Duration::from_mins(1), idle[0].read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "the connection is still open");
}

#[tokio::test]
async fn a_form_that_is_far_too_large_is_refused() {
    let house = House::build().await.unwrap();
    let mut guest = house.guest("camille", Role::Operator).await.unwrap();
    let why = "x".repeat(200_000);
    let answer = guest
        .submit("/act/sync", &[("row", "t2/r5"), ("why", &why)])
        .await
        .unwrap();
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let why = "x".repeat(501);
    let answer = guest
        .submit("/act/sync", &[("row", "t2/r5"), ("why", &why)])
        .await
        .unwrap();
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    nothing_happened(&house).await.unwrap();
}
