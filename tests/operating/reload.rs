//! New rules while the bridge runs: all workers take them, wrong ones are refused, and nothing is
//! lost or doubled.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use system_tests::{System, builder};
use tempfile::TempDir;
use test_support::eventually;

use crate::project;

const WORKERS: usize = 2;
/// As an operator types it.
const RELOAD: [&str; 3] = ["reload", "--by", "Ada"];
/// Rows that are at least made before and after the reload.
const ROWS: usize = 20;
const TITLE: &str = "Projet {{ row.Nom";

/// The shipped rules, in a folder of their own.
struct Files(TempDir);

impl Files {
    fn shipped() -> anyhow::Result<Self> {
        let (files, shipped) = (Self(tempfile::tempdir()?), builder::repository());
        std::fs::create_dir(files.0.path().join("templates"))?;
        for name in [
            "bridge.toml",
            "templates/projet.md",
            "templates/formation.md",
            "templates/bloc.md",
        ] {
            std::fs::copy(shipped.join(name), files.0.path().join(name))?;
        }
        Ok(files)
    }

    fn bridge_file(&self) -> std::path::PathBuf {
        self.0.path().join("bridge.toml")
    }

    /// Writes one text in the place of another.
    fn replace(&self, earlier: &str, new: &str) -> anyhow::Result<()> {
        let text = std::fs::read_to_string(self.bridge_file())?;
        anyhow::ensure!(text.contains(earlier), "{earlier} is not in the file");
        Ok(std::fs::write(self.bridge_file(), text.replace(earlier, new))?)
    }
}

async fn start(bridge_file: &Path) -> anyhow::Result<System> {
    let system = System::builder()
        .workers(WORKERS)
        .bridge_file(bridge_file)
        .start()
        .await?;
    eventually("every worker says its rules", async || match hashes(&system).await {
        Ok(hashes) if hashes.len() == WORKERS => Ok(()),
        other => Err(format!("{other:?}\n{}", system.logs())),
    })
    .await;
    Ok(system)
}

/// The rules of each live worker.
async fn hashes(system: &System) -> anyhow::Result<Vec<String>> {
    let workers = system.queue.workers().await?.into_iter();
    Ok(workers.filter_map(|worker| Some(worker.rules?.hash)).collect())
}

async fn title_of(system: &System, row: passerelle_model::id::RowKey) -> anyhow::Result<String> {
    let pages = system.docmost.pages_of(row).await?;
    anyhow::ensure!(pages.len() == 1, "{row}: {pages:?}");
    Ok(pages[0]["title"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn new_rules_are_taken_by_all_workers_under_load_and_nothing_is_lost_or_doubled() {
    let files = Files::shipped().unwrap();
    let mut system = start(&files.bridge_file()).await.unwrap();
    let before = hashes(&system).await.unwrap();
    let (baserow, reloaded) = (system.baserow.clone(), AtomicBool::new(false));
    let load = async {
        let (mut rows, mut later) = (Vec::new(), 0);
        while later < ROWS {
            let is_later = reloaded.load(Ordering::Relaxed);
            let fields = json!({"Nom": format!("n° {}", rows.len()), "Statut": "En cours"});
            rows.push((baserow.create("projet", fields).await?, is_later));
            later += usize::from(is_later);
        }
        anyhow::Ok(rows)
    };
    let reload = async {
        eventually("some pages are made", async || {
            match system.docmost.pages("agence").await {
                Ok(pages) if pages.len() >= ROWS => Ok(()),
                other => Err(format!("{other:?}\n{}", system.logs())),
            }
        })
        .await;
        let done = async {
            files.replace(TITLE, "Dossier {{ row.Nom")?;
            system.operator(&RELOAD).await
        };
        let done = done.await;
        reloaded.store(true, Ordering::Relaxed);
        done
    };
    let (rows, told) = tokio::join!(load, reload);
    let (rows, told) = (rows.unwrap(), told.unwrap());
    // The ingress, too.
    assert_eq!(told.matches("follows them").count(), WORKERS + 1, "{told}");
    system.drain().await;

    for (row, is_later) in &rows {
        let title = title_of(&system, *row).await.unwrap();
        assert!(!is_later || title.starts_with("Dossier n° "), "{row}: {title}");
    }
    assert_eq!(system.docmost.pages("agence").await.unwrap().len(), rows.len());
    let counts = system.every_item_has_one_outcome().await.unwrap();
    assert_eq!(counts.outcomes.get("dead"), None, "{counts:?}");
    let after = hashes(&system).await.unwrap();
    assert!(
        after.len() == WORKERS && after[0] == after[1] && after[0] != before[0],
        "{before:?} {after:?}"
    );
    assert!(system.workers.iter_mut().all(system_tests::Process::is_running));
}

#[tokio::test]
async fn wrong_rules_are_refused_with_their_place_and_the_earlier_ones_stay() {
    let files = Files::shipped().unwrap();
    let system = start(&files.bridge_file()).await.unwrap();
    system.expect_errors("the rules were read again and are not taken");
    let before = hashes(&system).await.unwrap();
    files.replace(TITLE, "Dossier {{ rwo.Nom").unwrap();
    let refused = system.operator(&RELOAD).await.unwrap_err().to_string();
    assert!(
        refused.contains("bridge.toml:") && refused.contains("did you mean \"row\"?"),
        "{refused}"
    );
    // Without a look at the files first.
    system.workers[0].signal("HUP").unwrap();
    system.wait_for_log("the rules were read again and are not taken").await;
    eventually("the heartbeat says why", async || match system.queue.workers().await {
        Ok(workers) => {
            let mut refused = workers
                .iter()
                .filter_map(|worker| worker.rules.as_ref()?.refused.as_ref());
            refused
                .find(|why| why.contains("rwo"))
                .map(|_| ())
                .ok_or(format!("{workers:?}"))
        }
        Err(error) => Err(error.to_string()),
    })
    .await;
    assert_eq!(hashes(&system).await.unwrap(), before);
    let row = project(&system, "avant").await.unwrap();
    system.drain().await;
    assert_eq!(title_of(&system, row).await.unwrap(), "Projet avant - (sans client)");
}

#[tokio::test]
async fn workers_with_other_rules_are_named_by_doctor_until_all_have_the_same() {
    let files = Files::shipped().unwrap();
    let system = start(&files.bridge_file()).await.unwrap();
    files.replace(TITLE, "Dossier {{ row.Nom").unwrap();
    system.workers[1].signal("HUP").unwrap();
    eventually("one worker has new rules", async || match hashes(&system).await {
        Ok(hashes) if hashes.len() == WORKERS && hashes[0] != hashes[1] => Ok(()),
        other => Err(format!("{other:?}\n{}", system.logs())),
    })
    .await;
    let told = doctor(&system).await.unwrap();
    let other = format!("process {}", system.workers[1].pid());
    assert!(
        told["state"] == "warn" && told["found"].as_str().is_some_and(|found| found.contains(&other)),
        "{told}"
    );
    system.operator(&RELOAD).await.unwrap();
    let told = doctor(&system).await.unwrap();
    assert_eq!(told["state"], "ok", "{told}");
}

/// What doctor finds of the rules in use.
async fn doctor(system: &System) -> anyhow::Result<Value> {
    // It fails where anything is wrong; here the webhooks of most tables are missing.
    let program = system_tests::process::program_path("passerelle")?;
    let mut command = tokio::process::Command::new(program);
    let output = command
        .args(["--json", "doctor"])
        .env_clear()
        .envs(system.environment())
        .output()
        .await?;
    let report: Value = serde_json::from_slice(&output.stdout)?;
    let findings = report["findings"].as_array().cloned().unwrap_or_default();
    let found = findings.into_iter().find(|finding| finding["check"] == "rules in use");
    found.ok_or_else(|| anyhow::anyhow!("{report}"))
}

#[tokio::test]
async fn rows_that_a_broken_rule_holds_go_on_when_it_is_mended_and_read_again() {
    let files = Files::shipped().unwrap();
    files
        .replace("page_id = \"docmost_page_id\"", "page_id = \"no such field\"")
        .unwrap();
    // Without a reload the next probe would come in ten minutes.
    let builder = System::builder().bridge_file(&files.bridge_file());
    let builder = builder.variable("GATE_PROBE_SECONDS", "600");
    let system = builder
        .variable("GATE_PROBE_LONGEST_SECONDS", "600")
        .start()
        .await
        .unwrap();
    let row = project(&system, "retenu").await.unwrap();
    eventually("its table is held", async || match system.queue.held_tables().await {
        Ok(held) if held.len() == 1 => Ok(()),
        other => Err(format!("{other:?}\n{}", system.logs())),
    })
    .await;
    files
        .replace("page_id = \"no such field\"", "page_id = \"docmost_page_id\"")
        .unwrap();
    system.operator(&RELOAD).await.unwrap();
    system.drain().await;
    assert_eq!(system.queue.held_tables().await.unwrap(), []);
    let page = system.docmost.pages_of(row).await.unwrap().remove(0);
    assert_eq!(system.baserow.read(row).await.unwrap()["docmost_page_id"], page["id"]);
}
