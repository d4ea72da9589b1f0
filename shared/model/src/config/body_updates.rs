//! What an update of a row may do to the body of its page.

use schemars::JsonSchema;
use serde::Deserialize;

/// What an update may do to a page's body.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BodyUpdates {
    /// The body is written once; people own it afterwards. Title and icon follow the row.
    #[default]
    Never,
    /// A section at the top of the page follows the row; all around it belongs to people.
    Section,
    /// The body follows the row; what people wrote in it is replaced.
    Replace,
}

impl BodyUpdates {
    /// Whether anything of the body follows the row.
    pub fn follow(self) -> bool {
        self != Self::Never
    }
}

/// The section of a page that follows its row (`body_updates = "section"`).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SectionOptions {
    /// The line in it that says whose it is; the row's address follows.
    pub note: String,
    /// Whether it is put back at the top after people have taken it away.
    pub recreate: bool,
}

impl Default for SectionOptions {
    fn default() -> Self {
        Self {
            note: "Tenu à jour depuis Baserow ; ce qui est écrit dans ce cadre sera remplacé.".to_owned(),
            recreate: false,
        }
    }
}
