use super::*;

const REST: [(&str, &str); 2] = [
    ("MAIL_FROM", "Passerelle <p@example.org>"),
    ("ADMIN_EMAIL", "a@example.org, b@example.org"),
];

fn read(pairs: &[(&str, &str)]) -> Result<MailSettings, String> {
    let mut reader = Reader::from_pairs(pairs.iter().chain(&REST).copied());
    let settings = MailSettings::read(&mut reader);
    match reader.finish(settings) {
        Ok(Some(settings)) => Ok(settings),
        Ok(None) => Err("off".to_owned()),
        Err(problems) => Err(problems.to_string()),
    }
}

#[test]
fn the_encryption_and_the_port_follow_from_the_url() {
    let seen = |pairs: &[(&str, &str)]| read(pairs).map(|settings| (settings.host, settings.port, settings.tls));
    let host = || "mail.test".to_owned();
    assert_eq!(
        seen(&[("SMTP_URL", "smtp://mail.test")]),
        Ok((host(), 587, SmtpTls::Starttls))
    );
    assert_eq!(
        seen(&[("SMTP_URL", "smtps://mail.test/")]),
        Ok((host(), 465, SmtpTls::Tls))
    );
    let plain = [("SMTP_URL", "smtp://mail.test"), ("SMTP_TLS", "none")];
    assert_eq!(seen(&plain), Ok((host(), 25, SmtpTls::None)));
    let other_port = [("SMTP_URL", "smtp://[::1]:2525"), ("SMTP_TLS", "tls")];
    assert_eq!(seen(&other_port), Ok(("::1".to_owned(), 2525, SmtpTls::Tls)));
}

#[test]
fn several_admins_and_a_name_before_an_address_are_read() {
    let settings = read(&[("SMTP_URL", "smtp://mail.test")]).unwrap();
    assert_eq!(settings.admin, ["a@example.org", "b@example.org"]);
    assert_eq!(settings.from, "Passerelle <p@example.org>");
    assert!(settings.login.is_none());
}

#[test]
fn what_cannot_be_a_mail_server_is_refused_with_a_reason() {
    for (url, reason) in [
        ("mail.test", "does not begin"),
        ("smtp://", "no host"),
        ("smtp://mail.test:0", "port"),
        ("smtp://mail.test:smtp", "port"),
        ("smtp://user:pass@mail.test", "SMTP_USERNAME"),
        ("smtp://mail.test?tls=none", "more in it"),
    ] {
        let problems = read(&[("SMTP_URL", url)]).unwrap_err();
        assert!(problems.contains(reason), "{url}: {problems}");
        assert!(!problems.contains("pass@"), "{problems}");
    }
}

#[test]
fn all_problems_of_the_mail_settings_are_reported_at_once() {
    let mut reader = Reader::from_pairs([
        ("SMTP_URL", "smtps://mail.test"),
        ("SMTP_TLS", "none"),
        ("SMTP_USERNAME", "bridge"),
        ("MAIL_FROM", "nobody"),
        ("SMTP_TIMEOUT_SECONDS", "0"),
    ]);
    let settings = MailSettings::read(&mut reader);
    insta::assert_snapshot!(reader.finish(settings).unwrap_err(), @r#"
    the configuration has 5 problems:
      SMTP_TLS: contradicts smtps:// in SMTP_URL
          → give none, starttls or tls; leave it out for tls with smtps:// and starttls with smtp://
      SMTP_PASSWORD: is not set, but SMTP_USERNAME is
          → set SMTP_USERNAME and SMTP_PASSWORD, or neither
      MAIL_FROM: "nobody" is no e-mail address
          → who mails come from, e.g. Passerelle <passerelle@example.org>
      ADMIN_EMAIL: is not set
          → who is told about trouble; several addresses are separated by commas
      SMTP_TIMEOUT_SECONDS: must not be 0
          → give seconds, e.g. 20
    "#);
}

#[test]
fn a_password_never_travels_unencrypted_to_another_machine() {
    let login = [
        ("SMTP_USERNAME", "bridge"),
        ("SMTP_PASSWORD", "s3cret"),
        ("SMTP_TLS", "none"),
    ];
    let with = |url| {
        let mut pairs = login.to_vec();
        pairs.push(("SMTP_URL", url));
        read(&pairs)
    };
    assert!(with("smtp://127.0.0.1:2525").is_ok());
    let problems = with("smtp://mail.test").unwrap_err();
    assert!(
        problems.contains("unencrypted") && !problems.contains("s3cret"),
        "{problems}"
    );
}

#[test]
fn mail_is_off_without_a_server_and_half_a_configuration_is_a_problem() {
    let mut reader = Reader::from_pairs([("PATH", "/bin")]);
    assert!(MailSettings::read(&mut reader).is_none());
    assert!(reader.finish(()).is_ok());
    assert!(
        read(&[])
            .unwrap_err()
            .contains("SMTP_URL: is not set, but MAIL_FROM is")
    );
}

#[test]
fn a_slack_webhook_must_be_encrypted_and_is_never_quoted() {
    let seen = |url| {
        let mut reader = Reader::from_pairs([("SLACK_WEBHOOK_URL", url)]);
        let settings = SlackSettings::read(&mut reader);
        reader
            .finish(settings)
            .map(|_| ())
            .map_err(|problems| problems.to_string())
    };
    assert_eq!(seen("https://hooks.slack.com/services/T1/B1/x"), Ok(()));
    assert_eq!(seen("http://127.0.0.1:3200/services/T1/B1/x"), Ok(()));
    assert!(
        !seen("http://hooks.slack.com/services/T1/B1/x")
            .unwrap_err()
            .contains("T1")
    );
}
