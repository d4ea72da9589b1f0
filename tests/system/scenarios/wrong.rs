//! A claim that is not true fails as soon as the bridge is idle, with what is there instead.

use anyhow::Context as _;
use rstest::rstest;
use serde_json::Value;

use crate::{Said, play, write};

/// A step waits at most [`test_support::PATIENCE`]. What fails far below it has not waited.
const AT_ONCE: f64 = 30.0;

const PROJECT: &str = r#"when = [{ do = "create", table = "projet", row = "a", fields = { Nom = "Alpha" } }]"#;
const RIGHT: &str = r#"{ of = "a", title = "Projet Alpha - (sans client)" }"#;

async fn played(text: &str) -> anyhow::Result<(Said, Value)> {
    let folder = tempfile::tempdir()?;
    let path = write(folder.path(), text)?;
    let said = play(&["--json", &path.display().to_string()]).await?;
    anyhow::ensure!(said.code == Some(1), "{}{}", said.out, said.err);
    anyhow::ensure!(said.error()["code"] == "wrong_claim", "{}", said.err);
    let last = said.steps()?.pop().context("no step was told")?;
    Ok((said, last))
}

#[rstest]
#[case::title(
    PROJECT,
    r#"pages = [{ of = "a", title = "Projet Beta" }]"#,
    "\"Projet Beta\"",
    "\"Projet Alpha - (sans client)\""
)]
#[case::text(
    PROJECT,
    r#"pages = [{ of = "a", title = "Projet Alpha - (sans client)", body = ["Gamma"] }]"#,
    "\"Gamma\"",
    "Statut"
)]
#[case::trash(
    PROJECT,
    r#"pages = [{ of = "a", title = "Projet Alpha - (sans client)", trashed = true }]"#,
    "in the trash",
    "not in the trash"
)]
#[case::no_page(PROJECT, "pages = []", "none", "\"Projet Alpha - (sans client)\"")]
#[case::mail(
    PROJECT,
    r#"mails = [{ to = "zoe@example.org", subject = "Bonjour" }]"#,
    "a mail to zoe@example.org, \"Bonjour\"",
    "none"
)]
#[case::outcome(PROJECT, r#"outcomes = { a = ["no_change"] }"#, "no_change", "synced")]
#[case::row(PROJECT, r#"rows = { a = { Nom = "Beta" } }"#, "\"Beta\"", "\"Alpha\"")]
#[case::table(
    r#"when = [{ do = "write_page", page = "p", title = "Comité" }]"#,
    "tables = { comptes_rendus = [{}] }",
    "1",
    "0"
)]
#[tokio::test]
async fn a_wrong_claim_fails_as_soon_as_the_bridge_is_idle_and_says_what_is_there(
    #[case] when: &str,
    #[case] claim: &str,
    #[case] expected: &str,
    #[case] found: &str,
) {
    let pages = if claim.starts_with("pages") || !when.contains("projet") {
        String::new()
    } else {
        format!("pages = [{RIGHT}]\n")
    };
    let text = format!("rule = \"projet-page\"\n[[step]]\nthat = \"it is so\"\n{when}\n{pages}{claim}\n");
    let (said, step) = played(&text).await.unwrap();
    let wrong = &step["claims"].as_array().unwrap().last().unwrap()["wrong"];
    let holds = |field: &str, text: &str| wrong[field].as_str().unwrap().contains(text);
    assert!(holds("expected", expected), "{wrong:#}");
    assert!(holds("found", found), "{wrong:#}");
    assert!(
        step["place"].as_str().unwrap().ends_with("scenario.toml:4:8"),
        "{step:#}"
    );
    let seconds = step["seconds"].as_f64().unwrap();
    assert!(seconds < AT_ONCE, "{seconds} s: {}", said.out);
}

#[tokio::test]
async fn the_steps_before_a_wrong_claim_are_told_and_those_behind_it_are_not_played() {
    let step = |that: &str, title: &str, act: &str| {
        format!("[[step]]\nthat = {that:?}\n{act}\npages = [{{ of = \"a\", title = {title:?} }}]\n")
    };
    let right = "Projet Alpha - (sans client)";
    let text = format!(
        "rule = \"projet-page\"\n{}{}{}",
        step("right", right, PROJECT),
        step("wrong", "Beta", ""),
        step("behind", right, "")
    );
    let (said, _) = played(&text).await.unwrap();
    let told: Vec<(Value, usize)> = said
        .steps()
        .unwrap()
        .iter()
        .map(|step| (step["that"].clone(), step["acts"].as_array().unwrap().len()))
        .collect();
    assert_eq!(told, [("right".into(), 1), ("wrong".into(), 0)]);
}

#[tokio::test]
async fn of_several_scenarios_the_worst_exit_status_counts() {
    let folder = tempfile::tempdir().unwrap();
    let text = format!("rule = \"projet-page\"\n[[step]]\nthat = \"it is so\"\n{PROJECT}\npages = []\n");
    let path = write(folder.path(), &text).unwrap();
    let said = play(&["no-such-scenario.toml", path.to_str().unwrap()]).await.unwrap();
    assert!(said.err.contains("a claim is not true"), "{}{}", said.out, said.err);
    assert_eq!(said.code, Some(2), "{}{}", said.out, said.err);
}

#[tokio::test]
async fn a_rule_that_is_broken_is_named_where_its_job_is_held() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("p.md"), "Texte").unwrap();
    let bridge = r#"
[sources]
"only-this" = { proof = "token", secrets = "NOWHERE", tables = [77] }

[[rules]]
name = "page"
table = "projet"
[rules.page]
space = "Nowhere"
title = "{{ row.Nom }}"
body = "p.md"
"#;
    std::fs::write(folder.path().join("bridge.toml"), bridge).unwrap();
    let step = format!("[[step]]\nthat = \"it has a page\"\n{PROJECT}\npages = [{{ of = \"a\", title = \"Alpha\" }}]");
    let path = folder.path().join("scenario.toml");
    std::fs::write(&path, format!("rule = \"page\"\n{step}\n")).unwrap();
    let said = play(&["--json", path.to_str().unwrap()]).await.unwrap();
    assert_eq!(said.code, Some(1), "{}{}", said.out, said.err);
    let last = said.steps().unwrap().pop().unwrap();
    let facts = last["facts"].to_string();
    assert!(
        facts.contains("a (t") && facts.contains("is held") && facts.contains("Nowhere"),
        "{facts}"
    );
    assert!(last["seconds"].as_f64().unwrap() < AT_ONCE, "{last:#}");
}
