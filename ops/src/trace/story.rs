//! The history of one event as text: what arrived, what was done, how it ended, and why.

use std::fmt::Write as _;
use std::time::Duration;

use passerelle_console::why::why;
use passerelle_console::words::Tongue;
use passerelle_model::ledger::{AttemptRecord, FailureRecord, Verdict};
use passerelle_store::{Asked, EventStory, EventTrace, ItemStory, NoticeStory, OperatorAct};

use crate::notices;
use crate::text::{Table, Text};

pub(crate) fn story_in_words(story: &EventStory) -> Text {
    let mut text = Text::from(format!("Event {}\n", story.key.event));
    let from = match story.key.webhook {
        Some(webhook) => format!("{} (webhook {webhook}, page {})", story.source, story.key.batch),
        None => story.source.to_string(),
    };
    let table = story
        .table
        .map_or_else(String::new, |table| format!(" in table {table}"));
    let _ = writeln!(
        text,
        "  from       {from}: {} {}{table}",
        subjects(story),
        story.kind.as_str()
    );
    let _ = writeln!(text, "  received   {}", story.received);
    let _ = writeln!(
        text,
        "  recorded   {}   durable from here on (entry {})",
        story.seq.moment(),
        story.seq
    );
    if let Some(EventTrace { id, sampled }) = &story.trace {
        let found = if *sampled {
            ""
        } else {
            "   not sampled: it has no spans"
        };
        let _ = writeln!(text, "  trace      {id}{found}");
    }
    if let Some(Asked { by, why }) = &story.asked {
        let why = why.as_ref().map_or_else(String::new, |why| format!(": {why}"));
        let _ = writeln!(text, "  requested  by {by}{why}");
    }
    if let Some(last) = story.last_duplicate {
        let times = if story.duplicates == 1 {
            "once".to_owned()
        } else {
            format!("{} times", story.duplicates)
        };
        let _ = writeln!(text, "  duplicates {times}, the last at {last}; nothing was done twice");
    }
    for item in &story.items {
        write_item(&mut text, story, item);
    }
    if !story.notices.is_empty() {
        let _ = writeln!(text, "\n  Notices");
    }
    for NoticeStory { notice, acts } in &story.notices {
        let _ = writeln!(text, "    {}  {}", notice.created, notices::line(notice));
        for act in acts {
            write_act(&mut text, act);
        }
    }
    text
}

/// What the event is about.
fn subjects(story: &EventStory) -> &'static str {
    if story.items.iter().any(|item| item.job.is_some()) {
        "wiki"
    } else {
        "rows"
    }
}

fn write_item(text: &mut Text, story: &EventStory, item: &ItemStory) {
    match (item.row, &item.job) {
        (Some(row), _) => {
            let _ = writeln!(text, "\n  Row {row}");
        }
        (None, Some(job)) => {
            let _ = writeln!(text, "\n  Wiki {job}");
        }
        (None, None) => {
            let _ = writeln!(text, "\n  No row");
        }
    }
    let mut acts = item.acts.iter().peekable();
    for attempt in &item.attempts {
        while let Some(act) = acts.next_if(|act| act.at <= attempt.started) {
            write_act(text, act);
        }
        write_attempt(text, attempt);
    }
    while let Some(act) = acts.next_if(|act| item.closed.is_none_or(|closed| act.at < closed)) {
        write_act(text, act);
    }
    match (&item.outcome, item.closed) {
        (Some(outcome), Some(closed)) => {
            let _ = writeln!(text, "    {closed}  outcome: {outcome}");
        }
        (Some(outcome), None) => {
            let _ = writeln!(text, "    outcome: {outcome}");
        }
        (None, _) => {
            let _ = writeln!(text, "    no outcome yet");
        }
    }
    for act in acts {
        write_act(text, act);
    }
    let _ = writeln!(text, "    Why: {}", why(story, item, Tongue::English));
}

fn write_attempt(text: &mut Text, attempt: &AttemptRecord) {
    let took = Tongue::English.took(attempt.ended.since(attempt.started));
    let number = if attempt.attempt == 0 {
        String::new()
    } else {
        format!(" {}", attempt.attempt)
    };
    let _ = writeln!(
        text,
        "    {}  attempt{number} by {}, {took}: {}",
        attempt.started,
        attempt.worker,
        ended(&attempt.verdict)
    );
    let mut steps = Table::plain(8);
    for step in &attempt.steps {
        steps.row([
            step.name.as_str().into(),
            step.request.as_deref().unwrap_or_default().into(),
            step.status.map_or_else(String::new, |status| status.to_string()).into(),
            format!("{:>6} ms", step.duration_ms).into(),
            step.note.as_deref().unwrap_or_default().into(),
        ]);
    }
    text.table(steps);
    if let Some(failure) = failure_of(&attempt.verdict) {
        write_failure(text, failure);
    }
}

pub(super) fn ended(verdict: &Verdict) -> String {
    let wait = |millis: &u64| Tongue::English.took(Duration::from_millis(*millis));
    match verdict {
        Verdict::Done(outcome) => outcome.to_string(),
        Verdict::Retry { after_ms, .. } => format!("failed, retry after {}", wait(after_ms)),
        Verdict::Hold { after_ms, .. } => format!("held for {}, not counted", wait(after_ms)),
        Verdict::Bury { reason, .. } => format!("dead ({reason})"),
        Verdict::GiveBack => "returned by a worker that was stopping, not counted".to_owned(),
    }
}

fn failure_of(verdict: &Verdict) -> Option<&FailureRecord> {
    match verdict {
        Verdict::Retry { failure, .. } | Verdict::Hold { failure, .. } | Verdict::Bury { failure, .. } => Some(failure),
        Verdict::Done(_) | Verdict::GiveBack => None,
    }
}

fn write_failure(text: &mut Text, failure: &FailureRecord) {
    let status = failure
        .status
        .map_or_else(String::new, |status| format!(", status {status}"));
    let (target, class) = (&failure.target, failure.class.as_str());
    let _ = writeln!(text, "        ! {target} ({class}{status}): {}", failure.message);
    if let Some(body) = &failure.body {
        let _ = writeln!(text, "          answer: {}", first_line(body));
    }
}

/// Enough of an answer to recognise it; all of it is in the JSON form.
fn first_line(body: &str) -> String {
    const ENOUGH: usize = 200;
    let line = body.lines().next().unwrap_or_default();
    if line.chars().count() > ENOUGH {
        format!("{}…", line.chars().take(ENOUGH).collect::<String>())
    } else {
        line.to_owned()
    }
}

fn write_act(text: &mut Text, act: &OperatorAct) {
    let OperatorAct {
        act: what,
        letter,
        by,
        at,
        ..
    } = act;
    let detail = match (&act.event, &act.why) {
        (Some(event), Some(why)) => format!(" as event {event}: {why}"),
        (Some(event), None) => format!(" as event {event}"),
        (None, Some(why)) => format!(": {why}"),
        (None, None) => String::new(),
    };
    let letter = if letter.is_empty() {
        String::new()
    } else {
        format!(" (letter {letter})")
    };
    let _ = writeln!(text, "    {at}  {what} by {by}{detail}{letter}");
}
