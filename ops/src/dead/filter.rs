//! The arguments of `dead`: which letters, in which order, how fast.

use std::time::Duration;

use clap::Args;
use passerelle_model::id::TableId;
use passerelle_model::named::TableName;

use crate::arguments::QueueArgument;
use crate::operator::Operator;
use crate::rows::table_id;
use crate::trouble::Trouble;

/// Which dead letters.
#[derive(Debug, Clone, Default, Args)]
pub struct Filter {
    /// Only this queue: sync (rows), mail or slack (notices). Default: all.
    #[arg(long, value_enum)]
    pub queue: Option<QueueArgument>,
    /// Only rows of this table: projet, t2 or 2, or its address.
    #[arg(long, value_parser = TableName::parse)]
    pub table: Option<TableName>,
    /// Only this reason: permanent, exhausted, poison, ….
    #[arg(long)]
    pub reason: Option<String>,
    /// Only letters older than this: 30m, 12h, 3d.
    #[arg(long, value_parser = age)]
    pub older_than: Option<Duration>,
    /// Only letters newer than this: 30m, 12h, 3d.
    #[arg(long, value_parser = age)]
    pub newer_than: Option<Duration>,
    /// Only letters with this text in the job, the cause, the target's answer or the last event.
    /// Case does not matter.
    #[arg(long)]
    pub text: Option<String>,
    /// The most letters, newest first.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: Option<u32>,
}

impl Filter {
    /// With the number of a table that was named.
    pub async fn resolved(mut self, operator: &Operator) -> Result<Self, Trouble> {
        if let Some(table) = &self.table {
            self.table = Some(TableName::Number(table_id(table, operator).await?));
        }
        Ok(self)
    }

    /// The table's number; `None`: all tables.
    pub fn table_id(&self) -> Option<TableId> {
        match self.table {
            Some(TableName::Number(table)) => Some(table),
            _ => None,
        }
    }
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
    /// Which of them.
    #[command(flatten)]
    pub filter: Filter,
    /// Show what would be done, and do nothing.
    #[arg(long)]
    pub dry_run: bool,
}

impl Which {
    /// With the number of a table that was named.
    pub async fn resolved(mut self, operator: &Operator) -> Result<Self, Trouble> {
        self.filter = self.filter.resolved(operator).await?;
        Ok(self)
    }
}

/// The order of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Order {
    /// Newest first.
    Newest,
    /// Oldest first.
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
    /// Do not send the first three ahead. By default, the others follow only if these three
    /// succeed.
    #[arg(long)]
    pub no_canary: bool,
}

fn age(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is not an age; write 30m, 12h or 3d");
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
