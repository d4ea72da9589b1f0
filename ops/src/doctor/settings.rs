//! The settings, read exactly as ingress and worker read them; and the secrets.

use std::collections::BTreeSet;

use passerelle_model::config::{BridgeFile, BridgeFileSettings, Problem, Reader};
use secrecy::ExposeSecret as _;

use super::Finding;

/// A good secret has more different characters than this: 32 random hexadecimal ones have about
/// fourteen.
const FEW_CHARACTERS: usize = 8;

pub(super) fn look(reader: &Reader) -> Vec<Finding> {
    let mut findings = configuration(reader);
    findings.extend(secrets(reader));
    findings
}

fn configuration(reader: &Reader) -> Vec<Finding> {
    const CHECK: &str = "configuration";
    let mut ingress_reader = reader.afresh();
    let ingress = passerelle_ingress::settings::Settings::read(&mut ingress_reader);
    let ingress = ingress_reader.finish(ingress).map(drop);
    let worker = passerelle_worker::settings::Settings::read(reader.afresh()).map(drop);
    let mut problems: Vec<Problem> = Vec::new();
    for problem in [ingress, worker]
        .into_iter()
        .filter_map(Result::err)
        .flat_map(|found| found.0)
    {
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }
    let unknown = reader.unknown();
    problems.retain(|problem| !unknown.contains(problem));
    let found = |Problem { place, what, hint }| (format!("{place}: {what}"), hint);
    let mut findings: Vec<Finding> = problems
        .into_iter()
        .map(found)
        .map(|(found, hint)| Finding::fail(CHECK, found, hint))
        .collect();
    if findings.is_empty() {
        findings.push(Finding::ok(CHECK, "ingress and worker can start with it"));
    }
    let unknown = unknown.into_iter().map(found);
    findings.extend(unknown.map(|(found, hint)| Finding::warn(CHECK, found, hint)));
    findings
}

/// Secrets that are missing or short are problems of the configuration; this finds weak ones and
/// rotations.
fn secrets(reader: &Reader) -> Vec<Finding> {
    const CHECK: &str = "webhook secrets";
    let Ok(file) = BridgeFile::load(&BridgeFileSettings::read(reader).path) else {
        return Vec::new();
    };
    let names: BTreeSet<&String> = file.sources.values().map(|source| &source.secrets).collect();
    let mut findings = Vec::new();
    let own = reader.afresh();
    for name in names {
        let live = own.secrets(name);
        let is_weak = |secret: &str| secret.chars().collect::<BTreeSet<_>>().len() <= FEW_CHARACTERS;
        if live.iter().any(|secret| is_weak(secret.expose_secret())) {
            let found = format!("{name} has a secret with few different characters: it can be guessed");
            findings.push(Finding::warn(
                CHECK,
                found,
                "create one with `openssl rand -hex 32`, and rotate to it",
            ));
        } else if live.len() > 1 {
            let found = format!("{name} has {} live secrets: a rotation is under way", live.len());
            let fix = "when no caller uses the old one any more, remove it and restart the ingress";
            findings.push(Finding::warn(CHECK, found, fix));
        } else if live.len() == 1 {
            findings.push(Finding::ok(CHECK, format!("{name} has one live secret")));
        }
    }
    findings.extend(own.problems().into_iter().map(|Problem { place, what, hint }| {
        let found = format!(
            "{place}: {what}: workers of this user start all the same, and switch on only webhooks that have \
             delivered to this bridge"
        );
        Finding::warn(CHECK, found, hint)
    }));
    findings
}
