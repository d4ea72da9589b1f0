//! A formula that goes wrong must not write to ten thousand people.

use std::net::TcpListener;
use std::time::Duration;

use anyhow::Context as _;
use passerelle_model::config::Channel;
use passerelle_model::event::EventKind;
use passerelle_model::id::{EventId, JobKey};
use passerelle_model::job::{EventKinds, Job};
use passerelle_model::ledger::Verdict;
use passerelle_model::outcome::Outcome;
use passerelle_model::seq::Seq;
use passerelle_model::time::Timestamp;
use passerelle_sandbox::smtp::{self, Encryption, Options, Server};
use passerelle_store::{NoticeState, StoredNotice};
use passerelle_worker::content::notice::{Audience, Notice, NoticeKind, Recipient};
use passerelle_worker::context::Context;
use passerelle_worker::notify::deliver::deliver;
use serde_json::json;

use crate::world::World;

/// A bridge that may send three mails an hour to people, and its mail server.
async fn capped(world: &World) -> anyhow::Result<(Context, Server)> {
    let options = Options {
        smtp_username: None,
        smtp_password: None,
        smtp_tls: Encryption::None,
    };
    let listen = || TcpListener::bind("127.0.0.1:0");
    let server = smtp::start(listen()?, listen()?, options)?;
    let context = world
        .bridge_with(&[
            ("NOTICE_MAILS_PER_HOUR", "3"),
            ("SMTP_URL", &server.url()),
            ("SMTP_TLS", "none"),
            ("MAIL_FROM", "bridge@example.org"),
            ("ADMIN_EMAIL", "admin@example.org"),
        ])
        .await?;
    Ok((context, server))
}

async fn notice(context: &Context, name: &str, to: Audience) -> anyhow::Result<JobKey> {
    let id = JobKey::parse(&format!("notice/{name}/attribution-mail"))?;
    let values = json!({"trainer": name, "course": "Rust"});
    let values = values.as_object().cloned().context("an object")?;
    let stored = StoredNotice {
        id: id.clone(),
        kind: "trainer-assigned".to_owned(),
        channel: Channel::Mail,
        rule: "attribution-mail".to_owned(),
        row: None,
        event: None,
        args: Notice::new(id.clone(), NoticeKind::TrainerAssigned, to, values).to_args()?,
        created: Timestamp::now(),
        state: NoticeState::Waiting,
        ended: None,
        tries: 0,
        error: None,
    };
    context.store.add_notice(&stored).await?;
    Ok(id)
}

async fn attempt(context: &Context, key: &JobKey) -> anyhow::Result<Verdict> {
    let job = Job {
        key: key.clone(),
        attempts: 0,
        crashes: 0,
        covers: Seq::ZERO,
        kinds: EventKinds::of(EventKind::Created),
        last_event: EventId::parse("test")?,
        waiting_since: Timestamp::now(),
        failing_since: None,
    };
    Ok(deliver(context, &job, Channel::Mail, 0.5).await.verdict)
}

#[tokio::test]
async fn mails_to_people_beyond_the_hourly_cap_wait_and_the_admin_is_told_once() {
    let world = World::start().await.unwrap();
    let (context, server) = capped(&world).await.unwrap();
    world
        .errors
        .expect("more mails to people than NOTICE_MAILS_PER_HOUR allows");
    let mut held = Vec::new();
    for number in 0..6 {
        let person = Recipient {
            name: None,
            address: format!("person{number}@example.org"),
        };
        let key = notice(&context, &format!("e{number}"), Audience::People(vec![person]))
            .await
            .unwrap();
        match attempt(&context, &key).await.unwrap() {
            Verdict::Done(Outcome::Synced) => {}
            Verdict::Hold { after_ms, failure } => {
                let wait = Duration::from_millis(after_ms);
                assert!(
                    wait > Duration::from_mins(50) && wait < Duration::from_mins(80),
                    "{wait:?}"
                );
                assert!(failure.message.contains("NOTICE_MAILS_PER_HOUR"), "{failure:?}");
                held.push(key);
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((server.mails.list().len(), held.len()), (3, 3));
    let told = context.store.latest_notices(None, 100).await.unwrap();
    let told: Vec<_> = told.iter().filter(|notice| notice.kind == "mails-held").collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].args.contains("\"rule\":\"attribution-mail\""),
        "{}",
        told[0].args
    );
    // The admin is never capped, and neither is what was allowed before.
    let key = notice(&context, "admin", Audience::Admin).await.unwrap();
    assert_eq!(attempt(&context, &key).await.unwrap(), Verdict::Done(Outcome::Synced));
    assert_eq!(
        attempt(&context, &told[0].id).await.unwrap(),
        Verdict::Done(Outcome::Synced)
    );
    let subject = server.mails.list()[4].subject.clone().unwrap_or_default();
    assert!(subject.starts_with("Trop de mails"), "{subject}");
    // What is discarded by hand is not sent.
    let discarded = context
        .store
        .discard_notices("attribution-mail", "a wrong formula", Timestamp::now())
        .await
        .unwrap();
    assert_eq!(discarded, 3);
    assert_eq!(
        attempt(&context, &held[0]).await.unwrap(),
        Verdict::Done(Outcome::NoChange)
    );
    assert_eq!(server.mails.list().len(), 5);
}
