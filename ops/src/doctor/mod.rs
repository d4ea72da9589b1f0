//! `doctor`: examines everything that the bridge needs; says what it found and what to do. Changes
//! nothing.
//!
//! The parts are examined at the same time, each with a time-out: a system that hangs does not hide
//! the others.

mod cure;
pub(crate) mod ingress;
mod products;
mod rules;
mod senders;
mod settings;
mod stalls;
mod stores;
mod work;

use std::future::Future;
use std::time::Duration;

use passerelle_console::diagnosis::{Finding, State};
use passerelle_model::config::Reader;
use serde::Serialize;
use tokio::time::timeout;

use crate::console::Console;
use crate::text::{Table, Text, Tone, number};
use crate::trouble::Trouble;

/// How long one part may take: longer than a single call, whose own error says more.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug, Serialize)]
struct Diagnosis {
    /// The worst of all.
    state: State,
    findings: Vec<Finding>,
}

/// Examines everything.
pub(crate) async fn examine(reader: &Reader) -> Vec<Finding> {
    let mut findings = settings::look(reader);
    let (stores, ingress, products, senders) = tokio::join!(
        stores::look(reader),
        within("ingress", ingress::look(reader)),
        within("products", products::look(reader)),
        within("notices", senders::look(reader)),
    );
    let sound = stores.sound;
    findings.extend(
        stores
            .findings
            .into_iter()
            .chain(ingress)
            .chain(products)
            .chain(senders),
    );
    findings.extend(within("work", work::look(reader, sound)).await);
    findings
}

/// Examines everything. Exit code 0: all is well, 1: warnings, 2: something is broken.
pub async fn run(reader: Reader, console: &mut Console) -> Result<(), Trouble> {
    let findings = Box::pin(examine(&reader)).await;
    let state = findings.iter().map(|finding| finding.state).max().unwrap_or(State::Ok);
    let diagnosis = Diagnosis { state, findings };
    console.answer(&diagnosis, in_words)?;
    let count = |state| {
        diagnosis
            .findings
            .iter()
            .filter(|finding| finding.state == state)
            .count()
    };
    match state {
        State::Ok => Ok(()),
        State::Warn => Err(Trouble::found(
            "warnings",
            number(count(State::Warn), "warning"),
            "each says what to do",
        )),
        State::Fail => Err(Trouble::Broken(format!(
            "{}, {}",
            number(count(State::Fail), "failure"),
            number(count(State::Warn), "warning")
        ))),
    }
}

async fn within(part: &'static str, looking: impl Future<Output = Vec<Finding>>) -> Vec<Finding> {
    let too_late = |_| {
        let fix = "find out what answers slowly, and run it again";
        vec![Finding::fail(part, format!("no answer within {PATIENCE:?}"), fix)]
    };
    timeout(PATIENCE, looking).await.unwrap_or_else(too_late)
}

fn in_words(diagnosis: &Diagnosis) -> Text {
    let mut table = Table::plain(0);
    for finding in &diagnosis.findings {
        let word = match finding.state {
            State::Ok => Tone::Good.of("ok"),
            State::Warn => Tone::Notice.of("WARN"),
            State::Fail => Tone::Bad.of("FAIL"),
        };
        let fix = finding
            .fix
            .as_ref()
            .map_or_else(String::new, |fix| format!("\n→ {fix}"));
        table.row([word, finding.check.into(), format!("{}{fix}", finding.found).into()]);
    }
    let mut text = Text::default();
    text.table(table);
    text
}
