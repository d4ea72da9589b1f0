//! Files that are wrong: nothing is started, and everything is told with its place.

use system_tests::builder::repository;

use crate::{play, write};

#[tokio::test]
async fn everything_that_is_wrong_with_a_scenario_is_told_with_its_place_and_what_may_be_meant() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(
        folder.path(),
        r#"rule = "projet-page"
spacess = ["General"]

[[step]]
that = "it has a page"
when = [
  { do = "create", tabble = "client", row = "nord", fields = {} },
  { do = "deletee", row = "nord" },
]
pages = [{ of = "refonte", titlle = "Refonte" }]
"#,
    )
    .unwrap();
    let said = play(&[path.to_str().unwrap()]).await.unwrap();
    assert_eq!(said.code, Some(2), "{}{}", said.out, said.err);
    for (place, what, hint) in [
        ("3:1", "there is no key \"spacess\" here", "did you mean \"spaces\"?"),
        ("8:20", "there is no key \"tabble\" here", "did you mean \"table\"?"),
        ("9:10", "\"deletee\" cannot stand here", "did you mean \"delete\"?"),
        ("11:28", "there is no key \"titlle\" here", "did you mean \"title\"?"),
    ] {
        let told = format!("{}:{place}\n  {what}\n  → {hint}", path.display());
        assert!(said.err.contains(&told), "{told}\nis not in\n{}", said.err);
    }
}

#[tokio::test]
async fn a_name_that_nothing_has_is_told_with_its_place_and_what_may_be_meant() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(
        folder.path(),
        r#"rule = "projet-page"

[[step]]
that = "it has a page"
when = [
  { do = "create", table = "client", row = "nord", fields = {} },
  { do = "create", table = "projet", row = "refonte", fields = { Client = ["@norf"] } },
  { do = "delete", row = "refont" },
  { do = "share_page", page = "refonte" },
]
pages = [{ of = "refotne", title = "Refonte" }]
outcomes = { refonte = ["snyced"] }
"#,
    )
    .unwrap();
    let said = play(&["--json", path.to_str().unwrap()]).await.unwrap();
    assert_eq!(said.code, Some(2), "{}{}", said.out, said.err);
    let error = said.error();
    assert_eq!(error["code"], "problems");
    let told: Vec<(String, &str)> = error["problems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|problem| {
            let place = problem["place"].as_str().unwrap().rsplit_once(".toml:").unwrap().1;
            (place.to_owned(), problem["hint"].as_str().unwrap())
        })
        .collect();
    let expected = [
        ("8:75", "did you mean \"nord\"?"),
        ("9:26", "did you mean \"refonte\"?"),
        ("10:31", "there is none"),
        ("12:17", "did you mean \"refonte\"?"),
        ("13:25", "did you mean \"synced\"?"),
    ];
    let expected = expected.map(|(place, hint)| (place.to_owned(), hint));
    assert_eq!(told, expected);
}

#[tokio::test]
async fn rules_that_are_wrong_and_a_rule_that_is_not_there_are_told_before_anything_is_started() {
    let folder = tempfile::tempdir().unwrap();
    let step = "[[step]]\nthat = \"nothing\"\n";
    let path = write(folder.path(), &format!("rule = \"projet-pgae\"\n{step}")).unwrap();
    let said = play(&[path.to_str().unwrap()]).await.unwrap();
    assert_eq!(said.code, Some(2), "{}{}", said.out, said.err);
    assert!(said.err.contains("scenario.toml:2:8\n"), "{}", said.err);
    assert!(said.err.contains("did you mean \"projet-page\"?"), "{}", said.err);

    let shipped = std::fs::read_to_string(repository().join("bridge.toml")).unwrap();
    let wrong = shipped.replace("[rules.page]", "[rules.pgae]");
    std::fs::write(folder.path().join("bridge.toml"), wrong).unwrap();
    let rules = folder.path().to_str().unwrap();
    let said = play(&["--rules", rules, path.to_str().unwrap()]).await.unwrap();
    assert_eq!(said.code, Some(2), "{}{}", said.out, said.err);
    assert!(said.err.contains("did you mean \"page\"?"), "{}", said.err);
}

#[tokio::test]
async fn a_file_that_is_not_there_is_named() {
    let said = play(&["no-such-scenario.toml"]).await.unwrap();
    assert_eq!(said.code, Some(2), "{}", said.err);
    assert!(
        said.err.starts_with("no-such-scenario.toml\n  cannot be read"),
        "{}",
        said.err
    );
}
