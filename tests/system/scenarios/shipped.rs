//! The scenarios of the shipped rules, and those of the examples.

use std::collections::BTreeSet;
use std::path::PathBuf;

use passerelle_model::config::BridgeFile;
use rstest::rstest;
use system_tests::builder::repository;
use system_tests::scenario::Scenario;

use crate::play;

#[rstest]
#[tokio::test]
async fn a_rule_does_what_its_scenario_says(
    #[files("scenarios/*.toml")]
    #[files("../examples/*/scenario.toml")]
    path: PathBuf,
) {
    let said = play(&[path.to_str().unwrap()]).await.unwrap();
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    assert!(said.out.contains("✓ in the end nothing is left undone"), "{}", said.out);
    assert!(said.out.contains("all of it is true"), "{}", said.out);
}

#[test]
fn every_shipped_rule_has_a_scenario() {
    let mut missing = BTreeSet::new();
    let scenarios: Vec<Scenario> = Scenario::files()
        .unwrap()
        .iter()
        .map(|path| Scenario::load(path).unwrap())
        .collect();
    let bridge_of = |scenario: &Scenario| scenario.bridge_file(None).canonicalize().unwrap();
    let mut bridges: BTreeSet<PathBuf> = scenarios.iter().map(bridge_of).collect();
    bridges.insert(repository().join("bridge.toml").canonicalize().unwrap());
    for bridge in bridges {
        let covered: BTreeSet<&str> = scenarios
            .iter()
            .filter(|scenario| bridge_of(scenario) == bridge)
            .map(|scenario| scenario.rule.as_str())
            .collect();
        let file = BridgeFile::load(&bridge).unwrap();
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
