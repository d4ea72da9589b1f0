//! What `check --live` and `doctor` say of the bridge.

use passerelle_model::config::Problem;
use serde::Serialize;

/// How one thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// As it should be.
    Ok,
    /// Nothing is lost, but look at it.
    Warn,
    /// The bridge cannot work, or may lose something.
    Fail,
}

/// One thing that was examined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is, e.g. `baserow rights`.
    pub check: &'static str,
    /// How it is.
    pub state: State,
    /// What was found.
    pub found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

impl Finding {
    /// A thing that is as it should be.
    pub fn ok(check: &'static str, found: impl Into<String>) -> Self {
        Self {
            check,
            state: State::Ok,
            found: found.into(),
            fix: None,
        }
    }

    /// A thing to look at.
    pub fn warn(check: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::ok(check, found).worse(State::Warn, fix)
    }

    /// A thing that is broken.
    pub fn fail(check: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::ok(check, found).worse(State::Fail, fix)
    }

    /// A thing whose settings are wrong; the configuration's own findings say how.
    pub fn skipped(check: &'static str) -> Self {
        Self::warn(
            check,
            "not examined: its settings are wrong",
            "fix the configuration first",
        )
    }

    /// The same, but worse.
    #[must_use]
    pub fn worse(self, state: State, fix: impl Into<String>) -> Self {
        let fix = Some(fix.into());
        Self { state, fix, ..self }
    }
}

/// What both say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examined {
    /// What is wrong with the rules, or does not fit Baserow and Docmost; or why nobody could look.
    pub rules: Result<Vec<Problem>, String>,
    /// All that the bridge needs.
    pub findings: Vec<Finding>,
}
