//! Who comes in, and as what.

use std::time::Duration;

use passerelle_store::{Account, Role};
use reqwest::StatusCode;
use rstest::rstest;

use crate::house::House;
use crate::lines::{at, has_page};

#[rstest]
#[case("/")]
#[case("/why")]
#[case("/why?q=t2%2Fr5")]
#[case("/live/overview")]
#[tokio::test]
async fn nobody_sees_anything_without_signing_in(#[case] path: &str) {
    let house = House::build().await.unwrap();
    let answer = house.stranger().unwrap().get(path).await.unwrap();
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert!(answer.header("location").starts_with("/login"), "{answer:?}");
    assert_eq!(answer.body, "");
}

#[tokio::test]
async fn a_person_signs_in_sees_the_overview_and_signs_out_for_good() {
    let house = House::build().await.unwrap();
    let mut guest = house.guest("camille", Role::Reader).await.unwrap();
    let page = guest.get("/").await.unwrap();
    assert_eq!(page.status, StatusCode::OK);
    assert!(
        page.body.contains("camille") && page.body.contains("No worker is alive"),
        "{}",
        page.body
    );
    let kept = guest.clone();
    let answer = guest.submit("/logout", &[]).await.unwrap();
    assert_eq!(answer.header("location"), "/login");
    let mut thief = kept;
    assert_eq!(
        thief.get("/").await.unwrap().status,
        StatusCode::SEE_OTHER,
        "a copy of the cookie is of no use"
    );
}

#[tokio::test]
async fn after_signing_in_a_person_is_where_the_address_led_and_never_elsewhere() {
    let house = House::build().await.unwrap();
    house.account("camille", Role::Reader).await.unwrap();
    for (to, wanted) in [("/why?q=t2%2Fr5", "/why?q=t2%2Fr5"), ("//evil.example/", "/")] {
        let mut guest = house.stranger().unwrap();
        let page = guest.get("/login").await.unwrap();
        let fields = [
            ("token", page.token().unwrap()),
            ("name", "camille"),
            ("password", "a password for tests"),
            ("to", to),
        ];
        let answer = guest.post("/login", &fields).await.unwrap();
        assert_eq!(answer.header("location"), wanted);
    }
}

#[tokio::test]
async fn whoever_guesses_has_to_wait_and_does_not_learn_which_names_there_are() {
    let house = House::build().await.unwrap();
    house.account("camille", Role::Operator).await.unwrap();
    let mut guest = house.stranger().unwrap();
    let known = guest.sign_in("camille", "a wrong password").await.unwrap();
    let unknown = guest.sign_in("nobody", "a wrong password").await.unwrap();
    assert_eq!(
        (known.status, unknown.status),
        (StatusCode::UNAUTHORIZED, StatusCode::UNAUTHORIZED)
    );
    let text = |body: &str| body.split("role=\"alert\">").nth(1).unwrap()[..40].to_owned();
    assert_eq!(text(&known.body), text(&unknown.body));
    for _ in 0..4 {
        guest.sign_in("camille", "a wrong password").await.unwrap();
    }
    let answer = guest.sign_in("camille", "a password for tests").await.unwrap();
    assert_eq!(
        answer.status,
        StatusCode::TOO_MANY_REQUESTS,
        "the right one does not help any more"
    );
    let wait: u64 = answer.header("retry-after").parse().unwrap();
    assert!((1..=900).contains(&wait), "{wait}");
}

#[tokio::test]
async fn an_account_that_is_removed_is_out_at_once_and_its_live_page_ends() {
    let house = House::build().await.unwrap();
    let mut guest = house.guest("camille", Role::Reader).await.unwrap();
    let live = guest.http.get(format!("{}/live/overview", guest.base));
    let (name, value) = &guest.cookies[0];
    let live = live.header("cookie", format!("{name}={value}")).send().await.unwrap();
    assert_eq!(live.status(), StatusCode::OK);
    assert!(house.store.remove_account("camille").await.unwrap());
    assert_eq!(guest.get("/").await.unwrap().status, StatusCode::SEE_OTHER);
    let rest = tokio::time::timeout(Duration::from_mins(1), live.text()).await;
    assert!(rest.unwrap().unwrap().starts_with("event: page\n"));
}

#[tokio::test]
async fn a_name_in_a_header_counts_only_from_the_proxy_and_only_with_an_account() {
    let trusted = [
        ("CONSOLE_USER_HEADER", "Remote-User"),
        ("CONSOLE_PROXY_ADDRESSES", "127.0.0.1"),
    ];
    let house = House::build_with(&trusted).await.unwrap();
    let account = Account {
        name: "camille".to_owned(),
        role: Role::Operator,
        password: None,
        created: at(0),
    };
    house.store.add_account(&account).await.unwrap();
    let mut guest = house.stranger().unwrap();
    guest.headers.insert("remote-user", "camille".parse().unwrap());
    assert_eq!(guest.get("/").await.unwrap().status, StatusCode::OK);
    has_page(&house.store, 5, "019a0000-0000-7000-8000-000000000005", "Ab3dE6gH9k")
        .await
        .unwrap();
    let fields = [("row", "t2/r5"), ("why", "because")];
    let acted = guest.submit_from("/why?q=t2%2Fr5", "/act/sync", &fields).await.unwrap();
    assert_eq!(acted.status, StatusCode::SEE_OTHER, "{acted:?}");
    guest.headers.insert("remote-user", "dominique".parse().unwrap());
    let unknown = guest.get("/").await.unwrap();
    assert_eq!(unknown.status, StatusCode::FORBIDDEN);
    assert!(unknown.body.contains("dominique"));
    assert_eq!(
        house.stranger().unwrap().sign_in("camille", "").await.unwrap().status,
        StatusCode::UNAUTHORIZED,
        "who has no password comes by way of the proxy only"
    );

    let elsewhere = [
        ("CONSOLE_USER_HEADER", "Remote-User"),
        ("CONSOLE_PROXY_ADDRESSES", "10.9.9.9"),
    ];
    let house = House::build_with(&elsewhere).await.unwrap();
    house.store.add_account(&account).await.unwrap();
    let mut guest = house.stranger().unwrap();
    guest.headers.insert("remote-user", "camille".parse().unwrap());
    assert_eq!(guest.get("/").await.unwrap().status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn the_reader_s_language_is_that_of_the_browser() {
    let house = House::build().await.unwrap();
    let mut guest = house.guest("camille", Role::Reader).await.unwrap();
    guest
        .headers
        .insert("accept-language", "fr-FR,fr;q=0.9".parse().unwrap());
    let page = guest.get("/").await.unwrap();
    assert!(
        page.body.contains("<html lang=\"fr\">") && page.body.contains("Aucun worker"),
        "{}",
        page.body
    );
}
