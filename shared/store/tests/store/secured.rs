//! PostgreSQL with TLS and a certificate of the operator's own.

use passerelle_model::config::{Reader, StoreSettings};
use passerelle_store::Store;
use test_support::{TestCertificate, TestPostgres};

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
