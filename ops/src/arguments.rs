//! Arguments that several verbs share.

use clap::Args;
use passerelle_queue::QueueName;

/// Who acts.
#[derive(Debug, Clone, Args)]
pub struct By {
    /// Who does it; kept in the ledger. Default: the user of this session.
    #[arg(long)]
    pub by: Option<String>,
}

/// Which queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum QueueArgument {
    /// Rows to pages.
    Sync,
    /// E-mail notices.
    Mail,
    /// Slack notices.
    Slack,
}

impl From<QueueArgument> for QueueName {
    fn from(queue: QueueArgument) -> Self {
        match queue {
            QueueArgument::Sync => Self::Sync,
            QueueArgument::Mail => Self::Mail,
            QueueArgument::Slack => Self::Slack,
        }
    }
}
