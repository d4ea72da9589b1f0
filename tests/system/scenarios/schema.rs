//! The JSON Schema of scenarios, by which editors complete and check them.

use boon::{Compiler, Schemas};
use rstest::rstest;
use serde_json::Value;
use system_tests::builder::repository;
use system_tests::scenario::{Scenario, schema};

const NAME: &str = "scenario.schema.json";

/// What is wrong with a file by the schema; nothing if it is valid.
fn complaints(text: &str) -> anyhow::Result<String> {
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    let read = |error: boon::CompileError| anyhow::anyhow!("{error}");
    compiler
        .add_resource(NAME, serde_json::from_str(&schema())?)
        .map_err(read)?;
    let schema = compiler.compile(NAME, &mut schemas).map_err(read)?;
    let file: Value = toml::from_str(text)?;
    let checked = schemas.validate(&file, schema);
    Ok(checked.err().map_or_else(String::new, |error| format!("{error:#}")))
}

#[test]
fn the_schema_in_the_project_is_that_of_the_types() {
    let kept = std::fs::read_to_string(repository().join(NAME)).unwrap();
    assert!(kept == schema(), "{NAME} is out of date: `make settings`");
}

#[test]
fn every_shipped_scenario_names_the_schema_and_is_valid() {
    let files = Scenario::files().unwrap();
    assert!(files.len() >= 10, "{files:?}");
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        let named = text.lines().next().and_then(|line| line.strip_prefix("#:schema "));
        let named = named.unwrap_or_else(|| panic!("{} names no schema", path.display()));
        assert!(path.with_file_name(named).is_file(), "{}: {named}", path.display());
        assert_eq!(complaints(&text).unwrap(), "", "{}", path.display());
    }
}

#[rstest]
#[case::key("rle = \"a\"\n[[step]]\nthat = \"b\"", "rle")]
#[case::no_steps("rule = \"a\"\nstep = []", "/step")]
#[case::act(
    "rule = \"a\"\n[[step]]\nthat = \"b\"\nwhen = [{ do = \"creat\" }]",
    "/step/0/when/0"
)]
#[case::page("rule = \"a\"\n[[step]]\nthat = \"b\"\npages = [{ of = \"c\" }]", "title")]
fn a_wrong_file_is_refused_at_the_place(#[case] text: &str, #[case] place: &str) {
    let found = complaints(text).unwrap();
    assert!(found.contains(place), "{found}");
}
