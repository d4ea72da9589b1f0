use std::collections::BTreeMap;

use proptest::prelude::*;
use rstest::rstest;

use super::*;

fn quiet() -> QuietFields {
    QuietFields {
        owned: vec!["docmost_page_id".to_owned(), "docmost_url".to_owned()],
        ignored: vec!["Modifié le".to_owned()],
        order_is_shown: false,
    }
}

type Row = Vec<(Cow<'static, str>, Box<RawValue>)>;

fn row(fields: &[(&str, &str)]) -> Row {
    let raw = |value: &str| RawValue::from_string(value.to_owned()).unwrap();
    fields
        .iter()
        .map(|(name, value)| (Cow::from((*name).to_owned()), raw(value)))
        .collect()
}

fn judge(new: &[(&str, &str)], old: &[(&str, &str)]) -> Disposition {
    let (new, old) = (row(new), row(old));
    let new: Vec<_> = new.iter().map(|(name, value)| (name.clone(), &**value)).collect();
    let old: Vec<_> = old.iter().map(|(name, value)| (name.clone(), &**value)).collect();
    quiet().disposition(&new, &old)
}

const SYNC: Disposition = Disposition::Sync;
const ECHO: Disposition = Disposition::Closed(Outcome::Echo);
const NO_CHANGE: Disposition = Disposition::Closed(Outcome::NoChange);

#[rstest]
#[case::nothing(&[("id", "1"), ("Nom", "\"a\"")], &[("id", "1"), ("Nom", "\"a\"")], NO_CHANGE)]
#[case::only_the_order(&[("order", "\"1\""), ("Nom", "1")], &[("order", "\"2\""), ("Nom", "1")], NO_CHANGE)]
#[case::only_an_ignored_field(&[("Modifié le", "1")], &[("Modifié le", "2")], NO_CHANGE)]
#[case::only_an_owned_field(&[("docmost_url", "1")], &[("docmost_url", "2")], ECHO)]
#[case::owned_and_ignored(&[("docmost_url", "1"), ("Modifié le", "1")], &[("docmost_url", "2"), ("Modifié le", "2")], ECHO)]
#[case::a_business_field(&[("Nom", "1")], &[("Nom", "2")], SYNC)]
#[case::a_business_field_and_an_owned_one(&[("docmost_url", "1"), ("Nom", "1")], &[("docmost_url", "2"), ("Nom", "2")], SYNC)]
#[case::a_new_business_field(&[("Nom", "1"), ("x", "null")], &[("Nom", "1")], SYNC)]
#[case::a_lost_business_field(&[("Nom", "1")], &[("Nom", "1"), ("x", "null")], SYNC)]
#[case::a_new_owned_field(&[("Nom", "1"), ("docmost_url", "2")], &[("Nom", "1")], ECHO)]
#[case::another_sequence_of_fields(&[("a", "1"), ("b", "2")], &[("b", "2"), ("a", "1")], NO_CHANGE)]
#[case::another_spelling_of_a_number(&[("a", "1.0")], &[("a", "1")], SYNC)]
#[case::another_case_of_an_owned_name(&[("Docmost_url", "1")], &[("Docmost_url", "2")], SYNC)]
#[case::a_name_twice(&[("docmost_url", "1"), ("docmost_url", "1")], &[("docmost_url", "2")], SYNC)]
fn a_row_is_work_unless_it_differs_in_quiet_fields_alone(
    #[case] new: &[(&str, &str)],
    #[case] old: &[(&str, &str)],
    #[case] expected: Disposition,
) {
    assert_eq!(judge(new, old), expected);
}

#[test]
fn a_row_that_was_moved_is_work_where_its_place_is_shown() {
    let quiet = QuietFields {
        order_is_shown: true,
        ..quiet()
    };
    let (new, old) = (row(&[("order", "\"1\"")]), row(&[("order", "\"2\"")]));
    let new: Vec<_> = new.iter().map(|(name, value)| (name.clone(), &**value)).collect();
    let old: Vec<_> = old.iter().map(|(name, value)| (name.clone(), &**value)).collect();
    assert_eq!(quiet.disposition(&new, &old), SYNC);
}

fn any_row() -> impl Strategy<Value = BTreeMap<&'static str, u8>> {
    let names = [
        "id",
        "order",
        "Nom",
        "Statut",
        "Client",
        "docmost_page_id",
        "docmost_url",
        "Modifié le",
    ];
    prop::collection::btree_map(prop::sample::select(names.to_vec()), 0_u8..3, 0..8)
}

proptest! {
    #[test]
    fn any_difference_in_a_business_field_is_work(new in any_row(), old in any_row()) {
        let business = ["id", "Nom", "Statut", "Client"];
        let owned = ["docmost_page_id", "docmost_url"];
        let differs = |names: &[&str]| names.iter().any(|name| new.get(name) != old.get(name));
        let expected = match (differs(&business), differs(&owned)) {
            (true, _) => SYNC,
            (false, true) => ECHO,
            (false, false) => NO_CHANGE,
        };
        let values = ["0", "1", "2"];
        let fields = |row: &BTreeMap<&'static str, u8>| -> Vec<(&'static str, &'static str)> {
            row.iter().map(|(name, value)| (*name, values[usize::from(*value)])).collect()
        };
        prop_assert_eq!(judge(&fields(&new), &fields(&old)), expected);
    }
}
