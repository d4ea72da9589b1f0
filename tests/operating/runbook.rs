//! The commands that docs/RUNBOOK.md and docs/playbooks/ tell people to type, typed: each in the
//! order of its page, against a real bridge.
//!
//! A fence of the page that begins with ```` ```sh ```` is typed; other fences are for systems that
//! a test does not have. `t2/r42`, `<event id>` and `<letter>` stand for things that the operator
//! has found before.

use anyhow::Context as _;
use passerelle_model::id::RowKey;
use system_tests::System;
use system_tests::builder::repository;

use crate::shell::Shell;
use crate::{dead_rows, project};

/// The lines of all fences that are to be typed.
fn commands(page: &str) -> Vec<String> {
    let (mut found, mut is_typed, mut is_fenced) = (Vec::new(), false, false);
    for line in page.lines() {
        let line = line.trim();
        if let Some(language) = line.strip_prefix("```") {
            is_typed = !is_fenced && language == "sh";
            is_fenced = !is_fenced;
        } else if is_typed && !line.is_empty() && !line.starts_with('#') {
            found.push(line.to_owned());
        }
    }
    found
}

fn commands_of(page: &str) -> std::io::Result<Vec<String>> {
    Ok(commands(&std::fs::read_to_string(repository().join(page))?))
}

/// Types commands about a row, one of its events, and the dead letters that are left.
async fn type_all(system: &System, commands: &[String], row: RowKey, event: &str) -> anyhow::Result<()> {
    let shell = Shell::of(system)?;
    for command in commands {
        let mut typed = command.replace("t2/r42", &row.to_string()).replace("<event id>", event);
        if typed.contains("<letter>") {
            let letters = system.queue.dead_letters(None, 1).await?;
            typed = typed.replace("<letter>", &letters.first().context("no dead letter is left")?.id);
        }
        let output = shell.typed(&typed)?;
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        // `doctor` ends with another code where it finds something, and here it does: mail is not
        // set up.
        let is_examined = typed.starts_with("make doctor") && printed.contains("conservation");
        anyhow::ensure!(
            output.status.success() || is_examined,
            "the page says `{command}`, and that fails:\n{printed}{complaint}"
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_of_the_playbooks_works_when_it_is_typed() {
    let system = System::builder().start().await.unwrap();
    let row = project(&system, "cherché").await.unwrap();
    system.drain().await;
    for page in ["incident", "release", "upgrades"] {
        let commands = commands_of(&format!("docs/playbooks/{page}.md")).unwrap();
        assert!(!commands.is_empty(), "{page} tells what to type");
        type_all(&system, &commands, row, "").await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_of_the_runbook_works_when_it_is_typed() {
    let system = System::builder().start().await.unwrap();
    let row = project(&system, "cherché").await.unwrap();
    system.drain().await;
    dead_rows(&system, &["un", "deux", "trois", "quatre"]).await.unwrap();
    let event = system
        .operator(&["sync", &row.to_string(), "--wait", "--by", "lea", "--json"])
        .await
        .unwrap();
    let event: serde_json::Value = serde_json::from_str(&event).unwrap();
    let event = event["event"].as_str().unwrap().to_owned();

    let commands = commands_of("docs/RUNBOOK.md").unwrap();
    assert!(commands.len() > 20, "the page tells what to type: {commands:?}");
    type_all(&system, &commands, row, &event).await.unwrap();
    // Of four letters the page has one replayed and one discarded.
    system.expect_dead(2);
}

#[test]
fn only_fences_that_are_to_be_typed_are() {
    let page = "text\n```sh\nmake a\n# no command\n\nmake b\n```\n```text\npg_dump x\n```\n  ```sh\n  make c\n  ```\n";
    assert_eq!(commands(page), ["make a", "make b", "make c"]);
}
