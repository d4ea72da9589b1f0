//! The program itself: what it leaves behind, and what it says where it is not installed.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

use rstest::rstest;
use system_tests::Process;
use system_tests::process::program_path;
use system_tests::scenario::Scenario;
use test_support::{children_of, eventually, is_alive, signal};

const STOPS_WITHIN: Duration = Duration::from_mins(1);

/// A terminal interrupts everything in it; `kill` reaches the program alone.
#[rstest]
#[case::ctrl_c("INT", true)]
#[case::kill("TERM", false)]
#[tokio::test]
async fn a_scenario_that_is_stopped_leaves_no_process_and_no_file_behind(
    #[case] name: &str,
    #[case] reaches_all: bool,
) {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("place");
    std::fs::create_dir(&place).unwrap();
    let environment = BTreeMap::from([("TMPDIR".to_owned(), place.display().to_string())]);
    let mut arguments = vec!["play".to_owned()];
    // Many, so that it is in the midst of them.
    let files = Scenario::files().unwrap();
    arguments.extend(files.iter().map(|path| path.display().to_string()));
    let log = folder.path().join("play.log");
    let mut play = Process::start("passerelle", &arguments, &environment, &log).unwrap();
    let children = eventually("Redis, the sandbox, the ingress and a worker run", async || {
        let children = children_of(play.pid()).unwrap();
        if children.len() >= 4 {
            Ok(children)
        } else {
            Err(children)
        }
    })
    .await;
    signal(play.pid(), name).unwrap();
    for pid in children.iter().filter(|_| reaches_all) {
        // Some have ended already.
        let _ = signal(*pid, name);
    }
    let status = play.ended(STOPS_WITHIN).await.unwrap();
    assert_eq!(status.code(), Some(130), "{}", play.output());
    assert!(play.output().contains("nothing is left behind"), "{}", play.output());
    let alive: Vec<&u32> = children.iter().filter(|pid| is_alive(**pid)).collect();
    assert!(alive.is_empty(), "{alive:?} are alive");
    let left: Vec<_> = std::fs::read_dir(&place).unwrap().flatten().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn a_play_that_nobody_reads_ends_and_starts_nothing() {
    let (program, file) = (
        program_path("passerelle").unwrap(),
        Scenario::files().unwrap().remove(0),
    );
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let play = tokio::process::Command::new(program)
        .arg("play")
        .arg(file)
        .stdout(writer)
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let ended = tokio::time::timeout(STOPS_WITHIN, play.wait_with_output());
    let ended = ended.await.unwrap().unwrap();
    assert_eq!(String::from_utf8_lossy(&ended.stderr), "");
    assert_eq!(ended.status.code(), Some(141));
}

#[tokio::test]
async fn where_it_is_not_installed_one_sentence_says_what_to_do() {
    let program = program_path("passerelle").unwrap();
    let elsewhere = tempfile::tempdir_in(program.parent().unwrap()).unwrap();
    let alone = elsewhere.path().join("passerelle");
    std::fs::hard_link(&program, &alone).unwrap();
    let said = tokio::process::Command::new(&alone)
        .args(["play", "scenario.toml"])
        .output()
        .await
        .unwrap();
    assert_eq!(said.status.code(), Some(1));
    let said = String::from_utf8(said.stderr).unwrap();
    assert!(
        said.starts_with("passerelle-play is not installed beside this program: "),
        "{said}"
    );
    assert_eq!(said.lines().count(), 1, "{said}");
}
