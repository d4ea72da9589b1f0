//! `check`: what is wrong with the rules is told before a process reads them.

use crate::town::{TOKEN, Town};

const SOURCES: &str = "owned_fields = [\"docmost_page_id\", \"docmost_url\"]\n[sources]\n\"*\" = { proof = \"hmac\", secrets = \"BASEROW_WEBHOOK_SECRET\" }\n";

/// A rule on one line each, so that lines can be counted.
fn rule(name: &str, table: &str, lines: &str) -> String {
    format!(
        "[[rules]]\nname = \"{name}\"\ntable = {table}\npage = {{ space = \"Agence\", title = \"x\", body = \"page.md\" }}\n{lines}\n"
    )
}

#[tokio::test]
async fn the_shipped_rules_are_right_and_fit_the_tables_and_spaces() {
    let town = Town::start().unwrap();
    let checked = town.passerelle(&["check", "--live"]).await;
    assert_eq!(checked.code, 0, "{}{}", checked.out, checked.err);
    assert!(checked.out.contains("nothing wrong"), "{}", checked.out);
}

#[tokio::test]
async fn every_problem_of_the_file_is_told_at_once_with_its_line() {
    let town = Town::start().unwrap();
    let rules = [
        rule("a", "\"projet\"", "links = { \"1x\" = \"Client\" }"),
        rule("a", "\"formation\"", "on = []"),
        rule("b", "\"bloc\"", "").replace("title = \"x\"", "title = \"{{ nobody.Nom }}\""),
    ];
    town.rules(&format!("{SOURCES}{}", rules.concat())).unwrap();
    let checked = town
        .passerelle_with(&["check"], &[("BASEROW_URL", ""), ("REDIS_URL", "")])
        .await;
    assert_eq!(checked.code, 1);
    insta::assert_snapshot!(checked.out, @"");
}

#[tokio::test]
async fn a_rule_that_can_never_do_its_work_is_told() {
    let town = Town::start().unwrap();
    let rules = [
        rule("none", "\"projet\"", "on = [\"other\"]"),
        rule("hidden", "\"formation\"", "").replace("title = \"x\"", "title = \"{{ row.docmost_url }}\""),
        rule("echo", "\"bloc\"", "").replace("body = ", "write_back = { page_id = \"page\" }, body = "),
    ];
    town.rules(&format!("{SOURCES}{}", rules.concat())).unwrap();
    let checked = town.passerelle(&["check"]).await;
    assert_eq!(checked.code, 1);
    insta::assert_snapshot!(checked.out, @"");
}

#[tokio::test]
async fn what_does_not_fit_the_real_systems_is_told_with_what_there_is() {
    let town = Town::start().unwrap();
    let rules = [
        rule("nowhere", "\"projets\"", ""),
        rule("fields", "\"projet\"", "links = { client = \"Statut\" }").replace(
            "title = \"x\"",
            "title = \"{{ row.Nmo }}\", write_back = { page_id = \"Client\", url = \"docmost_url\" }",
        ),
        rule("twice", "2", ""),
        rule("space", "\"formation\"", "").replace("Agence", "Direction"),
    ];
    let sources = SOURCES.replace("\"docmost_url\"", "\"docmost_url\", \"Client\"");
    town.rules(&format!("{sources}{}", rules.concat())).unwrap();
    let checked = town.passerelle(&["check", "--live"]).await;
    assert_eq!(checked.code, 1);
    insta::assert_snapshot!(checked.out, @"");
}

#[tokio::test]
async fn systems_that_cannot_be_asked_are_problems_and_hide_no_other() {
    let town = Town::start().unwrap();
    let checked = town
        .passerelle_with(
            &["--json", "check", "--live"],
            &[("BASEROW_TOKEN", "wrong"), ("DOCMOST_PASSWORD", "wrong")],
        )
        .await;
    assert_eq!(checked.code, 1);
    let told: serde_json::Value = serde_json::from_str(&checked.out).unwrap();
    let places: Vec<&str> = told["problems"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|problem| problem["place"].as_str())
        .collect();
    assert_eq!(places, ["BASEROW_URL", "DOCMOST_URL"], "{}", checked.out);
    assert!(!checked.out.contains(TOKEN));
}

#[tokio::test]
async fn a_file_that_is_not_there_or_no_toml_is_told_with_its_place() {
    let town = Town::start().unwrap();
    let missing = town.passerelle(&["check", "--file", "nowhere.toml"]).await;
    assert_eq!(missing.code, 1);
    assert!(missing.out.contains("nowhere.toml: cannot be read"), "{}", missing.out);
    town.rules("[sources]\n[[rules]]\nnmae = \"x\"\n").unwrap();
    let broken = town.passerelle(&["check"]).await;
    assert!(broken.out.contains("bridge.toml:3"), "{}", broken.out);
}
