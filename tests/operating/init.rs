//! `passerelle init`: a new installation, from an empty Baserow and Docmost to the first page, by
//! options alone.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::json;

use crate::site::{ADMIN_PASSWORD, Said, Site};

/// Steps that are told before each kill; the last run is left alone.
const KILLED_AFTER: [usize; 8] = [1, 4, 9, 12, 14, 20, 45, 60];
/// After so many steps every run still has work to do.
const MIDWAY: usize = 12;

/// The value of a setting in a file.
fn setting<'a>(text: &'a str, name: &str) -> anyhow::Result<&'a str> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    line.with_context(|| format!("{name} is not kept: {} lines", text.lines().count()))
}

/// Secrets stand in the file of settings, which is its owner's, and nowhere else.
fn secrets_are_kept(site: &Site, told: &Said) -> anyhow::Result<()> {
    let env = site.text(".env");
    let mode = std::fs::metadata(site.path(".env"))?.permissions().mode();
    ensure!(mode & 0o777 == 0o600, "others may read it: {mode:o}");
    for name in [
        "BASEROW_PASSWORD",
        "BASEROW_TOKEN",
        "DOCMOST_PASSWORD",
        "BASEROW_WEBHOOK_SECRET",
    ] {
        let secret = setting(&env, name)?;
        let is_shown = told.out.contains(secret) || told.err.contains(secret);
        ensure!(secret.len() > 8 && !is_shown, "{name} is shown");
    }
    ensure!(
        !env.contains(ADMIN_PASSWORD) && !told.err.contains(ADMIN_PASSWORD),
        "the admin's password is kept or shown"
    );
    Ok(())
}

#[tokio::test]
async fn an_empty_baserow_and_docmost_get_to_the_first_page_by_options_alone() {
    let site = Site::start().await.unwrap();
    let planned = site.with(&["--dry-run"]).await.unwrap();
    assert_eq!(planned.code, Some(0), "{}{}", planned.out, planned.err);
    for line in [
        "the workspace \"Passerelle\"",
        "the database \"Passerelle\" in the workspace \"Passerelle\"",
        "the database token \"Passerelle\"",
        "the account passerelle@passerelle.test",
        "the space \"Agence\"",
        "projet: make row \"Passerelle: test row\" with its page",
        "Nothing was changed",
    ] {
        assert!(planned.out.contains(line), "{line}: {}", planned.out);
    }
    assert!(site.text(".env").is_empty() && site.text("bridge.toml").is_empty());
    assert_eq!(site.baserow("applications/").await.unwrap(), json!([]));

    let began = Instant::now();
    let made = site.with(&[]).await.unwrap();
    let took = began.elapsed();
    println!("from nothing to the first page: {:.1} s", took.as_secs_f64());
    assert!(took < Duration::from_mins(3), "{took:?}");
    assert_eq!(made.code, Some(0), "{}{}", made.out, made.err);
    assert!(made.out.contains(&format!("{}/p/", site.docmost)), "{}", made.out);
    let pages = site.pages().await.unwrap();
    assert!(
        matches!(pages.as_slice(), [(title, false)] if title.contains("Passerelle: test row")),
        "{pages:?}"
    );

    secrets_are_kept(&site, &made).unwrap();
    let schema = serde_json::from_str::<serde_json::Value>(&site.text("bridge.schema.json"));
    assert!(schema.is_ok_and(|schema| schema["properties"]["sources"].is_object()));

    let before = site.everything().await.unwrap();
    let again = site.with(&[]).await.unwrap();
    assert!(
        again.code == Some(0) && again.out.contains("Nothing to do"),
        "{}{}",
        again.out,
        again.err
    );
    assert_eq!(site.everything().await.unwrap(), before);

    let planned = site.with(&["--dry-run"]).await.unwrap();
    assert!(
        planned.out.starts_with("kept") && planned.out.contains("\n0 things would be done"),
        "{}",
        planned.out
    );

    // As the last line says.
    let removed = site.run(&["--test-row".to_owned(), "remove".to_owned()]).await.unwrap();
    assert_eq!(removed.code, Some(0), "{}{}", removed.out, removed.err);
    let pages = site.pages().await.unwrap();
    assert!(matches!(pages.as_slice(), [(_, true)]), "{pages:?}");
    let rows = format!("{}/_sandbox/baserow/tables/projet/rows", site.baserow);
    assert_eq!(site.control(&rows).await.unwrap(), json!([]));
}

#[tokio::test]
async fn a_run_that_is_killed_again_and_again_goes_on_where_it_was() {
    let site = Site::start().await.unwrap();
    for steps in KILLED_AFTER {
        let logins = format!("{}/_sandbox/logins", site.docmost);
        site.http.delete(logins).send().await.unwrap();
        let mut command = site.command(&site.options()).unwrap();
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut told = BufReader::new(child.stderr.take().unwrap());
        // What it tells is taken until it is killed: else its next line would end it.
        let (lines, _told) = tokio::task::spawn_blocking(move || ((&mut told).lines().take(steps).count(), told))
            .await
            .unwrap();
        let ended = child.try_wait().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(lines > 0, "it was killed before it told anything");
        assert!(steps > MIDWAY || ended.is_none(), "{steps} steps were all: {ended:?}");
    }
    let made = site.with(&[]).await.unwrap();
    assert_eq!(made.code, Some(0), "{}{}", made.out, made.err);

    let tokens = site.baserow("database/tokens/").await.unwrap().to_string();
    assert_eq!(tokens.matches("\"name\":\"Passerelle\"").count(), 1, "{tokens}");
    assert!(tokens.contains(setting(&site.text(".env"), "BASEROW_TOKEN").unwrap()));
    let databases = site.baserow("applications/").await.unwrap();
    assert_eq!(databases.as_array().unwrap().len(), 1, "{databases}");
    assert_eq!(
        databases.to_string().matches("\"name\":\"projet\"").count(),
        1,
        "{databases}"
    );
    let pages = site.pages().await.unwrap();
    assert!(matches!(pages.as_slice(), [(_, false)]), "{pages:?}");
    let hooks = site
        .control(&format!("{}/_sandbox/baserow/webhooks", site.baserow))
        .await
        .unwrap();
    let mut urls: Vec<String> = hooks
        .as_array()
        .unwrap()
        .iter()
        .map(|hook| hook["url"].to_string())
        .collect();
    let count = urls.len();
    urls.sort();
    urls.dedup();
    assert!(count > 0 && urls.len() == count, "{urls:?}");
    let env = site.text(".env");
    let names: Vec<&str> = env
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, _)| name)
        .collect();
    let mut once = names.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), names.len(), "each setting is kept once");
    let again = site.with(&[]).await.unwrap();
    assert!(again.out.contains("Nothing to do"), "{}{}", again.out, again.err);
}

#[tokio::test]
async fn a_wrong_password_is_told_with_its_cure_and_nothing_is_kept() {
    let site = Site::start().await.unwrap();
    std::fs::write(site.path("wrong.password"), "not-the-password").unwrap();
    for (option, cure) in [
        ("--baserow-password-file", "check BASEROW_EMAIL and BASEROW_PASSWORD"),
        (
            "--docmost-admin-password-file",
            "check --docmost-admin-email and its password",
        ),
    ] {
        let said = site.but(option, &site.path("wrong.password")).await.unwrap();
        assert_eq!(said.code, Some(1), "{}{}", said.out, said.err);
        assert!(said.err.contains(cure), "{}", said.err);
        assert!(!said.err.contains("not-the-password"), "{}", said.err);
        assert!(site.text(".env").is_empty() && site.text("bridge.toml").is_empty());
    }
    std::fs::write(site.path("admin.password"), "sandbox-human").unwrap();
    let said = site
        .but("--docmost-admin-email", "human@passerelle.test")
        .await
        .unwrap();
    assert_eq!(said.code, Some(2), "{}", said.err);
    assert!(
        said.err.contains("must be an owner or admin") && site.text(".env").is_empty(),
        "{}",
        said.err
    );
}

#[tokio::test]
async fn what_is_missing_is_named_at_once_and_a_file_of_settings_is_never_contradicted() {
    let site = Site::start().await.unwrap();
    let said = site.run(&[]).await.unwrap();
    assert_eq!(said.code, Some(2), "{}", said.err);
    for word in [
        "--baserow",
        "--baserow-email",
        "BASEROW_PASSWORD",
        "--docmost",
        "DOCMOST_EMAIL",
        "--url",
    ] {
        assert!(said.err.contains(word), "{word}: {}", said.err);
    }
    let kept = "BASEROW_URL=https://elsewhere.example.org\n";
    std::fs::write(site.path(".env"), kept).unwrap();
    let said = site.with(&[]).await.unwrap();
    assert_eq!(said.code, Some(2), "{}", said.err);
    assert!(
        said.err
            .contains("BASEROW_URL is https://elsewhere.example.org already"),
        "{}",
        said.err
    );
    assert_eq!(site.text(".env"), kept);
}

#[tokio::test]
async fn an_account_that_has_another_password_and_tables_that_are_not_there_are_told_with_their_cures() {
    let site = Site::start().await.unwrap();
    let taken = site.with(&["--docmost-email", "human@passerelle.test"]).await.unwrap();
    assert_eq!(taken.code, Some(1), "{}{}", taken.out, taken.err);
    assert!(
        taken.err.contains("has an account human@passerelle.test already"),
        "{}",
        taken.err
    );
    std::fs::remove_file(site.path(".env")).unwrap();
    let used = site.but("--tables", "use").await.unwrap();
    assert_eq!(used.code, Some(1), "{}{}", used.out, used.err);
    assert!(
        used.err.contains("no table") && used.err.contains("--tables make"),
        "{}",
        used.err
    );
}

/// The options without those of Baserow's login, the bridge's address and the tables.
fn some_options(site: &Site) -> Vec<String> {
    let mut options = site.options();
    options.drain(2..6);
    options.truncate(options.len() - 4);
    options
}

#[tokio::test]
async fn at_a_terminal_it_asks_for_what_no_option_says_and_a_wrong_answer_is_asked_for_again() {
    let site = Site::start().await.unwrap();
    let mut options = some_options(&site);
    options.push("--dry-run".to_owned());
    let answers = [
        ("A Baserow user", "admin@example.com"),
        ("BASEROW_PASSWORD", "not-the-password"),
        ("Baserow reaches the bridge", "bridge.example.org"),
        ("Baserow reaches the bridge", "https://bridge.example.org"),
        ("be made in Baserow?", "y"),
        ("[admin@example.com]", ""),
        ("BASEROW_PASSWORD", "Baserow-pass-1"),
        ("[https://bridge.example.org]", ""),
        ("be made in Baserow?", "y"),
    ];
    let (code, seen) = site.typed(&options, &answers).unwrap();
    assert_eq!(code, Some(0), "{seen}");
    for told in [
        "must begin with http:// or https://",
        "check BASEROW_EMAIL and BASEROW_PASSWORD",
        "create the table",
        "Nothing was changed",
    ] {
        assert!(seen.contains(told), "{told}: {seen}");
    }
    assert!(
        !seen.contains("not-the-password") && !seen.contains("Baserow-pass-1"),
        "{seen}"
    );
    assert!(site.text(".env").is_empty());
}

#[tokio::test]
async fn who_stops_it_at_a_password_has_a_terminal_that_shows_what_is_typed() {
    let site = Site::start().await.unwrap();
    let options = some_options(&site);
    let answers = [("A Baserow user", "admin@example.com"), ("BASEROW_PASSWORD", "\u{3}")];
    let flags = "stty -a | tr ' ' '\\n' | grep -x -e echo -e -echo";
    let (code, seen) = site.typed_before(&options, &answers, flags).unwrap();
    assert_eq!(code, Some(130), "{seen}");
    assert!(seen.lines().any(|line| line == "echo"), "{seen}");
    assert!(site.text(".env").is_empty());
}

#[tokio::test]
async fn a_product_that_takes_no_more_logins_for_a_while_is_waited_for() {
    let site = Site::start().await.unwrap();
    let refused = json!({"path": "/api/auth/login", "kind": "status", "status": 429, "times": 1,
        "headers": {"retry-after-auth": "1"}});
    let faults = site.http.post(format!("{}/_sandbox/faults", site.docmost));
    faults.json(&refused).send().await.unwrap().error_for_status().unwrap();
    let made = site.with(&["--test-row", "none"]).await.unwrap();
    assert_eq!(made.code, Some(0), "{}{}", made.out, made.err);
    assert!(
        made.err.contains("docmost takes no more logins for 1 s"),
        "{}",
        made.err
    );
}
