//! What is told of a scenario, to people or as JSON (docs/CLI.md), and the exit status of it.

use std::io::{self, Write as _};
use std::path::Path;
use std::time::Instant;

use passerelle_model::config::Problems;
use serde_json::json;
use system_tests::scenario::{Told, Wrong};

use super::say;

/// The exit status where nobody reads what is told, as of any program that SIGPIPE ends.
pub(crate) const UNREAD: u8 = 141;
/// Where both texts of a wrong claim begin.
const INDENT: &str = "      ";

pub(crate) struct Teller {
    is_json: bool,
    began: Instant,
}

impl Teller {
    pub(crate) fn new(is_json: bool) -> Self {
        let began = Instant::now();
        Self { is_json, began }
    }

    pub(crate) fn begins(&mut self, file: &Path) -> io::Result<()> {
        self.began = Instant::now();
        self.to_people(&file.display().to_string())
    }

    pub(crate) fn step(&self, told: &Told) -> io::Result<()> {
        if self.is_json {
            return say(&serde_json::to_string(told)?);
        }
        let mark = if told.wrong().is_none() { '✓' } else { '✗' };
        say(&format!("{mark} {}  ({:.1} s)", told.that, told.seconds))?;
        for act in &told.acts {
            say(&format!("  · {act}"))?;
        }
        for claim in &told.claims {
            let mark = if claim.wrong.is_none() { '✓' } else { '✗' };
            say(&format!("  {mark} {}", claim.claim))?;
        }
        if let Some(wrong) = told.wrong() {
            say(&wrong_in_words(wrong))?;
            say(&format!("    claimed at {}; the bridge is idle", told.place))?;
            for fact in &told.facts {
                say(&format!("    {fact}"))?;
            }
        }
        Ok(())
    }

    pub(crate) fn is_true(&self) -> io::Result<()> {
        let seconds = self.began.elapsed().as_secs_f64();
        self.to_people(&format!("all of it is true ({seconds:.1} s)\n"))
    }

    pub(crate) fn is_wrong(&self, file: &Path) -> u8 {
        let what = format!("{}: a claim is not true", file.display());
        let cure = "mend the rule, its templates or the claim";
        self.trouble("wrong_claim", &what, cure, &Problems(Vec::new()))
    }

    /// Of a file.
    pub(crate) fn problems(&self, problems: &Problems) -> u8 {
        let what: Vec<String> = problems
            .0
            .iter()
            .map(|problem| format!("{}\n  {}\n  → {}", problem.place, problem.what, problem.hint))
            .collect();
        let cure = "correct what `problems` names";
        self.trouble("problems", &what.join("\n"), cure, problems)
    }

    pub(crate) fn failed(&self, error: &anyhow::Error) -> u8 {
        let unwritten = error.downcast_ref::<io::Error>();
        if unwritten.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
            return UNREAD;
        }
        let cure = "the message says what to do";
        self.trouble("failed", &format!("{error:#}"), cure, &Problems(Vec::new()))
    }

    pub(crate) fn interrupted(&self) -> u8 {
        let what = "stopped; nothing is left behind. Run it again";
        self.trouble("interrupted", what, "run it again", &Problems(Vec::new()))
    }

    fn to_people(&self, line: &str) -> io::Result<()> {
        if self.is_json { Ok(()) } else { say(line) }
    }

    fn trouble(&self, code: &str, what: &str, cure: &str, problems: &Problems) -> u8 {
        let status = match code {
            "problems" => 2,
            "interrupted" => 130,
            _ => 1,
        };
        let line = if self.is_json {
            let mut error = json!({"code": code, "message": what, "cure": cure, "exit_status": status});
            if !problems.0.is_empty() {
                error["problems"] = json!(problems.0);
            }
            json!({ "error": error }).to_string()
        } else {
            what.to_owned()
        };
        let _ = writeln!(std::io::stderr(), "{line}");
        status
    }
}

fn wrong_in_words(wrong: &Wrong) -> String {
    let indented = |text: &str| text.replace('\n', &format!("\n{INDENT}          "));
    let (expected, found) = (indented(&wrong.expected), indented(&wrong.found));
    format!(
        "    {}\n{INDENT}expected  {expected}\n{INDENT}found     {found}",
        wrong.about
    )
}
