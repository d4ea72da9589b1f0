use std::io::Write as _;

use tempfile::NamedTempFile;

use super::*;

const SECRET: (&str, &str) = ("BASEROW_WEBHOOK_SECRET", "0123456789abcdef0123456789abcdef");

fn bridge_file(text: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn read(bridge: &NamedTempFile, variables: &[(&str, &str)]) -> Result<Settings, String> {
    let path = bridge.path().to_str().unwrap();
    let variables = variables.iter().copied().chain([("BRIDGE_FILE", path)]);
    let mut reader = Reader::from_pairs(variables);
    let settings = Settings::read(&mut reader);
    reader
        .finish(settings)
        .map_err(|problems| problems.to_string().replace(path, "bridge.toml"))
}

#[test]
fn one_secret_is_all_that_must_be_set() {
    let shipped = bridge_file(include_str!("../../../bridge.toml"));
    let settings = read(&shipped, &[SECRET]).unwrap();
    assert_eq!(settings.bind.to_string(), "127.0.0.1:8080");
    assert_eq!(settings.limits.body_bytes, 2 << 20);
    assert!(settings.bridge.quiet.owned.contains(&"docmost_page_id".to_owned()));
}

#[test]
fn everything_that_is_wrong_is_told_at_once_without_telling_a_secret() {
    let bridge = bridge_file(
        r#"
        [sources]
        "a source" = { proof = "hmac", secrets = "SHORT" }
        missing = { proof = "token", secrets = "MISSING", header = "X Token" }
        two = { proof = ["hmac", "token"], secrets = "TWO", header = "X-Token" }
        none = { proof = "hmac", secrets = "GOOD", tables = [] }
        "#,
    );
    let problems = read(
        &bridge,
        &[
            ("SHORT", "hunter2,hunter3"),
            ("GOOD", SECRET.1),
            ("INGRESS_BIND", "8080"),
            ("INGRESS_CONNECTIONS", "0"),
        ],
    );
    let problems = problems.unwrap_err();
    assert!(!problems.contains("hunter"));
    insta::assert_snapshot!(problems, @r#"
    the configuration has 7 problems:
      INGRESS_BIND: "8080" cannot be read
          → give a value like 127.0.0.1:8080
      INGRESS_CONNECTIONS: must not be 0
          → give a number like 1024
      SHORT: 2 of its 2 secrets have fewer than 16 characters
          → make a long one with `openssl rand -hex 32`
      bridge.toml:4:19 (source missing): "X Token" cannot be the name of a header
          → leave `header` out for X-Bridge-Token
      MISSING: is not set
          → make one with `openssl rand -hex 32` and set MISSING to it (bridge.toml:4:19 (source missing) asks for it)
      bridge.toml:6:16 (source none): `tables` names no table: no call could be accepted
          → give the numbers of its tables, or leave `tables` out for all
      bridge.toml:5:15 (source two): `header` names one header for several proofs
          → leave `header` out, or name one proof
    "#);
}

#[test]
fn without_any_source_the_ingress_does_not_start() {
    let problems = read(&bridge_file("[sources]\n"), &[]).unwrap_err();
    assert!(problems.contains("[sources] is empty"), "{problems}");
}

#[test]
fn a_bridge_file_that_cannot_be_read_is_a_problem_like_any_other() {
    let mut reader = Reader::from_pairs([
        ("BRIDGE_FILE", "nowhere/bridge.toml"),
        ("INGRESS_KEEP_ALIVE_SECONDS", "x"),
    ]);
    let settings = Settings::read(&mut reader);
    let problems = reader.finish(settings).unwrap_err();
    assert_eq!(problems.0.len(), 2, "{problems}");
}
