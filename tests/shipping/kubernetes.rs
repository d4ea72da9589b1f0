//! `packaging/kubernetes`: a base that a cluster takes as it is, but for addresses and secrets.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use passerelle_model::config::catalogue::{Program, SETTINGS};
use passerelle_model::metrics::METRICS;
use serde_json::Value;
use system_tests::builder::repository;
use test_support::program_of_package;

use crate::{documents, is_stage, objects, parsed, setting, text_of, words, yaml_files};

const BASE: &str = "packaging/kubernetes";

fn resources() -> anyhow::Result<Vec<Value>> {
    let base = documents(&format!("{BASE}/kustomization.yaml"))?.remove(0);
    let files = words(&base, "/resources")
        .into_iter()
        .map(|file| documents(&format!("{BASE}/{file}")));
    Ok(files.collect::<anyhow::Result<Vec<_>>>()?.concat())
}

/// The containers by their names.
fn containers() -> anyhow::Result<BTreeMap<String, Value>> {
    let resources = resources()?;
    let found = resources
        .iter()
        .filter_map(|resource| resource.pointer("/spec/template/spec/containers/0"));
    let named = found.map(|container| Some((container["name"].as_str()?.to_owned(), container.clone())));
    named.collect::<Option<_>>().context("a container has no name")
}

fn program_of(container: &str) -> Program {
    match container {
        "ingress" => Program::Ingress,
        "worker" => Program::Worker,
        _ => Program::Cli,
    }
}

/// The settings in the map that is shared, with their values.
fn shared() -> anyhow::Result<Vec<String>> {
    let base = documents(&format!("{BASE}/kustomization.yaml"))?.remove(0);
    Ok(words(&base, "/configMapGenerator/0/literals")
        .into_iter()
        .map(str::to_owned)
        .collect())
}

#[test]
fn every_yaml_file_of_the_base_can_be_read_and_is_part_of_it() {
    let base = documents(&format!("{BASE}/kustomization.yaml")).unwrap().remove(0);
    let named: BTreeSet<String> = words(&base, "/resources")
        .into_iter()
        .map(|file| format!("{BASE}/{file}"))
        .collect();
    let apart = [
        format!("{BASE}/kustomization.yaml"),
        format!("{BASE}/keda/scaled-object.yaml"),
    ];
    for file in yaml_files(BASE).unwrap() {
        assert!(!documents(&file).unwrap().is_empty(), "{file}");
        assert!(named.contains(&file) || apart.contains(&file), "{file} is in no list");
    }
}

#[test]
fn every_variable_is_a_setting_of_its_program_and_every_secret_comes_from_the_secret() {
    let containers = containers().unwrap();
    assert_eq!(containers.keys().collect::<Vec<_>>(), ["console", "ingress", "worker"]);
    for (name, container) in &containers {
        for variable in container["env"].as_array().into_iter().flatten() {
            let variable_name = variable["name"].as_str().unwrap();
            let found = setting(variable_name).unwrap_or_else(|| panic!("{name}: {variable_name}"));
            let program = program_of(name);
            let reads = found.programs.contains(&program);
            assert!(reads, "{name} does not read {variable_name}");
            let from = &variable["valueFrom"]["secretKeyRef"];
            assert_eq!(found.secret, from.is_object(), "{name}: {variable_name}");
            if found.secret {
                assert_eq!(
                    (from["name"].as_str(), from["key"].as_str()),
                    (Some("passerelle"), Some(variable_name))
                );
            }
        }
    }
    for literal in shared().unwrap() {
        let (name, value) = literal.split_once('=').unwrap();
        let found = setting(name).unwrap_or_else(|| panic!("{name}"));
        assert!(!found.secret || name == "DATABASE_URL", "{name}");
        assert!(
            !value.contains(":secret") && !value.split('@').next().unwrap().contains("://passerelle:"),
            "{value}"
        );
    }
}

/// What a program does not start without.
#[test]
fn every_required_setting_is_given() {
    let shared = shared().unwrap();
    for (name, container) in containers().unwrap() {
        let own: Vec<&str> = container["env"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|variable| variable["name"].as_str())
            .collect();
        let takes_shared = container.get("envFrom").is_some();
        assert_eq!(
            takes_shared,
            name != "ingress",
            "the ingress gets its own settings alone"
        );
        let required = SETTINGS.iter().filter(|setting| {
            setting.programs.contains(&program_of(&name))
                && setting.default == passerelle_model::config::catalogue::Default::Required
        });
        for setting in required {
            let is_shared = shared
                .iter()
                .any(|literal| literal.starts_with(&format!("{}=", setting.name)));
            assert!(
                own.contains(&setting.name) || (takes_shared && is_shared),
                "{name}: {}",
                setting.name
            );
        }
    }
}

#[test]
fn every_probe_asks_a_port_of_its_container_at_a_path_that_the_program_has() {
    let routes: String = [
        "ingress/src/server.rs",
        "worker/src/maintenance/health.rs",
        "console/src/server.rs",
    ]
    .map(|file| text_of(file).unwrap())
    .concat();
    for (name, container) in containers().unwrap() {
        let ports: Vec<_> = container["ports"].as_array().unwrap().iter().collect();
        for port in &ports {
            let number = port["containerPort"].as_u64().unwrap();
            let is_bound = container["env"].as_array().unwrap().iter().any(|variable| {
                variable["value"]
                    .as_str()
                    .is_some_and(|value| value.ends_with(&format!(":{number}")))
            });
            assert!(is_bound, "{name}: nothing listens at {number}");
        }
        let probes: Vec<_> = ["startupProbe", "readinessProbe"]
            .map(|probe| &container[probe]["httpGet"])
            .to_vec();
        for probe in probes
            .into_iter()
            .chain(container.get("livenessProbe").map(|probe| &probe["httpGet"]))
        {
            let path = probe["path"]
                .as_str()
                .unwrap_or_else(|| panic!("{name} has a probe without a path"));
            assert!(routes.contains(&format!("\"{path}\"")), "{name}: {path}");
            assert!(
                ports.iter().any(|port| port["name"] == probe["port"]),
                "{name}: {probe}"
            );
        }
    }
}

#[test]
fn every_image_is_a_stage_of_the_dockerfile_and_runs_confined() {
    for (name, container) in containers().unwrap() {
        let image = container["image"].as_str().unwrap();
        assert!(is_stage(image.strip_prefix("passerelle-").unwrap()).unwrap(), "{image}");
        let context = &container["securityContext"];
        assert_eq!(context["allowPrivilegeEscalation"], false, "{name}");
        assert_eq!(context["readOnlyRootFilesystem"], true, "{name}");
        assert_eq!(context["capabilities"]["drop"][0], "ALL", "{name}");
    }
}

#[test]
fn what_is_scaled_exists_and_a_drain_never_ends_all_of_a_kind() {
    let resources = resources().unwrap();
    let of_kind = |kind: &str| {
        resources
            .iter()
            .filter(move |resource| resource["kind"] == kind)
            .collect::<Vec<_>>()
    };
    let budgets = of_kind("PodDisruptionBudget");
    for workload in of_kind("Deployment").into_iter().chain(of_kind("StatefulSet")) {
        let selector = &workload["spec"]["selector"];
        assert_eq!(
            selector["matchLabels"],
            workload["spec"]["template"]["metadata"]["labels"]
        );
        let has_budget = budgets.iter().any(|budget| &budget["spec"]["selector"] == selector);
        // One alone is not kept from moving.
        assert_eq!(has_budget, workload["spec"]["replicas"] != 1, "{selector}");
    }
    let scaled = documents(&format!("{BASE}/keda/scaled-object.yaml")).unwrap().remove(0);
    let target = &scaled["spec"]["scaleTargetRef"]["name"];
    assert!(
        of_kind("Deployment")
            .iter()
            .any(|workload| &workload["metadata"]["name"] == target)
    );
    let query = scaled
        .pointer("/spec/triggers/0/metadata/query")
        .and_then(Value::as_str)
        .unwrap();
    assert!(METRICS.iter().any(|metric| query.contains(metric.name)), "{query}");
}

#[test]
fn the_base_is_rendered_by_kustomize_with_everything_in_it() {
    let Some(mut kubectl) = program_of_package("kubectl", "kubectl") else {
        return;
    };
    let rendered = kubectl.arg("kustomize").arg(repository().join(BASE)).output().unwrap();
    assert!(rendered.status.success(), "{rendered:?}");
    let rendered: Vec<Value> = parsed(std::str::from_utf8(&rendered.stdout).unwrap()).unwrap();
    assert_eq!(rendered.len(), resources().unwrap().len() + 1);
    // The map's name has a hash of its contents, which those who read it know.
    let map = rendered
        .iter()
        .find(|resource| resource["kind"] == "ConfigMap")
        .unwrap();
    let readers = rendered
        .iter()
        .flat_map(objects)
        .filter_map(|object| object.get("configMapRef"));
    let readers: Vec<_> = readers.map(|reference| &reference["name"]).collect();
    assert_eq!(readers, [&map["metadata"]["name"]; 2]);
}
