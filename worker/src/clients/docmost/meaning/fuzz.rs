//! `make fuzz TARGET=docmost_answer`

use super::*;
use crate::clients::answer::tests::{answer_of, captured_answers};
use crate::content::wiki::{Share, Space};

#[test]
fn fuzz_docmost_answer() {
    let read = |bytes: &[u8]| {
        let answer = answer_of(bytes);
        let _ = (
            classify(&answer, Effect::Creates),
            health_in(&answer),
            token_in(&answer),
        );
        let _ = data_of::<Share>(&answer, Effect::Repeatable);
        let _ = data_of::<Vec<Space>>(&answer, Effect::Repeatable);
        let _ = data_of::<Value>(&answer, Effect::Creates);
    };
    test_support::fuzz("docmost_answer", captured_answers("docmost"), read).unwrap();
}
