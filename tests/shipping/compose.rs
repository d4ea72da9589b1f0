//! `Dockerfile` and `compose.yaml`.

use std::collections::BTreeSet;

use passerelle_console::ConsoleSettings;
use passerelle_model::config::catalogue::{Program, SETTINGS};
use passerelle_model::config::{MailSettings, Reader, SlackSettings};
use passerelle_ops::operator::Operator;
use passerelle_ops::rulebook::RuleFile;
use serde_json::{Value, json};

use crate::{documents, is_stage, setting, text_of, words};

fn services() -> anyhow::Result<serde_json::Map<String, Value>> {
    let compose = documents("compose.yaml")?.remove(0);
    Ok(compose["services"].as_object().cloned().unwrap_or_default())
}

/// The services that are built here.
fn ours() -> anyhow::Result<Vec<(String, Value)>> {
    let services = services()?.into_iter();
    let ours: Vec<_> = services.filter(|(_, service)| service.get("build").is_some()).collect();
    anyhow::ensure!(ours.len() == 4, "{ours:?}");
    Ok(ours)
}

fn environment(service: &Value) -> BTreeSet<String> {
    let variables = service["environment"].as_object();
    variables.into_iter().flatten().map(|(name, _)| name.clone()).collect()
}

#[test]
fn the_container_of_the_ingress_gets_every_setting_of_the_ingress_and_no_other() {
    let ingress = &services().unwrap()["ingress"];
    assert_eq!(ingress.get("env_file"), None, "a file with every secret");
    // These are the image's.
    let of_image = ["BRIDGE_FILE", "PASSERELLE_ENV_FILE", "INGRESS_SPOOL_DIR"];
    let its_own = SETTINGS
        .iter()
        .filter(|setting| setting.programs.contains(&Program::Ingress));
    let its_own = its_own
        .map(|setting| setting.name)
        .filter(|name| !of_image.contains(name));
    assert_eq!(environment(ingress), its_own.map(str::to_owned).collect());
}

#[test]
fn the_container_of_the_console_gets_every_setting_that_the_console_asks_for_and_no_other() {
    let console = &services().unwrap()["console"];
    assert_eq!(console.get("env_file"), None, "a file with every secret");
    let mut reader = Reader::from_pairs([
        ("DATABASE_URL", "postgres://passerelle@postgres/passerelle"),
        ("SMTP_URL", "smtp://mail.example.org"),
        ("SLACK_WEBHOOK_URL", "https://hooks.slack.com/services/x"),
    ]);
    ConsoleSettings::read(&mut reader);
    RuleFile::read(&reader);
    // Settings that are required are missing: they have been asked for all the same.
    let _ = Operator::new(reader.clone());
    // An operator examines the bridge there: without these, it would be told to be broken, or to tell nobody of trouble.
    let (mail, slack) = (MailSettings::read(&mut reader), SlackSettings::read(&mut reader));
    assert!(mail.is_some() && slack.is_some());
    let mut asked: BTreeSet<String> = reader.asked().into_keys().collect();
    // Who acts has signed in.
    assert!(asked.remove("USER"));
    asked.extend(["INGRESS_URL", "BASEROW_WEBHOOK_SECRET"].map(str::to_owned));
    assert_eq!(environment(console), asked);
    assert_eq!(
        console["environment"]["INGRESS_URL"],
        services().unwrap()["ops"]["environment"]["INGRESS_URL"]
    );
}

#[test]
fn the_console_answers_this_machine_alone_and_no_other_port_than_that_of_deliveries_is_open() {
    let services = services().unwrap();
    let published: Vec<_> = services
        .iter()
        .flat_map(|(name, service)| {
            words(service, "/ports")
                .into_iter()
                .map(move |port| (name.as_str(), port))
        })
        .collect();
    assert_eq!(
        published,
        [
            ("ingress", "${INGRESS_PORT:-8080}:8080"),
            ("console", "127.0.0.1:${CONSOLE_PORT:-8090}:8090")
        ]
    );
}

/// Of a file alone, a container goes on seeing what an editor has replaced.
#[test]
fn the_rules_are_mounted_as_a_folder_that_has_to_be_there() {
    for (name, service) in ours().unwrap() {
        let mounts = service["volumes"].as_array().unwrap();
        let rules = mounts.iter().find(|mount| mount["target"] == "/etc/passerelle");
        let expected = json!({
            "type": "bind", "source": "./rules", "target": "/etc/passerelle", "read_only": true,
            "bind": {"create_host_path": false},
        });
        assert_eq!(rules, Some(&expected), "{name}");
        let others = mounts.iter().filter_map(Value::as_str);
        assert_eq!(others.filter(|mount| mount.starts_with('.')).count(), 0, "{name}");
    }
}

/// Ingress and worker wait for them themselves, and an operator looks at what is sick.
#[test]
fn a_sick_redis_or_database_keeps_no_ingress_no_worker_and_no_operator_from_starting() {
    let services = services().unwrap();
    assert_eq!(services["ingress"]["depends_on"], json!(["redis"]));
    assert_eq!(services["worker"]["depends_on"], json!(["redis", "postgres"]));
    assert_eq!(services["ops"].get("depends_on"), None);
}

#[test]
fn our_containers_are_confined() {
    for (name, service) in ours().unwrap() {
        assert_eq!(service["read_only"], true, "{name}");
        assert_eq!(service["cap_drop"], json!(["ALL"]), "{name}");
        assert_eq!(service["security_opt"], json!(["no-new-privileges:true"]), "{name}");
    }
}

#[test]
fn every_variable_of_our_containers_is_a_setting_and_every_target_a_stage() {
    for (name, service) in ours().unwrap() {
        let target = service["build"]["target"].as_str().unwrap();
        assert!(is_stage(target).unwrap(), "{name}");
        for variable in environment(&service) {
            // Who acts.
            assert!(variable == "USER" || setting(&variable).is_some(), "{name}: {variable}");
        }
    }
}

/// Some of its characters would mean something else there.
#[test]
fn no_password_stands_in_a_url_of_compose() {
    let text = text_of("compose.yaml").unwrap();
    let urls = text.lines().filter(|line| line.contains("://"));
    let with_variable: Vec<&str> = urls.filter(|line| line.contains("${")).collect();
    assert_eq!(with_variable, Vec::<&str>::new());
}

#[test]
fn the_images_are_built_without_asking_a_registry_for_a_frontend() {
    let dockerfile = text_of("Dockerfile").unwrap();
    assert!(!dockerfile.contains("syntax="));
    // Its lock keeps another checkout's build from writing there meanwhile.
    let caches = dockerfile
        .lines()
        .filter(|line| line.contains("type=cache") && line.contains("/src/target"));
    assert_eq!(caches.filter(|line| line.contains("sharing=locked")).count(), 1);
}

#[test]
fn no_data_and_no_secret_gets_into_an_image() {
    let ignored = text_of(".dockerignore").unwrap();
    for pattern in ["data", "rules", ".env*", "**/*.sqlite*", ".git", "target", ".run"] {
        assert!(ignored.lines().any(|line| line == pattern), "{pattern}");
    }
}
