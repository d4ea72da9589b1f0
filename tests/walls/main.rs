//! What may not depend on what. The compiler holds most walls; these ask it.

use std::collections::BTreeSet;
use std::process::Command;

use passerelle_model::metrics::METRICS;

/// The names of the packages that a package is built with, itself included.
fn built_with(package: &str) -> anyhow::Result<Vec<String>> {
    let cargo = option_env!("CARGO").unwrap_or("cargo");
    let tree = Command::new(cargo)
        .args(["tree", "--offline", "--locked", "--edges", "normal", "--prefix", "none"])
        .args(["--format", "{p}", "--package", package])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .output()?;
    let errors = String::from_utf8_lossy(&tree.stderr).into_owned();
    anyhow::ensure!(tree.status.success(), "cargo tree failed: {errors}");
    let text = String::from_utf8(tree.stdout)?;
    let names = text.lines().filter_map(|line| line.split(' ').next());
    Ok(names.map(str::to_owned).collect())
}

#[test]
fn the_ingress_cannot_reach_sql() {
    let packages = built_with("passerelle-ingress").unwrap();
    assert!(packages.contains(&"passerelle-queue".to_owned()), "{packages:?}");
    let sql: Vec<_> = packages
        .iter()
        .filter(|name| name.starts_with("sqlx") || name.contains("sqlite") || *name == "passerelle-store")
        .collect();
    assert!(sql.is_empty(), "the ingress is built with {sql:?}");
}

#[test]
fn the_model_does_no_network_io() {
    let packages = built_with("passerelle-model").unwrap();
    let io: Vec<_> = packages
        .iter()
        .filter(|name| ["redis", "sqlx", "reqwest", "tokio", "actix-web"].contains(&name.as_str()))
        .collect();
    assert!(io.is_empty(), "the model is built with {io:?}");
}

#[test]
fn no_shipped_program_contains_the_sandbox_or_a_test_crate() {
    for program in [
        "passerelle-ingress",
        "passerelle-worker",
        "passerelle-console",
        "passerelle-ops",
    ] {
        let packages = built_with(program).unwrap();
        let foreign: Vec<_> = packages
            .iter()
            .filter(|name| ["passerelle-sandbox", "test-support", "system-tests"].contains(&name.as_str()))
            .collect();
        assert!(foreign.is_empty(), "{program} is built with {foreign:?}");
    }
}

/// It numbers them.
#[test]
fn an_entry_is_added_to_the_ledger_in_one_file_of_the_scripts() {
    let found = Command::new("git")
        .args(["grep", "-lw", "XADD", "--", "*.lua"])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .output()
        .unwrap();
    let files = String::from_utf8(found.stdout).unwrap();
    let files: Vec<_> = files.lines().collect();
    assert_eq!(files, ["shared/queue/src/server/scripts/ledger.lua"]);
}

#[test]
fn the_crate_backoff_is_named_in_one_file() {
    let found = Command::new("git")
        .args([
            "grep",
            "-lE",
            r"\bbackoff::(backoff|exponential|Exponential|SystemClock|future)",
            "--",
            "*.rs",
        ])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .output()
        .unwrap();
    let files = String::from_utf8(found.stdout).unwrap();
    let files: Vec<_> = files.lines().filter(|file| !file.starts_with("tests/walls/")).collect();
    assert_eq!(files, ["shared/queue/src/server/backoff.rs"]);
}

/// The literals of a metric's name in the sources of the processes.
fn counted() -> anyhow::Result<BTreeSet<String>> {
    let found = Command::new("git")
        .args(["grep", "-ohE", r#""passerelle_[a-z_]+""#, "--"])
        .args([
            "ingress/src",
            "worker/src",
            "shared/queue/src",
            "shared/store/src",
            "shared/traces/src",
        ])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .output()?;
    let found = String::from_utf8(found.stdout)?;
    let names = found.lines().map(|name| name.trim_matches('"').to_owned());
    // The others are targets of log lines.
    Ok(names.filter(|name| name.matches('_').count() > 1).collect())
}

#[test]
fn every_metric_that_a_process_counts_is_in_the_table_and_no_other() {
    let table: BTreeSet<String> = METRICS.iter().map(|metric| metric.name.to_owned()).collect();
    assert_eq!(counted().unwrap(), table);
}
