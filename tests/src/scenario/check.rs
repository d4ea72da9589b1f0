//! Compares what is there with what a step claims.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use passerelle_model::ledger::Verdict;
use passerelle_model::outcome::Outcome;
use passerelle_store::ItemStory;
use serde_json::{Map, Value};

use super::stage::Stage;
use super::{MailSpec, PageSpec};
use crate::people::Mail;

/// What every label of the bridge begins with.
const OURS: &str = "baserow-t";

/// The pages of the bridge are exactly the claimed ones; gives their ids by their names in the
/// scenario.
pub(super) fn pages(stage: &Stage, all: &[Value], specs: &[PageSpec]) -> anyhow::Result<BTreeMap<String, String>> {
    let ours: Vec<&Value> = all
        .iter()
        .filter(|page| labels(page).any(|label| label.starts_with(OURS)))
        .collect();
    let mut identities = BTreeMap::new();
    let mut last_of_family: BTreeMap<&str, &str> = BTreeMap::new();
    for spec in specs {
        let found = one_page(stage, &ours, spec)?;
        page(found, spec).with_context(|| format!("the page of {}", spec.of))?;
        let id = text(found, "id");
        if let Some(before) = stage.identities.get(&spec.of) {
            ensure!(
                before == id,
                "{} had the page {before}, and has another one now",
                spec.of
            );
        }
        identities.insert(spec.of.clone(), id.to_owned());
        if let Some((parent, _)) = spec.of.split_once('/').filter(|_| !spec.trashed) {
            let below = identities
                .get(parent)
                .with_context(|| format!("list the page of {parent} before those below it"))?;
            ensure!(
                found["parentPageId"] == **below,
                "{} is not below {parent}: {found}",
                spec.of
            );
            let position = text(found, "position");
            let before = last_of_family.insert(parent, position).unwrap_or_default();
            ensure!(
                before < position,
                "{} stands before the page that is listed before it",
                spec.of
            );
        }
    }
    ensure!(
        ours.len() == specs.len(),
        "{} pages instead of {}: {ours:#?}",
        ours.len(),
        specs.len()
    );
    Ok(identities)
}

fn one_page<'a>(stage: &Stage, ours: &[&'a Value], spec: &PageSpec) -> anyhow::Result<&'a Value> {
    let (row, part) = match spec.of.split_once('/') {
        Some((row, part)) => (stage.row(row)?, Some(stage.row(part)?)),
        None => (stage.row(&spec.of)?, None),
    };
    let own = format!("{OURS}{}-r{}", row.table, row.row);
    let is_meant = |label: &str| match part {
        None => label == own,
        Some(part) => {
            let slot = label.strip_prefix(&own).and_then(|rest| rest.strip_prefix('-'));
            slot.and_then(|slot| slot.rsplit_once('-'))
                .is_some_and(|(_, id)| id == part.row.to_string())
        }
    };
    let mut found = ours.iter().filter(|page| labels(page).any(is_meant));
    let first = found
        .next()
        .with_context(|| format!("{} has no page; there are {ours:#?}", spec.of))?;
    ensure!(found.next().is_none(), "{} has several pages: {ours:#?}", spec.of);
    Ok(first)
}

fn page(found: &Value, spec: &PageSpec) -> anyhow::Result<()> {
    let (title, icon, body) = (text(found, "title"), text(found, "icon"), text(found, "markdown"));
    ensure!(title == spec.title, "its title is {title:?}, not {:?}", spec.title);
    if let Some(wanted) = &spec.icon {
        ensure!(icon == wanted, "its icon is {icon:?}, not {wanted:?}");
    }
    let is_trashed = !found["deletedAt"].is_null();
    ensure!(
        is_trashed == spec.trashed,
        "it is {}in the trash",
        if is_trashed { "" } else { "not " }
    );
    for wanted in &spec.body {
        ensure!(
            body.contains(wanted.as_str()),
            "{wanted:?} does not stand in it:\n{body}"
        );
    }
    for unwanted in &spec.without {
        ensure!(!body.contains(unwanted.as_str()), "{unwanted:?} stands in it:\n{body}");
    }
    Ok(())
}

/// These are the mails, in any order.
pub(super) fn mails(found: &[Mail], specs: &[MailSpec]) -> anyhow::Result<()> {
    let mut left: Vec<&Mail> = found.iter().collect();
    for spec in specs {
        let is_meant = |mail: &&Mail| {
            mail.to == [spec.to.as_str()]
                && mail.subject == spec.subject
                && spec.text.iter().all(|text| mail.text.contains(text.as_str()))
        };
        let place = left.iter().position(is_meant);
        let place = place.with_context(|| format!("there is no mail {spec:?}; there are {left:#?}"))?;
        left.remove(place);
    }
    ensure!(left.is_empty(), "nobody has claimed these mails: {left:#?}");
    Ok(())
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
pub(super) fn fields(name: &str, row: &Value, expected: &Map<String, Value>) -> anyhow::Result<()> {
    for (field, value) in expected {
        let found = row
            .get(field)
            .with_context(|| format!("{name} has no field {field}: {row}"))?;
        let read = found.get("value").unwrap_or(found);
        ensure!(read == value, "{field} of {name} is {found}, not {value}");
    }
    Ok(())
}

/// A table has exactly these rows, in the order of their numbers.
pub(super) fn table(stage: &Stage, name: &str, found: &[Value], specs: &[Map<String, Value>]) -> anyhow::Result<()> {
    ensure!(
        found.len() == specs.len(),
        "{name} has {} rows instead of {}: {found:#?}",
        found.len(),
        specs.len()
    );
    for (row, spec) in found.iter().zip(specs) {
        let mut expected = spec.clone();
        for value in expected.values_mut() {
            if let Some(page) = value.as_str().and_then(|text| text.strip_prefix('@')) {
                *value = Value::from(stage.page(page)?);
            }
        }
        fields(name, row, &expected)?;
    }
    Ok(())
}

fn labels(page: &Value) -> impl Iterator<Item = &str> {
    page["labels"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
}

fn text<'a>(page: &'a Value, key: &str) -> &'a str {
    page[key].as_str().unwrap_or_default()
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
