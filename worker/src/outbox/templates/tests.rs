//! What the templates make of notices.

use passerelle_model::id::JobKey;
use serde_json::{Value, json};

use super::*;
use crate::content::notice::{Audience, TemplateName};
use crate::content::rendered::MOST_SUBJECT_CHARS;

fn defaults() -> Templates {
    Templates::load(Path::new("no-such-folder"), &Locale::default()).unwrap()
}

fn notice(kind: NoticeKind, values: Value) -> Notice {
    let Value::Object(values) = values else {
        panic!("values are an object")
    };
    Notice::new(JobKey::parse("notice/1/test").unwrap(), kind, Audience::Admin, values)
}

fn full(kind: NoticeKind) -> Value {
    match kind {
        NoticeKind::Event => {
            json!({"title": "Nouvelle ligne", "text": "Projet Éole", "row_url": "https://baserow.test/r/1"})
        }
        NoticeKind::TrainerAssigned => {
            json!({"trainer": "Zoé", "course": "Rust & systèmes", "dates": "3–4 mars", "hours": 14, "place": "Lyon",
                "row_url": "https://baserow.test/r/1", "page_url": "https://wiki.test/p/1"})
        }
        NoticeKind::CapacityBelowZero => {
            json!({"person": "Zoé", "hours_left": -3.5, "cause": "Intervention 12", "row_url": "https://baserow.test/r/1"})
        }
        NoticeKind::ShareCreated => json!({"page": "Tarifs", "space": "Agence", "author": "Zoé",
            "page_url": "https://wiki.test/p/1", "share_url": "https://wiki.test/share/x"}),
        NoticeKind::LoopAlert => json!({"row": "projet/42", "events": 11, "seconds": 60, "parked_minutes": 10,
            "row_url": "https://baserow.test/r/42"}),
        NoticeKind::OutageOpened => json!({"target": "Docmost", "since": "14:02", "reason": "no answer in time",
            "waiting": 0, "row": "projet/42"}),
        NoticeKind::OutageOver => json!({"target": "Docmost", "minutes": 14, "drained": 812, "dead": 1}),
        NoticeKind::WebhookOff => json!({"table": "projet", "webhook": 3, "failures": 8,
            "since": "2026-11-22 11:03:28 UTC", "times": 2, "rests_until": "2026-11-22T11:23:28Z"}),
        NoticeKind::Renamed => json!({"what": "field", "table": "projet", "old": "Nom", "new": "Intitulé"}),
        NoticeKind::ForeignMarks => json!({"row": "t2/r5", "page": "Projet Éole", "why": "somebody else created it",
            "page_url": "https://wiki.test/p/1"}),
        NoticeKind::RuleBroken => {
            json!({"table": "projet (t1)", "reason": "the field \"Client\" does not exist", "waiting": 12})
        }
        NoticeKind::MailsHeld => {
            json!({"most": 200, "waiting": 9800, "rules": [{"rule": "attribution-mail", "waiting": 9800}]})
        }
        NoticeKind::DeadLetters => json!({"letters": 12, "mebibytes": 80, "budget_mebibytes": 64,
            "queues": [{"queue": "sync", "letters": 11}, {"queue": "mail", "letters": 1}]}),
        NoticeKind::RedisWentBack => json!({"seen": "2026-11-22T11:03:28Z", "lost": 7}),
        NoticeKind::Stalled => {
            json!({"what": "the oldest queued job waits", "since": "2026-11-22T11:03:28Z", "minutes": 6,
            "cause": "the queue is paused", "fix": "passerelle resume"})
        }
        NoticeKind::Digest => json!({"title": "Docmost : 1 h d’incident", "console_url": "https://bridge.test",
            "lines": [{"label": "En attente", "value": 3}, {"label": "Abandonnés", "value": 0}]}),
    }
}

#[test]
fn a_broken_rule_that_holds_no_table_names_the_wiki_or_the_table_that_is_compared() {
    for (compared, named, not_named) in [("", "wiki", "table"), ("projet (t1)", "projet (t1)", "wiki")] {
        let mut values = full(NoticeKind::RuleBroken);
        values["table"] = json!("");
        values["compared"] = json!(compared);
        let rendered = defaults().render(&notice(NoticeKind::RuleBroken, values)).unwrap();
        for text in [rendered.subject.as_str(), &rendered.text, &rendered.html] {
            assert!(text.contains(named) && !text.contains(not_named), "{text}");
        }
    }
}

fn words(kind: NoticeKind) -> String {
    let rendered = defaults().render(&notice(kind, full(kind))).unwrap();
    format!("{}\n---\n{}", rendered.subject.as_str(), rendered.text)
}

#[test]
fn every_kind_has_words_of_its_own_in_all_parts() {
    let mut subjects = BTreeSet::new();
    for kind in NoticeKind::ALL {
        let rendered = defaults().render(&notice(kind, full(kind))).unwrap();
        assert!(!rendered.subject.as_str().is_empty() && rendered.text.lines().count() > 1);
        assert!(
            rendered.html.contains("</html>") && rendered.html.contains("inutile d’y répondre"),
            "{}",
            rendered.html
        );
        subjects.insert(rendered.subject.as_str().to_owned());
    }
    assert_eq!(subjects.len(), NoticeKind::ALL.len());
}

#[test]
fn what_may_be_missing_may_be_missing() {
    for (kind, values) in [
        (NoticeKind::TrainerAssigned, json!({"trainer": "Zoé", "course": "Rust"})),
        (
            NoticeKind::CapacityBelowZero,
            json!({"person": "Zoé", "hours_left": -1}),
        ),
        (NoticeKind::ShareCreated, json!({"page": "Tarifs"})),
        (
            NoticeKind::LoopAlert,
            json!({"row": "projet/42", "events": 11, "seconds": 60, "parked_minutes": 10}),
        ),
        (
            NoticeKind::OutageOpened,
            json!({"target": "Docmost", "since": "14:02", "reason": "x"}),
        ),
        (NoticeKind::RedisWentBack, json!({"seen": "14:02", "lost": 0})),
        (
            NoticeKind::OutageOver,
            json!({"target": "Docmost", "minutes": 1, "drained": 1, "dead": 0}),
        ),
        (
            NoticeKind::WebhookOff,
            json!({"table": "projet", "webhook": 3, "failures": 0}),
        ),
        (
            NoticeKind::Renamed,
            json!({"what": "table", "old": "projet", "new": "projets"}),
        ),
        (NoticeKind::Digest, json!({"title": "x", "lines": []})),
    ] {
        defaults().render(&notice(kind, values)).unwrap();
    }
}

#[test]
fn a_trainer_reads_what_was_given_to_them() {
    insta::assert_snapshot!(words(NoticeKind::TrainerAssigned), @"
    Nouvelle attribution : Rust & systèmes
    ---
    Bonjour Zoé,

    Une formation vous a été attribuée : Rust & systèmes
    Dates : 3–4 mars
    Heures : 14
    Lieu : Lyon

    La page de la formation : https://wiki.test/p/1
    La fiche dans Baserow : https://baserow.test/r/1

    Message automatique de Passerelle : inutile d’y répondre.
    ");
}

#[test]
fn an_admin_reads_how_much_is_dead_and_what_to_type() {
    insta::assert_snapshot!(words(NoticeKind::DeadLetters), @"
    Abandons : 12, au-delà du budget
    ---
    Des synchronisations ou des messages abandonnés attendent une décision : 12, soit 80 Mio (budget : 64 Mio).
    - sync : 11
    - mail : 1

    Rien n’est jamais supprimé tout seul : ils restent dans Redis tant que personne ne décide.

    À faire : passerelle dead list, corriger la cause, puis passerelle dead replay ou passerelle dead discard.
    Tant que cela dure, ce message revient une fois par jour au plus.

    Message automatique de Passerelle : inutile d’y répondre.
    ");
}

#[test]
fn an_admin_reads_what_to_do_about_a_loop() {
    insta::assert_snapshot!(words(NoticeKind::LoopAlert), @"
    URGENT : boucle détectée sur projet/42
    ---
    La ligne projet/42 a reçu 11 événements identiques en 60 s : une automatisation la modifie sans doute en boucle.
    Sa synchronisation est suspendue pendant 10 min ; rien n’est perdu.

    La fiche dans Baserow : https://baserow.test/r/42

    À faire : chercher l’automatisation qui écrit dans cette ligne, et l’arrêter.

    Message automatique de Passerelle : inutile d’y répondre.
    ");
}

#[test]
fn an_admin_reads_what_became_of_a_webhook_that_was_switched_off() {
    insta::assert_snapshot!(words(NoticeKind::WebhookOff), @"
    Webhook désactivé par Baserow : table projet
    ---
    Le webhook 3 de la table projet était désactivé (depuis le 2026-11-22 11:03:28 UTC) : plus rien n’arrivait de cette table.
    Appels échoués de suite : 8

    Il a déjà été réactivé 2 fois de suite : il reste désactivé jusqu’au 22/11/2026 12:23, puis Passerelle essaiera de nouveau.

    À faire : trouver pourquoi les appels échouaient (journal d’appels du webhook dans Baserow : adresse, secret). Un webhook qui doit se taire se supprime.

    Message automatique de Passerelle : inutile d’y répondre.
    ");
}

#[test]
fn a_digest_has_a_line_for_each_number() {
    insta::assert_snapshot!(words(NoticeKind::Digest), @"
    Docmost : 1 h d’incident
    ---
    Docmost : 1 h d’incident

    - En attente : 3
    - Abandonnés : 0

    Le détail : https://bridge.test

    Message automatique de Passerelle : inutile d’y répondre.
    ");
}

#[test]
fn html_is_escaped_and_only_web_links_are_links() {
    let values = json!({"trainer": "<script>", "course": "a & b", "page_url": "javascript:alert(1)"});
    let rendered = defaults().render(&notice(NoticeKind::TrainerAssigned, values)).unwrap();
    assert!(
        !rendered.html.contains("<script>") && rendered.html.contains("&lt;script&gt;"),
        "{}",
        rendered.html
    );
    assert!(
        rendered.html.contains("href=\"#\"") && !rendered.html.contains("javascript:"),
        "{}",
        rendered.html
    );
    assert!(rendered.text.contains("<script>"));
}

#[test]
fn a_subject_is_one_bounded_line_whatever_the_row_says() {
    let hostile = "Rust\r\nBcc: x@evil.test\n\n\u{2028}\u{0}fin";
    let values = json!({"trainer": "Zoé", "course": hostile});
    let rendered = defaults().render(&notice(NoticeKind::TrainerAssigned, values)).unwrap();
    assert_eq!(
        rendered.subject.as_str(),
        "Nouvelle attribution : Rust Bcc: x@evil.test fin"
    );
    let long = SubjectLine::new(&"é".repeat(500));
    assert_eq!(long.as_str().chars().count(), MOST_SUBJECT_CHARS);
}

#[test]
fn a_missing_variable_is_a_permanent_failure_that_names_the_template() {
    let failure = defaults()
        .render(&notice(NoticeKind::LoopAlert, json!({})))
        .unwrap_err();
    assert_eq!(failure.class, passerelle_model::ledger::FailureClass::Permanent);
    assert!(failure.message.contains("loop-alert.subject"), "{failure}");
}

#[test]
fn a_file_in_the_folder_takes_the_place_of_the_default() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("digest.subject"), "Summary: {{ title }}\n").unwrap();
    for (part, text) in [("subject", "Own"), ("txt", "{{ word }}"), ("html", "<p>{{ word }}</p>")] {
        std::fs::write(folder.path().join(format!("own.{part}")), text).unwrap();
    }
    let templates = Templates::load(folder.path(), &Locale::default()).unwrap();
    let digest = templates
        .render(&notice(NoticeKind::Digest, full(NoticeKind::Digest)))
        .unwrap();
    assert!(digest.subject.as_str().starts_with("Summary: "));
    let mut own = notice(NoticeKind::Digest, json!({"word": "<b>"}));
    own.template = TemplateName::parse("own").unwrap();
    let rendered = templates.render(&own).unwrap();
    assert_eq!(
        (rendered.text.as_str(), rendered.html.as_str()),
        ("<b>\n", "<p>&lt;b&gt;</p>")
    );
}

#[test]
fn every_mistake_in_the_folder_is_reported_at_once() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("digest.txt"), "one\n{{ unclosed").unwrap();
    std::fs::write(folder.path().join("own.subject"), "alone").unwrap();
    let problems = Templates::load(folder.path(), &Locale::default())
        .unwrap_err()
        .to_string();
    for part in ["digest.txt:2", "own.txt: is missing", "own.html: is missing"] {
        assert!(problems.contains(part), "{problems}");
    }
}

#[test]
fn every_notice_is_told_in_each_language_with_moments_in_the_readers_zone() {
    for (word, language, footer) in [
        ("fr", Language::French, "inutile d’y répondre"),
        ("en", Language::English, "no need to answer"),
        ("de", Language::German, "eine Antwort ist nicht nötig"),
    ] {
        let locale = Locale {
            language,
            ..Locale::default()
        };
        let templates = Templates::load(Path::new("no-such-folder"), &locale).unwrap();
        for kind in NoticeKind::ALL {
            let rendered = templates.render(&notice(kind, full(kind))).unwrap();
            let texts = [rendered.subject.as_str(), &rendered.text, &rendered.html];
            assert!(texts.iter().all(|text| !text.trim().is_empty()), "{word} {kind:?}");
            assert!(rendered.text.contains(footer), "{word} {kind:?}: {}", rendered.text);
            assert!(rendered.html.contains(footer), "{word} {kind:?}: {}", rendered.html);
        }
        let stalled =
            json!({"what": "x", "since": "2026-11-27T05:00:00.000Z", "minutes": 5, "cause": "<c>", "fix": "f"});
        let rendered = templates.render(&notice(NoticeKind::Stalled, stalled)).unwrap();
        let told = if word == "de" {
            "27.11.2026 06:00"
        } else {
            "27/11/2026 06:00"
        };
        assert!(rendered.text.contains(told), "{}", rendered.text);
        assert!(rendered.html.contains("&lt;c&gt;"), "{}", rendered.html);
    }
    let english = Locale {
        language: Language::English,
        ..Locale::default()
    };
    let templates = Templates::load(Path::new("no-such-folder"), &english).unwrap();
    let renamed = json!({"what": "field", "old": "Nom", "new": "Titre", "table": "projet"});
    let rendered = templates.render(&notice(NoticeKind::Renamed, renamed)).unwrap();
    assert_eq!(rendered.subject.as_str(), "Field renamed: Nom → Titre");
}
