//! `make play`, as a person uses it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use system_tests::Process;
use system_tests::builder::repository;
use test_support::{children_of, eventually, is_alive, signal};

use crate::browser::{Browser, WIDE};

pub(crate) const FIRST: &str = "tbody tr:first-child";
const STOPS_WITHIN: Duration = Duration::from_mins(1);

/// It runs. However a test ends, it stops what it has started.
pub(crate) struct Play(Process);

impl Drop for Play {
    fn drop(&mut self) {
        let _ = self.0.signal("TERM");
        let began = Instant::now();
        while self.0.is_running() && began.elapsed() < STOPS_WITHIN {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Starts it in a folder of its own; gives its address, once it says so.
pub(crate) async fn start(folder: &Path) -> anyhow::Result<(Play, String)> {
    let place = folder.join("place");
    std::fs::create_dir(&place)?;
    let place = place.to_str().context("the folder's name is not UTF-8")?.to_owned();
    let environment = BTreeMap::from([("TMPDIR".to_owned(), place)]);
    let rules = repository().display().to_string();
    let arguments = ["--rules".to_owned(), rules];
    let log = folder.join("play.log");
    let play = Play(Process::start("passerelle-play", &arguments, &environment, &log)?);
    let address = eventually("the addresses are told", async || {
        let said = play.0.output();
        let lines = said.lines().map(str::trim).collect::<Vec<_>>();
        let is_ready = lines.iter().any(|line| line.starts_with("Ctrl-C stops"));
        let found = lines.iter().find_map(|line| line.strip_prefix("Playground"));
        found
            .filter(|_| is_ready)
            .map(|address| address.trim().to_owned())
            .ok_or(said)
    })
    .await;
    Ok((play, address))
}

#[tokio::test]
async fn on_the_playground_pages_follow_their_rows_through_an_outage_lost_answers_and_two_updates_at_once() {
    let Some(browser) = Browser::open("en", WIDE).await.unwrap() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (_play, address) = start(folder.path()).await.unwrap();
    browser.goto(&address).await.unwrap();
    browser.reads("Projet Refonte du site - Atelier Nord of row 1").await;
    browser.reads("Projet Gare du Nord - Ville de Lille of row 2").await;
    browser.mark().await.unwrap();

    let name = format!("{FIRST} input[name=name]");
    browser.retype(&name, "Maison des arts").await.unwrap();
    browser.enter(&name).await.unwrap();
    browser.reads("Row 1 was changed.").await;
    browser.reads("Projet Maison des arts - Atelier Nord of row 1").await;

    browser.press("Break Docmost").await.unwrap();
    browser.reads("Docmost is down.").await;
    browser.retype(&name, "Maison du fleuve").await.unwrap();
    browser.enter(&name).await.unwrap();
    // The bridge has tried.
    browser.reads("reset").await;
    browser.reads("Projet Maison des arts - Atelier Nord of row 1").await;
    browser.press("Mend Docmost").await.unwrap();
    browser.reads("Projet Maison du fleuve - Atelier Nord of row 1").await;

    browser.press("Lose answers").await.unwrap();
    browser.reads("Docmost loses answers. 0 lost, 4 to come.").await;
    browser.fill("tfoot input[name=name]", "Jardin d'hiver").await.unwrap();
    browser.press("Add the row").await.unwrap();
    browser.reads("lost answer").await;
    browser.reads("Projet Jardin d'hiver - (sans client) of row 3").await;
    browser.press("Mend Docmost").await.unwrap();

    let both = format!("{FIRST} button[formaction$=twice]");
    browser.click(&both).await.unwrap();
    browser.reads("Two updates of row 1 were sent at once").await;
    let status = browser.value(&format!("{FIRST} select[name=status]")).await.unwrap();
    assert!(["En cours", "Terminé"].contains(&status.as_str()), "{status:?}");
    let icon = if status == "En cours" { "🚧" } else { "✅" };
    let title = format!("{icon} Projet Maison du fleuve - Atelier Nord of row 1");
    browser.reads(&title).await;
    // The mark of the row's own page stands before its table.
    browser.reads(&format!("t2r1x Statut {status}")).await;
    assert_eq!(browser.count("article").await.unwrap(), 3, "a row has two pages");
    assert!(browser.is_marked().await.unwrap(), "the page was loaded again");
    browser.has_shown_no_error().await.unwrap();
    browser.close().await.unwrap();
}

#[tokio::test]
async fn a_playground_that_is_killed_leaves_no_process_behind() {
    let folder = tempfile::tempdir().unwrap();
    let (mut play, _address) = start(folder.path()).await.unwrap();
    let children = children_of(play.0.pid()).unwrap();
    assert!(children.len() >= 5, "{children:?}");
    play.0.kill().unwrap();
    eventually("its processes have ended", async || {
        let alive: Vec<&u32> = children.iter().filter(|pid| is_alive(**pid)).collect();
        if alive.is_empty() {
            Ok(())
        } else {
            Err(format!("{alive:?} are alive"))
        }
    })
    .await;
}

#[tokio::test]
async fn ctrl_c_ends_the_playground_and_leaves_no_process_and_no_file_behind() {
    let folder = tempfile::tempdir().unwrap();
    let (mut play, _address) = start(folder.path()).await.unwrap();
    let children = children_of(play.0.pid()).unwrap();
    assert!(children.len() >= 5, "{children:?}");
    // As a terminal does: everything in it is interrupted at once.
    for pid in [play.0.pid()].iter().chain(&children) {
        signal(*pid, "INT").unwrap();
    }
    let status = play.0.ended(STOPS_WITHIN).await.unwrap();
    assert!(status.success(), "{status}: {}", play.0.output());
    let alive: Vec<&u32> = children.iter().filter(|pid| is_alive(**pid)).collect();
    assert!(alive.is_empty(), "{alive:?} are alive");
    let left: Vec<_> = std::fs::read_dir(folder.path().join("place"))
        .unwrap()
        .flatten()
        .collect();
    assert!(left.is_empty(), "{left:?}");
}
