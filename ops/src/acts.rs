//! `acts`: what operators have done, to what, when and why, as the ledger keeps it.

use std::fmt::Write as _;

use clap::Args;
use passerelle_store::{ActLine, OperatorAct};
use serde::Serialize;

use crate::console::Console;
use crate::operator::{Freshness, Operator};
use crate::text::{Table, Text};
use crate::trouble::Trouble;

/// `acts`.
#[derive(Debug, Args)]
pub struct Acts {
    /// Go on behind this act: `next` of the page before.
    #[arg(long, value_name = "PLACE", value_parser = place)]
    pub after: Option<Place>,
    /// At most this many, newest first.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub limit: u32,
}

/// The place of an act in the ledger: its entry, and its number in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place(i64, i64);

/// The answer.
#[derive(Debug, Serialize)]
struct Listed {
    acts: Vec<Line>,
    /// What `--after` takes for the next page.
    next: Option<String>,
    #[serde(flatten)]
    freshness: Freshness,
}

#[derive(Debug, Serialize)]
struct Line {
    /// A job, `job/<job>`, `queue/<name>`, `gate/<name>`, `baserow/<table>`, `notices`.
    on: String,
    #[serde(flatten)]
    act: OperatorAct,
}

/// Lists the acts.
pub async fn run(operator: &Operator, verb: &Acts, console: &mut Console) -> Result<(), Trouble> {
    let store = operator.store().await?;
    let freshness = operator.catch_up(store).await;
    let after = verb.after.map(|Place(seq, place)| (seq, place));
    let mut found = store.act_lines(after, verb.limit + 1).await?;
    let has_more = found.len() > usize::try_from(verb.limit).unwrap_or(usize::MAX);
    if has_more {
        found.pop();
    }
    let last = found.last().filter(|_| has_more);
    let listed = Listed {
        next: last.map(|ActLine { key: (seq, place), .. }| format!("{seq}-{place}")),
        acts: found
            .into_iter()
            .map(|ActLine { on, act, .. }| Line { on, act })
            .collect(),
        freshness,
    };
    console.answer(&listed, in_words)
}

fn in_words(listed: &Listed) -> Text {
    let mut table = Table::new(&["when", "who", "did", "to", "why"]);
    for Line { on, act } in &listed.acts {
        let on = if act.letter.is_empty() {
            on.clone()
        } else {
            format!("{on} (letter {})", act.letter)
        };
        table.row([
            act.at.to_string().into(),
            act.by.as_str().into(),
            act.act.as_str().into(),
            on.into(),
            act.why.as_deref().unwrap_or("-").into(),
        ]);
    }
    let mut text = Text::default();
    text.table(table);
    if listed.acts.is_empty() {
        let _ = writeln!(text, "No operator has acted.");
    }
    if let Some(next) = &listed.next {
        let _ = writeln!(text, "For earlier ones: --after {next}");
    }
    let _ = listed.freshness.warning().map(|warning| writeln!(text, "{warning}"));
    text
}

fn place(text: &str) -> Result<Place, String> {
    let read = || {
        let (seq, place) = text.split_once('-')?;
        Some(Place(seq.parse().ok()?, place.parse().ok()?))
    };
    read().ok_or_else(|| format!("{text:?} is no place of the list; take `next` of the page before"))
}
