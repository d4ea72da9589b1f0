//! Which dead letters are meant, among those of all queues.

use passerelle_model::time::Timestamp;
use passerelle_queue::{DeadLetter, Queue, QueueName};
use serde::{Serialize, Serializer};
use serde_json::json;

use super::{Filter, Order, Which};
use crate::operator::Operator;
use crate::trouble::Trouble;

/// Letters per call to Redis.
pub(super) const PAGE: usize = 200;

/// A letter, and the queue that it is of.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Found {
    /// `sync`, `mail` or `slack`.
    #[serde(serialize_with = "as_word")]
    pub(super) queue: QueueName,
    #[serde(flatten)]
    pub(super) letter: DeadLetter,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn as_word<S: Serializer>(queue: &QueueName, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(queue.as_str())
}

impl Found {
    /// Whether its job sends a notice. A notice cannot be requested again as a row's sync can.
    pub(super) fn is_notice(&self) -> bool {
        matches!(self.queue, QueueName::Mail | QueueName::Slack)
    }
}

/// The queues whose letters are meant.
pub(super) fn queues(filter: &Filter) -> Vec<QueueName> {
    match filter.queue {
        Some(queue) => vec![queue.into()],
        None => QueueName::ALL.to_vec(),
    }
}

/// The letters that match, newest first; at most `--limit`.
pub(super) async fn matching(operator: &Operator, filter: &Filter, now: Timestamp) -> Result<Vec<Found>, Trouble> {
    let limit = filter
        .limit
        .map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let mut found = Vec::new();
    for queue in queues(filter) {
        let letters = matching_of(&operator.queue_of(queue), filter, limit, now).await?;
        found.extend(letters.into_iter().map(|letter| Found { queue, letter }));
    }
    // The ids are in the order of time.
    found.sort_by(|a, b| b.letter.id.cmp(&a.letter.id));
    found.truncate(limit);
    Ok(found)
}

async fn matching_of(queue: &Queue, filter: &Filter, limit: usize, now: Timestamp) -> Result<Vec<DeadLetter>, Trouble> {
    let mut found: Vec<DeadLetter> = Vec::new();
    let sieve = sieve(filter);
    let mut after: Option<String> = None;
    while found.len() < limit {
        let (page, last) = queue.sieved_letters(after.as_deref(), PAGE, &sieve).await?;
        if last.is_none() {
            break;
        }
        after = last;
        found.extend(page.into_iter().filter(|letter| matches(filter, letter, now)));
    }
    Ok(found)
}

/// The letter with this id, in any of the queues.
pub(super) async fn letter(operator: &Operator, queues: &[QueueName], id: &str) -> Result<Option<Found>, Trouble> {
    for queue in queues {
        if let Some(letter) = operator.queue_of(*queue).dead_letter(id).await? {
            return Ok(Some(Found { queue: *queue, letter }));
        }
    }
    Ok(None)
}

/// The letters that a verb acts on, and the ids that name none.
pub(super) async fn chosen(
    operator: &Operator,
    which: &Which,
    now: Timestamp,
) -> Result<(Vec<Found>, Vec<String>), Trouble> {
    if which.all {
        return Ok((matching(operator, &which.filter, now).await?, Vec::new()));
    }
    let (mut letters, mut unknown) = (Vec::new(), Vec::new());
    for id in &which.ids {
        match letter(operator, &queues(&which.filter), id).await? {
            Some(found) if matches(&which.filter, &found.letter, now) => letters.push(found),
            _ => unknown.push(id.clone()),
        }
    }
    Ok((letters, unknown))
}

/// Whether a letter's stored text may match: most of a hundred thousand letters need not be decoded
/// to know that they do not.
fn sieve(filter: &Filter) -> impl Fn(&str) -> bool {
    let table = filter.table_id().map(|table| format!("\"job\":\"t{table}/"));
    let reason = filter
        .reason
        .as_ref()
        .map(|reason| format!("\"reason\":{}", json!(reason)));
    // What JSON writes in another way than people type it is left to the finer look.
    let is_plain = |text: &&String| !text.contains(['"', '\\']) && !text.contains(char::is_control);
    let text = filter.text.as_ref().filter(is_plain).map(|text| text.to_lowercase());
    move |stored: &str| {
        table.as_ref().is_none_or(|table| stored.contains(table))
            && reason.as_ref().is_none_or(|reason| stored.contains(reason))
            && text.as_ref().is_none_or(|text| stored.to_lowercase().contains(text))
    }
}

pub(super) fn matches(filter: &Filter, letter: &DeadLetter, now: Timestamp) -> bool {
    let of_table = |table| letter.job.row().is_some_and(|row| row.table == table);
    filter.table_id().is_none_or(of_table)
        && filter.reason.as_ref().is_none_or(|reason| letter.reason == *reason)
        && filter.older_than.is_none_or(|age| now.since(letter.died) > age)
        && filter.newer_than.is_none_or(|age| now.since(letter.died) <= age)
        && filter
            .text
            .as_ref()
            .is_none_or(|text| mentions(letter, &text.to_lowercase()))
}

fn mentions(letter: &DeadLetter, lower: &str) -> bool {
    let failure = &letter.failure;
    let job = letter.job.to_string();
    let places = [
        letter.id.as_str(),
        job.as_str(),
        letter.last_event.as_str(),
        failure.target.as_str(),
        failure.message.as_str(),
        failure.body.as_deref().unwrap_or_default(),
    ];
    places.iter().any(|place| place.to_lowercase().contains(lower))
}

/// Puts letters that are newest first into another order.
pub(super) fn sort(letters: &mut [Found], order: Order) {
    match order {
        Order::Newest => {}
        Order::Oldest => letters.reverse(),
        Order::Job => letters.sort_by_key(|found| found.letter.job.row().map(|row| (row.table.get(), row.row.get()))),
        Order::Reason => letters.sort_by(|a, b| a.letter.reason.cmp(&b.letter.reason)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use passerelle_model::id::{JobKey, TableId};
    use passerelle_model::ledger::{FailureClass, FailureRecord};
    use passerelle_model::named::TableName;
    use passerelle_model::seq::Seq;

    use super::*;

    fn letter(died: Timestamp) -> DeadLetter {
        DeadLetter {
            id: "1".to_owned(),
            job: JobKey::parse("t2/r5").unwrap(),
            reason: "permanent".to_owned(),
            failure: FailureRecord {
                class: FailureClass::Permanent,
                target: "docmost".to_owned(),
                message: "no".to_owned(),
                status: None,
                body: None,
            },
            attempts: 1,
            died,
            covers: Seq::ZERO,
            last_event: "e".to_owned(),
            deaths: 1,
            first: None,
        }
    }

    #[test]
    fn a_letter_must_match_every_filter_that_is_given() {
        let died = Timestamp::from_millis(1_000_000);
        let now = died.plus(Duration::from_mins(90));
        let letter = letter(died);
        let all = Filter::default();
        let table = |table| Filter {
            table: TableId::new(table).ok().map(TableName::Number),
            ..all.clone()
        };
        let older_than = |minutes| Filter {
            older_than: Some(Duration::from_mins(minutes)),
            ..table(2)
        };
        assert!(matches(&all, &letter, now));
        assert!(matches(&table(2), &letter, now) && !matches(&table(3), &letter, now));
        assert!(matches(&older_than(60), &letter, now) && !matches(&older_than(120), &letter, now));
        let other_reason = Filter {
            reason: Some("poison".to_owned()),
            ..all.clone()
        };
        assert!(!matches(&other_reason, &letter, now));
        let text = |text: &str| Filter {
            text: Some(text.to_owned()),
            ..Filter::default()
        };
        assert!(matches(&text("DOCMOST"), &letter, now) && !matches(&text("baserow"), &letter, now));
        let newer_than = |minutes| Filter {
            newer_than: Some(Duration::from_mins(minutes)),
            ..Filter::default()
        };
        assert!(matches(&newer_than(120), &letter, now) && !matches(&newer_than(60), &letter, now));
        let stored = serde_json::to_string(&letter).unwrap();
        for filter in [
            all.clone(),
            table(2),
            older_than(60),
            text("DOCMOST"),
            text("t2/R5"),
            text("a \"quote\""),
        ] {
            assert!(
                sieve(&filter)(&stored),
                "the sieve lets through what may match: {filter:?}"
            );
        }
        assert!(!sieve(&table(3))(&stored) && !sieve(&other_reason)(&stored) && !sieve(&text("baserow"))(&stored));
    }
}
