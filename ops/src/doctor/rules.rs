//! Whether all workers work by the same rules, and by those that are here.

use std::collections::BTreeMap;

use passerelle_model::config::{BridgeFileSettings, Locale};
use passerelle_queue::{RulesInUse, WorkerInfo};
use passerelle_worker::rule_files;

use super::Finding;
use crate::operator::Operator;
use crate::trouble::Trouble;

pub(super) const CHECK: &str = "rules in use";

pub(super) async fn in_use(operator: &Operator) -> Result<Vec<Finding>, Trouble> {
    let alive = operator.queue.workers().await?;
    let mut reader = operator.settings();
    let path = BridgeFileSettings::read(&reader).path;
    let locale = Locale::read(&mut reader);
    // What is wrong with the files here is a finding of its own.
    let here = rule_files::load(&path, &locale).ok().map(|loaded| loaded.hash);
    let mut findings = refused(&alive);
    findings.extend(compared(&alive, here.as_deref()));
    Ok(findings)
}

fn refused(alive: &[WorkerInfo]) -> Vec<Finding> {
    let refused = alive.iter().filter_map(|worker| {
        let why = worker.rules.as_ref()?.refused.as_ref()?;
        let found = format!(
            "{} works by earlier rules, because later ones are wrong: {why}",
            named(worker)
        );
        let fix = "correct the files on that machine, and run `passerelle reload`";
        Some(Finding::warn(CHECK, found, fix))
    });
    refused.collect()
}

fn compared(alive: &[WorkerInfo], here: Option<&str>) -> Option<Finding> {
    let mut by_hash: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for worker in alive {
        if let Some(rules) = &worker.rules {
            by_hash.entry(&rules.hash).or_default().push(named(worker));
        }
    }
    let short = RulesInUse::short;
    if by_hash.len() > 1 {
        let each = by_hash
            .iter()
            .map(|(hash, who)| format!("{} by {}", who.join(", "), short(hash)));
        let each: Vec<String> = each.collect();
        let found = format!("the workers differ in their rules: {}", each.join("; "));
        let fix = "copy the same bridge.toml and templates to each machine, and run `passerelle reload`";
        return Some(Finding::warn(CHECK, found, fix));
    }
    let (hash, who) = by_hash.first_key_value()?;
    if let Some(here) = here.filter(|here| here != hash) {
        let found = format!(
            "all workers work by the rules {}; the files here are others ({})",
            short(hash),
            short(here)
        );
        return Some(Finding::warn(
            CHECK,
            found,
            "run `passerelle reload`, if these are the newer ones",
        ));
    }
    let found = format!("{} workers work by the rules {}", who.len(), short(hash));
    Some(Finding::ok(CHECK, found))
}

fn named(worker: &WorkerInfo) -> String {
    format!("process {} on {}", worker.pid, worker.host)
}

#[cfg(test)]
mod tests {
    use passerelle_model::id::ProcessName;

    use super::*;

    fn worker(pid: u32, hash: &str, refused: Option<&str>) -> WorkerInfo {
        let mut worker = WorkerInfo::of_this_process(ProcessName::unique("worker"), 4);
        (worker.pid, worker.host) = (pid, format!("machine-{pid}"));
        let mut rules = RulesInUse::at_start(hash.to_owned());
        rules.refused = refused.map(str::to_owned);
        worker.rules = Some(rules);
        worker
    }

    #[test]
    fn workers_that_differ_are_named_with_their_rules() {
        let alive = [
            worker(1, "aaaa", None),
            worker(2, "bbbb", None),
            worker(3, "aaaa", None),
        ];
        let told = compared(&alive, Some("aaaa")).unwrap();
        let differ = "process 1 on machine-1, process 3 on machine-3 by aaaa; process 2 on machine-2 by bbbb";
        assert!(told.found.ends_with(differ) && told.fix.is_some(), "{told:?}");
    }

    #[test]
    fn files_that_no_worker_has_read_yet_are_told() {
        let alive = [worker(1, "aaaa", None)];
        let told = compared(&alive, Some("bbbb")).unwrap();
        assert!(told.found.ends_with("the files here are others (bbbb)"), "{told:?}");
        let sound = compared(&alive, Some("aaaa")).unwrap();
        assert_eq!((sound.fix, compared(&[], Some("aaaa"))), (None, None));
    }

    #[test]
    fn a_worker_that_has_refused_later_rules_is_named_with_what_is_wrong() {
        let told = refused(&[worker(1, "aaaa", Some("bridge.toml:3:1: no")), worker(2, "aaaa", None)]);
        let found = &told[0].found;
        assert!(told.len() == 1 && found.contains("process 1 on machine-1") && found.contains("bridge.toml:3:1"));
    }
}
