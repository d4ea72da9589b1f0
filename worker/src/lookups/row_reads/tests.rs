//! Which rows serve which jobs, whatever happens in between.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Act {
    /// A job of this row is leased.
    Lease(u64),
    /// The row changes.
    Change(u64),
    /// A list of all unread rows is sent; Baserow answers with more rows than were asked for.
    Send,
    /// The oldest answer that is on its way comes.
    Answer,
    /// The job that was leased first begins.
    Begin,
    /// The job that was leased first ends.
    End,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        (1..5_u64).prop_map(Act::Lease),
        (1..5_u64).prop_map(Act::Change),
        Just(Act::Send),
        Just(Act::Answer),
        Just(Act::Begin),
        Just(Act::End),
    ];
    prop::collection::vec(act, 1..60)
}

fn row(id: u64, version: u64) -> Row {
    Row::from_json(&format!(r#"{{"id": {id}, "Nom": "{version}"}}"#)).unwrap()
}

#[test]
fn a_slow_list_is_of_use_as_long_as_single_reads_are_slow_too() {
    let (reads, seconds) = (TableReads::default(), Duration::from_secs);
    assert_eq!(
        reads.useless_for(seconds(3), SLOW),
        Some(UNKNOWN_FOR),
        "nobody has read alone"
    );
    for (single, list, useless) in [(0, 3, true), (1, 3, false), (1, 4, true), (60, 4, false), (60, 6, true)] {
        *reads.single() = Some(seconds(single));
        let expected = useless.then_some(USELESS_FOR);
        assert_eq!(
            reads.useless_for(seconds(list), SLOW),
            expected,
            "{list} s for a list, {single} s alone"
        );
    }
}

proptest! {
    #[test]
    fn no_job_gets_a_row_from_before_it_was_leased_or_gets_it_twice(acts in acts()) {
        let (mut known, mut versions) = (Known::default(), BTreeMap::from([(1, 0), (2, 0), (3, 0), (4, 0)]));
        let (mut leased, mut when_leased) = (BTreeMap::new(), BTreeMap::new());
        let (mut answers, mut number, mut served) = (std::collections::VecDeque::new(), 0, BTreeSet::new());
        for act in acts {
            match act {
                Act::Lease(id) => {
                    number += 1;
                    leased.insert(number, RowId::new(id).unwrap());
                    when_leased.insert(number, versions[&id]);
                }
                Act::Change(id) => *versions.entry(id).or_default() += 1,
                Act::Send => {
                    let rows: Vec<Row> = versions.iter().map(|(id, version)| row(*id, *version)).collect();
                    answers.push_back((known.unread(&leased), rows));
                }
                Act::Answer => {
                    if let Some((asked, rows)) = answers.pop_front() {
                        known.keep(Instant::now(), &asked, &rows);
                    }
                }
                Act::Begin => {
                    let Some((job, id)) = leased.first_key_value() else { continue };
                    let Some(row) = known.take(*job) else { continue };
                    prop_assert_eq!(row.id(), *id);
                    let version: u64 = row.text("Nom").unwrap().parse().unwrap();
                    prop_assert!(version >= when_leased[job], "{version} is older than job {job}");
                    prop_assert!(served.insert(*job), "job {job} is served twice");
                }
                Act::End => drop(leased.pop_first()),
            }
        }
    }
}
