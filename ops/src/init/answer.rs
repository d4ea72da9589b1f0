//! What `init` answers: each step and what became of it, and what a run that failed has left.

use std::fmt::Write as _;

use serde::Serialize;

use super::TestRow;
use crate::text::number;

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

/// What an installation consists of, in the order in which a run comes to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Stage {
    Logins,
    Rules,
    Settings,
    Account,
    Token,
    Spaces,
    Tables,
    TestRow,
}

impl Stage {
    /// Those of a run.
    pub(super) fn of(test_row: TestRow) -> Vec<Self> {
        match test_row {
            TestRow::Remove => vec![Self::Logins, Self::TestRow],
            TestRow::None => Self::ALL.into_iter().filter(|stage| *stage != Self::TestRow).collect(),
            TestRow::Make => Self::ALL.to_vec(),
        }
    }

    const ALL: [Self; 8] = [
        Self::Logins,
        Self::Rules,
        Self::Settings,
        Self::Account,
        Self::Token,
        Self::Spaces,
        Self::Tables,
        Self::TestRow,
    ];

    const fn words(self) -> &'static str {
        match self {
            Self::Logins => "the logins",
            Self::Rules => "the rules and templates",
            Self::Settings => "the settings",
            Self::Account => "the account in Docmost",
            Self::Token => "the database token in Baserow",
            Self::Spaces => "the spaces in Docmost",
            Self::Tables => "tables, fields and webhooks",
            Self::TestRow => "the test row",
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
    /// What a run that failed or was stopped has not finished.
    pub(super) left: Vec<Stage>,
    /// The address of the test row's page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) page: Option<String>,
    pub(super) seconds: f64,
    /// Whether the test row was to be taken away, and nothing else.
    #[serde(skip)]
    pub(super) only_removes: bool,
    /// Whether no Redis stays behind: the next run has to bring one again.
    #[serde(skip)]
    pub(super) brings_redis: bool,
}

impl SetUp {
    fn count(&self, wanted: State) -> usize {
        self.steps.iter().filter(|step| step.state == wanted).count()
    }

    /// Whether a person who sees a failure must know of what went before it.
    pub(super) fn did_something(&self) -> bool {
        self.count(State::Made) + self.count(State::Planned) > 0
    }
}

pub(super) fn in_words(set_up: &SetUp) -> String {
    let mut text = String::new();
    // Otherwise each was told as it was done.
    for Step { state, what } in set_up.steps.iter().filter(|_| set_up.dry_run) {
        let _ = writeln!(text, "{:<6} {what}", state.word());
    }
    let _ = match (set_up.count(State::Planned), set_up.count(State::Made)) {
        (planned, _) if set_up.dry_run => {
            writeln!(text, "{} would be done. Nothing was changed.", number(planned, "thing"))
        }
        (_, 0) if set_up.only_removes => writeln!(text, "Nothing to do: there is no test row."),
        (_, 0) => writeln!(text, "Nothing to do: everything is there."),
        (_, made) => writeln!(text, "{} done in {:.1} s.", number(made, "thing"), set_up.seconds),
    };
    if !set_up.left.is_empty() {
        let left: Vec<&str> = set_up.left.iter().map(|stage| stage.words()).collect();
        let _ = writeln!(text, "Not finished: {}.", left.join("; "));
        return text;
    }
    if set_up.only_removes {
        return text;
    }
    let option = if set_up.brings_redis { " --own-redis" } else { "" };
    if let Some(page) = &set_up.page {
        let _ = writeln!(text, "The page of the test row: {page}");
        let _ = writeln!(text, "To take both away: passerelle init{option} --test-row remove");
    }
    let _ = writeln!(
        text,
        "Next: `passerelle all{option}` runs the bridge, `passerelle doctor` looks at all of it."
    );
    text
}
