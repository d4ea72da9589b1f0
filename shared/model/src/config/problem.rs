//! What is wrong with the configuration, for people.

use std::fmt;

use serde::Serialize;

/// One thing that is wrong with the configuration, with the way to mend it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The setting (with its line, where it stands in a file), or `bridge.toml:12`.
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
