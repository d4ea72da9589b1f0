//! The images and `compose.yaml`, built and run: `make test-images`. Baserow and Docmost are the
//! sandbox, a process of this machine.

mod compose;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::Context as _;
use compose::{Compose, THIS_MACHINE};
use passerelle_model::id::RowKey;
use serde_json::{Value, json};
use system_tests::system::SECRET;
use system_tests::{Baserow, Docmost, Process};
use test_support::{eventually, free_port};

/// As an operator may choose it: each character means something somewhere.
const DATABASE_PASSWORD: &str = "p@ss/w#rd? $1";
const TOKEN: &str = "sandbox-database-token";
const EMAIL: &str = "bridge@example.org";
const PASSWORD: &str = "bridge-password";

/// A bridge of containers between the products of the sandbox.
struct Bridge {
    compose: Compose,
    baserow: Baserow,
    docmost: Docmost,
    /// The ports of ingress and console on this machine.
    ingress: u16,
    console: u16,
    http: reqwest::Client,
    _sandbox: Process,
}

impl Bridge {
    /// Its images are built, and nothing is started.
    fn built() -> anyhow::Result<Self> {
        let compose = Compose::in_a_folder()?;
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (baserow, docmost, ingress, console) = (free_port()?, free_port()?, free_port()?, free_port()?);
        let from_inside = |port| format!("http://{THIS_MACHINE}:{port}");
        compose.write_settings(&[
            ("POSTGRES_PASSWORD", DATABASE_PASSWORD.to_owned()),
            ("INGRESS_PORT", ingress.to_string()),
            ("CONSOLE_PORT", console.to_string()),
            ("BASEROW_URL", from_inside(baserow)),
            ("BASEROW_TOKEN", TOKEN.to_owned()),
            ("BASEROW_WEBHOOK_SECRET", SECRET.to_owned()),
            ("DOCMOST_URL", from_inside(docmost)),
            ("DOCMOST_EMAIL", EMAIL.to_owned()),
            ("DOCMOST_PASSWORD", PASSWORD.to_owned()),
        ])?;
        compose.typed(&["build"])?;
        let arguments = [
            // Containers reach it at an address that depends on the engine.
            "--host=0.0.0.0".to_owned(),
            format!("--baserow-port={baserow}"),
            format!("--docmost-port={docmost}"),
            format!("--baserow-token={TOKEN}"),
            format!("--docmost-email={EMAIL}"),
            format!("--docmost-password={PASSWORD}"),
            format!("--webhook=projet=http://127.0.0.1:{ingress}/api/webhooks/baserow/projet-changed"),
            format!("--webhook-secret={SECRET}"),
        ];
        let log = compose.log();
        let http = reqwest::Client::builder().timeout(Duration::from_secs(20)).build()?;
        let from_here = |port| format!("http://127.0.0.1:{port}");
        Ok(Self {
            _sandbox: Process::start("passerelle-sandbox", &arguments, &BTreeMap::new(), &log)?,
            baserow: Baserow::new(http.clone(), &from_here(baserow), TOKEN),
            docmost: Docmost::new(http.clone(), &from_here(docmost), EMAIL, PASSWORD),
            compose,
            ingress,
            console,
            http,
        })
    }

    async fn project(&self, name: &str) -> anyhow::Result<RowKey> {
        let fields = json!({"Nom": name, "Statut": "En cours"});
        self.baserow.create("projet", fields).await
    }

    /// Waits for the page of a row: exactly one.
    async fn has_page(&self, row: RowKey, title: &str) {
        eventually(&format!("{row} has its page"), async || {
            match self.docmost.pages_of(row).await {
                Ok(pages) if pages.len() == 1 && starts_with(&pages[0]["title"], title) => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
    }

    /// The rules of each live worker, by their hashes.
    fn rules(&self) -> anyhow::Result<Vec<String>> {
        let alive: Value = serde_json::from_str(&self.compose.operator(&["--json", "workers"])?)?;
        let workers = alive["workers"].as_array().context("no list of workers")?;
        let hashes = workers.iter().map(|worker| worker["rules"]["hash"].as_str());
        let hashes: Option<Vec<_>> = hashes.map(|hash| hash.map(str::to_owned)).collect();
        hashes.context("a worker says no rules")
    }

    async fn status(&self, port: u16, path: &str) -> anyhow::Result<u16> {
        let answer = self.http.get(format!("http://127.0.0.1:{port}{path}")).send().await?;
        Ok(answer.status().as_u16())
    }
}

fn starts_with(value: &Value, start: &str) -> bool {
    value.as_str().is_some_and(|text| text.starts_with(start))
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "builds the images, which takes minutes: make test-images"]
async fn a_bridge_of_containers_makes_pages_through_a_kill_new_rules_a_scale_and_a_restart() {
    let bridge = Bridge::built().unwrap();
    bridge.compose.up(3).unwrap();
    assert_eq!(bridge.rules().unwrap().len(), 3);
    let row = bridge.project("Refonte").await.unwrap();
    bridge.has_page(row, "Projet Refonte").await;

    is_confined(&bridge).unwrap();
    only_deliveries_are_public(&bridge).await.unwrap();
    a_worker_is_killed(&bridge).await.unwrap();
    new_rules_are_taken(&bridge).await.unwrap();

    bridge.compose.up(1).unwrap();
    assert_eq!(bridge.compose.containers("worker").unwrap().len(), 1);
    let row = bridge.project("Par un seul").await.unwrap();
    bridge.has_page(row, "Affaire Par un seul").await;
    everything_ends_well_and_starts_again(&bridge, row).await.unwrap();
}

/// What a program could do to its container, and which secrets it has.
fn is_confined(bridge: &Bridge) -> anyhow::Result<()> {
    for service in ["ingress", "worker", "console"] {
        let status = bridge
            .compose
            .typed(&["exec", "--no-TTY", service, "cat", "/proc/1/status"])?;
        let says = |name: &str, value: &str| {
            let mut lines = status.lines().filter_map(|line| line.strip_prefix(name));
            lines.any(|said| said.split_whitespace().next() == Some(value))
        };
        let none = "0000000000000000";
        let is_confined = says("CapBnd:", none) && says("NoNewPrivs:", "1") && says("Uid:", "10001");
        anyhow::ensure!(is_confined, "{service}: {status}");
        for path in ["/etc/passerelle/new", "/usr/local/bin/new"] {
            let touched = bridge.compose.typed(&["exec", "--no-TTY", service, "touch", path]);
            let refused = touched.err().with_context(|| format!("{service} writes {path}"))?;
            anyhow::ensure!(refused.to_string().contains("Read-only file system"), "{refused}");
        }
    }
    for (service, foreign) in [
        (
            "ingress",
            &[
                "BASEROW_TOKEN",
                "DOCMOST_PASSWORD",
                "DATABASE_PASSWORD",
                "POSTGRES_PASSWORD",
            ][..],
        ),
        ("console", &["POSTGRES_PASSWORD"]),
    ] {
        let containers = bridge.compose.containers(service)?;
        let variables = containers[0]["Config"]["Env"].as_array().context("no environment")?;
        let names: BTreeSet<&str> = variables
            .iter()
            .filter_map(|variable| Some(variable.as_str()?.split_once('=')?.0))
            .collect();
        let given: Vec<_> = foreign.iter().filter(|name| names.contains(*name)).collect();
        anyhow::ensure!(given.is_empty(), "{service} has {given:?}");
    }
    Ok(())
}

async fn only_deliveries_are_public(bridge: &Bridge) -> anyhow::Result<()> {
    anyhow::ensure!(
        bridge.status(bridge.ingress, "/metrics").await? == 404,
        "metrics are public"
    );
    anyhow::ensure!(bridge.status(bridge.console, "/healthz").await? == 200, "no console");
    let mut open = Vec::new();
    for service in ["ingress", "worker", "console", "redis", "postgres"] {
        for container in bridge.compose.containers(service)? {
            let ports = container["NetworkSettings"]["Ports"].as_object().cloned();
            for (port, bound) in ports.unwrap_or_default() {
                let addresses = bound.as_array().cloned().unwrap_or_default();
                open.extend(addresses.iter().map(|at| format!("{port} at {}", at["HostIp"])));
            }
        }
    }
    let unexpected: Vec<_> = open
        .iter()
        .filter(|open| !open.starts_with("8080/tcp") && *open != "8090/tcp at \"127.0.0.1\"")
        .collect();
    anyhow::ensure!(open.len() > 1 && unexpected.is_empty(), "{open:?}");
    Ok(())
}

/// What it had in hand is done by the others, once.
async fn a_worker_is_killed(bridge: &Bridge) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    for number in 0..20 {
        if number == 10 {
            Compose::kill(&bridge.compose.containers("worker")?[0])?;
        }
        rows.push((number, bridge.project(&format!("n° {number}")).await?));
    }
    for (number, row) in rows {
        bridge.has_page(row, &format!("Projet n° {number} ")).await;
    }
    anyhow::ensure!(bridge.docmost.pages("agence").await?.len() == 21, "a page is doubled");
    bridge.compose.up(3)
}

/// By a signal, and by the operator's program.
async fn new_rules_are_taken(bridge: &Bridge) -> anyhow::Result<()> {
    let before: BTreeSet<String> = bridge.rules()?.into_iter().collect();
    bridge.compose.edit_rules("Projet {{ row.Nom", "Dossier {{ row.Nom")?;
    bridge.compose.typed(&["kill", "--signal", "HUP", "worker"])?;
    eventually("all workers have the new rules", async || match bridge.rules() {
        Ok(rules) if rules.len() == 3 && rules.iter().all(|hash| !before.contains(hash)) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    let row = bridge.project("Neuf").await?;
    bridge.has_page(row, "Dossier Neuf").await;
    bridge.compose.edit_rules("Dossier {{ row.Nom", "Affaire {{ row.Nom")?;
    let told = bridge.compose.operator(&["reload", "--by", "Ada"])?;
    // The workers and the ingress.
    anyhow::ensure!(told.matches("follows them").count() == 4, "{told}");
    Ok(())
}

async fn everything_ends_well_and_starts_again(bridge: &Bridge, row: RowKey) -> anyhow::Result<()> {
    bridge.compose.typed(&["stop"])?;
    for service in ["ingress", "worker", "console"] {
        for container in bridge.compose.containers(service)? {
            let state = &container["State"];
            anyhow::ensure!(
                state["ExitCode"] == 0 && state["OOMKilled"] == false,
                "{service}: {state}"
            );
        }
    }
    bridge.compose.up(1)?;
    bridge.baserow.update(row, json!({"Nom": "Le même"})).await?;
    bridge.has_page(row, "Affaire Le même").await;
    let pages = bridge.docmost.pages("agence").await?.len();
    anyhow::ensure!(pages == 23, "{pages} pages of 23 rows");
    Ok(())
}
