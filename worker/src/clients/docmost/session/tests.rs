use super::*;

#[test]
fn a_session_is_renewed_at_four_fifths_of_its_life() {
    let claims = URL_SAFE_NO_PAD.encode(r#"{"sub":"u","exp":1000}"#);
    let session = Session::new(format!("h.{claims}.s"), "u".to_owned(), Timestamp::from_millis(0));
    assert!(session.is_fresh(Timestamp::from_millis(799_999)));
    assert!(!session.is_fresh(Timestamp::from_millis(800_000)));
}

#[test]
fn a_token_that_tells_nothing_is_kept_for_a_day() {
    assert_eq!(life_of("opaque", Timestamp::from_millis(0)), UNKNOWN_LIFE);
    assert_eq!(life_of("a.!!.c", Timestamp::from_millis(0)), UNKNOWN_LIFE);
}

#[test]
fn no_failed_login_buries_a_job() {
    for class in [
        FailureClass::Permanent,
        FailureClass::Gone,
        FailureClass::Transient,
        FailureClass::Auth,
    ] {
        let failure = innocent(Failure::new(class, Target::Docmost, "x"));
        assert!(matches!(failure.class, FailureClass::Auth | FailureClass::Transient) && failure.retry_after.is_some());
    }
}

#[test]
fn a_session_never_prints_its_token() {
    let session = Session::new("secret-token".to_owned(), "u".to_owned(), Timestamp::from_millis(0));
    assert!(!format!("{session:?}").contains("secret"));
}
