//! Lists of rows by what the bridge has written into them.

use std::time::{Duration, Instant};

use passerelle_model::id::{PageId, TableId};
use passerelle_model::ledger::FailureClass;
use passerelle_queue::gate::GateName;
use reqwest::Method;
use serde_json::{Value, json};

use super::answers::Listing;
use super::{Baserow, PAGE_SIZE, parsed, query_text};
use crate::clients::answer::Effect;
use crate::content::row::Row;
use crate::failure::{Failure, Unanswered};
use crate::journal::Journal;

/// Servers refuse a longer first line of a request from about 4000 bytes on.
const MOST_QUERY_BYTES: usize = 3_500;

/// Rows whose field has the id of one of these pages.
#[derive(Debug, Clone, Copy)]
pub struct OfPages<'a> {
    /// Their table.
    pub table: TableId,
    /// The name of the field.
    pub field: &'a str,
    pub pages: &'a [PageId],
    /// Whether rows in which the field is empty are meant, too.
    pub or_none: bool,
    /// How long the list may take.
    pub patience: Duration,
}

impl OfPages<'_> {
    /// Asks for the rows of the first `named` pages.
    fn query(&self, named: usize) -> String {
        let of = |kind: &str, value: &str| json!({"field": self.field, "type": kind, "value": value});
        let pages = self.pages.iter().take(named);
        let mut filters: Vec<Value> = pages.map(|page| of("equal", page.as_str())).collect();
        let mut size = filters.len().to_string();
        if self.or_none {
            filters.push(of("empty", ""));
            size = PAGE_SIZE.to_string();
        }
        let filters = json!({"filter_type": "OR", "filters": filters}).to_string();
        query_text(&[("user_field_names", "true"), ("size", &size), ("filters", &filters)])
    }

    /// Asks for the rows of as many pages as an address can name.
    fn longest_query(&self) -> String {
        let mut named = self.pages.len();
        let mut query = self.query(named);
        while query.len() > MOST_QUERY_BYTES && named > 1 {
            named -= 1;
            query = self.query(named);
        }
        query
    }
}

/// Whether a list failed in a way that says nothing of reads of single rows: it is refused, too
/// long, too slow, or breaks Baserow.
pub(crate) fn is_the_lists_own(failure: &Failure) -> bool {
    match failure.class {
        FailureClass::Permanent => !failure.breaks_rule,
        FailureClass::Transient => match (failure.unanswered, failure.status) {
            (Some(Unanswered::TimedOut), _) => true,
            // A proxy refuses the address.
            (Some(Unanswered::NotReached), status) => matches!(status, Some(400 | 414 | 431)),
            (Some(_), _) => false,
            // What is not sent at all knows when to come back.
            (None, None) => failure.retry_after.is_none(),
            (None, Some(status)) => matches!(status, 500 | 504 | 520 | 524),
        },
        _ => false,
    }
}

impl Baserow {
    /// At most 200 rows of pages, in people's own order. Unlike a simple filter, this one is refused
    /// if Baserow does not know the field. The gate hears nothing of what is the list's own trouble.
    pub async fn rows_of_pages(&self, journal: &mut Journal, wanted: OfPages<'_>) -> Result<Vec<Row>, Failure> {
        let path = format!("rows/table/{}/?{}", wanted.table, wanted.longest_query());
        let (gate, began) = (GateName::BaserowRead, Instant::now());
        self.guard.admit(gate).await?;
        let request = self.request(Method::GET, &path);
        let request = request.timeout(wanted.patience.min(self.timeout));
        let result = self.exchange(Effect::Reads, request).await;
        let result = result.and_then(|answer| parsed::<Listing>(&answer));
        if !result.as_ref().is_err_and(is_the_lists_own) {
            self.guard.report(gate, &result);
        }
        journal.call("list_rows", format!("GET baserow {path}"), began, &result);
        Ok(result?.rows().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_no_more_pages_than_a_server_takes() {
        let pages: Vec<PageId> = (0..40)
            .map(|number| PageId::parse(&format!("0199a1b2-0000-7000-8000-{number:012}")).unwrap())
            .collect();
        for field in ["docmost_page_id".to_owned(), "é".repeat(60)] {
            let wanted = OfPages {
                table: TableId::new(2).unwrap(),
                field: &field,
                pages: &pages,
                or_none: true,
                patience: Duration::from_secs(1),
            };
            let query = wanted.longest_query();
            assert!(query.len() <= MOST_QUERY_BYTES, "{} bytes", query.len());
            let named = (0..40)
                .filter(|page| query.contains(&format!("8000-{page:012}")))
                .count();
            assert!((3..40).contains(&named), "{named} pages are named");
        }
    }
}
