//! Puts notices into words: three templates each, `<name>.subject`, `<name>.txt` and `<name>.html`.
//!
//! The defaults are built in, so that a notice can be sent whatever the folder lacks; a file beside `bridge.toml` takes the place of
//! the default of the same name. All files are read and compiled at start, so that a mistake in one is found then and not at night.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use passerelle_model::config::{Problem, Problems};

use super::{Notice, NoticeKind};
use crate::failure::Failure;

/// The longest subject, in characters.
const MOST_SUBJECT_CHARS: usize = 200;
/// Steps that a template may take: far more than any notice needs, far less than an endless loop.
const FUEL: u64 = 200_000;
const PARTS: [&str; 3] = ["subject", "txt", "html"];

macro_rules! defaults {
    ($($name:literal),* $(,)?) => {
        [$(
            (concat!($name, ".subject"), include_str!(concat!("../../../../templates/notices/", $name, ".subject"))),
            (concat!($name, ".txt"), include_str!(concat!("../../../../templates/notices/", $name, ".txt"))),
            (concat!($name, ".html"), include_str!(concat!("../../../../templates/notices/", $name, ".html"))),
        )*]
    };
}

const DEFAULTS: [(&str, &str); 3 * NoticeKind::ALL.len()] = defaults![
    "event",
    "trainer-assigned",
    "capacity-below-zero",
    "share-created",
    "loop-alert",
    "outage-opened",
    "outage-over",
    "webhook-off",
    "dead-letters",
    "digest",
];
const LAYOUT: (&str, &str) = ("layout.html", include_str!("../../../../templates/notices/layout.html"));

/// A subject: one line, not too long. So it can never become a second header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject(String);

impl Subject {
    /// Takes any text: what ends or hides a line becomes a space, what is too long is cut.
    pub fn new(text: &str) -> Self {
        let breaks = |c: char| c.is_control() || matches!(c, ' ' | '\u{2028}' | '\u{2029}');
        let words: Vec<&str> = text.split(breaks).filter(|word| !word.is_empty()).collect();
        let line = words.join(" ");
        if line.chars().count() <= MOST_SUBJECT_CHARS {
            return Self(line);
        }
        let start: String = line.chars().take(MOST_SUBJECT_CHARS - 1).collect();
        Self(format!("{start}…"))
    }

    /// The line.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A notice in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The subject.
    pub subject: Subject,
    /// The plain text.
    pub text: String,
    /// The same as HTML.
    pub html: String,
}

/// The compiled templates.
#[derive(Debug)]
pub struct Templates {
    environment: Environment<'static>,
}

impl Templates {
    /// The defaults, with the files in `folder` in place of those of the same name. A folder that is not there changes nothing.
    pub fn load(folder: &Path) -> Result<Self, Problems> {
        let mut sources: BTreeMap<String, (String, String)> = DEFAULTS
            .into_iter()
            .chain([LAYOUT])
            .map(|(name, source)| (name.to_owned(), (name.to_owned(), source.to_owned())))
            .collect();
        let mut problems = Vec::new();
        if folder.is_dir() {
            read_folder(folder, &mut sources, &mut problems);
        }
        let mut environment = environment();
        for (name, (place, source)) in &sources {
            if let Err(error) = environment.add_template_owned(name.clone(), source.clone()) {
                let line = error.line().unwrap_or(1);
                problems.push(problem(format!("{place}:{line}"), error.to_string()));
            }
        }
        problems.extend(missing_parts(sources.keys(), folder));
        if problems.is_empty() {
            Ok(Self { environment })
        } else {
            Err(Problems(problems))
        }
    }

    /// Whether there is a template of this name.
    pub fn has(&self, name: &str) -> bool {
        self.environment.get_template(&format!("{name}.subject")).is_ok()
    }

    /// Puts a notice into words. A failure is permanent: the same words would be missing next time.
    pub fn render(&self, notice: &Notice) -> Result<Rendered, Failure> {
        let part = |part: &str| {
            let name = format!("{}.{part}", notice.template);
            self.environment
                .get_template(&name)
                .and_then(|template| template.render(Serde(&notice.values)))
                .map_err(|error| {
                    Failure::unmappable(format!("the notice template {name} cannot be filled in: {error}"))
                })
        };
        Ok(Rendered {
            subject: Subject::new(&part("subject")?),
            text: format!("{}\n", part("txt")?.trim()),
            html: part("html")?,
        })
    }
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    environment.set_fuel(Some(FUEL));
    environment.set_auto_escape_callback(|name| {
        if Path::new(name).extension().is_some_and(|kind| kind == "html") {
            AutoEscape::Html
        } else {
            AutoEscape::None
        }
    });
    environment.add_filter("web_link", web_link);
    environment
}

/// A link that a mail program may open; anything else (`javascript:`, `file:`) leads nowhere.
fn web_link(link: &str) -> String {
    let link = link.trim();
    let is_web = ["https://", "http://"].iter().any(|start| link.starts_with(start));
    if is_web { link.to_owned() } else { "#".to_owned() }
}

fn read_folder(folder: &Path, sources: &mut BTreeMap<String, (String, String)>, problems: &mut Vec<Problem>) {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            problems.push(problem(
                folder.display().to_string(),
                format!("cannot be read: {error}"),
            ));
            return;
        }
    };
    for path in entries.flatten().map(|entry| entry.path()) {
        let is_part = path
            .extension()
            .is_some_and(|kind| PARTS.iter().any(|part| kind == *part));
        let Some(name) = path.file_name().and_then(|name| name.to_str()).filter(|_| is_part) else {
            continue;
        };
        let place = path.display().to_string();
        match std::fs::read_to_string(&path) {
            Ok(source) => {
                sources.insert(name.to_owned(), (place, source));
            }
            Err(error) => problems.push(problem(place, format!("cannot be read: {error}"))),
        }
    }
}

/// A template that has a subject or a text needs all its parts; HTML alone may be a layout.
fn missing_parts<'a>(names: impl Iterator<Item = &'a String> + Clone, folder: &Path) -> Vec<Problem> {
    let known: BTreeSet<&str> = names.map(String::as_str).collect();
    let stems: BTreeSet<&str> = known
        .iter()
        .filter_map(|name| name.strip_suffix(".subject").or_else(|| name.strip_suffix(".txt")))
        .collect();
    let parts = stems.iter().flat_map(|stem| PARTS.map(|part| format!("{stem}.{part}")));
    parts
        .filter(|name| !known.contains(name.as_str()))
        .map(|name| problem(folder.join(name).display().to_string(), "is missing".to_owned()))
        .collect()
}

fn problem(place: String, what: String) -> Problem {
    Problem {
        place,
        what,
        hint: "see templates/notices/README.md for the parts and the variables of a notice".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use passerelle_model::job::JobKey;
    use serde_json::{Value, json};

    use super::*;
    use crate::outbox::notice::{Audience, TemplateName};

    fn defaults() -> Templates {
        Templates::load(Path::new("no-such-folder")).unwrap()
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
            NoticeKind::DeadLetters => json!({"letters": 12, "mebibytes": 80, "budget_mebibytes": 64,
                "queues": [{"queue": "sync", "letters": 11}, {"queue": "mail", "letters": 1}]}),
            NoticeKind::Digest => json!({"title": "Docmost : 1 h d’incident", "console_url": "https://bridge.test",
                "lines": [{"label": "En attente", "value": 3}, {"label": "Abandonnés", "value": 0}]}),
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
            (
                NoticeKind::OutageOver,
                json!({"target": "Docmost", "minutes": 1, "drained": 1, "dead": 0}),
            ),
            (
                NoticeKind::WebhookOff,
                json!({"table": "projet", "webhook": 3, "failures": 0}),
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

        Il a déjà été réactivé 2 fois de suite : il reste désactivé jusqu’au 2026-11-22T11:23:28Z, puis Passerelle essaiera de nouveau.

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
        let rendered = defaults()
            .render(&notice(NoticeKind::TrainerAssigned, values))
            .unwrap();
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
        let rendered = defaults()
            .render(&notice(NoticeKind::TrainerAssigned, values))
            .unwrap();
        assert_eq!(
            rendered.subject.as_str(),
            "Nouvelle attribution : Rust Bcc: x@evil.test fin"
        );
        let long = Subject::new(&"é".repeat(500));
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
        let templates = Templates::load(folder.path()).unwrap();
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
        let problems = Templates::load(folder.path()).unwrap_err().to_string();
        for part in ["digest.txt:2", "own.txt: is missing", "own.html: is missing"] {
            assert!(problems.contains(part), "{problems}");
        }
    }
}
