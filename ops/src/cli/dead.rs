//! The words of `dead`: which letters, in which order, how fast.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use passerelle_model::id::TableId;

use super::{By, OfQueue};
use crate::rows::table_number;

/// `dead …`.
#[derive(Debug, Subcommand)]
pub enum Dead {
    /// The dead letters, newest first.
    #[command(after_help = "Example: passerelle dead list --queue sync --table 2 --newer-than 12h")]
    List {
        /// Which of them.
        #[command(flatten)]
        filter: Filter,
        /// In which order.
        #[arg(long, value_enum, default_value_t = Order::Newest)]
        sort: Order,
    },
    /// One dead letter: what failed, and the story of its row.
    #[command(after_help = "Example: passerelle dead show 01J8ZK3V9D2QX4T6W8Y0A1B2C3")]
    Show {
        /// Its id, from `dead list`.
        id: String,
    },
    /// Tries again: each letter becomes a new event of its row, which is read anew, so that an old letter never overwrites newer data.
    #[command(
        after_help = "Example: passerelle dead replay --all --reason permanent --why \"the space is there again\""
    )]
    Replay {
        /// Which of them.
        #[command(flatten)]
        which: Which,
        /// How fast.
        #[command(flatten)]
        pace: Pace,
        /// Why; kept in the ledger. Needed with --all.
        #[arg(long)]
        why: Option<String>,
        /// Who acts.
        #[command(flatten)]
        by: By,
    },
    /// Writes the letters out, newest first in each queue, one JSON object per line. Nothing is changed.
    #[command(after_help = "Example: passerelle dead export --to letters.jsonl")]
    Export {
        /// Which of them.
        #[command(flatten)]
        filter: Filter,
        /// Into this file, which must not exist yet; else to the output.
        #[arg(long)]
        to: Option<PathBuf>,
    },
    /// Gives up for good: the letters are removed, and the ledger keeps who decided it and why.
    #[command(after_help = "Example: passerelle dead discard 01J8ZK3V9D2QX4T6W8Y0A1B2C3 --why \"the customer left\"")]
    Discard {
        /// Which of them.
        #[command(flatten)]
        which: Which,
        /// Why it shall never be done; kept in the ledger.
        #[arg(long)]
        why: String,
        /// Who acts.
        #[command(flatten)]
        by: By,
    },
}

/// Which dead letters.
#[derive(Debug, Clone, Default, Args)]
pub struct Filter {
    /// Only those of this queue; otherwise those of all: rows (sync) and notices (mail, slack).
    #[arg(long, value_enum)]
    pub queue: Option<OfQueue>,
    /// Only those of this table: 2 or t2 (from Baserow's address bar).
    #[arg(long, value_parser = table)]
    pub table: Option<TableId>,
    /// Only those with this reason: permanent, exhausted, poison, ….
    #[arg(long)]
    pub reason: Option<String>,
    /// Only those that were given up longer ago than this: 30m, 12h, 3d.
    #[arg(long, value_parser = age)]
    pub older_than: Option<Duration>,
    /// Only those that were given up within this time: 30m, 12h, 3d.
    #[arg(long, value_parser = age)]
    pub newer_than: Option<Duration>,
    /// Only those with this text in the job, the cause, the target's answer or the last event; case does not matter.
    #[arg(long)]
    pub text: Option<String>,
    /// At most so many, the newest first.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: Option<u32>,
}

/// Which dead letters to act on.
#[derive(Debug, Args)]
pub struct Which {
    /// Their ids, from `dead list`.
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    pub ids: Vec<String>,
    /// All that match the filters.
    #[arg(long)]
    pub all: bool,
    /// Narrows the choice.
    #[command(flatten)]
    pub filter: Filter,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    pub dry_run: bool,
}

/// The order of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Order {
    /// The latest given up first.
    Newest,
    /// The earliest given up first.
    Oldest,
    /// By table and row.
    Job,
    /// By reason, then newest first.
    Reason,
}

/// How fast to replay.
#[derive(Debug, Clone, Copy, Args)]
pub struct Pace {
    /// Letters per second.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub rate: u32,
    /// Replay all of them at once. Otherwise the first three go ahead, and the others follow only if these end well.
    #[arg(long)]
    pub no_canary: bool,
}

fn table(text: &str) -> Result<TableId, String> {
    table_number(text).ok_or_else(|| format!("{text:?} is no table number; give one such as 2 or t2"))
}

fn age(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no age; give one such as 30m, 12h or 3d");
    let span: jiff::Span = text.parse().map_err(|_| wrong())?;
    let days = jiff::SpanRelativeTo::days_are_24_hours();
    let duration = span.to_duration(days).map_err(|_| wrong())?;
    Duration::try_from(duration).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("30m", 1800)]
    #[case("12h", 43_200)]
    #[case("3d", 259_200)]
    fn an_age_is_read_as_people_write_it(#[case] text: &str, #[case] seconds: u64) {
        assert_eq!(age(text), Ok(Duration::from_secs(seconds)));
    }

    #[test]
    fn a_wrong_age_is_explained() {
        assert!(age("soon").unwrap_err().contains("12h"));
        assert!(age("-3d").is_err());
    }
}
