//! The same with a real Postfix: each of its answers ends a notice, or lets it wait, as it should.

use std::collections::BTreeMap;

use passerelle_store::NoticeState;
use serde_json::json;
use system_tests::System;
use test_support::{PostfixOptions, TestPostfix, eventually};

use crate::world::given;

#[tokio::test]
async fn postfix_delivers_once_and_what_it_refuses_for_now_or_for_good_is_told() {
    let options = PostfixOptions {
        recipients: &[("gris@example.org", "450 4.7.1 Greylisted, try again in five minutes")],
        ..PostfixOptions::default()
    };
    let Some(postfix) = TestPostfix::start(&options).unwrap() else {
        return;
    };
    let system = System::builder()
        .webhooks_of(&["attribution"])
        .variable("SMTP_URL", &format!("smtp://127.0.0.1:{}", postfix.port()))
        .variable("SMTP_TLS", "none")
        .variable("MAIL_FROM", "Passerelle <passerelle@example.org>")
        .variable("ADMIN_EMAIL", "admin@example.org")
        .start()
        .await
        .unwrap();
    system.expect_errors("a notice is given up");
    for name in ["zoe", "gris", "parti"] {
        let fields = json!({"Nom": name, "Email": format!("{name}@example.org"), "heures_max": 40});
        let person = system.baserow.create("personne", fields).await.unwrap();
        given(&system, "attribution", person, 14).await.unwrap();
    }
    let store = system.store().await.unwrap();
    let expected = BTreeMap::from([
        ("zoe", (NoticeState::Sent, None)),
        ("gris", (NoticeState::Waiting, Some("Greylisted"))),
        ("parti", (NoticeState::Failed, Some("User unknown"))),
    ]);
    eventually("each notice has its end, or waits", async || {
        let notices = store
            .latest_notices(None, 10)
            .await
            .map_err(|error| error.to_string())?;
        let is_as = |(name, (state, why)): (&&str, &(NoticeState, Option<&str>))| {
            let of = notices.iter().find(|notice| notice.args.contains(&format!("{name}@")));
            of.is_some_and(|notice| {
                let told = notice.error.as_deref().unwrap_or_default();
                notice.state == *state && why.is_none_or(|why| told.contains(why))
            })
        };
        if notices.len() == 3 && expected.iter().all(is_as) {
            return Ok(());
        }
        Err(format!("{notices:#?}\n{}", postfix.log()))
    })
    .await;
    // Nobody was written to twice while the grey list refused its own.
    eventually("the mail lies in its box", async || match postfix.mails() {
        Ok(mails) if mails.len() == 1 => Ok(()),
        other => Err(format!("{other:?}: {}", postfix.log())),
    })
    .await;
    system.expect_unfinished();
}
