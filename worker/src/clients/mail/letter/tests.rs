use super::*;

fn person(name: Option<&str>, address: &str) -> Recipient {
    Recipient {
        name: name.map(str::to_owned),
        address: address.to_owned(),
    }
}

#[test]
fn what_is_no_address_is_refused_with_a_reason() {
    for address in [
        "",
        "zoe",
        "zoe@",
        "a b@example.org",
        "zoe@example.org\r\nBcc: x@evil.test",
        "\"a>\"@example.org",
        "zoé@example.org",
    ] {
        let failure = mailboxes(&[person(None, address)]).unwrap_err();
        assert_eq!(failure.class, FailureClass::Permanent, "{address}");
        assert!(failure.message.contains("is no e-mail address"), "{failure}");
    }
    assert!(mailboxes(&[]).is_err());
}

#[test]
fn a_name_cannot_bring_a_header_with_it() {
    let people = [person(Some("Zoé\r\nBcc: x@evil.test"), " zoe@example.org ")];
    let to = mailboxes(&people).unwrap();
    assert_eq!(to[0].name.as_deref(), Some("Zoé Bcc: x@evil.test"));
    let words = Rendered {
        subject: SubjectLine::new("Salut"),
        text: "x".to_owned(),
        html: "x".to_owned(),
    };
    let from = "Passerelle <p@example.org>".parse().unwrap();
    let key = JobKey::parse("notice/1/mail").unwrap();
    let message = compose(&from, &to, &key, &words, Timestamp::from_millis(0)).unwrap();
    let raw = String::from_utf8(message.formatted()).unwrap();
    assert!(
        !raw.lines().any(|line| line.to_ascii_lowercase().starts_with("bcc")),
        "{raw}"
    );
}

#[test]
fn the_same_notice_has_the_same_message_id_and_another_has_another() {
    let from = "p@example.org".parse().unwrap();
    let id = |key| message_id(&JobKey::parse(key).unwrap(), &from);
    assert_eq!(id("notice/1/mail"), id("notice/1/mail"));
    assert_ne!(id("notice/1/mail"), id("notice/2/mail"));
    assert!(id("notice/1/mail").ends_with("@example.org>"));
}
