//! `scripts/tools` on a machine that has none of the tools, and no way to install them.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::{Command, Output};

use rstest::rstest;
use system_tests::builder::repository;
use tempfile::TempDir;

/// What `scripts/tools` says where bash is the only program on the PATH.
fn asked(tool: &str) -> anyhow::Result<Output> {
    let bare = TempDir::new()?;
    for program in ["bash", "env"] {
        symlink(
            fs::canonicalize(format!("/usr/bin/{program}"))?,
            bare.path().join(program),
        )?;
    }
    let script = repository().join("scripts/tools");
    Ok(Command::new(bare.path().join("bash"))
        .arg(script)
        .arg(tool)
        .env_clear()
        .env("PATH", bare.path())
        .output()?)
}

#[rstest]
#[case::redis("redis")]
#[case::shellcheck("shellcheck")]
#[case::codespell("codespell")]
fn a_tool_that_is_not_there_is_not_called_found(#[case] tool: &str) -> anyhow::Result<()> {
    let answer = asked(tool)?;
    let said = String::from_utf8_lossy(&answer.stderr);
    assert!(!answer.status.success(), "{tool} was called found: {said}");
    assert!(said.contains(&format!("install the package {tool}")), "{said}");
    Ok(())
}

#[rstest]
#[case::prometheus("prometheus")]
#[case::browser("browser")]
#[case::systemd("systemd")]
fn a_tool_that_tests_can_do_without_is_missed_aloud(#[case] tool: &str) -> anyhow::Result<()> {
    let answer = asked(tool)?;
    let said = String::from_utf8_lossy(&answer.stderr);
    assert!(answer.status.success(), "{said}");
    assert!(said.contains("skipped"), "nobody said that {tool} is missing: {said}");
    Ok(())
}
