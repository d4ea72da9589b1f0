//! Baserow's row API: what the bridge asks of it, and what its answers mean.
//!
//! Two habits of Baserow shape this file: it ignores unknown fields with a friendly 200, so a write compares the echoed row with what was sent;
//! and it answers 404 for a row in the trash, for a table that is gone and for a wrong path alike, so the error code is read, not the status.

mod answers;
pub mod user;

use std::collections::BTreeMap;
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
pub use crate::clients::baserow::answers::{Field, LinkingRows, Rows, Table};
use crate::clients::guard::Guard;
use crate::content::row::Row;
use crate::failure::{Failure, Target};
use crate::journal::Journal;

/// The row API with our token.
#[derive(Debug, Clone)]
pub struct Baserow {
    http: Client,
    url: String,
    token: SecretString,
    timeout: Duration,
    guard: Guard,
}

/// Most rows that Baserow gives at once.
const PAGE_SIZE: u32 = 200;

impl Baserow {
    /// Prepares the client; nothing is sent.
    pub fn new(settings: &BaserowSettings, gates: Gates) -> Result<Self, reqwest::Error> {
        Ok(Self {
            http: http(settings.timeout)?,
            url: settings.url.clone(),
            token: settings.token.clone(),
            timeout: settings.timeout,
            guard: Guard::new(gates, Target::Baserow),
        })
    }

    /// How long one call may take; a create that was given up on may still be running then.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The address of a row for people.
    pub fn row_address(&self, table: &Table, row: RowKey) -> String {
        format!(
            "{}/database/{}/table/{}/row/{}",
            self.url, table.database_id, row.table, row.row
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
        let result = self.send(GateName::BaserowRead, self.request(Method::GET, &path)).await;
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
        (table, field): (TableId, &str),
        to: RowId,
        page: u32,
    ) -> Result<LinkingRows, Failure> {
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
        let rows = listing.results.iter();
        let rows = rows.filter_map(|row| Row::from_json(&row.to_string()).ok());
        let rows = rows.filter(|row| row.links(field).iter().any(|link| link.id == to));
        Ok(LinkingRows {
            rows: rows.map(|row| row.id()).collect(),
            has_more: listing.next.is_some(),
        })
    }

    /// One page (from 1) of all rows of a table, in people's own order.
    pub async fn rows(&self, journal: &mut Journal, table: TableId, page: u32) -> Result<Rows, Failure> {
        let (page, size) = (page.to_string(), PAGE_SIZE.to_string());
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
        (table, field): (TableId, &str),
        text: &str,
    ) -> Result<Vec<Row>, Failure> {
        let filter = format!("filter__{field}__equal");
        let query = [("user_field_names", "true"), ("size", "200"), (&filter, text)];
        let path = format!("rows/table/{table}/?{}", query_text(&query));
        let listing: Listing = self.ask(journal, "find_row", &path).await?;
        let rows = listing.results.iter();
        let rows = rows.filter_map(|row| Row::from_json(&row.to_string()).ok());
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
            check_echo(&answer, fields).map(|()| row.id())
        });
        journal.call("create_row", format!("POST baserow {path}"), began, &result);
        result
    }

    /// Writes fields of a row without telling anybody's webhook, and checks that Baserow really took them.
    pub async fn write(
        &self,
        journal: &mut Journal,
        key: RowKey,
        fields: &BTreeMap<&str, String>,
    ) -> Result<(), Failure> {
        let path = format!(
            "rows/table/{}/{}/?user_field_names=true&send_webhook_events=false",
            key.table, key.row
        );
        let began = Instant::now();
        let result = self
            .send(GateName::BaserowWrite, self.request(Method::PATCH, &path).json(fields))
            .await;
        let result = result.and_then(|answer| check_echo(&answer, fields));
        journal.call("write_back", format!("PATCH baserow {path}"), began, &result);
        result
    }

    async fn ask<T: for<'de> Deserialize<'de>>(
        &self,
        journal: &mut Journal,
        step: &str,
        path: &str,
    ) -> Result<T, Failure> {
        let began = Instant::now();
        let result = self
            .send(GateName::BaserowRead, self.request(Method::GET, path))
            .await
            .and_then(|answer| {
                serde_json::from_str(&answer.body).map_err(|error| {
                    answer.failure(
                        FailureClass::Transient,
                        Target::Baserow,
                        format!("unreadable answer: {error}"),
                    )
                })
            });
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
        self.exchange(Effect::Repeatable, request).await.map(|_| ())
    }

    async fn send(&self, gate: GateName, request: RequestBuilder) -> Result<Answer, Failure> {
        self.send_as(gate, Effect::Repeatable, request).await
    }

    async fn send_as(&self, gate: GateName, effect: Effect, request: RequestBuilder) -> Result<Answer, Failure> {
        self.guard.admit(gate).await?;
        let result = self.exchange(effect, request).await;
        self.guard.report(gate, &result);
        result
    }

    async fn exchange(&self, effect: Effect, request: RequestBuilder) -> Result<Answer, Failure> {
        let answer = exchange(Target::Baserow, effect, request).await?;
        match classify(&answer) {
            None => Ok(answer),
            // After a 5xx nobody knows whether a create was carried out.
            Some(failure) if answer.status >= 500 && failure.class == FailureClass::Transient => Err(Failure {
                class: effect.unknown_outcome(),
                ..failure
            }),
            Some(failure) => Err(failure),
        }
    }
}

/// Parameters as they stand behind the `?` of an address; names of fields may have any character.
fn query_text(pairs: &[(&str, &str)]) -> String {
    let url = Url::parse_with_params("http://baserow/", pairs);
    url.ok()
        .and_then(|url| url.query().map(str::to_owned))
        .unwrap_or_default()
}

fn row_in(answer: &Answer) -> Result<Row, Failure> {
    Row::from_json(&answer.body)
        .map_err(|error| answer.failure(FailureClass::Transient, Target::Baserow, error.to_string()))
}

/// Baserow answers 200 and writes nothing if it does not know a field: the echoed row tells.
fn check_echo(answer: &Answer, sent: &BTreeMap<&str, String>) -> Result<(), Failure> {
    let row = row_in(answer)?;
    for (field, value) in sent {
        if row.cell(field).is_none() {
            let message =
                format!("field {field:?} does not exist in the table: create it, or change write_back in bridge.toml");
            return Err(answer.failure(FailureClass::Permanent, Target::Baserow, message));
        }
        if row.text(field).unwrap_or_default() != value {
            let message =
                format!("field {field:?} does not keep what was written: it must be an editable text or URL field");
            return Err(answer.failure(FailureClass::Permanent, Target::Baserow, message));
        }
    }
    Ok(())
}

/// What an answer means; `None` for success. The only place where a status of Baserow becomes a failure.
pub(super) fn classify(answer: &Answer) -> Option<Failure> {
    if answer.is_success() {
        return None;
    }
    let json = answer.json();
    let text = |key: &str| {
        json.as_ref()
            .and_then(|json| json.get(key)?.as_str().map(str::to_owned))
    };
    let code = text("error").unwrap_or_default();
    let (class, message) = match (answer.status, code.as_str()) {
        (404, "ERROR_ROW_DOES_NOT_EXIST") => (FailureClass::Gone, "the row does not exist".to_owned()),
        (404, "ERROR_TABLE_DOES_NOT_EXIST") => (FailureClass::Permanent, "the table does not exist".to_owned()),
        // The token is good, only not for this table: its rows are dead letters, and those of other tables are not held up.
        (401 | 403, "ERROR_NO_PERMISSION_TO_TABLE") => (
            FailureClass::Permanent,
            "BASEROW_TOKEN may not do this on the table: give it read, create and update rights".to_owned(),
        ),
        (401 | 403, _) => (FailureClass::Auth, "BASEROW_TOKEN is not accepted".to_owned()),
        (429, _) => (FailureClass::Throttled, "Baserow asks us to slow down".to_owned()),
        (503, _) if answer.seconds_in(&["retry-after"]).is_some() => (
            FailureClass::Throttled,
            "Baserow is away and says for how long".to_owned(),
        ),
        // A status without Baserow's own JSON is a proxy's or a wrong host name's: the row is innocent.
        (400 | 405 | 413 | 415, _) if json.is_some() => (FailureClass::Permanent, format!("refused: {code}")),
        (status, _) => (
            FailureClass::Transient,
            format!("answered {status} {code}").trim_end().to_owned(),
        ),
    };
    let mut failure = answer.failure(class, Target::Baserow, message);
    failure.retry_after = answer
        .seconds_in(&["retry-after"])
        .filter(|_| class == FailureClass::Throttled);
    Some(failure)
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderMap, HeaderValue};
    use rstest::rstest;

    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer {
            status,
            headers: HeaderMap::new(),
            body: body.to_owned(),
        }
    }

    #[rstest]
    #[case(
        404,
        r#"{"error":"ERROR_ROW_DOES_NOT_EXIST","detail":"The rows ['9'] do not exist."}"#,
        FailureClass::Gone
    )]
    #[case(404, r#"{"error":"ERROR_TABLE_DOES_NOT_EXIST"}"#, FailureClass::Permanent)]
    #[case(404, r#"{"error":"URL_NOT_FOUND"}"#, FailureClass::Transient)]
    #[case(401, r#"{"error":"ERROR_TOKEN_DOES_NOT_EXIST"}"#, FailureClass::Auth)]
    #[case(401, r#"{"error":"ERROR_NO_PERMISSION_TO_TABLE"}"#, FailureClass::Permanent)]
    #[case(
        401,
        r#"{"detail":"Authentication credentials were not provided."}"#,
        FailureClass::Auth
    )]
    #[case(
        400,
        r#"{"error":"ERROR_REQUEST_BODY_VALIDATION","detail":"x"}"#,
        FailureClass::Permanent
    )]
    #[case(400, "<h1>Bad Request (400)</h1>", FailureClass::Transient)]
    #[case(413, r#"{"error":"x"}"#, FailureClass::Permanent)]
    #[case(
        409,
        r#"{"error":"ERROR_FAILED_TO_LOCK_FIELD_DUE_TO_CONFLICT"}"#,
        FailureClass::Transient
    )]
    #[case(
        429,
        r#"{"detail":"Request was throttled. Expected available in 29 seconds."}"#,
        FailureClass::Throttled
    )]
    #[case(500, "<h1>Server Error (500)</h1>", FailureClass::Transient)]
    #[case(502, "", FailureClass::Transient)]
    #[case(301, "", FailureClass::Transient)]
    fn each_answer_has_its_class(#[case] status: u16, #[case] body: &str, #[case] class: FailureClass) {
        assert_eq!(classify(&answer(status, body)).unwrap().class, class);
    }

    #[test]
    fn a_throttled_answer_says_when_to_come_back() {
        let mut throttled = answer(429, "{}");
        throttled.headers.insert("retry-after", HeaderValue::from_static("29"));
        assert_eq!(classify(&throttled).unwrap().retry_after, Some(Duration::from_secs(29)));
    }

    #[test]
    fn a_field_that_baserow_ignored_is_a_named_permanent_failure() {
        let echo = answer(200, r#"{"id":1,"Nom":"x","docmost_page_id":"p1"}"#);
        let sent = |field, value: &str| BTreeMap::from([(field, value.to_owned())]);
        assert_eq!(check_echo(&echo, &sent("docmost_page_id", "p1")), Ok(()));
        let ignored = check_echo(&echo, &sent("inconnu", "p1")).unwrap_err();
        assert_eq!(ignored.class, FailureClass::Permanent);
        assert!(ignored.message.contains("\"inconnu\" does not exist"));
        assert!(check_echo(&echo, &sent("docmost_page_id", "p2")).is_err());
    }
}
