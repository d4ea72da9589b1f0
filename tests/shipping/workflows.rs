//! `.github`: what runs at each push and at a release.

use serde_json::Value;

use crate::{documents, objects, text_of, yaml_files};

const WORKFLOWS: &str = ".github/workflows";

#[test]
fn every_action_is_pinned_by_its_digest_and_says_its_version() {
    for file in yaml_files(WORKFLOWS).unwrap() {
        let text = text_of(&file).unwrap();
        let uses = text
            .lines()
            .filter_map(|line| line.trim_start_matches([' ', '-']).strip_prefix("uses: "));
        for action in uses {
            let (name, version) = action.split_once(" # v").unwrap_or_else(|| panic!("{file}: {action}"));
            let digest = name.split_once('@').map(|(_, digest)| digest).unwrap_or_default();
            assert!(
                digest.len() == 40 && digest.chars().all(|digit| digit.is_ascii_hexdigit()),
                "{file}: {action}"
            );
            assert!(
                version.starts_with(|digit: char| digit.is_ascii_digit()),
                "{file}: {action}"
            );
        }
        // None is written in another way.
        let documents = documents(&file).unwrap();
        let named = documents
            .iter()
            .flat_map(objects)
            .filter(|object| object.get("uses").is_some());
        assert_eq!(named.count(), text.matches("uses: ").count(), "{file}");
    }
}

#[test]
fn every_workflow_asks_for_few_rights_and_every_job_ends() {
    let files = yaml_files(WORKFLOWS).unwrap();
    assert_eq!(files, [".github/workflows/ci.yml", ".github/workflows/release.yml"]);
    for file in files {
        let workflow = documents(&file).unwrap().remove(0);
        assert_eq!(
            workflow["permissions"],
            serde_json::json!({"contents": "read"}),
            "{file}"
        );
        for (name, job) in workflow["jobs"].as_object().unwrap() {
            assert!(job["timeout-minutes"].is_u64(), "{file}: {name}");
            let needs = job.get("needs").and_then(Value::as_str);
            assert!(
                needs.is_none_or(|needed| workflow["jobs"].get(needed).is_some()),
                "{file}: {name}"
            );
            let checkouts = job["steps"].as_array().unwrap().iter();
            let checkouts =
                checkouts.filter(|step| step["uses"].as_str().is_some_and(|uses| uses.contains("/checkout@")));
            for checkout in checkouts {
                assert_eq!(checkout["with"]["persist-credentials"], false, "{file}: {name}");
            }
        }
    }
}

#[test]
fn every_make_target_and_script_that_a_workflow_runs_exists() {
    let makefile = text_of("Makefile").unwrap();
    let mut ran = 0;
    for file in yaml_files(WORKFLOWS).unwrap() {
        for step in documents(&file).unwrap().iter().flat_map(objects) {
            let Some(run) = step.get("run").and_then(Value::as_str) else {
                continue;
            };
            for line in run.lines().map(str::trim) {
                for target in line.strip_prefix("make ").unwrap_or_default().split_whitespace() {
                    assert!(makefile.contains(&format!("\n{target}:")), "{file}: make {target}");
                    ran += 1;
                }
                if line.starts_with(".ci/") || line.starts_with("scripts/") {
                    text_of(line).unwrap();
                    ran += 1;
                }
            }
        }
    }
    assert!(ran > 5, "the steps were not found");
}

#[test]
fn dependencies_actions_and_images_are_kept_up_to_date() {
    let settings = documents(".github/dependabot.yml").unwrap().remove(0);
    let updates = settings["updates"].as_array().unwrap();
    let ecosystems: Vec<_> = updates
        .iter()
        .filter_map(|update| update["package-ecosystem"].as_str())
        .collect();
    assert_eq!(ecosystems, ["cargo", "github-actions", "docker", "docker-compose"]);
}
