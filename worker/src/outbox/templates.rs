//! Puts notices into words: three templates each, `<name>.subject`, `<name>.txt` and `<name>.html`.
//!
//! The defaults are built in, in each language (`BRIDGE_LOCALE`), so that a notice can be sent
//! whatever the folder lacks; a file beside `bridge.toml` takes the place of the default of the
//! same name. In English and German the HTML is made of the text. All files are read and compiled
//! at start, so that a mistake in one is found then and not at night.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use jiff::tz::TimeZone;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use passerelle_model::config::{self, Language, Locale, Problem, Problems};
use serde_json::{Map, Value, json};

use crate::content::moment;
use crate::content::notice::{Notice, NoticeKind};
use crate::content::rendered::{Rendered, SubjectLine};
use crate::content::template_error;
use crate::failure::Failure;

/// Steps that a template may take: far more than any notice needs, far less than an endless loop.
const FUEL: u64 = 200_000;
const PARTS: [&str; 3] = ["subject", "txt", "html"];

/// The templates of a language, which are in a folder of their own; the HTML is made of the text.
macro_rules! translated {
    ($language:literal, $($name:literal),*) => {
        [$(
            (concat!($name, ".subject"), include_str!(concat!("../../../templates/notices/", $language, "/", $name, ".subject"))),
            (concat!($name, ".txt"), include_str!(concat!("../../../templates/notices/", $language, "/", $name, ".txt"))),
            (concat!($name, ".html"), include_str!("../../../templates/notices/text.html")),
        )*]
    };
}

macro_rules! defaults {
    ($($name:literal),* $(,)?) => {
        const FRENCH: [(&str, &str); 3 * NoticeKind::ALL.len()] = [$(
            (concat!($name, ".subject"), include_str!(concat!("../../../templates/notices/", $name, ".subject"))),
            (concat!($name, ".txt"), include_str!(concat!("../../../templates/notices/", $name, ".txt"))),
            (concat!($name, ".html"), include_str!(concat!("../../../templates/notices/", $name, ".html"))),
        )*];
        const ENGLISH: [(&str, &str); 3 * NoticeKind::ALL.len()] = translated!["en", $($name),*];
        const GERMAN: [(&str, &str); 3 * NoticeKind::ALL.len()] = translated!["de", $($name),*];
    };
}

defaults![
    "event",
    "trainer-assigned",
    "capacity-below-zero",
    "share-created",
    "loop-alert",
    "outage-opened",
    "outage-over",
    "webhook-off",
    "renamed",
    "foreign-marks",
    "dead-letters",
    "redis-went-back",
    "stalled",
    "rule-broken",
    "mails-held",
    "digest",
];
const LAYOUT: (&str, &str) = ("layout.html", include_str!("../../../templates/notices/layout.html"));

#[derive(Debug)]
pub struct Templates {
    environment: Environment<'static>,
    /// The names and texts of the files in the folder.
    of_the_folder: Vec<(String, String)>,
}

impl Templates {
    /// The defaults, with the files in `folder` in place of those of the same name. A folder that
    /// is not there changes nothing.
    pub fn load(folder: &Path, locale: &Locale) -> Result<Self, Problems> {
        let defaults = match locale.language {
            Language::French => FRENCH,
            Language::English => ENGLISH,
            Language::German => GERMAN,
        };
        let mut sources: BTreeMap<String, (String, String)> = defaults
            .into_iter()
            .chain([LAYOUT])
            .map(|(name, source)| (name.to_owned(), (name.to_owned(), source.to_owned())))
            .collect();
        let mut problems = Vec::new();
        if folder.is_dir() {
            read_folder(folder, &mut sources, &mut problems);
        }
        let is_own = |(name, (place, _)): &(&String, &(String, String))| place != *name;
        let own = sources.iter().filter(is_own);
        let of_the_folder = own.map(|(name, (_, text))| (name.clone(), text.clone())).collect();
        let mut environment = environment(locale);
        for (name, (place, source)) in &sources {
            if let Err(error) = environment.add_template_owned(name.clone(), source.clone()) {
                let at = template_error::beginning(&error, source).unwrap_or(0);
                let what = format!("it is no template: {}", template_error::message(&error));
                problems.push(problem(config::place(place, source, at), what));
            }
        }
        problems.extend(missing_parts(sources.keys(), folder));
        if problems.is_empty() {
            Ok(Self {
                environment,
                of_the_folder,
            })
        } else {
            Err(Problems(problems))
        }
    }

    /// Whether there is a template of this name.
    pub fn has(&self, name: &str) -> bool {
        self.environment.get_template(&format!("{name}.subject")).is_ok()
    }

    /// The names of all templates.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let names = self.environment.templates().map(|(name, _)| name);
        names.filter_map(|name| name.strip_suffix(".subject"))
    }

    /// The names and texts of the files in the folder.
    pub fn of_the_folder(&self) -> impl Iterator<Item = (&str, &str)> {
        let files = self.of_the_folder.iter();
        files.map(|(name, text)| (name.as_str(), text.as_str()))
    }

    /// Puts a notice into words. A failure is permanent: the same words would be missing next time.
    pub fn render(&self, notice: &Notice) -> Result<Rendered, Failure> {
        let part = |part: &str, values: &Map<String, Value>| {
            let name = format!("{}.{part}", notice.template);
            self.environment
                .get_template(&name)
                .and_then(|template| template.render(Serde(values)))
                .map_err(|error| {
                    Failure::unmappable(format!("the notice template {name} cannot be filled in: {error}"))
                })
        };
        let subject = SubjectLine::new(&part("subject", &notice.values)?);
        let text = part("txt", &notice.values)?;
        let mut values = notice.values.clone();
        let paragraphs = text.trim().split("\n\n").map(|paragraph| paragraph.lines().collect());
        let paragraphs: Vec<Vec<&str>> = paragraphs.collect();
        values.insert("paragraphs".to_owned(), json!(paragraphs));
        Ok(Rendered {
            subject,
            text: format!("{}\n", text.trim()),
            html: part("html", &values)?,
        })
    }
}

fn environment(locale: &Locale) -> Environment<'static> {
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
    let Locale { language, zone } = locale.clone();
    environment.add_filter("moment", move |text: String| told(text, language, &zone));
    environment
}

/// A link that a mail program may open; anything else (`javascript:`, `file:`) leads nowhere.
fn web_link(link: &str) -> String {
    let link = link.trim();
    let is_web = ["https://", "http://"].iter().any(|start| link.starts_with(start));
    if is_web { link.to_owned() } else { "#".to_owned() }
}

/// A moment in the reader's way; anything else as it is.
fn told(text: String, language: Language, zone: &TimeZone) -> String {
    let moment = moment::moment(&text, zone);
    moment.map_or(text, |moment| moment::in_numbers(&moment, language))
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
mod tests;
