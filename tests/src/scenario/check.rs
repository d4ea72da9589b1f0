//! Compares mails, outcomes and rows with what a step claims.

use passerelle_model::ledger::Verdict;
use passerelle_model::outcome::Outcome;
use passerelle_store::ItemStory;
use serde_json::{Map, Value};

use super::MailSpec;
use super::claim::Wrong;
use super::pages::list;
use super::stage::Stage;
use crate::people::Mail;

/// Takes a mail out of those that no claim has named yet.
pub(super) fn mail(left: &mut Vec<&Mail>, spec: &MailSpec) -> Result<(), Wrong> {
    let is_meant = |mail: &&Mail| {
        mail.to == [spec.to.as_str()]
            && mail.subject == spec.subject
            && spec.text.iter().all(|text| mail.text.contains(text.as_str()))
    };
    let place = left.iter().position(is_meant);
    let place = place.ok_or_else(|| {
        let alike = left.iter().filter(|mail| mail.subject == spec.subject);
        let found = list(alike.map(|mail| format!("{}\n{}", told(mail), mail.text)));
        let found = if found == "none" { mails(left) } else { found };
        Wrong::new("the mails of this step", spec.in_words(), found)
    })?;
    left.remove(place);
    Ok(())
}

/// There are no more mails.
pub(super) fn no_more(left: &[&Mail]) -> Result<(), Wrong> {
    let about = "the mails of this step that it does not claim";
    Wrong::unless(left.is_empty(), about, "none", mails(left))
}

fn mails(mails: &[&Mail]) -> String {
    list(mails.iter().map(|mail| told(mail)))
}

fn told(mail: &Mail) -> String {
    format!("a mail to {}, {:?}", mail.to.join(", "), mail.subject)
}

/// How an event of a row ended. One that was overtaken ended as the job that was carried out in its
/// place: whether a later event of the row, of the bridge's own too, comes before a worker takes
/// the job or after that is chance.
pub(super) fn ending(item: &ItemStory) -> String {
    let outcome = match (
        item.outcome.as_ref(),
        item.attempts.last().map(|attempt| &attempt.verdict),
    ) {
        (Some(Outcome::Superseded), Some(Verdict::Done(in_its_place))) => Some(in_its_place),
        (own, _) => own,
    };
    outcome.map_or("none yet".to_owned(), ToString::to_string)
}

/// A row has these values, as people read them.
pub(super) fn fields(name: &str, row: &Value, expected: &Map<String, Value>) -> Result<(), Wrong> {
    for (field, value) in expected {
        let about = format!("the field {field} of {name}");
        let Some(found) = row.get(field) else {
            return Err(Wrong::new(about, value.to_string(), "no such field"));
        };
        let read = found.get("value").unwrap_or(found);
        Wrong::unless(read == value, about, value.to_string(), read.to_string())?;
    }
    Ok(())
}

/// A table has exactly these rows, in the order of their numbers.
pub(super) fn table(stage: &Stage, name: &str, found: &[Value], specs: &[Map<String, Value>]) -> anyhow::Result<()> {
    let rows = list(found.iter().map(Value::to_string));
    let expected = specs.len().to_string();
    Wrong::unless(
        found.len() == specs.len(),
        format!("the number of rows of {name}"),
        expected,
        format!("{}\n{rows}", found.len()),
    )?;
    for (number, (row, spec)) in found.iter().zip(specs).enumerate() {
        let mut expected = spec.clone();
        for value in expected.values_mut() {
            if let Some(page) = value.as_str().and_then(|text| text.strip_prefix('@')) {
                *value = Value::from(stage.page(page)?);
            }
        }
        fields(&format!("the row number {} of {name}", number + 1), row, &expected)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use passerelle_model::id::{JobKey, ProcessName};
    use passerelle_model::ledger::AttemptRecord;
    use passerelle_model::seq::Seq;
    use passerelle_model::time::Timestamp;

    use super::*;

    fn item(outcome: Option<Outcome>, verdicts: Vec<Verdict>) -> ItemStory {
        let row = "t2/r1".parse().unwrap();
        let attempt = |verdict| AttemptRecord {
            job: JobKey::Row(row),
            covers: Seq::ZERO,
            attempt: 1,
            worker: ProcessName::unique("worker"),
            started: Timestamp::now(),
            ended: Timestamp::now(),
            verdict,
            steps: Vec::new(),
        };
        ItemStory {
            row: Some(row),
            job: None,
            outcome,
            closed: None,
            attempts: verdicts.into_iter().map(attempt).collect(),
            acts: Vec::new(),
        }
    }

    #[test]
    fn an_event_that_was_overtaken_ended_as_the_one_that_was_carried_out_in_its_place() {
        let carried_out = vec![Verdict::GiveBack, Verdict::Done(Outcome::NoChange)];
        assert_eq!(ending(&item(Some(Outcome::Superseded), carried_out)), "no_change");
        let own = vec![Verdict::Done(Outcome::NoChange)];
        assert_eq!(ending(&item(Some(Outcome::NoChange), own)), "no_change");
        assert_eq!(ending(&item(Some(Outcome::Echo), Vec::new())), "echo");
        assert_eq!(ending(&item(None, vec![Verdict::GiveBack])), "none yet");
    }
}
