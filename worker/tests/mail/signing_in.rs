//! Encryption, sign-in, and settings that are wrong.

use std::path::PathBuf;
use std::time::Duration;

use passerelle_model::config::{MailSettings, SmtpLogin, SmtpTls};
use passerelle_model::ledger::FailureClass;
use passerelle_sandbox::smtp::{Encryption, Options};
use passerelle_worker::clients::mail::Mail;

use test_support::{TestCertificate, TlsFront};

use crate::world::{send, settings, start, to_zoe};

#[tokio::test]
async fn a_certificate_that_does_not_fit_is_named_with_its_setting_and_a_cure() {
    let server = start(Options {
        smtp_username: None,
        smtp_password: None,
        smtp_tls: Encryption::None,
    })
    .unwrap();
    let check = async |certificate: &TestCertificate, ca_file: Option<PathBuf>| {
        let front = TlsFront::start(certificate, server.address.port()).await.unwrap();
        let settings = MailSettings {
            port: front.port(),
            tls: SmtpTls::Tls,
            ca_file,
            ..settings(&server)
        };
        Mail::new(&settings).unwrap().check().await
    };
    let certificate = TestCertificate::signed().unwrap();
    check(&certificate, Some(certificate.authority())).await.unwrap();
    let told = check(&certificate, None).await.unwrap_err().message;
    assert!(told.contains("(PEM) in SMTP_CA_FILE or EXTRA_CA_FILE"), "{told}");
    let certificate = TestCertificate::authority_itself().unwrap();
    let told = check(&certificate, Some(certificate.authority()))
        .await
        .unwrap_err()
        .message;
    assert!(told.contains("basicConstraints=critical,CA:FALSE"), "{told}");
    server.stop().await.unwrap();
}

#[tokio::test]
async fn it_signs_in_over_an_encrypted_connection_and_trusts_only_whom_it_was_told_to() {
    let folder = tempfile::tempdir().unwrap();
    for (offered, wanted) in [
        (Encryption::Starttls, SmtpTls::Starttls),
        (Encryption::Tls, SmtpTls::Tls),
    ] {
        let server = start(Options {
            smtp_username: Some("bridge".to_owned()),
            smtp_password: Some("s3cret".to_owned()),
            smtp_tls: offered,
        })
        .unwrap();
        let ca_file = folder.path().join("ca.pem");
        std::fs::write(&ca_file, &server.certificate).unwrap();
        let login = |password: &str| {
            Some(SmtpLogin {
                username: "bridge".to_owned(),
                password: password.to_owned().into(),
            })
        };
        let trusted = MailSettings {
            tls: wanted,
            ca_file: Some(ca_file),
            login: login("s3cret"),
            ..settings(&server)
        };
        Mail::new(&trusted).unwrap().check().await.unwrap();
        send(&trusted, &to_zoe("Rust").unwrap()).await.unwrap().unwrap();
        let mail = server.mails.list().remove(0);
        assert_eq!((mail.encrypted, mail.user.as_deref()), (true, Some("bridge")));
        let wrong = MailSettings {
            login: login("guess"),
            ..trusted.clone()
        };
        let failure = send(&wrong, &to_zoe("Rust").unwrap()).await.unwrap().unwrap_err();
        assert_eq!((failure.class, failure.status), (FailureClass::Auth, Some(535)));
        assert!(!failure.message.contains("guess"), "{failure}");
        let strangers = MailSettings {
            ca_file: None,
            ..trusted
        };
        let failure = send(&strangers, &to_zoe("Rust").unwrap()).await.unwrap().unwrap_err();
        assert_eq!(failure.class, FailureClass::Auth);
        assert!(failure.message.contains("certificate"), "{failure}");
        assert_eq!(server.mails.list().len(), 1);
        server.stop().await.unwrap();
    }
}

#[tokio::test]
async fn a_server_without_starttls_gets_neither_the_mail_nor_the_password() {
    let server = start(Options {
        smtp_tls: Encryption::None,
        ..Options::default()
    })
    .unwrap();
    let settings = MailSettings {
        tls: SmtpTls::Starttls,
        login: Some(SmtpLogin {
            username: "bridge".to_owned(),
            password: "s3cret".to_owned().into(),
        }),
        ..settings(&server)
    };
    let failure = send(&settings, &to_zoe("Rust").unwrap()).await.unwrap().unwrap_err();
    assert_eq!(failure.class, FailureClass::Auth);
    assert!(failure.message.contains("STARTTLS"), "{failure}");
    assert_eq!(
        server.control.calls.count("/auth") + server.control.calls.count("/mail"),
        0
    );
    server.stop().await.unwrap();
}

#[test]
fn all_that_is_wrong_with_the_settings_is_said_at_once() {
    let settings = MailSettings {
        host: "mail.test".to_owned(),
        port: 587,
        tls: SmtpTls::Starttls,
        ca_file: Some("no-such-file.pem".into()),
        login: None,
        from: "x@y@z".to_owned(),
        admin: vec!["zoé@example.org".to_owned()],
        timeout: Duration::from_secs(1),
    };
    let problems = Mail::new(&settings).unwrap_err().to_string();
    for place in ["MAIL_FROM", "ADMIN_EMAIL", "SMTP_CA_FILE"] {
        assert!(problems.contains(place), "{problems}");
    }
}
