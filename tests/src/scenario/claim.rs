//! What a step of a scenario claims, and what was found.

use serde::Serialize;

use super::{MailSpec, PageSpec};

/// Something that a step claims.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Claim {
    /// In words.
    pub claim: String,
    /// What was found instead; absent if it is true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wrong: Option<Wrong>,
}

/// A claim that is not true.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{about}: expected {expected}, found {found}")]
pub struct Wrong {
    /// What was looked at.
    pub about: String,
    pub expected: String,
    pub found: String,
}

impl Wrong {
    pub(super) fn new(about: impl Into<String>, expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self {
            about: about.into(),
            expected: expected.into(),
            found: found.into(),
        }
    }

    /// Nothing is wrong, if it is so.
    pub(super) fn unless(
        is_so: bool,
        about: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Result<(), Self> {
        if is_so {
            Ok(())
        } else {
            Err(Self::new(about, expected, found))
        }
    }
}

/// The claims of a step, up to the first that is not true.
#[derive(Debug, Default)]
pub(super) struct Claims(pub(super) Vec<Claim>);

impl Claims {
    /// Notes a claim in words, and whether it is true.
    ///
    /// # Errors
    /// It is not true, and is noted so; or it cannot be judged.
    pub(super) fn note<T>(&mut self, claim: impl Into<String>, judged: anyhow::Result<T>) -> anyhow::Result<T> {
        let wrong = match &judged {
            Ok(_) => None,
            Err(error) => match error.downcast_ref::<Wrong>() {
                Some(wrong) => Some(wrong.clone()),
                None => return judged,
            },
        };
        let claim = claim.into();
        self.0.push(Claim { claim, wrong });
        judged
    }

    /// All claims, if what was judged ended well or with one that is not true.
    pub(super) fn after(self, judged: anyhow::Result<()>) -> anyhow::Result<Vec<Claim>> {
        let is_wrong = self.0.iter().any(|claim| claim.wrong.is_some());
        judged.or_else(|error| if is_wrong { Ok(()) } else { Err(error) })?;
        Ok(self.0)
    }
}

/// A step that was played, as people and programs are told of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Told {
    /// The file of the scenario.
    pub scenario: String,
    /// The number of the step, from 1; the last one, behind those of the file, is that nothing is
    /// left undone.
    pub step: usize,
    /// Where it stands.
    pub place: String,
    /// The claim in words.
    pub that: String,
    /// What was done, in words.
    pub acts: Vec<String>,
    /// Up to the first that is not true.
    pub claims: Vec<Claim>,
    /// What waits, and why, and what is dead, if a claim is not true.
    pub facts: Vec<String>,
    pub seconds: f64,
}

impl Told {
    /// The claim that is not true.
    pub fn wrong(&self) -> Option<&Wrong> {
        self.claims.iter().find_map(|claim| claim.wrong.as_ref())
    }
}

impl PageSpec {
    pub(super) fn in_words(&self) -> String {
        let (of, title) = (&self.of, &self.title);
        if self.trashed {
            format!("the page {title:?} of {of} is in the trash")
        } else {
            format!("{of} has the page {title:?}")
        }
    }
}

impl MailSpec {
    pub(super) fn in_words(&self) -> String {
        let texts = self.text.iter().map(|text| format!("with {text:?}"));
        let head = format!("a mail to {}, {:?}", self.to, self.subject);
        let parts: Vec<String> = std::iter::once(head).chain(texts).collect();
        parts.join(", ")
    }
}
