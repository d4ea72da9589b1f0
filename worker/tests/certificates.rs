//! Servers whose certificates nobody in the world but the operator knows, over real TLS.

use std::net::TcpListener;

use passerelle_model::config::{BaserowSettings, Reader, RedisSettings, SlackSettings};
use passerelle_model::id::ProcessName;
use passerelle_queue::Redis;
use passerelle_queue::gate::{GatePolicy, Gates};
use passerelle_sandbox::baserow;
use passerelle_worker::clients::baserow::Baserow;
use passerelle_worker::clients::slack::Slack;
use passerelle_worker::content::rendered::{Rendered, SubjectLine};
use passerelle_worker::journal::Journal;
use test_support::{TestCertificate, TestRedis, TlsFront};

const UNKNOWN: &str = "nobody whom this machine trusts has signed the server's certificate";

fn sandbox() -> anyhow::Result<passerelle_sandbox::server::Running> {
    let options = baserow::Options {
        baserow_token: "sandbox-token".to_owned(),
        baserow_email: "admin@example.com".to_owned(),
        baserow_password: "pass".to_owned(),
        webhook: Vec::new(),
        webhook_secret: None,
        time_scale: 1.0,
    };
    Ok(baserow::start(TcpListener::bind("127.0.0.1:0")?, options)?)
}

/// What Baserow says behind a front, to a bridge with this file of authorities.
async fn tables(front: &TlsFront, redis: &TestRedis, authorities: &str) -> anyhow::Result<Result<usize, String>> {
    let mut reader = Reader::from_pairs([
        ("BASEROW_URL", front.url()),
        ("BASEROW_TOKEN", "sandbox-token".to_owned()),
        ("REDIS_URL", redis.url()),
        ("EXTRA_CA_FILE", authorities.to_owned()),
    ]);
    let settings = BaserowSettings::read(&mut reader);
    let redis = Redis::open(&RedisSettings::read(&mut reader))?;
    let gates = Gates::new(redis, ProcessName::unique("test"), GatePolicy::default());
    let baserow = Baserow::new(&settings, gates)?;
    let tables = baserow.tables(&mut Journal::default()).await;
    Ok(tables.map(|tables| tables.len()).map_err(|failure| failure.message))
}

#[tokio::test]
async fn a_certificate_of_the_operators_own_authority_is_trusted_when_extra_ca_file_names_it() {
    let (baserow, redis) = (sandbox().unwrap(), TestRedis::start().unwrap());
    for certificate in [TestCertificate::signed().unwrap(), TestCertificate::make().unwrap()] {
        let front = TlsFront::start(&certificate, baserow.address.port()).await.unwrap();
        let file = certificate.authority().display().to_string();
        assert!(tables(&front, &redis, &file).await.unwrap().unwrap() > 0);
        let unknown = tables(&front, &redis, "").await.unwrap().unwrap_err();
        assert!(
            unknown.contains(UNKNOWN) && unknown.contains("EXTRA_CA_FILE"),
            "{unknown}"
        );
    }
    baserow.stop().await.unwrap();
}

#[tokio::test]
async fn an_authority_that_a_server_shows_as_its_own_certificate_is_named_with_the_cure() {
    let redis = TestRedis::start().unwrap();
    let certificate = TestCertificate::authority_itself().unwrap();
    let file = certificate.authority().display().to_string();
    let baserow = sandbox().unwrap();
    let front = TlsFront::start(&certificate, baserow.address.port()).await.unwrap();
    let told = tables(&front, &redis, &file).await.unwrap().unwrap_err();
    let cure = "made with -addext basicConstraints=critical,CA:FALSE, and name that in EXTRA_CA_FILE";
    assert!(told.contains(cure), "{told}");
    baserow.stop().await.unwrap();
}

#[tokio::test]
async fn slack_names_the_setting_too() {
    let certificate = TestCertificate::signed().unwrap();
    let front = TlsFront::start(&certificate, 9).await.unwrap();
    let mut reader = Reader::from_pairs([("SLACK_WEBHOOK_URL", front.url())]);
    let slack = Slack::new(&SlackSettings::read(&mut reader).unwrap()).unwrap();
    let told = slack.post(&mut Journal::default(), &words()).await.unwrap_err().message;
    assert!(told.contains(UNKNOWN) && told.contains("EXTRA_CA_FILE"), "{told}");
}

fn words() -> Rendered {
    Rendered {
        subject: SubjectLine::new("Bonjour"),
        text: String::new(),
        html: String::new(),
    }
}
