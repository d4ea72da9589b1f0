//! Whether all workers work by the same rules, all ingresses by the same callers and fields, and both by
//! those that are here.

use std::collections::BTreeMap;

use passerelle_ingress::bridge;
use passerelle_model::config::{BridgeFileSettings, Locale};
use passerelle_queue::{IngressInfo, RulesInUse, WorkerInfo};
use passerelle_worker::rule_files;

use super::Finding;
use crate::operator::Operator;
use crate::trouble::Trouble;

pub(super) const CHECK: &str = "rules in use";

/// A process, and what it works by.
struct InUse<'a> {
    /// As people find it.
    who: String,
    rules: &'a RulesInUse,
}

pub(super) async fn in_use(operator: &Operator) -> Result<Vec<Finding>, Trouble> {
    let (workers, ingresses) = tokio::try_join!(operator.queue.workers(), operator.queue.ingresses())?;
    let mut reader = operator.settings();
    let path = BridgeFileSettings::read(&reader).path;
    let locale = Locale::read(&mut reader);
    // What is wrong with the files here is a finding of its own.
    let here = rule_files::load(&path, &locale).ok().map(|loaded| loaded.hash);
    let (workers, ingresses) = (of_workers(&workers), of_ingresses(&ingresses));
    let mut findings: Vec<Finding> = workers.iter().chain(&ingresses).filter_map(refused).collect();
    findings.extend(compared("workers", &workers, here.as_deref()));
    let here = bridge::hash_of(&path).ok();
    findings.extend(compared("ingresses", &ingresses, here.as_deref()));
    Ok(findings)
}

/// Workers of earlier versions do not say it.
fn of_workers(workers: &[WorkerInfo]) -> Vec<InUse<'_>> {
    let in_use = workers.iter().filter_map(|worker| {
        Some(InUse {
            who: named(worker.pid, &worker.host),
            rules: worker.rules.as_ref()?,
        })
    });
    in_use.collect()
}

fn of_ingresses(ingresses: &[IngressInfo]) -> Vec<InUse<'_>> {
    let in_use = ingresses.iter().map(|ingress| InUse {
        who: named(ingress.pid, &ingress.host),
        rules: &ingress.rules,
    });
    in_use.collect()
}

fn named(pid: u32, host: &str) -> String {
    format!("process {pid} on {host}")
}

fn refused(process: &InUse<'_>) -> Option<Finding> {
    let (who, why) = (&process.who, process.rules.refused.as_ref()?);
    let found = format!("{who} works by earlier rules, because later ones are wrong: {why}");
    let fix = "correct the files on that machine, and run `passerelle reload`";
    Some(Finding::warn(CHECK, found, fix))
}

fn compared(kind: &str, alive: &[InUse<'_>], here: Option<&str>) -> Option<Finding> {
    let mut by_hash: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for process in alive {
        by_hash.entry(&process.rules.hash).or_default().push(&process.who);
    }
    let short = RulesInUse::short;
    if by_hash.len() > 1 {
        let each = by_hash
            .iter()
            .map(|(hash, who)| format!("{} by {}", who.join(", "), short(hash)));
        let each: Vec<String> = each.collect();
        let found = format!("the {kind} differ in their rules: {}", each.join("; "));
        let fix = "copy the same bridge.toml and templates to each machine, and run `passerelle reload`";
        return Some(Finding::warn(CHECK, found, fix));
    }
    let (hash, who) = by_hash.first_key_value()?;
    if let Some(here) = here.filter(|here| here != hash) {
        let found = format!(
            "all {kind} work by the rules {}; the files here are others ({})",
            short(hash),
            short(here)
        );
        return Some(Finding::warn(
            CHECK,
            found,
            "run `passerelle reload`, if these are the newer ones",
        ));
    }
    let found = format!("{} {kind} work by the rules {}", who.len(), short(hash));
    Some(Finding::ok(CHECK, found))
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
        let told = compared("workers", &of_workers(&alive), Some("aaaa")).unwrap();
        let differ = "process 1 on machine-1, process 3 on machine-3 by aaaa; process 2 on machine-2 by bbbb";
        assert!(told.found.ends_with(differ) && told.fix.is_some(), "{told:?}");
    }

    #[test]
    fn files_that_no_worker_has_read_yet_are_told() {
        let alive = [worker(1, "aaaa", None)];
        let told = compared("workers", &of_workers(&alive), Some("bbbb")).unwrap();
        assert!(told.found.ends_with("the files here are others (bbbb)"), "{told:?}");
        let sound = compared("workers", &of_workers(&alive), Some("aaaa")).unwrap();
        assert_eq!((sound.fix, compared("workers", &[], Some("aaaa"))), (None, None));
    }

    #[test]
    fn a_worker_that_has_refused_later_rules_is_named_with_what_is_wrong() {
        let alive = [worker(1, "aaaa", Some("bridge.toml:3:1: no")), worker(2, "aaaa", None)];
        let told: Vec<Finding> = of_workers(&alive).iter().filter_map(refused).collect();
        let found = &told[0].found;
        assert!(told.len() == 1 && found.contains("process 1 on machine-1") && found.contains("bridge.toml:3:1"));
    }

    #[test]
    fn ingresses_that_differ_are_named_with_their_callers_and_fields() {
        let ingress = |pid: u32, hash: &str| {
            let mut ingress = IngressInfo::of_this_process(RulesInUse::at_start(hash.to_owned()));
            (ingress.pid, ingress.host) = (pid, format!("machine-{pid}"));
            ingress
        };
        let alive = [ingress(1, "aaaa"), ingress(2, "bbbb")];
        let told = compared("ingresses", &of_ingresses(&alive), Some("aaaa")).unwrap();
        let differ =
            "the ingresses differ in their rules: process 1 on machine-1 by aaaa; process 2 on machine-2 by bbbb";
        assert_eq!((told.found.as_str(), told.fix.is_some()), (differ, true));
    }
}
