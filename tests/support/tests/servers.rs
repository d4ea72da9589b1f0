//! The servers that all other tests use.

use test_support::{Fsync, TestPostgres, TestRedis};

#[test]
fn a_test_redis_keeps_its_data_over_a_kill() {
    let mut server = TestRedis::start().unwrap();
    let client = redis::Client::open(server.url()).unwrap();
    let mut connection = client.get_connection().unwrap();
    redis::cmd("SET").arg("key").arg("value").exec(&mut connection).unwrap();
    redis::cmd("WAITAOF").arg(1).arg(0).arg(2000).exec(&mut connection).ok();
    server.kill().unwrap();
    server.boot().unwrap();
    let mut connection = client.get_connection().unwrap();
    let value: String = redis::cmd("GET").arg("key").query(&mut connection).unwrap();
    assert_eq!(value, "value");
}

#[test]
fn a_test_postgres_starts_and_stops() {
    let server = TestPostgres::start().unwrap();
    assert!(server.url().starts_with("postgres://"));
}

#[test]
fn a_test_redis_syncs_as_asked() {
    let server = TestRedis::start_with(Fsync::Always).unwrap();
    let client = redis::Client::open(server.url()).unwrap();
    let mut connection = client.get_connection().unwrap();
    let setting: Vec<String> = redis::cmd("CONFIG")
        .arg(&["GET", "appendfsync"])
        .query(&mut connection)
        .unwrap();
    assert_eq!(setting, ["appendfsync", "always"]);
}
