//! Every setting in one table: `.env.example` and `docs/SETTINGS.md` are made from it, and a test
//! compares it with what the programs read.
//!
//! A new setting is one line in `entries.rs`; then `make settings`.

mod entries;
mod render;

pub use entries::{FORMER_SETTINGS, SETTINGS};
pub use render::{env_example, markdown};

/// A program that reads settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Program {
    /// `passerelle-ingress`.
    Ingress,
    /// `passerelle-worker`.
    Worker,
    /// `passerelle`, the operator's program.
    Cli,
    /// `compose.yaml`.
    Scripts,
}

impl Program {
    /// The name on the settings page.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ingress => "ingress",
            Self::Worker => "worker",
            Self::Cli => "passerelle",
            Self::Scripts => "compose",
        }
    }
}

/// What holds while a setting is absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Default {
    /// Nothing: the program refuses to start.
    Required,
    /// What depends on it is off.
    Unset,
    /// This value.
    Value(&'static str),
    /// A value that the program works out, in words.
    Computed(&'static str),
}

/// One setting.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// The environment variable.
    pub name: &'static str,
    /// The heading that it belongs under.
    pub group: &'static str,
    /// What holds while it is absent.
    pub default: Default,
    /// Unit and valid values.
    pub values: &'static str,
    /// Who reads it.
    pub programs: &'static [Program],
    /// What it does, in one sentence or two.
    pub meaning: &'static str,
    /// Whether it must not be shown.
    pub secret: bool,
    /// What `.env.example` shows where there is no default.
    pub example: &'static str,
}

impl Setting {
    /// The setting with this name.
    pub fn find(name: &str) -> Option<&'static Self> {
        SETTINGS.iter().find(|setting| setting.name == name)
    }
}
