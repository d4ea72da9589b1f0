//! `make fuzz TARGET=baserow_answer`

use std::collections::BTreeMap;

use super::*;
use crate::clients::answer::tests::{answer_of, captured_answers};

#[test]
fn fuzz_baserow_answer() {
    let sent = BTreeMap::from([("docmost_page_id", "x".to_owned())]);
    let read = |bytes: &[u8]| {
        let answer = answer_of(bytes);
        let _ = classify(&answer, Effect::Creates);
        let _ = rows_in(&answer);
        if let Ok(row) = row_in(&answer) {
            let _ = check_echo(&answer, &row, &sent);
            let _ = row.text("Nom");
        }
    };
    test_support::fuzz("baserow_answer", captured_answers("baserow"), read).unwrap();
}
