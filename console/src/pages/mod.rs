//! Pages are made here, by templates. Whatever a template inserts is shown as text: markup is
//! escaped, control characters are spelled out, and no secret of this process passes.

pub(crate) mod examination;
pub(crate) mod export;
pub(crate) mod letters;
pub(crate) mod lists;
pub(crate) mod operate;
pub(crate) mod overview;
mod paging;
pub(crate) mod reconcile;
pub(crate) mod redacted;
pub(crate) mod rows;
pub(crate) mod rules;
mod sheet;
pub(crate) mod story;
mod timeline;
pub(crate) mod waiting;
mod wiki_page;

use std::fmt::Write as _;
use std::time::Duration;

use minijinja::value::{Kwargs, Serde, ValueKind};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Output, State, UndefinedBehavior, Value, context};
use passerelle_model::shown::shown;
use passerelle_model::time::Timestamp;
use serde::Serialize;

use crate::assets;
use crate::words::Tongue;

macro_rules! templates {
    ($($name:literal),+ $(,)?) => {
        const TEMPLATES: &[(&str, &str)] = &[$(($name, include_str!(concat!("../../templates/", $name)))),+];
    };
}

templates!(
    "acts.html",
    "base.html",
    "events.html",
    "examination_now.html",
    "forms.html",
    "icons.html",
    "letters.html",
    "lists.html",
    "login.html",
    "notices.html",
    "operate.html",
    "overview.html",
    "overview_now.html",
    "plan.html",
    "preview.html",
    "reconcile.html",
    "reconcile_now.html",
    "refused.html",
    "rows.html",
    "rules.html",
    "run.html",
    "run_now.html",
    "waiting.html",
    "why.html",
);

/// What is younger counts as now.
const NOW: Duration = Duration::from_secs(3);

/// When a figure is from, if it is not from now.
pub(crate) fn of_before(at: Timestamp, now: Timestamp) -> Option<i64> {
    (now.since(at) >= NOW).then(|| at.as_millis())
}

/// The templates, in each language.
#[derive(Debug)]
pub(crate) struct Pages {
    english: Environment<'static>,
    french: Environment<'static>,
}

/// What every page has around its content.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) tongue: Tongue,
    /// Who is signed in.
    pub(crate) person: Option<Person>,
    /// The token of its forms.
    pub(crate) token: String,
    /// The address of the page.
    pub(crate) path: String,
}

/// Who is signed in.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Person {
    pub(crate) name: String,
    pub(crate) can_act: bool,
    /// Signed in at a proxy: there is nothing to sign out of here.
    pub(crate) is_proxied: bool,
}

impl Pages {
    /// Reads the templates.
    pub(crate) fn new() -> Result<Self, Error> {
        Ok(Self {
            english: environment(Tongue::English)?,
            french: environment(Tongue::French)?,
        })
    }

    /// A page. The error says what is wrong with its template.
    pub(crate) fn render(&self, frame: &Frame, template: &str, content: Value) -> Result<String, String> {
        let around = context! {
            person => frame.person.as_ref().map(Serde),
            token => frame.token.as_str(),
            path => frame.path.as_str(),
            section => frame.path.split(['?', '#']).next().unwrap_or_default(),
            lang => frame.tongue.tag(),
            style => assets::address("style.css"),
            script => assets::address("console.js"),
            icon => assets::address("icon.svg"),
        };
        self.part(frame.tongue, template, context! { ..content, ..around })
    }

    /// A part of a page, which is the same for everybody.
    pub(crate) fn part(&self, tongue: Tongue, template: &str, content: Value) -> Result<String, String> {
        let environment = match tongue {
            Tongue::English => &self.english,
            Tongue::French => &self.french,
        };
        let made = environment
            .get_template(template)
            .and_then(|found| found.render(content));
        made.map_err(|error| {
            let why = format!("{error:#}");
            tracing::error!(template, error = %why, "a page of the console cannot be made");
            why
        })
    }

    /// A page that says what is wrong.
    pub(crate) fn refusal(&self, frame: &Frame, key: &str, why: &str) -> String {
        let (title, text) = (format!("{key}.title"), format!("{key}.text"));
        let content = context! {
            title => frame.tongue.say(&title, &[]),
            text => frame.tongue.say(&text, &[("why", why)]),
        };
        self.render(frame, "refused.html", content).unwrap_or(text)
    }
}

fn environment(tongue: Tongue) -> Result<Environment<'static>, Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_formatter(write_shown);
    environment.add_function("t", move |key: &str, values: Kwargs| said(tongue, key, None, &values));
    environment.add_function("n", move |key: &str, n: u64, values: Kwargs| {
        said(tongue, key, Some(n), &values)
    });
    // A form's own number, so that the same form sent twice is known.
    environment.add_function("once", || hex::encode(rand::random::<[u8; 16]>()));
    environment.add_filter("number", move |n: i64| tongue.number(n.unsigned_abs()));
    environment.add_filter("span", move |millis: u64| tongue.span(Duration::from_millis(millis)));
    environment.add_filter("moment", |millis: i64| time_element(millis, "moment", &written(millis)));
    environment.add_filter("ago", move |millis: i64| {
        let age = Timestamp::now().since(Timestamp::from_millis(millis));
        time_element(millis, "ago", &tongue.ago(age))
    });
    environment.add_filter("urlencode", |text: &str| encoded(text));
    environment.add_filter("until", move |millis: i64| {
        tongue.span(Timestamp::from_millis(millis).since(Timestamp::now()))
    });
    for (name, source) in TEMPLATES {
        environment.add_template(name, source)?;
    }
    Ok(environment)
}

/// Everything that is inserted passes here.
fn write_shown(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    match value.as_str() {
        Some(text) if value.kind() == ValueKind::String && !value.is_safe() => {
            minijinja::escape_formatter(out, state, &Value::from(shown(text).as_ref()))
        }
        _ => minijinja::escape_formatter(out, state, value),
    }
}

fn said(tongue: Tongue, key: &str, n: Option<u64>, values: &Kwargs) -> Result<String, Error> {
    let mut named = Vec::new();
    for name in values.args() {
        named.push((name, values.get::<Value>(name)?.to_string()));
    }
    values.assert_all_used()?;
    let pairs: Vec<(&str, &str)> = named.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let known = n.map_or_else(|| key.to_owned(), |_| format!("{key}.one"));
    if !tongue.knows(&known) {
        return Err(Error::new(
            ErrorKind::InvalidOperation,
            format!("there is no text {known}"),
        ));
    }
    Ok(match n {
        Some(n) => tongue.count(key, n, &pairs),
        None => tongue.say(key, &pairs),
    })
}

/// A moment as a page without script shows it: in UTC.
fn written(millis: i64) -> String {
    let text = Timestamp::from_millis(millis).to_string();
    match text.split_once('T') {
        Some((day, time)) => format!("{day} {} UTC", time.get(..8).unwrap_or(time)),
        None => text,
    }
}

/// A text as part of an address.
pub(crate) fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// The script tells moments in the reader's own zone.
fn time_element(millis: i64, show: &str, text: &str) -> Value {
    let (moment, exact) = (Timestamp::from_millis(millis), written(millis));
    Value::from_safe_string(format!(
        r#"<time datetime="{moment}" data-show="{show}" title="{exact}">{text}</time>"#
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_says_when_it_is_from_if_it_is_not_from_now() {
        let at = Timestamp::from_millis(1_732_280_000_000);
        assert_eq!(of_before(at, at.plus(Duration::from_secs(2))), None);
        assert_eq!(of_before(at, at.plus(NOW)), Some(at.as_millis()));
    }

    #[test]
    fn what_is_inserted_is_neither_markup_nor_obeyed_by_a_browser() {
        let mut environment = environment(Tongue::English).unwrap();
        environment
            .add_template("x.html", "<p title=\"{{ value }}\">{{ value }}</p>")
            .unwrap();
        let value = "<script>alert(1)</script>\" onload='x' & \u{202e}\u{1b}[31m\0";
        let made = environment
            .get_template("x.html")
            .and_then(|found| found.render(context! { value }))
            .unwrap();
        for raw in ["<script", "\" onload", "\u{202e}", "\u{1b}", "\0"] {
            assert!(!made.contains(raw), "{made}");
        }
        assert!(made.contains("&lt;script&gt;") && made.contains("\\u202e"), "{made}");
    }

    #[test]
    fn every_template_can_be_read_in_both_languages() {
        Pages::new().unwrap();
    }

    #[test]
    fn a_text_that_does_not_exist_is_an_error_and_no_page() {
        let mut environment = environment(Tongue::French).unwrap();
        environment.add_template("x.html", "{{ t(\"no.such.text\") }}").unwrap();
        let made = environment.get_template("x.html").and_then(|found| found.render(()));
        assert!(made.unwrap_err().to_string().contains("no.such.text"));
    }
}
