use std::os::unix::fs::PermissionsExt as _;

use rstest::rstest;
use secrecy::ExposeSecret;
use tempfile::TempDir;

use super::*;

#[test]
fn all_problems_are_reported_at_once_with_a_hint_each() {
    let mut reader = Reader::from_pairs([("PORT", "many"), ("WAIT_SECONDS", "0")]);
    let port: u16 = reader.parsed("PORT", 8080);
    reader.seconds("WAIT_SECONDS", 5);
    reader.required("NAME", "set it to your name");
    let problems = reader.finish(port).unwrap_err();
    insta::assert_snapshot!(problems, @r#"
    the configuration has 3 problems:
      PORT: "many" cannot be read
          → give a value like 8080
      WAIT_SECONDS: must not be 0
          → give seconds, e.g. 5
      NAME: is not set
          → set it to your name
    "#);
}

#[test]
fn several_live_secrets_may_stand_in_one_variable() {
    let reader = Reader::from_pairs([("SECRET", "old, new")]);
    assert_eq!(reader.secrets("SECRET").len(), 2);
}

/// A reader of a file `.env` with this text; and the folder where it is.
fn reader_of(text: &str) -> (Reader, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(".env");
    std::fs::write(&path, text).unwrap();
    let reader = Reader::from_pairs([("DOCMOST_EMAIL", "from the environment")]);
    (reader.with_env_file(Some(&path)), folder)
}

#[test]
fn a_setting_of_the_file_counts_unless_the_environment_has_it() {
    let (reader, _folder) =
        reader_of("DOCMOST_EMAIL=of the file\nDOCMOST_PASSWORD='Xk$9vQ#2 mLp'\nLOG_LEVEL=info\nLOG_LEVEL=debug\n");
    assert_eq!(
        reader.optional("DOCMOST_EMAIL").as_deref(),
        Some("from the environment")
    );
    assert_eq!(reader.optional("DOCMOST_PASSWORD").as_deref(), Some("Xk$9vQ#2 mLp"));
    assert_eq!(reader.text("LOG_LEVEL", "warn"), "debug", "the last line counts");
}

#[test]
fn all_that_is_wrong_in_the_file_is_told_at_once_with_its_lines() {
    let (mut reader, folder) =
        reader_of("GATE_STEP_SECONDS=many\nDOCMOST_PASSWORD=geheim$1\nDOCMOST_PASWORD=geheim\nWORKER_NAME=x\nTZ=UTC\n");
    reader.decimal_seconds("GATE_STEP_SECONDS", Duration::from_secs(1));
    reader.required("DOCMOST_PASSWORD", "the password of that account");
    let told = reader.finish(()).unwrap_err().to_string();
    let told = told.replace(&format!("{}/", folder.path().display()), "");
    insta::assert_snapshot!(told, @r#"
    the configuration has 5 problems:
      .env:2: has a $ without quotation marks, which others would replace
          → write DOCMOST_PASSWORD='…'
      GATE_STEP_SECONDS (.env:1): "many" cannot be read
          → give a value like 1
      DOCMOST_PASSWORD: is not set
          → the password of that account
      DOCMOST_PASWORD (.env:3): is no setting of this version
          → did you mean DOCMOST_PASSWORD?
      WORKER_NAME (.env:4): is no setting of this version
          → docs/SETTINGS.md lists the settings; leave it out if it is one of another version
    "#);
}

#[rstest]
#[case("BASEROW_TOKEN")]
#[case("SECRET_THAT_THE_RULES_NAME")]
fn a_secret_may_stand_in_a_file_of_its_own(#[case] name: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    std::fs::write(&path, "a-long-secret\n").unwrap();
    let by_file = format!("{name}_FILE");
    let reader = Reader::from_pairs([(by_file.as_str(), path.to_str().unwrap())]);
    let secrets = reader.secrets(name);
    let secrets: Vec<&str> = secrets.iter().map(ExposeSecret::expose_secret).collect();
    assert_eq!(secrets, ["a-long-secret"]);
    assert!(reader.unknown().is_empty(), "{:?}", reader.unknown());
}

#[test]
fn a_secret_that_is_set_twice_or_whose_file_is_not_there_is_a_problem() {
    let mut reader = Reader::from_pairs([
        ("BASEROW_TOKEN", "x"),
        ("BASEROW_TOKEN_FILE", "/nowhere/token"),
        ("DOCMOST_PASSWORD_FILE", "/nowhere/password"),
        ("DOCMOST_EMAIL_FILE", "/nowhere/email"),
    ]);
    reader.required("BASEROW_TOKEN", "make one");
    reader.required("DOCMOST_PASSWORD", "set it");
    reader.optional("DOCMOST_EMAIL");
    let problems = reader.finish(()).unwrap_err().to_string();
    assert!(
        problems.contains("BASEROW_TOKEN_FILE: is set, and BASEROW_TOKEN too"),
        "{problems}"
    );
    assert!(
        problems.contains("DOCMOST_PASSWORD_FILE: /nowhere/password cannot be read"),
        "{problems}"
    );
    assert!(
        !problems.contains("DOCMOST_EMAIL_FILE: /nowhere"),
        "only a secret has a file: {problems}"
    );
}

#[test]
fn a_file_that_is_named_must_be_there() {
    let reader = Reader::from_pairs([("PASSERELLE_ENV_FILE", "/nowhere/.env")]).with_env_file(None);
    let problems = reader.finish(()).unwrap_err().to_string();
    assert!(problems.contains("/nowhere/.env: cannot be read"), "{problems}");
    let nothing = Reader::from_pairs([("PASSERELLE_ENV_FILE", "/dev/null")]).with_env_file(None);
    assert!(nothing.finish(()).is_ok());
}

#[test]
fn a_file_that_nobody_can_look_at_is_a_problem_and_not_absent() {
    // No user can follow a link to itself; other users than root cannot search a closed folder.
    let folder = tempfile::tempdir().unwrap();
    let (link, closed) = (folder.path().join("link"), folder.path().join("closed"));
    std::os::unix::fs::symlink(&link, &link).unwrap();
    std::fs::create_dir(&closed).unwrap();
    let inside = closed.join(".env");
    std::fs::write(&inside, "").unwrap();
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o000)).unwrap();
    let nothing = folder.path().join("nothing");
    for path in [link.to_str().unwrap(), inside.to_str().unwrap()] {
        let found = file::first_of([nothing.to_str().unwrap(), path]);
        assert_eq!(found, Some(path));
        let told = Reader::from_pairs([("", "")]).over(path).finish(()).err();
        let may_read = std::fs::read(path).is_ok();
        let is_told = told.is_some_and(|told| told.to_string().contains(&format!("{path}: cannot be read")));
        assert_eq!(is_told, !may_read, "{path}");
    }
    assert_eq!(file::first_of([nothing.to_str().unwrap()]), None);
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn in_the_environment_only_a_slip_of_the_pen_is_told() {
    let reader = Reader::from_pairs([
        ("WORKER_CONCURENCY", "4"),
        ("REDIS_PORT", "tcp://10.0.0.1"),
        ("PATH", "/bin"),
    ]);
    let told = reader.unknown();
    let [slip] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!(
        (slip.place.as_str(), slip.hint.as_str()),
        ("WORKER_CONCURENCY", "did you mean WORKER_CONCURRENCY?")
    );
}

#[test]
fn a_setting_that_the_release_before_had_is_told_with_what_became_of_it() {
    let reader = Reader::from_pairs([("GATE_RAMP_SECONDS", "120"), ("GATE_FULL_RATE", "20")]);
    let told = reader.unknown();
    let [rate, seconds] = told.as_slice() else {
        panic!("{told:?}")
    };
    assert_eq!(
        (rate.place.as_str(), seconds.place.as_str()),
        ("GATE_FULL_RATE", "GATE_RAMP_SECONDS")
    );
    for problem in [rate, seconds] {
        assert_eq!(problem.what, "is no setting any more");
        assert!(problem.hint.contains("leave it out"), "{problem:?}");
    }
    assert!(reader.finish(()).is_ok(), "it ends no start");
}
