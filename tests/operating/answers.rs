//! `--json` of the verbs that need a whole installation: each answer is as `docs/CLI.md` has it,
//! also where the verb fails on its way.

use std::collections::BTreeMap;

use anyhow::Context as _;
use serde_json::{Value, json};
use test_support::contract::{Page, Shape};
use test_support::free_port;

use crate::site::{Said, Site};

/// A new installation and what its verbs have answered. The bridge is stopped when this is dropped.
struct Typed {
    site: Site,
    /// Where its console listens.
    console: String,
    answers: BTreeMap<&'static str, Shape>,
}

impl Drop for Typed {
    fn drop(&mut self) {
        let down = self.site.passerelle().map(|mut command| command.arg("down").output());
        drop(down);
    }
}

impl Typed {
    /// What an answer has and `docs/CLI.md` does not.
    fn differs_from_the_page(&self) -> Vec<String> {
        let page = Page::read();
        let wrong = self.answers.iter().map(|(verb, answer)| page.holds(verb, answer));
        wrong.filter_map(|held| Some(format!("{:#}", held.err()?))).collect()
    }

    /// Types a verb; every line beside the answer is an object.
    async fn types(&mut self, verb: &'static str, options: &[String]) -> anyhow::Result<(Said, Value)> {
        let mut command = self.site.passerelle()?;
        command
            .args(["--json", verb])
            .args(options)
            .env("CONSOLE_BIND", &self.console);
        let output = tokio::process::Command::from(command).output().await?;
        let said = Said {
            code: output.status.code(),
            out: String::from_utf8(output.stdout)?,
            err: String::from_utf8(output.stderr)?,
        };
        for line in said.err.lines() {
            let beside: Value = serde_json::from_str(line).with_context(|| line.to_owned())?;
            let is_known = beside["note"].is_string() || beside["error"].is_object();
            anyhow::ensure!(is_known, "{verb}: {line}");
        }
        if said.out.is_empty() {
            return Ok((said, Value::Null));
        }
        let answer: Value = serde_json::from_str(&said.out).with_context(|| said.out.clone())?;
        self.answers.entry(verb).or_default().join(Shape::of(&answer));
        Ok((said, answer))
    }
}

/// Whether a run of `init` has made this.
fn made(answer: &Value, what: &str) -> bool {
    let steps = answer["steps"].as_array().cloned().unwrap_or_default();
    let mut steps = steps.iter().filter(|step| step["state"] == "made");
    steps.any(|step| step["what"].as_str().is_some_and(|words| words.contains(what)))
}

#[tokio::test]
async fn an_installation_and_a_bridge_in_the_background_answer_with_the_fields_that_the_page_documents() {
    let site = Site::start().await.unwrap();
    let options = site.options();
    let faults = format!("{}/_sandbox/faults", site.docmost);
    let refused = json!({"path": "/api/spaces/create", "kind": "status", "status": 500, "times": 1});
    let asked = site.http.post(faults).json(&refused).send().await.unwrap();
    asked.error_for_status().unwrap();
    let mut typed = Typed {
        site,
        console: format!("127.0.0.1:{}", free_port().unwrap()),
        answers: BTreeMap::new(),
    };

    let planned = [&options[..], &["--dry-run".to_owned()]].concat();
    let (said, answer) = typed.types("init", &planned).await.unwrap();
    assert_eq!(
        (said.code, &answer["left"]),
        (Some(0), &json!([])),
        "{}{}",
        said.out,
        said.err
    );

    let (said, answer) = typed.types("init", &options).await.unwrap();
    assert_eq!(said.code, Some(1), "{}{}", said.out, said.err);
    assert!(said.err.contains(r#""error":{"code":"failed""#), "{}", said.err);
    assert_eq!(answer["left"], json!(["spaces", "tables", "test_row"]), "{}", said.err);
    assert!(made(&answer, "the account passerelle@passerelle.test"), "{answer:#}");
    assert!(made(&answer, "the database token"), "{answer:#}");

    let (said, answer) = typed.types("init", &options).await.unwrap();
    assert_eq!(
        (said.code, &answer["left"]),
        (Some(0), &json!([])),
        "{}{}",
        said.out,
        said.err
    );
    assert!(
        !made(&answer, "the database token") && made(&answer, "the space"),
        "{answer:#}"
    );
    assert!(answer["page"].is_string(), "{answer:#}");

    let (said, answer) = typed.types("status", &[]).await.unwrap();
    assert_eq!((said.code, answer), (Some(1), Value::Null), "{}", said.err);
    let (said, answer) = typed.types("up", &[]).await.unwrap();
    assert_eq!((said.code, answer), (Some(0), Value::Null), "{}", said.err);
    let (said, answer) = typed.types("status", &[]).await.unwrap();
    assert_eq!(said.code, Some(0), "{answer:#}{}", said.err);
    let (said, answer) = typed.types("reload", &[]).await.unwrap();
    assert_eq!(said.code, Some(0), "{answer:#}{}", said.err);
    for verb in ["restart", "down"] {
        let (said, answer) = typed.types(verb, &[]).await.unwrap();
        assert_eq!((said.code, answer), (Some(0), Value::Null), "{verb}: {}", said.err);
    }

    let wrong = typed.differs_from_the_page();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let shapes = typed.answers.iter().map(|(verb, shape)| format!("# {verb}\n{shape}"));
    insta::assert_snapshot!(shapes.collect::<Vec<_>>().join("\n"));
}

#[tokio::test]
async fn the_test_row_of_no_installation_is_not_there_and_nothing_is_made() {
    let site = Site::start().await.unwrap();
    let said = site.run(&["--test-row".to_owned(), "remove".to_owned()]).await.unwrap();
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    assert_eq!(said.out, "Nothing to do: there is no test row.\n");
    assert!(said.err.contains("there is no bridge.toml"), "{}", said.err);
    for name in ["bridge.toml", "bridge.schema.json", "templates", ".env"] {
        assert!(!std::path::Path::new(&site.path(name)).exists(), "{name} was made");
    }
}
