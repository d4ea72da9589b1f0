//! PostgreSQL with TLS and a certificate of the operator's own.

use passerelle_model::config::{Reader, StoreSettings};
use passerelle_store::Store;
use test_support::{TestCertificate, TestPostgres};

/// Each of them means something else in a URL, or to a shell.
const PASSWORD: &str = "p@ss/w#rd?&%41 x=1+é'\"$";

#[tokio::test]
async fn a_password_that_stands_apart_may_have_any_character() {
    let server = TestPostgres::start_asking_for(PASSWORD).unwrap();
    let open = async |password: &str| {
        let pairs = [
            ("DATABASE_URL", server.url()),
            ("DATABASE_PASSWORD", password.to_owned()),
        ];
        let settings = StoreSettings::read(&mut Reader::from_pairs(pairs));
        Store::open(&settings).await.map_err(|error| error.to_string())
    };
    open(PASSWORD).await.unwrap().check_write().await.unwrap();
    let refused = open("another").await.unwrap_err();
    assert!(!refused.contains("another"), "{refused}");
}

#[tokio::test]
async fn a_certificate_of_the_operators_own_is_trusted_when_extra_ca_file_names_it() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (server, certificate) = (TestPostgres::start().unwrap(), TestCertificate::signed().unwrap());
    server.secure(&certificate).unwrap();
    let open = async |authorities: &str| {
        let mut reader = Reader::from_pairs([
            ("DATABASE_URL", format!("{}?sslmode=verify-full", server.url())),
            ("EXTRA_CA_FILE", authorities.to_owned()),
        ]);
        let settings = StoreSettings::read(&mut reader);
        Store::open(&settings).await.map_err(|error| error.to_string())
    };
    let file = certificate.authority().display().to_string();
    open(&file).await.unwrap().check_write().await.unwrap();
    let told = open("").await.unwrap_err();
    assert!(told.contains("certificate") && told.contains("EXTRA_CA_FILE"), "{told}");
}
