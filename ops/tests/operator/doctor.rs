//! `doctor`: each thing that can be wrong is found, with what to do; what is right is not blamed.

use std::net::TcpListener;

use passerelle_model::id::ProcessName;
use passerelle_queue::WorkerInfo;
use passerelle_sandbox::faults::{Fault, FaultKind};
use passerelle_sandbox::{docmost, smtp};
use serde_json::{Value, json};

use crate::town::{SECRET, Town};

/// One rule, with a field and a space that nobody has.
const SMALL_RULES: &str = "owned_fields = [\"pages_id\"]\n[sources]\n\"*\" = { proof = \"hmac\", secrets = \"BASEROW_WEBHOOK_SECRET\" }\n\
    [[rules]]\nname = \"projet-page\"\ntable = \"projet\"\n[rules.page]\nspace = \"Direction\"\ntitle = \"x\"\nbody = \"page.md\"\n\
    write_back = { page_id = \"pages_id\" }\n";

/// What doctor says: its exit code and its findings.
pub(crate) async fn examined(town: &Town, changes: &[(&str, &str)]) -> anyhow::Result<(u8, Vec<Value>)> {
    let said = town.passerelle_with(&["--json", "doctor"], changes).await;
    let report: Value = serde_json::from_str(&said.out)?;
    Ok((said.code, report["findings"].as_array().cloned().unwrap_or_default()))
}

/// The findings of one check that are not ok.
pub(crate) fn complaints<'a>(findings: &'a [Value], check: &str) -> Vec<&'a Value> {
    let of_check = findings.iter().filter(|finding| finding["check"] == check);
    of_check.filter(|finding| finding["state"] != "ok").collect()
}

/// A town in which nothing is wrong: a worker is alive, mail is set up, Baserow's webhooks are
/// there.
pub(crate) async fn sound_town() -> anyhow::Result<(Town, Vec<(&'static str, String)>)> {
    let town = Town::start()?;
    let me = WorkerInfo::of_this_process(ProcessName::unique("worker"), 16);
    town.desk.queue()?.beat(&me).await?;
    let provisioned = town.passerelle(&["provision", "--url", "http://127.0.0.1:9"]).await;
    anyhow::ensure!(provisioned.code == 0, "{}{}", provisioned.out, provisioned.err);
    let server = smtp::start(
        TcpListener::bind("127.0.0.1:0")?,
        TcpListener::bind("127.0.0.1:0")?,
        smtp::Options::default(),
    )?;
    let mail = vec![
        ("SMTP_URL", format!("smtp://{}", server.address)),
        ("SMTP_TLS", "none".to_owned()),
        ("MAIL_FROM", "bridge@example.org".to_owned()),
        ("ADMIN_EMAIL", "admin@example.org".to_owned()),
        ("INGRESS_URL", town.ingress()?),
    ];
    Ok((town, mail))
}

#[tokio::test]
async fn a_sound_bridge_is_told_to_be_sound() {
    let (town, mail) = sound_town().await.unwrap();
    let mail: Vec<(&str, &str)> = mail.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let said = town.passerelle_with(&["doctor"], &mail).await;
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    for check in [
        "redis persistence",
        "baserow fields",
        "baserow rights",
        "docmost spaces",
        "docmost sections",
        "smtp",
        "workers",
        "conservation",
    ] {
        assert!(said.out.contains(&format!("ok  {check}")), "{check}: {}", said.out);
    }
}

#[tokio::test]
async fn a_redis_that_forgets_or_evicts_is_found() {
    let town = Town::start().unwrap();
    let client = redis::Client::open(town.desk.redis.url()).unwrap();
    let mut redis = client.get_connection().unwrap();
    for (setting, value) in [
        ("appendonly", "no"),
        ("maxmemory-policy", "allkeys-lru"),
        ("maxmemory", "1gb"),
    ] {
        redis::cmd("CONFIG")
            .arg("SET")
            .arg(setting)
            .arg(value)
            .exec(&mut redis)
            .unwrap();
    }
    let (code, findings) = examined(&town, &[]).await.unwrap();
    assert_eq!(code, 2);
    let persistence = complaints(&findings, "redis persistence");
    assert_eq!(persistence[0]["state"], "fail");
    assert!(persistence[0]["fix"].as_str().unwrap().contains("appendonly yes"));
    assert_eq!(complaints(&findings, "redis eviction")[0]["state"], "fail");
    assert!(complaints(&findings, "redis memory").is_empty());
    redis::cmd("CONFIG")
        .arg("SET")
        .arg("maxmemory")
        .arg("1mb")
        .exec(&mut redis)
        .unwrap();
    let (_, findings) = examined(&town, &[]).await.unwrap();
    assert_eq!(
        complaints(&findings, "redis memory")[0]["state"],
        "fail",
        "{findings:?}"
    );
}

#[tokio::test]
async fn without_redis_and_store_everything_else_is_still_looked_at() {
    let town = Town::start().unwrap();
    let nowhere = [
        ("REDIS_URL", "redis://127.0.0.1:1/0"),
        ("DATABASE_URL", "sqlite:///proc/no/store.sqlite"),
    ];
    let (code, findings) = examined(&town, &nowhere).await.unwrap();
    assert_eq!(code, 2);
    assert_eq!(complaints(&findings, "redis").len(), 1);
    assert_eq!(complaints(&findings, "store").len(), 1);
    assert!(complaints(&findings, "docmost").is_empty(), "{findings:?}");
    assert!(complaints(&findings, "baserow").is_empty());
}

#[tokio::test]
async fn a_missing_field_and_a_missing_space_are_found_with_their_rule() {
    let town = Town::start().unwrap();
    town.rules(SMALL_RULES).unwrap();
    let (code, findings) = examined(&town, &[]).await.unwrap();
    assert_eq!(code, 2);
    let (field, space) = (
        complaints(&findings, "baserow fields"),
        complaints(&findings, "docmost spaces"),
    );
    assert!(field[0]["found"].as_str().unwrap().contains("projet-page"), "{field:?}");
    assert!(field[0]["fix"].as_str().unwrap().contains("passerelle provision"));
    assert!(space[0]["found"].as_str().unwrap().contains("Direction"), "{space:?}");
}

#[tokio::test]
async fn a_proxy_that_passes_no_sockets_is_found_where_a_rule_keeps_sections() {
    let town = Town::start().unwrap();
    let refused = FaultKind::Status {
        status: 502,
        headers: [].into(),
        body: None,
    };
    town.docmost.faults.add(Fault::on("/collab", refused));
    let elsewhere = [("DOCMOST_COLLAB_URL", "http://127.0.0.1:1")];
    for changes in [&[][..], &elsewhere] {
        let (code, findings) = examined(&town, changes).await.unwrap();
        assert_eq!(code, 2);
        let found = complaints(&findings, "docmost sections");
        assert_eq!(found[0]["state"], "fail", "{findings:?}");
        assert!(found[0]["fix"].as_str().unwrap().contains("DOCMOST_COLLAB_URL"));
    }
    // A rule without sections needs no sockets.
    town.rules(SMALL_RULES).unwrap();
    let (_, findings) = examined(&town, &[]).await.unwrap();
    assert!(findings.iter().all(|finding| finding["check"] != "docmost sections"));
}

#[tokio::test]
async fn an_older_docmost_is_worth_a_word_where_a_rule_keeps_sections() {
    let older = docmost::Options {
        docmost_without_synced_blocks: true,
        ..docmost::Options::default()
    };
    let town = Town::with_docmost(older).unwrap();
    let (_, findings) = examined(&town, &[]).await.unwrap();
    let found = complaints(&findings, "docmost sections");
    assert_eq!(found[0]["state"], "warn", "{findings:?}");
    assert!(found[0]["fix"].as_str().unwrap().contains("0.95"));
}

#[tokio::test]
async fn weak_and_rotating_secrets_and_wrong_settings_are_found() {
    let town = Town::start().unwrap();
    let rotating = format!("{SECRET},0f1e2d3c4b5a69788796a5b4c3d2e1f0");
    for (secrets, expected) in [
        ("aaaaaaaaaaaaaaaaaaaa", "can be guessed"),
        (rotating.as_str(), "rotation"),
    ] {
        let (_, findings) = examined(&town, &[("BASEROW_WEBHOOK_SECRET", secrets)]).await.unwrap();
        let found = complaints(&findings, "webhook secrets");
        assert!(found[0]["found"].as_str().unwrap().contains(expected), "{found:?}");
    }
    let unread = [
        ("BASEROW_WEBHOOK_SECRET", ""),
        ("BASEROW_WEBHOOK_SECRET_FILE", "/nowhere/secret"),
    ];
    let (_, findings) = examined(&town, &unread).await.unwrap();
    let found = complaints(&findings, "webhook secrets");
    assert!(found[0]["found"].as_str().unwrap().contains("workers"), "{findings:?}");
    let wrong = [("BASEROW_WEBHOOK_SECRET", "short"), ("WORKER_CONCURRENCY", "many")];
    let (code, findings) = examined(&town, &wrong).await.unwrap();
    assert_eq!(code, 2);
    assert_eq!(complaints(&findings, "configuration").len(), 2, "{findings:?}");
}

#[tokio::test]
async fn what_stands_still_or_was_given_up_is_worth_a_look() {
    let (town, _) = sound_town().await.unwrap();
    town.passerelle(&["pause", "--why", "a move"]).await;
    town.passerelle(&["gates", "stop", "docmost:write", "--why", "a move"])
        .await;
    let (code, findings) = examined(&town, &[]).await.unwrap();
    assert_eq!(code, 1, "{findings:?}");
    assert!(
        complaints(&findings, "pauses")[0]["found"]
            .as_str()
            .unwrap()
            .contains("camille")
    );
    assert!(
        complaints(&findings, "gates")[0]["found"]
            .as_str()
            .unwrap()
            .contains("docmost:write")
    );
    assert_eq!(
        complaints(&findings, "notices").len(),
        1,
        "nobody is told about trouble"
    );
}

#[tokio::test]
async fn a_mail_server_that_does_not_answer_is_found() {
    let (town, mail) = sound_town().await.unwrap();
    let mut mail: Vec<(&str, &str)> = mail.iter().map(|(name, value)| (*name, value.as_str())).collect();
    mail.push(("SMTP_URL", "smtp://127.0.0.1:1"));
    let (code, findings) = examined(&town, &mail).await.unwrap();
    assert_eq!(code, 2);
    assert_eq!(complaints(&findings, "smtp").len(), 1);
}

#[tokio::test]
async fn a_webhook_that_baserow_has_switched_off_is_found() {
    let (town, _) = sound_town().await.unwrap();
    let hooks = town
        .baserow_as_user(reqwest::Method::GET, "webhooks/table/2/", None)
        .await
        .unwrap();
    let path = format!("webhooks/{}/", hooks[0]["id"]);
    let off = Some(json!({"active": false}));
    town.baserow_as_user(reqwest::Method::PATCH, &path, off).await.unwrap();
    let (code, findings) = examined(&town, &[]).await.unwrap();
    assert_eq!(code, 2);
    let found = complaints(&findings, "baserow webhooks");
    assert!(
        found[0]["fix"].as_str().unwrap().contains("passerelle provision"),
        "{found:?}"
    );
}

#[tokio::test]
async fn a_table_that_does_not_call_is_told_once_however_many_rules_share_it() {
    let town = Town::start().unwrap();
    let rule = |name: &str| {
        format!(
            "[[rules]]\nname = \"{name}\"\ntable = \"client\"\non = [\"created\"]\n[rules.notice]\ntemplate = \"event\"\n\
             values = {{ title = \"x\" }}\n"
        )
    };
    let sources = "[sources]\n\"*\" = { proof = \"hmac\", secrets = \"BASEROW_WEBHOOK_SECRET\" }\n";
    town.rules(&format!("{sources}{}{}", rule("one"), rule("two"))).unwrap();
    let (_, findings) = examined(&town, &[]).await.unwrap();
    let found = complaints(&findings, "baserow webhooks");
    let found: Vec<_> = found.iter().map(|finding| finding["found"].as_str().unwrap()).collect();
    assert_eq!(
        found,
        ["no webhook of the table client calls the bridge"],
        "{findings:?}"
    );
}

#[tokio::test]
async fn a_field_that_a_wiki_rule_writes_and_that_is_not_there_is_found() {
    let town = Town::start().unwrap();
    let rules = "[sources]\n\"*\" = { proof = \"hmac\", secrets = \"BASEROW_WEBHOOK_SECRET\" }\n\
        [[wiki]]\nname = \"notes\"\nlabel = \"notes\"\n[wiki.row]\ntable = \"comptes_rendus\"\npage_id = \"page\"\nfields = {}\n";
    town.rules(rules).unwrap();
    let (code, findings) = examined(&town, &[]).await.unwrap();
    assert_eq!(code, 2);
    let found = complaints(&findings, "baserow fields");
    assert!(
        found[0]["found"].as_str().unwrap().contains("wiki rule notes"),
        "{found:?}"
    );
    assert!(
        found[0]["fix"].as_str().unwrap().contains("passerelle provision"),
        "{found:?}"
    );
}
