//! What can go wrong with a verb. Each message says what to do; the exit code says which kind it
//! is.

use std::io::ErrorKind;

use passerelle_model::config::{Problem, Problems};
use passerelle_queue::QueueError;
use passerelle_store::StoreError;
use serde::Serialize;

/// Why a verb failed.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// The settings are wrong.
    #[error(transparent)]
    Settings(#[from] Problems),
    /// The arguments contradict each other, or one is missing.
    #[error("{0}")]
    Usage(String),
    /// The subject does not exist.
    #[error("{0}")]
    NotFound(String),
    /// Something is wrong, and the answer says what.
    #[error("{0}")]
    Failed(String),
    /// The same with a code of its own.
    #[error("{what}: {cure}")]
    Found {
        /// One of [`FOUND`].
        code: &'static str,
        /// What is wrong.
        what: String,
        /// What to do about it.
        cure: String,
    },
    /// Something is broken, and the answer says what: the worse of two states for monitoring.
    #[error("{0}")]
    Broken(String),
    /// Ctrl-C or SIGTERM; the message says what was done until then.
    #[error("{0}")]
    Interrupted(String),
    #[error("{0}. Is Redis running, and is REDIS_URL right?")]
    Queue(#[from] QueueError),
    #[error(transparent)]
    Store(#[from] StoreError),
    /// From the terminal or the file.
    #[error("the answer cannot be written: {0}")]
    Output(String),
    /// Whoever read the answer has closed it, like `head`: there is nobody to tell.
    #[error("nobody reads the answer")]
    Unread,
}

impl Trouble {
    /// An answer that cannot be written.
    pub(crate) fn output(error: impl Into<std::io::Error>) -> Self {
        let error = error.into();
        match error.kind() {
            ErrorKind::BrokenPipe => Self::Unread,
            _ => Self::Output(error.to_string()),
        }
    }

    /// 2 for wrong usage or settings and for what `doctor` finds broken, 130 for Ctrl-C and
    /// SIGTERM, 141 where nobody reads the answer (as for any program that SIGPIPE ends), 1 for
    /// everything else.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Settings(_) | Self::Usage(_) | Self::Broken(_) => 2,
            Self::Interrupted(_) => 130,
            Self::Unread => 141,
            Self::NotFound(_)
            | Self::Failed(_)
            | Self::Found { .. }
            | Self::Queue(_)
            | Self::Store(_)
            | Self::Output(_) => 1,
        }
    }

    /// What is wrong, with a code of its own.
    pub(crate) fn found(code: &'static str, what: impl Into<String>, cure: impl Into<String>) -> Self {
        debug_assert!(FOUND.contains(&code), "{code} is not listed");
        Self::Found {
            code,
            what: what.into(),
            cure: cure.into(),
        }
    }

    /// The word for it that stays.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Settings(_) => "settings",
            Self::Usage(_) => "usage",
            Self::NotFound(_) => "not_found",
            Self::Failed(_) => "failed",
            Self::Found { code, .. } => code,
            Self::Broken(_) => "broken",
            Self::Interrupted(_) => "interrupted",
            Self::Queue(_) => "redis",
            Self::Store(_) => "store",
            Self::Output(_) | Self::Unread => "output",
        }
    }

    /// As a program reads it.
    pub fn told(&self) -> Told<'_> {
        let message = match self {
            Self::Found { what, .. } => what.clone(),
            Self::Queue(error) => error.to_string(),
            other => other.to_string(),
        };
        let cure = match self {
            Self::Found { cure, .. } => cure,
            Self::Settings(_) => "correct the settings that `problems` names",
            Self::Usage(_) => "`passerelle help` and the verb's --help show what it takes",
            Self::NotFound(_) => "compare the name with the verb's list; the message says more",
            Self::Failed(_) => "the message says what to do; `passerelle doctor` examines everything",
            Self::Broken(_) => "each finding of the answer says what to do",
            Self::Interrupted(_) => "the message says how to go on",
            Self::Queue(_) => "start Redis, or correct REDIS_URL; `passerelle doctor` says more",
            Self::Store(_) => "start the database, or correct DATABASE_URL; `passerelle doctor` says more",
            Self::Output(_) | Self::Unread => "give another place for the output, or make room there",
        };
        Told {
            code: self.code(),
            message,
            cure,
            exit_status: self.exit_code(),
            problems: match self {
                Self::Settings(problems) => &problems.0,
                _ => &[],
            },
        }
    }
}

/// The codes of [`Trouble::Found`].
pub const FOUND: [&str; 9] = [
    "deliveries_missing",
    "ended_otherwise",
    "incomplete",
    "items_missing",
    "later_version",
    "no_worker",
    "problems",
    "refused",
    "warnings",
];

/// A failure as `--json` tells it.
#[derive(Debug, Serialize)]
pub struct Told<'a> {
    code: &'static str,
    message: String,
    cure: &'a str,
    exit_status: u8,
    #[serde(skip_serializing_if = "<[Problem]>::is_empty")]
    problems: &'a [Problem],
}
