//! `console user`: who may use the console.

use passerelle_console::password;
use serde_json::Value;

use crate::desk::Desk;

#[tokio::test]
async fn an_account_is_added_with_a_password_that_is_shown_once_and_kept_as_a_hash() {
    let desk = Desk::new().unwrap();
    let said = desk
        .passerelle(&["console", "user", "add", "camille", "--role", "operator", "--json"])
        .await;
    assert_eq!(said.code, 0, "{said:?}");
    let said: Value = serde_json::from_str(&said.out).unwrap();
    let made = said["password"].as_str().unwrap().to_owned();
    let store = desk.remember(Vec::new()).await.unwrap();
    let kept = store.account("camille").await.unwrap().unwrap().password.unwrap();
    assert!(password::is_right(&made, Some(&kept)) && !kept.contains(&made));

    let again = desk
        .passerelle(&["console", "user", "add", "camille", "--role", "reader"])
        .await;
    assert_eq!(again.code, 1, "{again:?}");
    let list = desk.passerelle(&["console", "user", "list"]).await;
    assert!(
        list.out.contains("camille") && list.out.contains("operator"),
        "{list:?}"
    );
    assert!(!list.out.contains("argon2"), "{list:?}");
}

#[tokio::test]
async fn a_role_and_a_password_are_changed_and_an_account_is_removed() {
    let desk = Desk::new().unwrap();
    let by_proxy = ["console", "user", "add", "camille", "--role", "reader", "--by-proxy"];
    let said = desk.passerelle(&by_proxy).await;
    assert!(said.code == 0 && !said.out.contains("password"), "{said:?}");
    let store = desk.remember(Vec::new()).await.unwrap();
    assert_eq!(store.account("camille").await.unwrap().unwrap().password, None);
    for (arguments, word) in [
        (&["console", "user", "role", "camille", "operator"][..], "changed"),
        (&["console", "user", "password", "camille"], "changed"),
        (&["console", "user", "list"], "operator"),
        (&["console", "user", "remove", "camille"], "removed"),
    ] {
        let said = desk.passerelle(arguments).await;
        assert!(said.code == 0 && said.out.contains(word), "{arguments:?}: {said:?}");
    }
    assert_eq!(store.account("camille").await.unwrap(), None);
    let gone = desk.passerelle(&["console", "user", "remove", "camille"]).await;
    assert_eq!(gone.code, 1, "{gone:?}");
    let nobody = desk
        .passerelle(&["console", "user", "add", " ", "--role", "reader"])
        .await;
    assert_eq!(nobody.code, 2, "{nobody:?}");
}
