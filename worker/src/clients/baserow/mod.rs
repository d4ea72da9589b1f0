//! Baserow's row API: what the bridge asks of it, and what its answers mean.
//!
//! Two habits of Baserow shape this file: it ignores unknown fields with a friendly 200, so a write compares the echoed row with what was sent;
//! and it answers 404 for a row in the trash, for a table that is gone and for a wrong path alike, so the error code is read, not the status.

mod answers;
mod lists;
mod meaning;
mod rights;
pub mod setup;
pub mod user;
mod writes;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use passerelle_model::config::BaserowSettings;
use passerelle_model::id::{RowId, RowKey, TableId};
use passerelle_model::ledger::FailureClass;
use passerelle_queue::gate::{GateName, Gates};
use reqwest::{Client, Method, RequestBuilder, Url};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use crate::clients::answer::{Answer, Effect, exchange, http};
use crate::clients::baserow::answers::Listing;
pub use crate::clients::baserow::answers::{Field, Linking, LinkingRows, Rows, SelectOption, Table};
pub use crate::clients::baserow::lists::OfPages;
pub(crate) use crate::clients::baserow::lists::is_the_lists_own;
use crate::clients::baserow::meaning::{check_echo, classify, row_in};
pub use crate::clients::baserow::rights::Right;
use crate::clients::baserow::writes::Writes;
use crate::clients::guard::Guard;
use crate::content::row::Row;
use crate::failure::{Failure, Target, Unanswered};
use crate::journal::Journal;

/// The row API with our token.
#[derive(Debug, Clone)]
pub struct Baserow {
    http: Client,
    url: String,
    public_url: String,
    token: SecretString,
    timeout: Duration,
    guard: Guard,
    writes: Arc<Writes>,
}

/// Most rows that Baserow gives at once.
const PAGE_SIZE: u32 = 200;

impl Baserow {
    /// Prepares the client; nothing is sent.
    pub fn new(settings: &BaserowSettings, gates: Gates) -> Result<Self, reqwest::Error> {
        Ok(Self {
            http: http(settings.timeout, settings.authorities.as_ref())?,
            url: settings.url.clone(),
            public_url: settings.public_url.clone(),
            token: settings.token.clone(),
            timeout: settings.timeout,
            guard: Guard::new(gates, Target::Baserow),
            writes: Arc::default(),
        })
    }

    /// How long one call may take; a create that was given up on may still be running then.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The address that people use.
    pub fn public_address(&self) -> &str {
        &self.public_url
    }

    /// The address of a row for people.
    pub fn row_address(&self, table: &Table, row: RowKey) -> String {
        format!(
            "{}/database/{}/table/{}/row/{}",
            self.public_url, table.database_id, row.table, row.row
        )
    }

    /// The tables that our token may see.
    pub async fn tables(&self, journal: &mut Journal) -> Result<Vec<Table>, Failure> {
        self.ask(journal, "list_tables", "tables/all-tables/").await
    }

    /// The fields of a table.
    pub async fn fields(&self, journal: &mut Journal, table: TableId) -> Result<Vec<Field>, Failure> {
        self.ask(journal, "list_fields", &format!("fields/table/{table}/"))
            .await
    }

    /// A row; `None` if it does not exist or is in the trash.
    pub async fn row(&self, journal: &mut Journal, key: RowKey) -> Result<Option<Row>, Failure> {
        let path = format!("rows/table/{}/{}/?user_field_names=true", key.table, key.row);
        let began = Instant::now();
        let result = self.read(self.request(Method::GET, &path)).await;
        journal.call("read_row", format!("GET baserow {path}"), began, &result);
        match result {
            Ok(answer) => row_in(&answer).map(Some),
            Err(failure) if failure.class == FailureClass::Gone => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// One page (from 1) of the rows of a table whose link field has this row. Rows that Baserow listed for another reason are left out:
    /// it ignores a filter on a field that was renamed a moment ago, and lists everything.
    pub async fn rows_linking(
        &self,
        journal: &mut Journal,
        link: Linking<'_>,
        page: u32,
    ) -> Result<LinkingRows, Failure> {
        let Linking { table, field, to } = link;
        let filter = format!("filter__{field}__link_row_has");
        let (page, size, to_text) = (page.to_string(), PAGE_SIZE.to_string(), to.to_string());
        let query = [
            ("user_field_names", "true"),
            ("size", &size),
            ("page", &page),
            (&filter, &to_text),
        ];
        let path = format!("rows/table/{table}/?{}", query_text(&query));
        let listing: Listing = self.ask(journal, "find_linking_rows", &path).await?;
        let rows = listing.rows();
        let rows = rows.filter(|row| row.links(field).iter().any(|link| link.id == to));
        Ok(LinkingRows {
            rows: rows.map(|row| row.id()).collect(),
            has_more: listing.next.is_some(),
        })
    }

    /// One page (from 1) of all rows of a table, in people's own order. A page whose answer would
    /// be too long is read in parts.
    pub async fn rows(&self, journal: &mut Journal, table: TableId, page: u32) -> Result<Rows, Failure> {
        let wanted = Part { page, size: PAGE_SIZE };
        let mut waiting = vec![wanted];
        let mut all = Rows {
            rows: Vec::new(),
            count: 0,
            has_more: true,
        };
        while let Some(part) = waiting.pop().filter(|_| all.has_more) {
            match self.part(journal, table, part).await {
                Ok(read) => {
                    all.rows.extend(read.rows);
                    (all.count, all.has_more) = (read.count, read.has_more);
                }
                Err(failure) if failure.unanswered == Some(Unanswered::TooLong) && part.size > 1 => {
                    waiting.extend(part.parts());
                }
                Err(failure) => return Err(failure),
            }
        }
        Ok(all)
    }

    async fn part(&self, journal: &mut Journal, table: TableId, part: Part) -> Result<Rows, Failure> {
        let (page, size) = (part.page.to_string(), part.size.to_string());
        let query = [("user_field_names", "true"), ("size", &size), ("page", &page)];
        let path = format!("rows/table/{table}/?{}", query_text(&query));
        let listing: Listing = self.ask(journal, "list_rows", &path).await?;
        let rows = listing.results.iter().map(|row| Row::from_json(&row.to_string()));
        let rows = rows.collect::<Result<_, _>>().map_err(|error| {
            Failure::new(
                FailureClass::Transient,
                Target::Baserow,
                format!("a row of the list is {error}"),
            )
        })?;
        Ok(Rows {
            rows,
            count: listing.count,
            has_more: listing.next.is_some(),
        })
    }

    /// The rows of a table whose text field is exactly this. Rows that Baserow listed for another reason are left out: it ignores a filter on a
    /// field that it does not know, and lists everything.
    pub async fn rows_with(
        &self,
        journal: &mut Journal,
        table: TableId,
        field: &str,
        text: &str,
    ) -> Result<Vec<Row>, Failure> {
        let filter = format!("filter__{field}__equal");
        let query = [("user_field_names", "true"), ("size", "200"), (&filter, text)];
        let path = format!("rows/table/{table}/?{}", query_text(&query));
        let listing: Listing = self.ask(journal, "find_row", &path).await?;
        let rows = listing.rows();
        Ok(rows.filter(|row| row.text(field) == Some(text)).collect())
    }

    /// Creates a row without telling anybody's webhook, and checks that Baserow really took the fields. A lost answer is ambiguous.
    pub async fn create(
        &self,
        journal: &mut Journal,
        table: TableId,
        fields: &BTreeMap<&str, String>,
    ) -> Result<RowId, Failure> {
        let path = format!("rows/table/{table}/?user_field_names=true&send_webhook_events=false");
        let began = Instant::now();
        let request = self.request(Method::POST, &path).json(fields);
        let result = self.send_as(GateName::BaserowWrite, Effect::Creates, request).await;
        let result = result.and_then(|answer| {
            let row = row_in(&answer)?;
            check_echo(&answer, &row, fields).map(|()| row.id())
        });
        journal.call("create_row", format!("POST baserow {path}"), began, &result);
        result
    }

    async fn ask<T: for<'de> Deserialize<'de>>(
        &self,
        journal: &mut Journal,
        step: &str,
        path: &str,
    ) -> Result<T, Failure> {
        let began = Instant::now();
        let answer = self.read(self.request(Method::GET, path)).await;
        let result = answer.and_then(|answer| parsed(&answer));
        journal.call(step, format!("GET baserow {path}"), began, &result);
        result
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}/api/database/{path}", self.url))
            .header("Authorization", format!("Token {}", self.token.expose_secret()))
    }

    /// Whether it works and takes our token.
    pub async fn health(&self, patience: Duration) -> Result<(), Failure> {
        let request = self.request(Method::GET, "tokens/check/").timeout(patience);
        self.exchange(Effect::Reads, request).await.map(|_| ())
    }

    async fn read(&self, request: RequestBuilder) -> Result<Answer, Failure> {
        self.send_as(GateName::BaserowRead, Effect::Reads, request).await
    }

    async fn send(&self, gate: GateName, request: RequestBuilder) -> Result<Answer, Failure> {
        self.send_as(gate, Effect::Repeatable, request).await
    }

    async fn send_as(&self, gate: GateName, effect: Effect, request: RequestBuilder) -> Result<Answer, Failure> {
        self.guard.admit(gate).await?;
        let result = self.guard.timed(gate, self.exchange(effect, request)).await;
        self.guard.report(gate, &result);
        result
    }

    async fn exchange(&self, effect: Effect, request: RequestBuilder) -> Result<Answer, Failure> {
        let answer = exchange(Target::Baserow, effect, request).await?;
        classify(&answer, effect).map_or(Ok(answer), Err)
    }
}

fn parsed<T: for<'de> Deserialize<'de>>(answer: &Answer) -> Result<T, Failure> {
    serde_json::from_str(&answer.body).map_err(|error| {
        answer.failure(
            FailureClass::Transient,
            Target::Baserow,
            format!("unreadable answer: {error}"),
        )
    })
}

/// A page of a list with so many rows per page.
#[derive(Debug, Clone, Copy)]
struct Part {
    page: u32,
    size: u32,
}

impl Part {
    /// The same rows as several smaller pages, the last one first.
    fn parts(self) -> impl Iterator<Item = Self> {
        let size = if self.size.is_multiple_of(2) {
            self.size / 2
        } else {
            self.size / 5
        };
        let size = size.max(1);
        let parts = self.size / size;
        let before = (self.page - 1) * parts;
        (1..=parts).rev().map(move |part| Self {
            page: before + part,
            size,
        })
    }
}

/// Parameters as they stand behind the `?` of an address; names of fields may have any character.
fn query_text(pairs: &[(&str, &str)]) -> String {
    let url = Url::parse_with_params("http://baserow/", pairs);
    url.ok()
        .and_then(|url| url.query().map(str::to_owned))
        .unwrap_or_default()
}
