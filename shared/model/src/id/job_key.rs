//! The key of a job, and the name of what operators act on that is no job.
//!
//! Redis, SQL and the ledger keep both as text. A key is parsed once, where it enters the process;
//! its text never changes.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{InvalidId, PageId, RowKey, TableId, check};

const PAGE: &str = "page/";
const SHARE: &str = "share/";
/// Unlike `projet/12`, which is a row of the table `projet`.
const TABLE: &str = "table/t";
const NOTICE: &str = "notice/";

text_id!(
    /// What follows `notice/` in the key of a notice's job: `<event id>/<hash of what it is
    /// about>`.
    NoticeId, "notice id", 249, |c| c.is_ascii_graphic()
);
text_id!(
    /// A key that names no job of this version: of a damaged record, or of a foreign producer's
    /// task.
    ForeignKey, "job key", 256, |c| c.is_ascii_graphic()
);
text_id!(
    /// What an operator acted on: `queue/<name>`, `gate/<name>`, `baserow/<…>`, `notice/<…>`,
    /// `job/<key>`.
    Subject, "subject", 256, |c| c.is_ascii_graphic()
);

/// The queue's key of a job: at most one job per key exists, and it never runs twice at once.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum JobKey {
    /// Makes the page of a row equal to the row: `t12/r345`.
    Row(RowKey),
    /// Looks after a wiki page: `page/<id>`.
    Page(PageId),
    /// Looks after a share of a wiki page: `share/<id>`. Its id has the alphabet of a page's.
    Share(PageId),
    /// Has all rows of a table compared with their pages, because a delivery was too large to name
    /// them: `table/t12`.
    Table(TableId),
    /// Sends a notice: `notice/<event id>/<hash>`.
    Notice(NoticeId),
    /// Any other text. Such a job cannot run; its dead letter keeps the key.
    Foreign(ForeignKey),
}

impl JobKey {
    /// Reads a stored key: 1 to 256 printable ASCII characters.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        let key = Self::known(text).map_or_else(|| ForeignKey::parse(text).map(Self::Foreign), Ok)?;
        Ok(key)
    }

    fn known(text: &str) -> Option<Self> {
        if let Some(page) = text.strip_prefix(PAGE) {
            return PageId::parse(page).ok().map(Self::Page);
        }
        if let Some(share) = text.strip_prefix(SHARE) {
            return PageId::parse(share).ok().map(Self::Share);
        }
        if let Some(table) = text.strip_prefix(TABLE) {
            let table: TableId = table.parse().ok()?;
            // As with rows, another spelling is another key.
            return Some(Self::Table(table)).filter(|key| key.to_string() == text);
        }
        if let Some(notice) = text.strip_prefix(NOTICE) {
            return NoticeId::parse(notice).ok().map(Self::Notice);
        }
        let row: RowKey = text.parse().ok()?;
        // `t012/r5` reads as a row too, but the row's job has another text.
        (row.to_string() == text).then_some(Self::Row(row))
    }

    /// The row, where the job is a row's.
    pub fn row(&self) -> Option<RowKey> {
        match self {
            Self::Row(row) => Some(*row),
            _ => None,
        }
    }

    /// The wiki page, where the job is a page's.
    pub fn page(&self) -> Option<&PageId> {
        match self {
            Self::Page(page) => Some(page),
            _ => None,
        }
    }

    /// The share, where the job is a share's.
    pub fn share(&self) -> Option<&PageId> {
        match self {
            Self::Share(share) => Some(share),
            _ => None,
        }
    }

    /// Whether it is about something that can be read again at any time: a row, a page, a share, a
    /// table. A notice cannot.
    pub fn can_be_requested(&self) -> bool {
        matches!(self, Self::Row(_) | Self::Page(_) | Self::Share(_) | Self::Table(_))
    }
}

impl fmt::Display for JobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Row(row) => row.fmt(f),
            Self::Page(page) => write!(f, "{PAGE}{page}"),
            Self::Share(share) => write!(f, "{SHARE}{share}"),
            Self::Table(table) => write!(f, "{TABLE}{table}"),
            Self::Notice(notice) => write!(f, "{NOTICE}{notice}"),
            Self::Foreign(key) => key.fmt(f),
        }
    }
}

impl TryFrom<String> for JobKey {
    type Error = InvalidId;
    fn try_from(text: String) -> Result<Self, InvalidId> {
        Self::parse(&text)
    }
}

impl From<JobKey> for String {
    fn from(key: JobKey) -> Self {
        key.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_job_key_reads_back_as_the_text_that_it_was(
            text in "(t0?[1-9][0-9]{0,3}/r[+0]?[1-9][0-9]{0,3}|(page|share|notice|table)/[!-~]{0,70}|table/t0?[1-9][0-9]{0,3}|[!-~]{1,256})"
        ) {
            prop_assert_eq!(JobKey::parse(&text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn each_kind_of_job_is_recognised_by_its_text() {
        let key = |text: &str| JobKey::parse(text).unwrap();
        assert!(matches!(key("t12/r345"), JobKey::Row(row) if row.table.get() == 12 && row.row.get() == 345));
        assert!(matches!(key("page/0b1f-2"), JobKey::Page(page) if page.as_str() == "0b1f-2"));
        assert!(matches!(key("share/0b1f-2"), JobKey::Share(_)));
        assert!(matches!(key("table/t12"), JobKey::Table(table) if table.get() == 12));
        assert!(matches!(key("notice/0b1f/attribution-mail"), JobKey::Notice(_)));
        for foreign in [
            "t012/r5",
            "t12/r+5",
            "page/a_b",
            "apalis/x",
            "unreadable",
            "notice/",
            "table/t0",
            "table/t07",
            "table/7",
        ] {
            assert!(matches!(key(foreign), JobKey::Foreign(_)), "{foreign}");
        }
    }

    #[test]
    fn a_key_that_the_queue_could_not_keep_is_refused() {
        assert!(JobKey::parse("").is_err());
        assert!(JobKey::parse("notice/with space").is_err());
        assert!(JobKey::parse(&"x".repeat(257)).is_err());
    }
}
