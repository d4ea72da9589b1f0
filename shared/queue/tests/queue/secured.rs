//! TLS and users with passwords, on a real server.

use passerelle_model::config::RedisSettings;
use passerelle_queue::{Queue, QueueName, Redis};
use test_support::{RedisOptions, TestCertificate, TestRedis};

use crate::world::delivery;

fn server() -> anyhow::Result<(TestRedis, TestCertificate)> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let certificate = TestCertificate::make()?;
    let server = TestRedis::start_as(RedisOptions {
        tls: Some(certificate.clone()),
        ..RedisOptions::default()
    })?;
    let _: String = server.ask(&["ACL", "SETUSER", "bridge", "on", ">p@ss/word", "~*", "&*", "+@all"])?;
    Ok((server, certificate))
}

fn settings(server: &TestRedis, certificate: Option<&TestCertificate>, user: &str) -> RedisSettings {
    RedisSettings {
        ca_file: certificate.map(TestCertificate::path),
        ..RedisSettings::at(format!("rediss://{user}127.0.0.1:{}/3", server.tls_port()))
    }
}

#[tokio::test]
async fn a_server_with_tls_and_users_is_used_with_its_certificate_and_a_password() {
    let (server, certificate) = server().unwrap();
    let redis = Redis::open(&settings(&server, Some(&certificate), "bridge:p%40ss%2Fword@")).unwrap();
    let queue = Queue::new(redis.clone(), QueueName::Sync);
    let _durable = queue.accept(delivery("abc", &[1]).unwrap()).await.unwrap();
    redis.check_write().await.unwrap();
    let keyspace: String = server.ask(&["INFO", "keyspace"]).unwrap();
    assert!(keyspace.contains("db3:"), "{keyspace}");
    let users: String = server.ask(&["CLIENT", "LIST"]).unwrap();
    assert!(users.contains("user=bridge"), "{users}");
}

#[tokio::test]
async fn a_server_whose_certificate_nobody_vouches_for_is_not_used() {
    let (server, _certificate) = server().unwrap();
    let redis = Redis::open(&settings(&server, None, "bridge:p%40ss%2Fword@")).unwrap();
    let told = redis.check_write().await.unwrap_err().to_string();
    assert!(told.contains("certificate") && told.contains("REDIS_CA_FILE"), "{told}");
}

#[tokio::test]
async fn a_wrong_password_is_told_and_not_shown() {
    let (server, certificate) = server().unwrap();
    let redis = Redis::open(&settings(&server, Some(&certificate), "bridge:geheim@")).unwrap();
    let told = redis.check_write().await.unwrap_err().to_string();
    assert!(told.contains("uthentication") && !told.contains("geheim"), "{told}");
    assert!(!format!("{redis:?}").contains("geheim"));
}
