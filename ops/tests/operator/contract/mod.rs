//! `--json` is a contract: the names and types of every verb's answer, from a real queue and store,
//! are those of `docs/CLI.md`, and stay.

mod scene;

use std::collections::BTreeSet;

use clap::CommandFactory as _;
use passerelle_ops::cli::Cli;
use serde_json::Value;
use test_support::contract::{Page, Shape};

use crate::desk::Desk;
use scene::Scene;

/// Verbs that give no answer: they run until they are stopped, or write a text that another program
/// reads as it is.
const WITHOUT_AN_ANSWER: [&str; 8] = [
    "all",
    "completions",
    "console",
    "down",
    "man",
    "restart",
    "rules schema",
    "up",
];

/// Verbs whose answer needs more than the scene has: an installation from nothing, a bridge in the
/// background, workers that read rules, a sandbox. `tests/operating/answers.rs` types them, and
/// `tests/system/scenarios/` types `play`.
const ELSEWHERE: [&str; 4] = ["init", "play", "reload", "status"];

/// Every verb that a person can type, e.g. `dead list`.
fn verbs(command: &clap::Command, words: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        let words = format!("{words} {}", verb.get_name()).trim().to_owned();
        found.extend(verbs(verb, &words));
        if !verb.is_subcommand_required_set() {
            found.insert(words);
        }
    }
    found
}

#[tokio::test]
async fn every_verb_answers_as_json_with_the_fields_that_the_page_documents() {
    let answers = Scene::set().await.unwrap().play().await.unwrap();
    let page = Page::read();
    let mut wrong = Vec::new();
    let shapes: Vec<String> = answers
        .iter()
        .map(|(verb, shape)| format!("# {verb}\n{shape}"))
        .collect();
    let shapes = shapes.join("\n");
    insta::assert_snapshot!(shapes);
    for (verb, answer) in &answers {
        wrong.extend(page.holds(verb, answer).err().map(|error| format!("{error:#}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let answered: BTreeSet<String> = answers.into_keys().collect();
    let mut typed = verbs(&Cli::command(), "");
    typed.retain(|verb| !WITHOUT_AN_ANSWER.contains(&verb.as_str()) && !ELSEWHERE.contains(&verb.as_str()));
    assert_eq!(answered, typed, "a verb without a place in the scene");
}

#[tokio::test]
async fn what_is_watched_is_one_object_on_each_line_until_it_is_stopped() {
    let desk = Desk::new().unwrap();
    desk.with_schema().await;
    // The second answer begins a line of its own.
    let said = desk.passerelle_until(&["--json", "stats", "--watch"], "}\n{").await;
    assert_eq!(said.code, 0, "{}", said.err);
    let looks: Vec<Value> = said
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(looks.len() > 1, "{}", said.out);
    let page = Page::read();
    for look in &looks {
        page.holds("stats", &Shape::of(look)).unwrap();
    }
}

/// The object on the last line of the error output.
fn error(said: &crate::desk::Said) -> Value {
    let last = said.err.lines().last().unwrap_or_default();
    let told: Value = serde_json::from_str(last).unwrap_or_default();
    told["error"].clone()
}

#[tokio::test]
async fn a_failure_is_an_object_with_a_code_a_cure_and_the_exit_status() {
    let mut desk = Desk::new().unwrap();
    let page = Page::read();
    let missing = [("DATABASE_URL", "mysql://nowhere")];
    let told = [
        (desk.passerelle(&["--json", "trace", "nobody-knows"]).await, "not_found"),
        (desk.passerelle(&["--json", "workers"]).await, "no_worker"),
        (
            desk.passerelle(&["--json", "run-now", "t2/r9", "--why", "x"]).await,
            "refused",
        ),
        (desk.passerelle(&["--json", "sync", "projet/42"]).await, "usage"),
        (desk.passerelle(&["--json", "no-such-verb"]).await, "usage"),
        (desk.passerelle_with(&["--json", "stats"], &missing).await, "settings"),
        (
            {
                desk.redis.kill().unwrap();
                desk.passerelle(&["--json", "jobs"]).await
            },
            "redis",
        ),
        (desk.passerelle(&["--json", "stats"]).await, "incomplete"),
    ];
    for (said, code) in told {
        let error = error(&said);
        assert_eq!(error["code"], code, "{}", said.err);
        assert_eq!(error["exit_status"], said.code, "{code}: {}", said.err);
        for field in ["message", "cure"] {
            assert!(
                error[field].as_str().is_some_and(|text| !text.is_empty()),
                "{code}: {}",
                said.err
            );
        }
        assert!(
            page.text().contains(&format!("| `{code}` |")),
            "{code} is not on the page"
        );
        let told = Shape::of(&serde_json::json!({ "error": error }));
        page.holds("Failures", &told).unwrap();
        assert!(
            said.out.is_empty() || serde_json::from_str::<Value>(&said.out).is_ok(),
            "{code}: the answer stays an answer: {}",
            said.out
        );
    }
    for code in passerelle_ops::trouble::FOUND {
        assert!(
            page.text().contains(&format!("| `{code}` |")),
            "{code} is not on the page"
        );
    }
}
