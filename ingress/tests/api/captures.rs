//! I8: every delivery that a real Baserow was seen to send is accepted and understood.

use std::path::Path;

use anyhow::Context as _;
use passerelle_model::ledger::LedgerRecord;
use serde_json::Value;

use crate::harness::{Ingress, print_items};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/contract/captures/baserow");

/// A body as it was seen on the wire, with the name of its file.
pub(crate) struct Capture {
    pub(crate) file: String,
    pub(crate) body: String,
}

/// Every captured delivery, in the order of the files. They are found by what they are, not by the
/// names of their files.
pub(crate) fn captures() -> anyhow::Result<Vec<Capture>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(Path::new(FOLDER))? {
        paths.push(entry?.path());
    }
    paths.sort();
    let mut captures = Vec::new();
    for path in paths {
        let file = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .context("a file without a name")?;
        let content: Value = serde_json::from_slice(&std::fs::read(&path)?)?;
        let one = content.get("delivery").into_iter();
        let many = content
            .get("deliveries")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        for delivery in one.chain(many) {
            // A redirected call arrives without a body; a summary of many calls is a number.
            match delivery.get("body").and_then(Value::as_str) {
                None | Some("") => {}
                Some(body) => captures.push(Capture {
                    file: file.to_owned(),
                    body: body.to_owned(),
                }),
            }
        }
    }
    Ok(captures)
}

#[tokio::test]
async fn every_captured_delivery_is_accepted_and_understood() {
    let ingress = Ingress::start().unwrap();
    let captures = captures().unwrap();
    let mut lines = Vec::new();
    for capture in &captures {
        let answer = ingress.deliver(capture.body.as_str()).await.unwrap();
        assert_eq!(answer.status, 200, "{}: {:?}", capture.file, answer.body);
        lines.push(format!("{}: {}", capture.file, answer.word()));
    }
    let ledger = ingress.ledger().await.unwrap();
    assert_eq!(ledger.len(), captures.len());
    for ((line, capture), record) in lines.iter_mut().zip(&captures).zip(ledger) {
        if let LedgerRecord::Accepted(record) = record {
            assert_eq!(record.payload, capture.body.as_bytes(), "{line}");
            let table = record
                .table
                .map_or("no table".to_owned(), |table| format!("table {table}"));
            *line = format!(
                "{line}: {} {table}: {}",
                record.kind.as_str(),
                print_items(&record.items)
            );
        }
    }
    insta::assert_snapshot!(lines.join("\n"));
}
