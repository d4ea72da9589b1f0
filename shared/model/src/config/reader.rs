//! Reads settings from the environment and collects every problem instead of stopping at the first.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::catalogue::Setting;
use crate::shown::{keep_secret, keep_secrets_of_url};
use secrecy::SecretString;
use serde::Serialize;

/// One thing that is wrong with the configuration, with the way to mend it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The setting, or `bridge.toml:12`.
    pub place: String,
    /// What is wrong. Never quotes a secret.
    pub what: String,
    /// What to do about it.
    pub hint: String,
}

/// Everything that is wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.0.len() == 1 { "problem" } else { "problems" };
        write!(f, "the configuration has {} {plural}:", self.0.len())?;
        for problem in &self.0 {
            write!(f, "\n  {}: {}\n      → {}", problem.place, problem.what, problem.hint)?;
        }
        Ok(())
    }
}

/// The environment, and what was found wrong with it so far.
#[derive(Debug, Clone)]
pub struct Reader {
    variables: BTreeMap<String, String>,
    problems: Vec<Problem>,
    /// Shared by clones: what a program asks for is compared with the table of settings.
    asked: Arc<Mutex<Asked>>,
}

/// Variables that were looked up, each with its default where it has one.
pub type Asked = BTreeMap<String, Option<String>>;

impl Reader {
    /// Over the variables of this process.
    pub fn from_process() -> Self {
        Self::from_pairs(
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))),
        )
    }

    /// Over given variables, for tests.
    pub fn from_pairs<N: Into<String>, V: Into<String>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        let variables = pairs
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        Self {
            variables,
            problems: Vec::new(),
            asked: Arc::default(),
        }
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
        let value = self.variables.get(name).map(|value| value.trim().to_owned());
        let value = value.filter(|value| !value.is_empty());
        if let Some(value) = &value {
            keep_what_is_secret(name, value);
        }
        value
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
        let separated = self.optional(name).unwrap_or_default();
        separated
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

    /// A number above 0, with a default.
    pub fn positive(&mut self, name: &str, default: f64) -> f64 {
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
        let problem = Problem {
            place: place.to_owned(),
            what: what.to_owned(),
            hint: hint.to_owned(),
        };
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    /// Notes problems that were found elsewhere, e.g. in `bridge.toml`.
    pub fn add(&mut self, problems: Problems) {
        self.problems.extend(problems.0);
    }

    /// The same environment with nothing found wrong yet, to read one group of settings by itself.
    #[must_use]
    pub fn afresh(&self) -> Self {
        Self {
            variables: self.variables.clone(),
            problems: Vec::new(),
            asked: Arc::clone(&self.asked),
        }
    }

    /// The settings, if nothing was wrong; else all the problems.
    pub fn finish<T>(self, settings: T) -> Result<T, Problems> {
        if self.problems.is_empty() {
            Ok(settings)
        } else {
            Err(Problems(self.problems))
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_problems_are_reported_at_once_with_a_hint_each() {
        let mut reader = Reader::from_pairs([("PORT", "many"), ("WAIT_SECONDS", "0")]);
        let port: u16 = reader.parsed("PORT", 8080);
        reader.seconds("WAIT_SECONDS", 5);
        reader.required("NAME", "set it to your name");
        let problems = reader.finish(port).unwrap_err();
        insta::assert_snapshot!(problems, @r#"
        the configuration has 3 problems:
          PORT: "many" cannot be read
              → give a value like 8080
          WAIT_SECONDS: must not be 0
              → give seconds, e.g. 5
          NAME: is not set
              → set it to your name
        "#);
    }

    #[test]
    fn several_live_secrets_may_stand_in_one_variable() {
        let reader = Reader::from_pairs([("SECRET", "old, new")]);
        assert_eq!(reader.secrets("SECRET").len(), 2);
    }
}
