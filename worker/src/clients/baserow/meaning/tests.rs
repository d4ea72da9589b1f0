use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use rstest::rstest;

use std::time::Duration;

use super::*;

fn answer(status: u16, body: &str) -> Answer {
    let kind = if body.starts_with(['{', '[']) {
        "application/json"
    } else {
        "text/html"
    };
    Answer {
        status,
        headers: HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(kind))]),
        body: body.to_owned(),
    }
}

#[rstest]
#[case(
    404,
    r#"{"error":"ERROR_ROW_DOES_NOT_EXIST","detail":"The rows ['9'] do not exist."}"#,
    FailureClass::Gone
)]
#[case(404, r#"{"error":"ERROR_TABLE_DOES_NOT_EXIST"}"#, FailureClass::Permanent)]
#[case(404, r#"{"error":"URL_NOT_FOUND"}"#, FailureClass::Transient)]
#[case(401, r#"{"error":"ERROR_TOKEN_DOES_NOT_EXIST"}"#, FailureClass::Auth)]
#[case(401, r#"{"error":"ERROR_NO_PERMISSION_TO_TABLE"}"#, FailureClass::Permanent)]
#[case(
    401,
    r#"{"detail":"Authentication credentials were not provided."}"#,
    FailureClass::Auth
)]
#[case(
    400,
    r#"{"error":"ERROR_REQUEST_BODY_VALIDATION","detail":"x"}"#,
    FailureClass::Permanent
)]
#[case(400, "<h1>Bad Request (400)</h1>", FailureClass::Transient)]
#[case(413, r#"{"error":"x"}"#, FailureClass::Permanent)]
#[case(
    409,
    r#"{"error":"ERROR_FAILED_TO_LOCK_FIELD_DUE_TO_CONFLICT"}"#,
    FailureClass::Transient
)]
#[case(
    429,
    r#"{"detail":"Request was throttled. Expected available in 29 seconds."}"#,
    FailureClass::Throttled
)]
#[case(500, "<h1>Server Error (500)</h1>", FailureClass::Transient)]
#[case(502, "", FailureClass::Transient)]
#[case(301, "", FailureClass::Transient)]
fn each_answer_has_its_class(#[case] status: u16, #[case] body: &str, #[case] class: FailureClass) {
    assert_eq!(
        classify(&answer(status, body), Effect::Repeatable).unwrap().class,
        class
    );
}

#[test]
fn a_throttled_answer_says_when_to_come_back() {
    let mut throttled = answer(429, "{}");
    throttled.headers.insert("retry-after", HeaderValue::from_static("29"));
    assert_eq!(
        classify(&throttled, Effect::Repeatable).unwrap().retry_after,
        Some(Duration::from_secs(29))
    );
}

#[test]
fn a_field_that_baserow_ignored_is_a_named_permanent_failure() {
    let echo = answer(200, r#"{"id":1,"Nom":"x","docmost_page_id":"p1"}"#);
    let sent = |field, value: &str| BTreeMap::from([(field, value.to_owned())]);
    let row = row_in(&echo).unwrap();
    assert_eq!(check_echo(&echo, &row, &sent("docmost_page_id", "p1")), Ok(()));
    let ignored = check_echo(&echo, &row, &sent("inconnu", "p1")).unwrap_err();
    assert_eq!(ignored.class, FailureClass::Permanent);
    assert!(ignored.message.contains("\"inconnu\" does not exist"));
    assert!(check_echo(&echo, &row, &sent("docmost_page_id", "p2")).is_err());
}

#[rstest]
#[case::traefik_without_a_route(404, "404 page not found\n")]
#[case::kong_without_a_route(404, r#"{"message":"no Route matched with those values"}"#)]
#[case::a_login_proxy(302, "<a href=\"https://auth.example.org/\">Found</a>")]
#[case::http_to_https(301, "")]
#[case::a_login_page(200, "<!doctype html><title>Sign in</title>")]
#[case::an_unknown_host_name(400, "<h1>Bad Request (400)</h1>")]
#[case::a_firewall(403, "<html>Request blocked</html>")]
#[case::a_misdirected_request(421, "Misdirected Request")]
#[case::a_bad_gateway(502, "<h1>502 Bad Gateway</h1>")]
fn an_answer_that_is_not_baserows_own_means_that_it_was_not_reached(#[case] status: u16, #[case] body: &str) {
    for effect in [Effect::Repeatable, Effect::Creates] {
        let failure = classify(&answer(status, body), effect).unwrap();
        assert!(failure.was_not_reached(), "{failure}");
        assert_ne!(failure.class, FailureClass::Gone);
    }
}

#[test]
fn baserows_own_answers_are_its_own() {
    for body in [r#"{"id":1}"#, "[]"] {
        assert_eq!(classify(&answer(200, body), Effect::Creates), None);
    }
    for (status, body) in [
        (404, r#"{"error":"URL_NOT_FOUND","detail":"x"}"#),
        (401, r#"{"detail":"Authentication credentials were not provided."}"#),
        (500, "<h1>Server Error (500)</h1>"),
    ] {
        let failure = classify(&answer(status, body), Effect::Repeatable).unwrap();
        assert!(!failure.was_not_reached(), "{failure:?}");
    }
}
