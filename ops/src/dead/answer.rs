//! The answers of `dead` as text.

use std::fmt::Write as _;

use passerelle_model::ledger::FailureRecord;
use passerelle_model::time::Timestamp;

use super::act::Acted;
use super::find::Found;
use super::{Listed, Shown};
use crate::age::in_largest_unit as age;
use crate::changes;
use crate::text::{Table, Text, Tone};
use crate::trace::story_in_words;

/// The answer of `list`; `all` is how many letters there are in all.
pub(super) fn list(letters: &[Listed], all: u64, now: Timestamp) -> Text {
    if letters.is_empty() {
        let none = match all {
            0 => "No dead letters.".to_owned(),
            _ => format!("None of the {all} dead letters match."),
        };
        return none.into();
    }
    let mut text = Text::default();
    text.table(table(letters, now));
    let _ = writeln!(
        text,
        "{} of {all} dead letters. For the history of one: passerelle dead show <id>",
        letters.len()
    );
    text
}

fn table(letters: &[Listed], now: Timestamp) -> Table {
    let headings = ["id", "queue", "job", "reason", "age", "cause"];
    let mut table = Table::new(&headings).with_numbers(&["age"]);
    for Listed { found, superseded } in letters {
        let letter = &found.letter;
        let mut cause = String::new();
        if *superseded == Some(true) {
            cause.push_str("superseded; ");
        }
        if letter.deaths > 1 {
            let _ = write!(cause, "died {} times; ", letter.deaths);
        }
        let _ = write!(cause, "{}: {}", letter.failure.target, letter.failure.message);
        table.row([
            letter.id.as_str().into(),
            found.queue.as_str().into(),
            letter.job.to_string().into(),
            Tone::Bad.of(letter.reason.as_str()),
            age(now.since(letter.died)).into(),
            cause.into(),
        ]);
    }
    table
}

/// The answer of `show`.
pub(super) fn shown(shown: &Shown, now: Timestamp) -> Text {
    let Shown {
        found,
        history,
        not_read,
    } = shown;
    let letter = &found.letter;
    let mut text = Text::from(format!("Dead letter {}\n", letter.id));
    let _ = writeln!(text, "  job        {} (queue {})", letter.job, found.queue.as_str());
    let _ = writeln!(
        text,
        "  died       {} ({} ago), reason {}",
        letter.died,
        age(now.since(letter.died)),
        letter.reason
    );
    if letter.deaths > 1 {
        let _ = writeln!(
            text,
            "  again      died {} times since {}; this is the latest",
            letter.deaths,
            letter.first_died()
        );
    }
    let _ = writeln!(text, "  attempts   {}", letter.attempts);
    let _ = writeln!(text, "  last event {}", letter.last_event);
    let _ = write!(text, "{}", failed(&letter.failure));
    if history.superseded && found.is_notice() {
        let _ = writeln!(
            text,
            "  superseded the notice has been sent since: nothing is left to send"
        );
    } else if history.superseded {
        let _ = writeln!(
            text,
            "  superseded a newer event of its row has succeeded since: nothing is left to replay"
        );
    }
    if let Some(warning) = not_read.warning() {
        let _ = writeln!(text, "\n{warning}");
    }
    if !history.events.is_empty() {
        let _ = writeln!(text, "\nThe latest events of its row:");
    }
    for event in &history.events {
        let _ = writeln!(text);
        text.append(story_in_words(event));
    }
    let again = if found.is_notice() {
        format!("passerelle notices retry {}, then discard the letter", letter.job)
    } else {
        format!("passerelle dead replay {}", letter.id)
    };
    let _ = writeln!(
        text,
        "\nWhen the cause is fixed: {again}\nTo drop it for good: passerelle dead discard {id} --why \"…\"",
        id = letter.id
    );
    text
}

fn failed(failure: &FailureRecord) -> String {
    let status = failure
        .status
        .map_or_else(String::new, |status| format!(", status {status}"));
    let mut text = format!(
        "  failure    {} ({}{status}): {}\n",
        failure.target,
        failure.class.as_str(),
        failure.message
    );
    if let Some(body) = &failure.body {
        let _ = writeln!(text, "  answer     {body}");
    }
    text
}

/// The answer of `replay` and `discard`.
pub(super) fn acted(acted: &Acted) -> Text {
    let Acted { done, letters, .. } = acted;
    if !acted.dry_run {
        return format!("{} of {} dead letters {done}.", acted.count, letters.len()).into();
    }
    let written = match *done {
        "replayed" => ", each as one new event of its row, and removed",
        _ => "",
    };
    let mut text = Text::from(format!(
        "Dry run: {} dead letters would be {done}{written}. Nothing was changed.\n",
        letters.len()
    ));
    let mut table = Table::plain(2);
    for Found { letter, .. } in letters {
        table.row([
            letter.id.as_str().into(),
            letter.job.to_string().into(),
            format!("({})", letter.reason).into(),
        ]);
    }
    text.table(table);
    let _ = write!(text, "{}", changes::in_words(&acted.changes));
    text
}
