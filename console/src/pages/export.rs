//! Lists as files, CSV or JSON: streamed page by page, and bounded.

use std::io;

use actix_web::http::{StatusCode, header};
use actix_web::web::{Bytes, Path, Query, ServiceConfig, get, resource};
use actix_web::{Error, HttpResponse};
use futures::stream::{Stream, unfold};
use passerelle_model::shown::shown;
use passerelle_queue::QueueName;
use passerelle_store::NoticeState;
use serde::Deserialize;
use tokio::sync::OwnedSemaphorePermit;

use super::lists::listed;
use super::sheet::{Sheet, Which};
use crate::entrance::visitor::Visitor;

/// Lines that are read at once.
const AT_ONCE: u32 = 500;

pub(crate) fn routes(config: &mut ServiceConfig) {
    config.service(resource("/export/{list}.{form}").route(get().to(export)));
}

#[derive(Debug, Deserialize)]
struct Wanted {
    #[serde(default)]
    list: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    queue: String,
    #[serde(default)]
    table: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Csv,
    Json,
}

async fn export(visitor: Visitor, path: Path<(String, String)>, wanted: Query<Wanted>) -> Result<HttpResponse, Error> {
    let (list, form) = path.into_inner();
    let which = match list.as_str() {
        "events" => Some(Which::Events(listed(&wanted.list))),
        "acts" => Some(Which::Acts),
        "notices" => Some(Which::Notices(NoticeState::parse(&wanted.state))),
        "letters" => Some(Which::Letters(
            QueueName::parse(&wanted.queue).unwrap_or(QueueName::Sync),
        )),
        "rows" => Some(Which::Rows(wanted.table.parse().ok())),
        _ => None,
    };
    let form = match form.as_str() {
        "csv" => Some(Form::Csv),
        "json" => Some(Form::Json),
        _ => None,
    };
    let (Some(which), Some(form)) = (which, form) else {
        return Err(visitor.refuse(StatusCode::NOT_FOUND, "refused.nothing", "").into());
    };
    let Ok(place) = visitor.desk().exports.clone().try_acquire_owned() else {
        return Err(visitor
            .refuse(StatusCode::SERVICE_UNAVAILABLE, "refused.exports", "")
            .into());
    };
    let (ending, content) = match form {
        Form::Csv => ("csv", "text/csv; charset=utf-8"),
        Form::Json => ("json", "application/json"),
    };
    let named = format!("attachment; filename=\"passerelle-{list}.{ending}\"");
    let file = File {
        form,
        most: visitor.desk().settings.exported_lines,
        sheet: Sheet::new(visitor, which),
        written: 0,
        at: At::Head,
        _place: place,
    };
    Ok(HttpResponse::Ok()
        .content_type(content)
        .insert_header((header::CONTENT_DISPOSITION, named))
        .streaming(file.parts()))
}

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
enum At {
    Head,
    Lines(String),
    End,
}

/// A file that is being written.
struct File {
    form: Form,
    /// Most lines.
    most: usize,
    sheet: Sheet,
    written: usize,
    at: At,
    _place: OwnedSemaphorePermit,
}

impl File {
    /// Its parts. An error breaks the transfer off, so that nobody takes a part for the whole.
    fn parts(self) -> impl Stream<Item = io::Result<Bytes>> {
        unfold(Some(self), |file| async move {
            let mut file = file?;
            match file.next().await {
                Ok(Some(text)) => Some((Ok(Bytes::from(text)), Some(file))),
                Ok(None) => None,
                Err(why) => {
                    tracing::warn!(error = %why, "an export was broken off");
                    Some((Err(io::Error::other(why)), None))
                }
            }
        })
    }

    async fn next(&mut self) -> Result<Option<String>, String> {
        let after = match &self.at {
            At::Head => {
                self.at = At::Lines(String::new());
                return Ok(Some(self.head()));
            }
            At::Lines(after) => after.clone(),
            At::End => return Ok(None),
        };
        let room = u32::try_from(self.most - self.written).unwrap_or(AT_ONCE).min(AT_ONCE);
        let (lines, next) = self.sheet.page(&after, room).await?;
        let mut text = String::new();
        for line in &lines {
            self.line(&mut text, line);
            self.written += 1;
        }
        let has_more = match next {
            Some(next) if self.written < self.most => {
                self.at = At::Lines(next);
                return Ok(Some(text));
            }
            // A full page says that there may be more.
            Some(next) => !self.sheet.page(&next, 1).await?.0.is_empty(),
            None => false,
        };
        self.at = At::End;
        text.push_str(&self.end(has_more));
        Ok(Some(text))
    }

    fn head(&self) -> String {
        match self.form {
            // Spreadsheets take a file that begins so for UTF-8.
            Form::Csv => format!("\u{feff}{}\r\n", self.sheet.columns().join(",")),
            Form::Json => "{\"lines\":[".to_owned(),
        }
    }

    fn line(&self, text: &mut String, line: &[String]) {
        match self.form {
            Form::Csv => {
                let cells: Vec<String> = line.iter().map(|cell| csv_cell(cell)).collect();
                text.push_str(&cells.join(","));
                text.push_str("\r\n");
            }
            Form::Json => {
                let cells = self.sheet.columns().iter().zip(line);
                let cells = cells.map(|(name, cell)| ((*name).to_owned(), cell.as_str().into()));
                let line = serde_json::Value::Object(cells.collect());
                text.push_str(if self.written > 0 { ",\n" } else { "\n" });
                text.push_str(&line.to_string());
            }
        }
    }

    fn end(&self, has_more: bool) -> String {
        match self.form {
            Form::Csv if has_more => format!("{}\r\n", csv_cell(&format!("only the first {} lines", self.most))),
            Form::Csv => String::new(),
            Form::Json => format!("\n],\"complete\":{}}}\n", !has_more),
        }
    }
}

/// A cell in quotes. A spreadsheet takes one that begins like a formula for a text.
fn csv_cell(text: &str) -> String {
    let text = shown(text).replace('"', "\"\"");
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠']);
    format!("\"{}{text}\"", if is_formula { "'" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula_or_ends_before_its_quote() {
        for text in [
            "=1+1",
            "+1",
            "-1",
            "@SUM(A1)",
            "\t=1",
            "\r=1",
            "＝1",
            "=cmd|' /C calc'!A0",
        ] {
            let cell = csv_cell(text);
            assert!(cell.starts_with("\"'") || cell.starts_with("\"\\"), "{cell}");
        }
        assert_eq!(csv_cell("a\"b,c\nd"), "\"a\"\"b,c\nd\"");
        assert_eq!(csv_cell("t2/r5"), "\"t2/r5\"");
    }
}
