//! The story of every rule, played through real processes. The stories are data:
//! `tests/scenarios/*.toml`, `examples/*/scenario.toml`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rstest::rstest;
use system_tests::builder::repository;
use system_tests::scenario::{self, Scenario};

#[rstest]
#[tokio::test]
async fn a_rule_does_what_its_scenario_says(
    #[files("scenarios/*.toml")]
    #[files("../examples/*/scenario.toml")]
    path: PathBuf,
) {
    if let Err(wrong) = scenario::play(&path).await {
        panic!("{wrong:#}");
    }
}

#[test]
fn every_shipped_rule_has_a_scenario() {
    let mut missing = BTreeSet::new();
    let scenarios: Vec<Scenario> = Scenario::files()
        .unwrap()
        .iter()
        .map(|path| Scenario::load(path).unwrap())
        .collect();
    let mut bridges: BTreeSet<&Path> = scenarios.iter().map(|scenario| scenario.bridge.as_path()).collect();
    bridges.insert(Path::new("bridge.toml"));
    for bridge in bridges {
        let covered: BTreeSet<&str> = scenarios
            .iter()
            .filter(|scenario| scenario.bridge == bridge)
            .map(|scenario| scenario.rule.as_str())
            .collect();
        let file = passerelle_model::config::BridgeFile::load(&repository().join(bridge)).unwrap();
        let rules = file.rules.iter().map(|rule| rule.get_ref().name.clone());
        let rules = rules.chain(file.wiki.iter().map(|rule| rule.get_ref().name.clone()));
        missing.extend(rules.filter(|rule| !covered.contains(rule.as_str())));
    }
    assert_eq!(missing, BTreeSet::new(), "write tests/scenarios/<rule>.toml");
}

#[test]
fn every_example_has_a_scenario() {
    let examples = std::fs::read_dir(repository().join("examples")).unwrap();
    for example in examples {
        let folder = example.unwrap().path();
        // Those of the shipped rules are in tests/scenarios.
        if !folder.join("bridge.toml").exists() {
            continue;
        }
        assert!(folder.join("scenario.toml").is_file(), "{}", folder.display());
    }
}
