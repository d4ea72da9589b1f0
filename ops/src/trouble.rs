//! What can go wrong with a verb. Each message says what to do; the exit code says which kind it
//! is.

use passerelle_model::config::Problems;
use passerelle_queue::QueueError;
use passerelle_store::StoreError;

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
}

impl Trouble {
    /// 2 for wrong usage or settings and for what `doctor` finds broken, 130 for Ctrl-C and
    /// SIGTERM, 1 for everything else.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Settings(_) | Self::Usage(_) | Self::Broken(_) => 2,
            Self::Interrupted(_) => 130,
            Self::NotFound(_) | Self::Failed(_) | Self::Queue(_) | Self::Store(_) | Self::Output(_) => 1,
        }
    }
}
