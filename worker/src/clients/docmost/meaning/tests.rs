use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use rstest::rstest;

use std::time::Duration;

use super::*;

/// An answer of Docmost if the body is JSON, else of something in its place.
fn answer(status: u16, body: &str) -> Answer {
    let kind = if body.starts_with('{') {
        "application/json; charset=utf-8"
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
#[case::traefik_without_a_route(404, "404 page not found\n")]
#[case::kong_without_a_route(404, r#"{"message":"no Route matched with those values"}"#)]
#[case::a_login_proxy(302, "<a href=\"https://auth.example.org/\">Found</a>")]
#[case::http_to_https(301, "")]
#[case::a_permanent_redirect(308, "")]
#[case::a_login_page(200, "<!doctype html><title>Sign in</title>")]
#[case::an_empty_success(200, "")]
#[case::an_api_of_something_else(200, r#"{"ok":true}"#)]
#[case::basic_authentication(401, "<h1>401 Authorization Required</h1>")]
#[case::a_firewall(403, "<html>Request blocked</html>")]
#[case::a_cloud_gateway(403, r#"{"message":"Forbidden"}"#)]
#[case::a_gone_tunnel(410, "Gone")]
#[case::a_misdirected_request(421, "Misdirected Request")]
#[case::a_bad_gateway(502, "<h1>502 Bad Gateway</h1>")]
#[case::no_server_behind_it(503, "no available server\n")]
#[case::an_unreachable_origin(523, "error code: 523")]
fn an_answer_that_is_not_docmosts_own_means_that_it_was_not_reached(#[case] status: u16, #[case] body: &str) {
    for effect in [Effect::Repeatable, Effect::Creates] {
        let failure = classify(&answer(status, body), effect).unwrap();
        assert!(failure.was_not_reached(), "{failure}");
        assert!(
            matches!(failure.class, FailureClass::Transient | FailureClass::Ambiguous),
            "{failure:?}"
        );
    }
    assert!(health_in(&answer(status, body)).unwrap_err().was_not_reached());
}

#[test]
fn docmosts_own_answers_are_its_own() {
    for (status, body) in [
        (200, r#"{"success":true,"status":200}"#),
        (200, r#"{"data":{},"success":true,"status":200}"#),
    ] {
        assert_eq!(classify(&answer(status, body), Effect::Creates), None);
    }
    for status in [400, 401, 403, 404, 413, 429, 500] {
        let body = format!(r#"{{"message":"no","statusCode":{status}}}"#);
        let failure = classify(&answer(status, &body), Effect::Repeatable).unwrap();
        assert!(!failure.was_not_reached(), "{failure:?}");
    }
}

#[rstest]
#[case::the_account_has_one(true, false)]
#[case::the_workspace_wants_one(false, true)]
fn a_login_that_asks_for_a_second_factor_says_so(#[case] has: bool, #[case] must: bool) {
    let body = format!(r#"{{"data":{{"userHasMfa":{has},"requiresMfaSetup":{must}}},"success":true,"status":200}}"#);
    let failure = token_in(&answer(200, &body)).unwrap_err();
    assert_eq!(failure.class, FailureClass::Auth);
    assert!(failure.message.contains("second factor"), "{failure}");
    let other = token_in(&answer(200, r#"{"success":true,"status":200}"#)).unwrap_err();
    assert!(!other.message.contains("second factor"), "{other}");
}

#[test]
fn health_is_docmosts_own_word() {
    assert_eq!(health_in(&answer(200, r#"{"status":"ok","info":{}}"#)), Ok(()));
    let ill = health_in(&answer(503, r#"{"status":"error","error":{}}"#)).unwrap_err();
    assert!(!ill.was_not_reached(), "{ill:?}");
}

#[rstest]
#[case::seconds("1200", 900)]
#[case::a_short_time("42", 42)]
#[case::a_day("86400", 900)]
#[case::more_than_fits("99999999999999999999999", 900)]
#[case::a_date("Thu, 26 Nov 2026 20:10:00 GMT", 600)]
#[case::a_date_in_the_former_form("Thursday, 26-Nov-26 20:10:00 GMT", 600)]
#[case::a_date_in_the_next_year("Thu, 25 Nov 2027 20:00:00 GMT", 900)]
#[case::a_date_that_is_over("Thu, 26 Nov 2026 19:00:00 GMT", 0)]
fn a_wait_is_read_in_both_forms_and_bounded(#[case] wait: &'static str, #[case] seconds: u64) {
    for status in [429, 503] {
        let mut throttled = answer(status, "<h1>Maintenance</h1>");
        throttled
            .headers
            .insert("date", HeaderValue::from_static("Thu, 26 Nov 2026 20:00:00 GMT"));
        throttled.headers.insert("retry-after", HeaderValue::from_static(wait));
        let failure = classify(&throttled, Effect::Creates).unwrap();
        assert_eq!(
            (failure.class, failure.retry_after),
            (FailureClass::Throttled, Some(Duration::from_secs(seconds)))
        );
    }
}

#[rstest]
#[case("")]
#[case("soon")]
#[case("-5")]
#[case("1e9")]
fn a_wait_that_cannot_be_read_is_none(#[case] wait: &'static str) {
    let mut throttled = answer(429, "{}");
    throttled.headers.insert("retry-after", HeaderValue::from_static(wait));
    let failure = classify(&throttled, Effect::Creates).unwrap();
    assert_eq!((failure.class, failure.retry_after), (FailureClass::Throttled, None));
}

#[rstest]
#[case(401, r#"{"message":"Unauthorized","statusCode":401}"#, FailureClass::Auth)]
#[case(
    401,
    r#"{"message":"Email or password does not match","statusCode":401}"#,
    FailureClass::Auth
)]
#[case(404, r#"{"message":"Page not found","statusCode":404}"#, FailureClass::Gone)]
#[case(
    404,
    r#"{"message":"Parent page not found","statusCode":404}"#,
    FailureClass::Permanent
)]
#[case(
    404,
    r#"{"message":"Space permissions not found","statusCode":404}"#,
    FailureClass::Transient
)]
#[case(
    404,
    r#"{"message":"Workspace not found","statusCode":404}"#,
    FailureClass::Transient
)]
#[case(
    404,
    r#"{"message":"Cannot PUT /api/pages/update","statusCode":404}"#,
    FailureClass::Transient
)]
#[case(404, "<html>", FailureClass::Transient)]
#[case(
    400,
    r#"{"message":["title must be a string"],"statusCode":400}"#,
    FailureClass::Permanent
)]
#[case(400, "<html>", FailureClass::Transient)]
#[case(403, r#"{"message":"Forbidden","statusCode":403}"#, FailureClass::Permanent)]
#[case(
    413,
    r#"{"statusCode":413,"message":"Request body is too large"}"#,
    FailureClass::Permanent
)]
#[case(429, r#"{"statusCode":429,"message":"Too many requests"}"#, FailureClass::Throttled)]
#[case(302, "", FailureClass::Transient)]
#[case(
    500,
    r#"{"statusCode":500,"message":"Internal server error"}"#,
    FailureClass::Transient
)]
#[case(503, "", FailureClass::Transient)]
fn each_answer_has_its_class(#[case] status: u16, #[case] body: &str, #[case] class: FailureClass) {
    let failure = classify(&answer(status, body), Effect::Repeatable).unwrap();
    assert_eq!(failure.class, class);
    // Only where nobody knows whether it was carried out does it matter that it was a create.
    let of_create = classify(&answer(status, body), Effect::Creates).unwrap().class;
    let expected = if status >= 500 { FailureClass::Ambiguous } else { class };
    assert_eq!(of_create, expected);
}

#[test]
fn docmost_names_its_waiting_time_in_a_header_of_its_own() {
    let mut throttled = answer(429, "{}");
    throttled
        .headers
        .insert("retry-after-auth", HeaderValue::from_static("42"));
    let failure = classify(&throttled, Effect::Repeatable).unwrap();
    assert_eq!(failure.retry_after, Some(Duration::from_secs(42)));
}

#[test]
fn an_unavailable_docmost_that_names_a_time_is_throttled_and_one_that_does_not_is_down() {
    let mut unavailable = answer(503, "");
    unavailable
        .headers
        .insert("retry-after", HeaderValue::from_static("600"));
    let failure = classify(&unavailable, Effect::Creates).unwrap();
    assert_eq!(
        (failure.class, failure.retry_after),
        (FailureClass::Throttled, Some(Duration::from_mins(10)))
    );
}

#[test]
fn the_token_is_taken_from_the_cookie_alone() {
    let mut login = answer(200, r#"{"success":true,"status":200}"#);
    login
        .headers
        .append("set-cookie", HeaderValue::from_static("other=1; Path=/"));
    login.headers.append(
        "set-cookie",
        HeaderValue::from_static("authToken=abc.def; Path=/; HttpOnly"),
    );
    assert_eq!(token_in(&login).unwrap(), "abc.def");
}
