//! What acts do: each once, with the person's name and reason.

use passerelle_queue::gate::GateState;
use passerelle_store::Role;
use reqwest::StatusCode;
use test_support::eventually;

use crate::house::{Answer, Guest, House};

/// A house with a dead letter of each of three rows, and a notice that could not be sent.
async fn with_trouble() -> anyhow::Result<House> {
    let house = House::build().await?;
    house.dead_rows(1..=3).await?;
    house.failed_notice("{}", "mailbox is full").await?;
    Ok(house)
}

/// A form, and what the ledger has of it; `{why}` is the reason.
struct Form {
    address: &'static str,
    fields: Vec<(&'static str, String)>,
    told: Vec<&'static str>,
}

fn form(address: &'static str, fields: &[(&'static str, &str)], told: &[&'static str]) -> Form {
    Form {
        address,
        fields: fields
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect(),
        told: told.to_vec(),
    }
}

/// Every act that asks for a reason.
async fn forms(house: &House, guest: &mut Guest) -> anyhow::Result<Vec<Form>> {
    let letters = house.queue.dead_letters(None, 10).await?;
    let group = group(guest).await?;
    Ok(vec![
        form(
            "/act/queue",
            &[("queue", "sync"), ("do", "pause")],
            &["queue/sync paused by camille: {why}"],
        ),
        form(
            "/act/queue",
            &[("queue", "sync"), ("do", "resume")],
            &["queue/sync resumed by camille: {why}"],
        ),
        form(
            "/act/gate",
            &[("gate", "docmost:write"), ("do", "stop")],
            &["gate/docmost:write stop by camille: {why}"],
        ),
        form(
            "/act/notice",
            &[("notice", "notice/e1/a")],
            &["notice/e1/a retried by camille: {why}"],
        ),
        form("/act/sync", &[("row", "t2/r9")], &["forced by camille: {why}"]),
        form(
            "/act/replay",
            &[("letter", &letters[0].id)],
            &["replayed by camille: {why}"],
        ),
        form(
            "/act/letters",
            &[("group", &group), ("newest", &letters[0].id), ("do", "discard")],
            &["discarded by camille: {why}"; 2],
        ),
    ])
}

/// The name of the only group of dead letters.
pub(crate) async fn group(guest: &mut Guest) -> anyhow::Result<String> {
    Ok(eventually("the letters are counted", async || {
        let page = guest.get("/letters").await.map_err(|error| error.to_string())?.body;
        let name = page
            .split_once("/letters/plan/")
            .and_then(|(_, rest)| rest.split('?').next());
        name.map(str::to_owned).ok_or(page)
    })
    .await)
}

/// A hidden field of a page's form.
pub(crate) fn hidden(page: &Answer, name: &str) -> anyhow::Result<String> {
    let found = page.body.split_once(&format!("name=\"{name}\" value=\""));
    let value = found.and_then(|(_, rest)| rest.split('"').next());
    value
        .map(str::to_owned)
        .ok_or_else(|| anyhow::anyhow!("no {name} in {}", page.body))
}

#[tokio::test]
async fn an_act_is_done_once_however_often_its_button_is_pressed_and_kept_with_name_and_reason() {
    let house = with_trouble().await.unwrap();
    let mut guest = house.guest("camille", Role::Operator).await.unwrap();
    for (number, form) in forms(&house, &mut guest).await.unwrap().into_iter().enumerate() {
        let page = guest.get("/operate").await.unwrap();
        let why = format!("reason {number}");
        let (token, once) = (hidden(&page, "token").unwrap(), hidden(&page, "once").unwrap());
        let mut fields: Vec<(&str, &str)> = form
            .fields
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        fields.extend([("token", token.as_str()), ("once", &once), ("why", &why)]);
        let (mut left, mut right) = (guest.clone(), guest.clone());
        let (left, right) = tokio::join!(left.post(form.address, &fields), right.post(form.address, &fields));
        let again = guest.post(form.address, &fields).await.unwrap();
        let answers = [left.unwrap(), right.unwrap(), again];
        for answer in &answers {
            assert_eq!(answer.status, StatusCode::SEE_OTHER, "{} {}", form.address, answer.body);
            assert_eq!(
                answer.header("location"),
                answers[0].header("location"),
                "{}",
                form.address
            );
        }
        let wanted: Vec<String> = form.told.iter().map(|told| told.replace("{why}", &why)).collect();
        let told = eventually("the act is in the ledger", async || {
            let acts = house.acts().await.map_err(|error| error.to_string())?;
            let told: Vec<String> = acts.into_iter().filter(|act| act.ends_with(&why)).collect();
            if told.len() >= wanted.len() {
                Ok(told)
            } else {
                Err(format!("{told:?}"))
            }
        })
        .await;
        assert_eq!(told, wanted, "{}", form.address);
    }
    let stats = house.queue.stats().await.unwrap();
    assert_eq!(
        (stats.dead, stats.active, stats.paused),
        (0, 2, None),
        "one forced, one replayed"
    );
}

#[tokio::test]
async fn an_act_without_a_reason_changes_nothing() {
    let house = with_trouble().await.unwrap();
    let mut guest = house.guest("camille", Role::Operator).await.unwrap();
    for form in forms(&house, &mut guest).await.unwrap() {
        for why in ["", "   ", &"x".repeat(501)] {
            let mut fields: Vec<(&str, &str)> = form
                .fields
                .iter()
                .map(|(name, value)| (*name, value.as_str()))
                .collect();
            fields.push(("why", why));
            let answer = guest.submit(form.address, &fields).await.unwrap();
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", form.address);
            assert!(answer.body.contains("reason"), "{}", answer.body);
        }
    }
    assert_eq!(house.acts().await.unwrap(), Vec::<String>::new());
    assert_eq!(house.queue.stats().await.unwrap().dead, 3);
}

#[tokio::test]
async fn what_was_switched_is_shown_with_who_and_why_and_stands_among_the_acts() {
    let house = House::build().await.unwrap();
    let mut guest = house.guest("camille", Role::Operator).await.unwrap();
    let pause = [("queue", "sync"), ("do", "pause"), ("why", "the wiki is moved")];
    guest.submit("/act/queue", &pause).await.unwrap();
    let stop = [("gate", "docmost:write"), ("do", "stop"), ("why", "it is upgraded")];
    guest.submit("/act/gate", &stop).await.unwrap();
    let page = guest.get("/operate").await.unwrap().body;
    assert!(page.contains("camille: the wiki is moved"), "{page}");
    let gates = passerelle_queue::gate::Gates::new(
        house.redis().unwrap(),
        passerelle_model::id::ProcessName::unique("test"),
        passerelle_queue::gate::GatePolicy::read(&mut passerelle_model::config::Reader::from_pairs::<String, String>(
            [],
        )),
    );
    let stopped = gates.list().await.unwrap();
    let stopped = stopped.iter().find(|gate| gate.gate == "docmost:write").unwrap();
    assert_eq!(
        (stopped.state, stopped.by.as_deref(), stopped.why.as_deref()),
        (GateState::Stopped, Some("camille"), Some("it is upgraded"))
    );
    house.keep_ledger().await.unwrap();
    let acts = guest.get("/acts").await.unwrap().body;
    for part in [
        "queue/sync",
        "the wiki is moved",
        "gate/docmost:write",
        "it is upgraded",
        "camille",
    ] {
        assert!(acts.contains(part), "{part} in {acts}");
    }
}
