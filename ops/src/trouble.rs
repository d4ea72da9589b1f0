//! What can go wrong with a verb. Each message says what to do; the exit code tells scripts which kind it is.

use passerelle_model::config::Problems;
use passerelle_queue::QueueError;
use passerelle_store::StoreError;

/// Why a verb did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// The settings are wrong.
    #[error(transparent)]
    Settings(#[from] Problems),
    /// What was asked makes no sense.
    #[error("{0}")]
    Usage(String),
    /// What was asked for is not there.
    #[error("{0}")]
    NotFound(String),
    /// The verb found that something is wrong with the bridge, and has told it.
    #[error("{0}")]
    Failed(String),
    /// The verb found that something is broken, and has told it: the worse of two words for monitoring.
    #[error("{0}")]
    Broken(String),
    /// It was told to stop (Ctrl-C); says what was done until then.
    #[error("{0}")]
    Interrupted(String),
    /// Redis failed.
    #[error("{0}. Is Redis running, and is REDIS_URL right?")]
    Queue(#[from] QueueError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The answer could not be written.
    #[error("the answer could not be written: {0}")]
    Output(String),
}

impl Trouble {
    /// 2 for wrong usage or settings, and for what `doctor` finds broken, 130 if it was told to stop, 1 for everything else.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Settings(_) | Self::Usage(_) | Self::Broken(_) => 2,
            Self::Interrupted(_) => 130,
            Self::NotFound(_) | Self::Failed(_) | Self::Queue(_) | Self::Store(_) | Self::Output(_) => 1,
        }
    }
}
