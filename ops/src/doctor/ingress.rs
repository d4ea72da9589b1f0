//! The ingress: is it there, can it accept deliveries, and does its spool empty?

use std::time::Duration;

use passerelle_model::config::{Authorities, Reader, shown_url};
use passerelle_model::ledger::FailureClass;
use passerelle_worker::clients::no_answer;
use passerelle_worker::failure::{Failure, Target, Unanswered};
use reqwest::StatusCode;
use reqwest::header::{HeaderValue, LOCATION};
use serde::Deserialize;

use super::Finding;
use super::cure::INGRESS;
use super::stores::mebibytes;
use crate::age::in_largest_unit;
use crate::supervise::from_here;

const CHECK: &str = "ingress";
/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(5);
const SPOOL_BYTES: &str = "passerelle_ingress_spool_bytes";
const SPOOL_DELIVERIES: &str = "passerelle_ingress_spool_deliveries";
const SPOOL_OLDEST: &str = "passerelle_ingress_spool_oldest_seconds";
const DAMAGED: &str = "passerelle_ingress_spool_damaged_total";

/// What `/readyz` answers.
#[derive(Debug, Deserialize)]
struct Readiness {
    ready: bool,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    warnings: Vec<String>,
}

pub(super) async fn look(reader: &Reader) -> Vec<Finding> {
    let named = reader.optional("INGRESS_URL");
    let addresses = addresses(reader);
    let http = match client(reader) {
        Ok(http) => http,
        Err(error) => {
            return vec![Finding::fail(
                CHECK,
                error.to_string(),
                "repair the system's TLS set-up",
            )];
        }
    };
    let mut findings = Vec::new();
    for address in addresses.split(',').map(|address| address.trim().trim_end_matches('/')) {
        match examine(&http, address).await {
            Ok(found) => findings.extend(found),
            Err(error) => findings.push(unreachable(address, &error, named.is_some())),
        }
    }
    findings
}

/// How many deliveries wait in the spools of all ingresses: answered 200, and not yet counted by
/// Redis. `None` where one does not say it.
pub(crate) async fn spooled(reader: &Reader) -> Option<u64> {
    let http = client(reader).ok()?;
    let mut spooled = 0;
    for address in addresses(reader).split(',') {
        let address = address.trim().trim_end_matches('/');
        let answer = http.get(format!("{address}/metrics")).send().await.ok()?;
        let metrics = answer.error_for_status().ok()?.text().await.ok()?;
        spooled += found(&metrics, SPOOL_DELIVERIES)?;
    }
    Some(spooled)
}

fn client(reader: &Reader) -> Result<reqwest::Client, reqwest::Error> {
    let authorities = Authorities::read(&mut reader.afresh());
    let authorities = authorities.map_or(Ok(Vec::new()), |ours| reqwest::Certificate::from_pem_bundle(&ours.pem))?;
    reqwest::Client::builder()
        .tls_certs_merge(authorities)
        .timeout(PATIENCE)
        .redirect(reqwest::redirect::Policy::none())
        .build()
}

fn addresses(reader: &Reader) -> String {
    let health = || {
        let bind = reader.text("INGRESS_BIND", "127.0.0.1:8080");
        let bind = reader.optional("INGRESS_HEALTH_BIND").unwrap_or(bind);
        // One that listens everywhere is asked here.
        let here = bind.parse().map_or(bind, |address| from_here(address).to_string());
        format!("http://{here}")
    };
    reader.optional("INGRESS_URL").unwrap_or_else(health)
}

async fn examine(http: &reqwest::Client, address: &str) -> Result<Vec<Finding>, Failure> {
    let lost = |error: reqwest::Error| no_answer(Target::Bridge, &error);
    let answer = http.get(format!("{address}/readyz")).send().await.map_err(lost)?;
    let (status, place) = (answer.status(), answer.headers().get(LOCATION).cloned());
    let text = answer.text().await.map_err(lost)?;
    // It answers 503 in its own words where it accepts nothing.
    let readiness: Readiness = serde_json::from_str(&text).map_err(|_| not_an_ingress(status, place.as_ref()))?;
    let metrics = http.get(format!("{address}/metrics")).send().await.map_err(lost)?;
    let metrics = metrics.text().await.map_err(lost)?;
    Ok(judge(&shown_url(address), &readiness, &metrics))
}

/// Something else answered in its place.
fn not_an_ingress(status: StatusCode, place: Option<&HeaderValue>) -> Failure {
    let place = place.and_then(|place| Some(format!(" to {}", shown_url(place.to_str().ok()?))));
    let message = format!(
        "{}{} is not an ingress' answer",
        status.as_u16(),
        place.unwrap_or_default()
    );
    Failure {
        status: Some(status.as_u16()),
        unanswered: Some(Unanswered::NotReached),
        ..Failure::new(FailureClass::Transient, Target::Bridge, message)
    }
}

fn judge(address: &str, readiness: &Readiness, metrics: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !readiness.ready {
        let reason = readiness.reason.as_deref().unwrap_or("no reason given");
        let fix = "repair Redis, or give the spool room (INGRESS_SPOOL_DIR, INGRESS_SPOOL_BYTES): callers get 503";
        findings.push(Finding::fail(
            CHECK,
            format!("{address} cannot accept deliveries: {reason}"),
            fix,
        ));
    }
    for warning in &readiness.warnings {
        findings.push(Finding::warn(
            CHECK,
            format!("{address}: {warning}"),
            "see docs/RUNBOOK.md",
        ));
    }
    let (spooled, bytes) = (number(metrics, SPOOL_DELIVERIES), number(metrics, SPOOL_BYTES));
    if spooled > 0 {
        let fix =
            "none while Redis is down: it is drained when Redis is back. If Redis answers, read the log of the ingress";
        let age = in_largest_unit(Duration::from_secs(number(metrics, SPOOL_OLDEST)));
        let found = format!(
            "{address} has {spooled} deliveries ({}) in its spool, the oldest since {age}",
            mebibytes(bytes)
        );
        findings.push(Finding::warn(CHECK, found, fix));
    }
    let damaged = number(metrics, DAMAGED);
    if damaged > 0 {
        let fix = "passerelle reconcile, then delete the *.damaged files in INGRESS_SPOOL_DIR";
        findings.push(Finding::warn(
            CHECK,
            format!("{address} could not read {damaged} files of its spool"),
            fix,
        ));
    }
    if findings.is_empty() {
        findings.push(Finding::ok(
            CHECK,
            format!("{address} accepts deliveries; its spool is empty"),
        ));
    }
    findings
}

/// The value of a metric without labels; 0 where it is absent.
fn number(metrics: &str, name: &str) -> u64 {
    found(metrics, name).unwrap_or_default()
}

fn found(metrics: &str, name: &str) -> Option<u64> {
    let value = metrics
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    value.trim().parse().ok().map(whole)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float cast saturates, and these are sizes and counts"
)]
fn whole(value: f64) -> u64 {
    value as u64
}

fn unreachable(address: &str, failure: &Failure, is_named: bool) -> Finding {
    let found = format!("{} does not answer: {}", shown_url(address), failure.message);
    let cure = INGRESS.cure(failure);
    if is_named {
        return Finding::fail(CHECK, found, cure);
    }
    // Nobody said that it is here.
    Finding::warn(
        CHECK,
        found,
        format!("{cure}. Where it is elsewhere, set INGRESS_URL to its address"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(readyz: &str, metrics: &str) -> String {
        let readiness: Readiness = serde_json::from_str(readyz).unwrap();
        let findings = judge("http://ingress", &readiness, metrics);
        let lines = findings
            .iter()
            .map(|finding| format!("{:?} {}\n", finding.state, finding.found));
        lines.collect()
    }

    #[test]
    fn an_ingress_that_spools_or_has_lost_files_is_found_although_it_is_ready() {
        let ready = r#"{"ready":true,"warnings":[]}"#;
        assert_eq!(
            judged(ready, "passerelle_ingress_spool_bytes 0\n"),
            "Ok http://ingress accepts deliveries; its spool is empty\n"
        );
        let metrics = "# TYPE x gauge\npasserelle_ingress_spool_bytes 3000000\npasserelle_ingress_spool_deliveries 41\n\
             passerelle_ingress_spool_oldest_seconds 200.5\npasserelle_ingress_spool_damaged_total 2\n";
        let found = judged(ready, metrics);
        assert!(
            found.contains("Warn http://ingress has 41 deliveries (3 MiB) in its spool, the oldest since 3m"),
            "{found}"
        );
        assert!(found.contains("Warn http://ingress could not read 2 files"), "{found}");
    }

    #[test]
    fn an_ingress_that_accepts_nothing_is_a_failure_with_its_reason() {
        let found = judged(
            r#"{"ready":false,"reason":"queue_unavailable","warnings":["the spool is full"]}"#,
            "",
        );
        assert!(
            found.contains("Fail http://ingress cannot accept deliveries: queue_unavailable"),
            "{found}"
        );
        assert!(found.contains("Warn http://ingress: the spool is full"), "{found}");
    }
}
