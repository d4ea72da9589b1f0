//! Reads settings from the environment and from `.env`, and collects every problem instead of
//! stopping at the first.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::catalogue::Setting;
use super::problem::{Problem, Problems};
use super::unknown;
use crate::shown::{keep_secret, keep_secrets_of_url};
use secrecy::SecretString;

/// The environment, and what was found wrong with it so far.
#[derive(Debug, Clone)]
pub struct Reader {
    variables: BTreeMap<String, Variable>,
    /// The file over which the environment stands, if one was read.
    file: Option<String>,
    problems: Vec<Problem>,
    /// Files of secrets that could not be read, by the setting: a look-up changes nothing else.
    unreadable: Arc<Mutex<BTreeMap<String, Problem>>>,
    /// Shared by clones: what a program asks for is compared with the table of settings.
    asked: Arc<Mutex<Asked>>,
}

/// A value, and where it stands unless in the environment.
#[derive(Debug, Clone)]
pub(super) struct Variable {
    value: String,
    /// `.env:12`.
    pub(super) place: Option<String>,
}

/// Variables that were looked up, each with its default where it has one.
pub type Asked = BTreeMap<String, Option<String>>;

impl Reader {
    /// Over the variables of this process; see also [`Reader::with_env_file`].
    pub fn from_process() -> Self {
        Self::from_pairs(
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))),
        )
    }

    /// Over given variables, for tests.
    pub fn from_pairs<N: Into<String>, V: Into<String>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        let variables = pairs
            .into_iter()
            .map(|(name, value)| {
                let value = value.into();
                (name.into(), Variable { value, place: None })
            })
            .collect();
        Self {
            variables,
            file: None,
            problems: Vec::new(),
            unreadable: Arc::default(),
            asked: Arc::default(),
        }
    }

    /// The same settings, but for this one.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        let value = value.to_owned();
        self.variables.insert(name.to_owned(), Variable { value, place: None });
        self
    }

    /// Everything that was looked up so far by this reader, its clones and those made by
    /// [`Reader::afresh`].
    pub fn asked(&self) -> Asked {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, name: &str, default: Option<String>) {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let known = asked.entry(name.to_owned()).or_default();
        *known = known.take().or(default);
    }

    /// A text that may be absent; blank counts as absent.
    pub fn optional(&self, name: &str) -> Option<String> {
        self.note(name, None);
        let is_secret = Setting::find(name).is_some_and(|setting| setting.secret);
        let value = self.written(name);
        let value = if is_secret { self.in_file(name, value) } else { value };
        if let Some(value) = &value {
            keep_what_is_secret(name, value);
        }
        value
    }

    /// What the environment or the file `.env` has.
    fn written(&self, name: &str) -> Option<String> {
        let value = self
            .variables
            .get(name)
            .map(|variable| variable.value.trim().to_owned());
        value.filter(|value| !value.is_empty())
    }

    /// The secret of this name, or what the file holds that `<name>_FILE` names.
    fn in_file(&self, name: &str, value: Option<String>) -> Option<String> {
        let by_file = format!("{name}_FILE");
        let Some(path) = self.written(&by_file) else {
            return value;
        };
        let (what, hint) = match (&value, secret_in(Path::new(&path))) {
            (Some(_), _) => (format!("is set, and {name} too"), "leave one of them out"),
            (None, Ok(text)) => return text,
            (None, Err(error)) => (
                format!("{path} cannot be read: {error}"),
                "correct the path, or let this user read the file",
            ),
        };
        let problem = self.problem_at(&by_file, &what, hint);
        let mut unreadable = self.unreadable.lock().unwrap_or_else(PoisonError::into_inner);
        unreadable.insert(by_file, problem);
        None
    }

    /// A text that must be there. Returns an empty text after noting the problem.
    pub fn required(&mut self, name: &str, hint: &str) -> String {
        self.optional(name).unwrap_or_else(|| {
            self.problem(name, "is not set", hint);
            String::new()
        })
    }

    /// A text with a default.
    pub fn text(&self, name: &str, default: &str) -> String {
        self.note(name, Some(default.to_owned()));
        self.optional(name).unwrap_or_else(|| default.to_owned())
    }

    /// A secret that may be absent.
    pub fn secret(&self, name: &str) -> Option<SecretString> {
        let secret = self.optional(name);
        if let Some(secret) = &secret {
            keep_secret(secret);
        }
        secret.map(SecretString::from)
    }

    /// The live secrets of a variable: separated by commas or blanks, so that two can be accepted
    /// during a rotation.
    pub fn secrets(&self, name: &str) -> Vec<SecretString> {
        let separated = self.optional(name);
        let separated = match Setting::find(name) {
            Some(_) => separated,
            // A secret that bridge.toml names.
            None => self.in_file(name, separated),
        };
        separated
            .unwrap_or_default()
            .split([',', ' ', '\t', '\n'])
            .filter(|secret| !secret.is_empty())
            .inspect(|secret| keep_secret(secret))
            .map(SecretString::from)
            .collect()
    }

    /// A value of any parseable type, with a default.
    pub fn parsed<T: FromStr + fmt::Display>(&mut self, name: &str, default: T) -> T {
        self.note(name, Some(default.to_string()));
        let Some(text) = self.optional(name) else {
            return default;
        };
        if let Ok(value) = text.parse() {
            return value;
        }
        self.problem(
            name,
            &format!("{text:?} cannot be read"),
            &format!("give a value like {default}"),
        );
        default
    }

    /// A duration in whole seconds, at least one. The variable's name should end in `_SECONDS`.
    pub fn seconds(&mut self, name: &str, default: u64) -> Duration {
        let seconds = self.parsed(name, default);
        if seconds == 0 {
            self.problem(name, "must not be 0", &format!("give seconds, e.g. {default}"));
        }
        Duration::from_secs(seconds.max(1))
    }

    /// A duration in seconds that may have decimals, above 0 and at most a year.
    pub fn decimal_seconds(&mut self, name: &str, default: Duration) -> Duration {
        let longest = Duration::from_hours(366 * 24);
        let seconds = self.positive(name, default.as_secs_f64());
        Duration::try_from_secs_f64(seconds)
            .unwrap_or(longest)
            .clamp(Duration::from_millis(1), longest)
    }

    /// The same, where 0 is never.
    pub fn decimal_interval(&mut self, name: &str, default: Duration) -> Duration {
        if self.optional(name).is_some_and(|text| text.trim() == "0") {
            self.note(name, Some(default.as_secs_f64().to_string()));
            return Duration::ZERO;
        }
        self.decimal_seconds(name, default)
    }

    /// A number above 0, with a default.
    fn positive(&mut self, name: &str, default: f64) -> f64 {
        let value = self.parsed(name, default);
        if value.is_finite() && value > 0.0 {
            return value;
        }
        self.problem(
            name,
            "must be greater than 0",
            &format!("give a number, e.g. {default}"),
        );
        default
    }

    /// Notes a problem, once: several groups may read one setting.
    pub fn problem(&mut self, place: &str, what: &str, hint: &str) {
        let problem = self.problem_at(place, what, hint);
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    /// A problem of a setting, with the line where it stands.
    fn problem_at(&self, place: &str, what: &str, hint: &str) -> Problem {
        let line = self.variables.get(place).and_then(|variable| variable.place.as_ref());
        Problem {
            place: line.map_or_else(|| place.to_owned(), |line| format!("{place} ({line})")),
            what: what.to_owned(),
            hint: hint.to_owned(),
        }
    }

    /// Names that are no settings and look like one: a slip of the pen, or a setting of another
    /// version. They end no start: an earlier version must start with the file of a later one.
    pub fn unknown(&self) -> Vec<Problem> {
        unknown::names(&self.variables, self)
    }

    /// Logs them, at a start.
    pub fn warn_of_unknown(&self) {
        for Problem { place, what, hint } in self.unknown() {
            tracing::warn!("{place}: {what}: {hint}");
        }
    }

    /// Notes problems that were found elsewhere, e.g. in `bridge.toml`; each once.
    pub fn add(&mut self, problems: Problems) {
        for problem in problems.0 {
            if !self.problems.contains(&problem) {
                self.problems.push(problem);
            }
        }
    }

    /// The same environment with nothing found wrong yet, to read one group of settings by itself.
    #[must_use]
    pub fn afresh(&self) -> Self {
        Self {
            variables: self.variables.clone(),
            file: self.file.clone(),
            problems: Vec::new(),
            unreadable: Arc::default(),
            asked: Arc::clone(&self.asked),
        }
    }

    /// The settings, if nothing was wrong; else all the problems, and the names that may be their
    /// cause.
    pub fn finish<T>(self, settings: T) -> Result<T, Problems> {
        let mut problems = self.problems();
        if problems.is_empty() {
            return Ok(settings);
        }
        problems.extend(self.unknown());
        Err(Problems(problems))
    }

    /// What was found wrong so far.
    pub fn problems(&self) -> Vec<Problem> {
        let unreadable = self.unreadable.lock().unwrap_or_else(PoisonError::into_inner);
        self.problems.iter().chain(unreadable.values()).cloned().collect()
    }
}

/// Whoever reads a setting need not know that it is a secret.
fn keep_what_is_secret(name: &str, value: &str) {
    if !Setting::find(name).is_some_and(|setting| setting.secret) {
        return;
    }
    keep_secrets_of_url(value);
    if !value.contains("://") {
        value.split(',').map(str::trim).for_each(keep_secret);
    } else if name == "SLACK_WEBHOOK_URL" {
        // Who knows the address may post.
        keep_secret(value);
    }
}

mod file;
pub use file::{may_be_there, secret_in};
#[cfg(test)]
mod tests;
