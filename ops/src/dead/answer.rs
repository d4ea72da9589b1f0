//! The answers of `dead` as text.

use std::fmt::Write as _;

use passerelle_model::ledger::FailureRecord;
use passerelle_model::time::Timestamp;

use super::act::Acted;
use super::find::Found;
use super::{Listed, Shown};
use crate::age::in_largest_unit as age;
use crate::changes;
use crate::trace::story_in_words;

/// The answer of `list`; `all` is how many letters there are in all.
pub(super) fn list(letters: &[Listed], all: u64, now: Timestamp) -> String {
    if letters.is_empty() {
        return match all {
            0 => "No dead letters.".to_owned(),
            _ => format!("None of the {all} dead letters match."),
        };
    }
    let mut text = table(letters, now);
    let _ = writeln!(
        text,
        "{} of {all} dead letters. For the history of one: passerelle dead show <id>",
        letters.len()
    );
    text
}

fn table(letters: &[Listed], now: Timestamp) -> String {
    let mut text = format!(
        "{:<27} {:<5} {:<14} {:<11} {:>5}  cause\n",
        "id", "queue", "job", "reason", "age"
    );
    for Listed { found, superseded } in letters {
        let (queue, letter) = (found.queue.as_str(), &found.letter);
        let (id, job, reason) = (&letter.id, letter.job.to_string(), &letter.reason);
        let ago = age(now.since(letter.died));
        let _ = writeln!(
            text,
            "{id:<27} {queue:<5} {job:<14} {reason:<11} {ago:>5}  {}{}{}: {}",
            if *superseded == Some(true) { "superseded; " } else { "" },
            match letter.deaths {
                1 => String::new(),
                deaths => format!("died {deaths} times; "),
            },
            letter.failure.target,
            letter.failure.message
        );
    }
    text
}

/// The answer of `show`.
pub(super) fn shown(shown: &Shown, now: Timestamp) -> String {
    let Shown {
        found,
        history,
        not_read,
    } = shown;
    let letter = &found.letter;
    let mut text = format!("Dead letter {}\n", letter.id);
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
    text.push_str(&failed(&letter.failure));
    if history.superseded && found.is_notice() {
        text.push_str("  superseded the notice has been sent since: nothing is left to send\n");
    } else if history.superseded {
        text.push_str("  superseded a newer event of its row has succeeded since: nothing is left to replay\n");
    }
    if let Some(warning) = not_read.warning() {
        let _ = writeln!(text, "\n{warning}");
    }
    if !history.events.is_empty() {
        text.push_str("\nThe latest events of its row:\n");
    }
    for event in &history.events {
        let _ = write!(text, "\n{}", story_in_words(event));
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
pub(super) fn acted(acted: &Acted) -> String {
    let Acted { done, letters, .. } = acted;
    if !acted.dry_run {
        return format!("{} of {} dead letters {done}.", acted.count, letters.len());
    }
    let written = match *done {
        "replayed" => ", each as one new event of its row, and removed",
        _ => "",
    };
    let mut text = format!(
        "Dry run: {} dead letters would be {done}{written}. Nothing was changed.\n",
        letters.len()
    );
    for Found { letter, .. } in letters {
        let _ = writeln!(text, "  {} {} ({})", letter.id, letter.job, letter.reason);
    }
    text.push_str(&changes::in_words(&acted.changes));
    text
}
