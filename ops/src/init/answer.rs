//! What `init` answers: each step, and what became of it.

use std::fmt::Write as _;

use serde::Serialize;

/// What became of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    /// It was there, and is as it was.
    Kept,
    Made,
    /// It would be made.
    Planned,
    /// Something that an operator must know.
    Note,
}

impl State {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Made => "done",
            Self::Planned => "would",
            Self::Note => "note",
        }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct Step {
    pub(super) state: State,
    pub(super) what: String,
}

/// The answer. It shows no secret.
#[derive(Debug, Serialize)]
pub(super) struct SetUp {
    pub(super) dry_run: bool,
    pub(super) steps: Vec<Step>,
    /// The address of the test row's page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) page: Option<String>,
    pub(super) seconds: f64,
}

pub(super) fn in_words(set_up: &SetUp) -> String {
    let mut text = String::new();
    // Otherwise each was told as it was done.
    for Step { state, what } in set_up.steps.iter().filter(|_| set_up.dry_run) {
        let _ = writeln!(text, "{:<6} {what}", state.word());
    }
    let count = |wanted: State| set_up.steps.iter().filter(|step| step.state == wanted).count();
    let _ = match (count(State::Planned), count(State::Made)) {
        (planned, _) if set_up.dry_run => writeln!(text, "{planned} things would be done. Nothing was changed."),
        (_, 0) => writeln!(text, "Nothing to do: everything is there."),
        (_, made) => writeln!(text, "{made} things done in {:.1} s.", set_up.seconds),
    };
    if let Some(page) = &set_up.page {
        let _ = writeln!(text, "The page of the test row: {page}");
        let _ = writeln!(text, "To take both away: passerelle init --test-row remove");
    }
    let _ = writeln!(
        text,
        "Next: `passerelle all` runs the bridge, `passerelle doctor` looks at all of it."
    );
    text
}
