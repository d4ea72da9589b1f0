//! The table of settings, the pages made from it, and what the programs read.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use passerelle_console::ConsoleSettings;
use passerelle_model::config::catalogue::{Default, FORMER_SETTINGS, Program, SETTINGS, Setting};
use passerelle_model::config::{Asked, Reader};
use passerelle_ops::operator::Operator;

const ENTRIES: &str = "shared/model/src/config/catalogue/entries.rs";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn text_of(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_default()
}

/// An environment in which everything is switched on, so that every setting is looked up.
fn full_environment() -> Reader {
    let rules = root().join("bridge.toml").display().to_string();
    Reader::from_pairs([
        ("BRIDGE_FILE", rules.as_str()),
        ("SMTP_URL", "smtp://mail.example.org"),
        ("SLACK_WEBHOOK_URL", "https://hooks.slack.com/services/x"),
    ])
}

/// What each program looks up at its start.
fn read_at_start() -> [(Program, Asked); 3] {
    let (mut ingress, worker, cli) = (full_environment(), full_environment(), full_environment());
    passerelle_ingress::settings::Settings::read(&mut ingress);
    // Required settings are missing here: the reader has been asked for all of them all the same.
    let _ = passerelle_worker::settings::Settings::read(worker.clone());
    let _ = Operator::new(cli.clone());
    let _ = ConsoleSettings::read(&mut cli.clone());
    [
        (Program::Ingress, ingress.asked()),
        (Program::Worker, worker.asked()),
        (Program::Cli, cli.asked()),
    ]
}

#[test]
fn every_setting_that_a_program_reads_at_its_start_is_in_the_table_with_its_default() {
    for (program, asked) in read_at_start() {
        for (name, default) in asked {
            // The session's user, which nobody sets for the bridge.
            if name == "USER" {
                continue;
            }
            let setting = Setting::find(&name).unwrap_or_else(|| panic!("{}", missing(&name, program.as_str())));
            assert!(
                setting.programs.contains(&program),
                "{name} is read by {}: add that program to its entry in {ENTRIES}, then run `make settings`",
                program.as_str()
            );
            match (setting.default, default) {
                (Default::Value(documented), Some(default)) => assert_eq!(
                    documented, default,
                    "{name} has another default than its entry in {ENTRIES} says"
                ),
                (Default::Value(_), None) => panic!("{name} has no default, but its entry in {ENTRIES} has one"),
                (Default::Required | Default::Unset, Some(default)) => {
                    panic!("{name} has the default {default:?}: its entry in {ENTRIES} must say so (Value)")
                }
                _ => {}
            }
        }
    }
}

fn missing(name: &str, place: &str) -> String {
    format!(
        "{name} is read by {place} and is not in the table of settings: add an entry to {ENTRIES}\n\
         ({name} = Value(\"its default\"), \"unit and valid values\", [programs], \"What it does.\";), then run `make settings`"
    )
}

/// Every name that looks like a setting in the sources of the shipped programs, with a place where
/// it is.
fn names_in_sources() -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    let folders = [
        "ingress/src",
        "worker/src",
        "console/src",
        "ops/src",
        "shared/model/src",
        "shared/queue/src",
        "shared/store/src",
        "shared/traces/src",
    ];
    let mut paths: Vec<PathBuf> = folders.iter().map(|folder| root().join(folder)).collect();
    while let Some(path) = paths.pop() {
        if path.is_dir() {
            paths.extend(
                fs::read_dir(&path)
                    .into_iter()
                    .flatten()
                    .flatten()
                    .map(|entry| entry.path()),
            );
        } else if is_shipped_source(&path) {
            let text = fs::read_to_string(&path).unwrap_or_default();
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            for literal in code
                .split('"')
                .skip(1)
                .step_by(2)
                .filter(|literal| is_a_setting(literal))
            {
                names.insert(literal.to_owned(), path.display().to_string());
            }
        }
    }
    names
}

fn is_shipped_source(path: &Path) -> bool {
    let is_test = path.components().any(|part| part.as_os_str() == "tests") || path.ends_with("tests.rs");
    path.extension().is_some_and(|extension| extension == "rs") && !is_test
}

fn is_a_setting(literal: &str) -> bool {
    let groups = [
        "BASEROW_",
        "DOCMOST_",
        "CONSOLE_",
        "REDIS_",
        "DATABASE_",
        "INGRESS_",
        "WORKER_",
        "GATE_",
        "LOOP_",
        "SMTP_",
        "SLACK_",
        "STALL_",
        "LEDGER_",
        "DEAD_",
        "MAIL_",
        "ADMIN_",
        "LOG_",
        "BRIDGE_",
        "EXTRA_",
        "NOTICE_",
        "PASSERELLE_ENV_",
        "OTEL_",
        "OWN_",
        "RUN_",
        "DATA_",
    ];
    groups.iter().any(|group| literal.starts_with(group))
        && literal
            .chars()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

#[test]
fn no_source_names_a_setting_that_the_table_does_not_have() {
    for (name, place) in names_in_sources() {
        // A secret may stand in a file.
        let secret = name.strip_suffix("_FILE").and_then(Setting::find);
        let is_secret = secret.is_some_and(|setting| setting.secret);
        let is_former = FORMER_SETTINGS.iter().any(|(former, _)| *former == name);
        assert!(
            is_former || is_secret || Setting::find(&name).is_some(),
            "{}",
            missing(&name, &place)
        );
    }
}

#[test]
fn every_setting_of_the_table_is_read_somewhere() {
    let sources = names_in_sources();
    let scripts = ["Makefile", "compose.yaml", "bridge.toml"].map(text_of).join("\n");
    for setting in SETTINGS {
        let name = setting.name;
        assert!(
            sources.contains_key(name) || scripts.contains(name),
            "nothing reads {name}: remove its entry from {ENTRIES}, then run `make settings`"
        );
    }
}

#[test]
fn what_is_named_like_a_secret_is_marked_as_one() {
    for setting in SETTINGS {
        let name = setting.name;
        let looks_secret = ["PASSWORD", "TOKEN", "SECRET"].iter().any(|word| name.contains(word));
        assert!(setting.secret || !looks_secret, "mark {name} as [secret] in {ENTRIES}");
    }
}
