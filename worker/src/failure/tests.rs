use proptest::prelude::*;

use super::*;

fn failure(class: FailureClass) -> Failure {
    Failure::new(class, Target::Docmost, "test")
}

fn history(attempts: u32, failing_seconds: u64) -> History {
    History {
        attempts,
        failing_for: Duration::from_secs(failing_seconds),
        waiting_for: Duration::from_secs(failing_seconds),
        trouble: None,
    }
}

fn any_class() -> impl Strategy<Value = FailureClass> {
    prop::sample::select(vec![
        FailureClass::Transient,
        FailureClass::Throttled,
        FailureClass::Auth,
        FailureClass::Ambiguous,
        FailureClass::Gone,
        FailureClass::Permanent,
        FailureClass::Poison,
    ])
}

#[test]
fn each_class_has_its_verdict() {
    let word = |class, attempts| match verdict(&failure(class), history(attempts, 10), 0.5) {
        Verdict::Done(_) => "done".to_owned(),
        Verdict::Retry { .. } => "retry".to_owned(),
        Verdict::Hold { .. } => "hold".to_owned(),
        Verdict::Bury { reason, .. } => format!("bury {reason}"),
        Verdict::GiveBack => "give back".to_owned(),
    };
    for class in [FailureClass::Transient, FailureClass::Ambiguous, FailureClass::Gone] {
        assert_eq!(word(class, 1), "retry");
        assert_eq!(word(class, MOST_ATTEMPTS - 1), "retry");
        assert_eq!(word(class, MOST_ATTEMPTS), "bury exhausted");
    }
    for class in [FailureClass::Throttled, FailureClass::Auth] {
        assert_eq!(word(class, MOST_ATTEMPTS * 100), "hold");
    }
    assert_eq!(word(FailureClass::Permanent, 1), "bury permanent");
    assert_eq!(word(FailureClass::Poison, 1), "bury poison");
}

#[test]
fn the_ceilings_double_from_two_seconds_to_ten_minutes() {
    let seconds: Vec<u64> = (1..=11).map(|attempt| ceiling(attempt).as_secs()).collect();
    assert_eq!(seconds, [2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600]);
}

#[test]
fn a_day_of_failing_is_enough_whatever_the_attempts() {
    let verdict = verdict(&failure(FailureClass::Transient), history(2, 24 * 3600), 0.0);
    assert!(matches!(verdict, Verdict::Bury { .. }));
}

#[test]
fn a_failure_that_knows_when_to_come_back_spends_no_attempt() {
    let waiting = failure(FailureClass::Ambiguous).after(Duration::from_secs(9));
    let Verdict::Hold { after_ms, .. } = verdict(&waiting, history(50, 0), 0.0) else {
        panic!("not held");
    };
    assert_eq!(after_ms, 9_000);
}

#[test]
fn an_outage_burns_no_attempt_of_any_job() {
    let outage = History {
        trouble: Some(Duration::from_secs(40)),
        ..history(MOST_ATTEMPTS * 2, 30 * 3600)
    };
    for class in [FailureClass::Transient, FailureClass::Ambiguous] {
        let Verdict::Hold { after_ms, .. } = verdict(&failure(class), outage, 0.0) else {
            panic!("not held");
        };
        assert_eq!(after_ms, 40_000);
    }
    assert!(matches!(
        verdict(&failure(FailureClass::Permanent), outage, 0.0),
        Verdict::Bury { .. }
    ));
}

#[test]
fn a_refusal_of_one_page_says_nothing_against_its_target() {
    let of = |class, status| {
        Failure {
            status,
            ..failure(class)
        }
        .as_call_result()
    };
    for (class, status) in [
        (FailureClass::Permanent, Some(400)),
        (FailureClass::Gone, Some(404)),
        (FailureClass::Transient, Some(404)),
    ] {
        assert_eq!(of(class, status), CallResult::Answered);
    }
    assert!(matches!(of(FailureClass::Ambiguous, Some(500)), CallResult::Failed(_)));
    assert!(matches!(of(FailureClass::Transient, None), CallResult::Failed(_)));
}

#[test]
fn a_long_body_is_cut_between_characters() {
    let long = "é".repeat(5000);
    assert_eq!(bounded(&long).len(), MOST_BODY_BYTES);
    assert_eq!(bounded("x"), "x");
    let odd = format!("x{long}");
    assert_eq!(bounded(&odd).len(), MOST_BODY_BYTES - 1);
}

proptest! {
    #[test]
    fn no_failure_is_ever_a_success(class in any_class(), attempts in any::<u32>(), seconds in 0_u64..1 << 40, chance in 0.0..1.0) {
        let verdict = verdict(&failure(class), history(attempts, seconds), chance);
        prop_assert!(!matches!(verdict, Verdict::Done(_) | Verdict::GiveBack));
    }

    #[test]
    fn a_retry_waits_within_its_bounds(attempts in 1_u32..MOST_ATTEMPTS, chance in -1.0..2.0) {
        let Verdict::Retry { after_ms, .. } = verdict(&failure(FailureClass::Transient), history(attempts, 0), chance) else {
            return Err(TestCaseError::fail("not a retry"));
        };
        prop_assert!(after_ms >= millis(SHORTEST_WAIT) && after_ms <= millis(ceiling(attempts)));
    }

    #[test]
    fn ceilings_never_fall_and_are_capped(attempts in 1_u32..10_000) {
        prop_assert!(ceiling(attempts) <= ceiling(attempts + 1));
        prop_assert!(ceiling(attempts) <= LONGEST_WAIT);
    }

    #[test]
    fn a_hold_never_ends_before_the_target_allows(asked in 0_u64..100_000, seconds in 0_u64..1 << 30, chance in 0.0..1.0) {
        let throttled = failure(FailureClass::Throttled).after(Duration::from_secs(asked));
        let Verdict::Hold { after_ms, .. } = verdict(&throttled, history(1, seconds), chance) else {
            return Err(TestCaseError::fail("not held"));
        };
        prop_assert!(after_ms >= asked * 1000);
    }

    #[test]
    fn more_attempts_never_bring_a_dead_job_back(class in any_class(), attempts in 1_u32..30, seconds in 0_u64..200_000) {
        let dead = |attempts, seconds| matches!(verdict(&failure(class), history(attempts, seconds), 0.5), Verdict::Bury { .. });
        if dead(attempts, seconds) {
            prop_assert!(dead(attempts + 1, seconds) && dead(attempts, seconds + 1));
        }
    }
}

#[test]
fn an_answer_in_the_targets_place_costs_no_attempt_and_counts_against_the_gate_whatever_its_status() {
    for (class, status) in [
        (FailureClass::Transient, 404),
        (FailureClass::Transient, 302),
        (FailureClass::Ambiguous, 502),
        (FailureClass::Ambiguous, 200),
    ] {
        let failure = Failure {
            status: Some(status),
            unanswered: Some(Unanswered::NotReached),
            ..failure(class)
        };
        assert!(
            matches!(failure.as_call_result(), CallResult::NoConnection(_)),
            "{status}"
        );
        let old = history(MOST_ATTEMPTS * 2, 30 * 3600);
        let Verdict::Hold { after_ms, .. } = verdict(&failure, old, 0.0) else {
            panic!("not held: {status}");
        };
        assert_eq!(after_ms, 60_000);
    }
}
