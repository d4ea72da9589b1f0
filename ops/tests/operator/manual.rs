//! `completions`, `man`, and what answers look like.

use crate::desk::Desk;

#[tokio::test]
async fn every_shell_gets_a_script_that_knows_the_commands() {
    let desk = Desk::new().unwrap();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let said = desk.passerelle_with(&["completions", shell], &[]).await;
        assert_eq!(said.code, 0, "{shell}: {}", said.err);
        for word in ["reconcile", "run-now", "env-file"] {
            assert!(said.out.contains(word), "{shell} lacks {word}");
        }
    }
}

/// The script is one that bash takes, and it completes what was typed.
#[tokio::test]
async fn bash_completes_a_command_with_the_script() {
    let desk = Desk::new().unwrap();
    let script = desk.passerelle_with(&["completions", "bash"], &[]).await.out;
    let typed =
        "COMP_WORDS=(passerelle run); COMP_CWORD=1; _passerelle passerelle run passerelle; echo \"${COMPREPLY[@]}\"";
    let mut bash = tokio::process::Command::new("bash");
    bash.args(["--norc", "-c", &format!("{script}\n{typed}")]);
    let said = bash.output().await.unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&said.stdout),
        String::from_utf8_lossy(&said.stderr),
    );
    assert_eq!(out.trim(), "run-now", "{err}");
}

#[tokio::test]
async fn each_command_has_a_page_of_the_manual() {
    let desk = Desk::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("man1").display().to_string();
    let said = desk.passerelle_with(&["man", "--to", &path], &[]).await;
    assert_eq!(said.code, 0, "{}", said.err);
    for page in ["passerelle.1", "passerelle-jobs.1", "passerelle-dead-replay.1"] {
        let text = std::fs::read_to_string(format!("{path}/{page}")).unwrap();
        assert!(text.contains(".SH SYNOPSIS") && !text.contains("hidden"), "{page}");
    }
    let said = desk.passerelle_with(&["man"], &[]).await;
    assert!(said.out.contains(".TH passerelle 1"), "{}", said.out);
}

#[tokio::test]
async fn answers_for_people_and_help_have_no_colours_in_a_pipe() {
    let desk = Desk::new().unwrap();
    for arguments in [&["--help"][..], &["jobs"], &["stats"], &["gates"], &["no-such-command"]] {
        let said = desk.passerelle(arguments).await;
        assert!(
            !said.out.contains('\x1b') && !said.err.contains('\x1b'),
            "{arguments:?}"
        );
    }
}

#[tokio::test]
async fn the_schema_that_is_printed_is_that_of_the_project() {
    let desk = Desk::new().unwrap();
    let said = desk.passerelle_with(&["rules", "schema"], &[]).await;
    assert_eq!(
        (said.code, said.out.as_str()),
        (0, include_str!("../../../bridge.schema.json"))
    );
}

#[tokio::test]
async fn people_read_times_in_the_zone_of_their_session_and_programs_in_utc() {
    let desk = Desk::new().unwrap();
    let queue = desk.queue().unwrap();
    queue.pause("Ada", "a move").await.unwrap();
    let since = queue.stats().await.unwrap().paused.unwrap().since;
    let zone = jiff::tz::TimeZone::get("Asia/Tokyo").unwrap();
    let utc = since.to_string();
    let local = passerelle_ops::local_time::local_times(&utc, &zone);
    assert!(local.ends_with("+09:00"), "{local}");
    desk.with_schema().await;
    let there = [("TZ", "Asia/Tokyo")];
    let said = desk.passerelle_with(&["stats"], &there).await;
    assert!(said.out.contains(&format!("Paused since {local}")), "{}", said.out);
    let said = desk.passerelle_with(&["--json", "stats"], &there).await;
    let answer: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(answer["queue"]["paused"]["since"], utc);
}
