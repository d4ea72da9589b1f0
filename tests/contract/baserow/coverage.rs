//! Every record is replayed, or left out for a reason.

use super::capture::beginning;
use super::{events, failures, headers, links, outages, rest, retries, webhooks};

/// Records that are not replayed, and why.
const LEFT_OUT: &[(&str, &str)] = &[
    (
        "00-signup",
        "set-up of the recorded server; the sandbox has one user from the start",
    ),
    (
        "00-create-database",
        "set-up of the recorded server; the sandbox has its one database from the start",
    ),
    (
        "00-create-table",
        "set-up of the recorded server; the sandbox has its tables from the start",
    ),
    (
        "00-create-field-formation-Statut",
        "set-up; the field is there, and fields are made in 40-",
    ),
    (
        "00-create-field-personne-heures_restantes_total",
        "set-up; the field is there, and shown in 00-list-fields-personne",
    ),
    (
        "00-create-field-projet-Client",
        "set-up; the field is there, and shown in 00-list-fields-projet",
    ),
    (
        "00-create-field-projet-Statut",
        "set-up; the field is there, and shown in 00-list-fields-projet",
    ),
    (
        "00-token-permissions",
        "set-up; tokens are options and controls of the sandbox",
    ),
    (
        "49-row-undo-call",
        "undo belongs to the browser; to webhooks it is an update like any other",
    ),
    (
        "49-row-undo-ok_all",
        "undo belongs to the browser; to webhooks it is an update like any other",
    ),
    (
        "83-file-import-call",
        "an import runs as a background job; rows added without webhooks are a control of the sandbox",
    ),
    (
        "90-race",
        "a measurement: rows are visible before their webhooks by construction",
    ),
    ("91-throughput", "a measurement of the recorded machine"),
    (
        "91-throughput-drain-backlog-200",
        "a measurement of the recorded machine",
    ),
    (
        "99-export-concurrency-4",
        "a measurement; its lesson is held by one_worker_keeps_the_order_and_four_do_not",
    ),
    (
        "99-order-same-row-export-concurrency-4",
        "a measurement; its lesson is held by one_worker_keeps_the_order_and_four_do_not",
    ),
    (
        "43-all-view-created-ok_all",
        "the sandbox has no views; the ingress's tests read this delivery",
    ),
    (
        "44-all-view-updated-ok_all",
        "the sandbox has no views; the ingress's tests read this delivery",
    ),
    (
        "45-all-view-deleted-ok_all",
        "the sandbox has no views; the ingress's tests read this delivery",
    ),
    (
        "B5-connection-refused",
        "the recorder's own error while no server was running",
    ),
];

/// The prefix of deliveries of test calls: the sandbox makes none, but the ingress's tests read
/// them.
const TEST_CALLS: &str = "60-test-call-";

/// Records that are replayed in the order of a list.
const LISTS: [&[&str]; 7] = [
    rest::ROWS,
    rest::REST,
    rest::FIELDS,
    rest::PERMISSIONS,
    webhooks::MANAGED,
    outages::WHILE_DOWN,
    outages::AFTERWARDS,
];

/// Records that have a test of their own.
const SINGLE: [&str; 24] = [
    rest::TOKEN,
    rest::OTHER_TABLE,
    rest::BAD_HOST,
    rest::LOGIN,
    events::WATCH,
    events::BY_THE_BOT,
    events::OPTION_RENAMED,
    events::BATCH,
    links::PAGES,
    webhooks::TOO_MANY,
    headers::WRITE,
    headers::METHODS,
    failures::STATUSES,
    failures::REDIRECT_MATRIX,
    failures::REFUSED,
    failures::TIMEOUT,
    retries::OUT_OF_ORDER,
    retries::ATTEMPTS,
    retries::TIMELINE,
    retries::DEACTIVATED,
    retries::REACTIVATED,
    retries::FAST,
    failures::LOGGED,
    outages::THROTTLED,
];

/// Prefixes of the names of records that are replayed in groups.
const PREFIXES: [&[&str]; 5] = [
    events::PROJECTS,
    events::HOURS,
    events::EVERYTHING,
    events::WATCHED,
    &[headers::HEADERS, webhooks::PRIVATE],
];

fn is_replayed(name: &str) -> bool {
    let is_redirect = || {
        failures::REDIRECTS
            .iter()
            .any(|status| name == format!("72-redirect-{status}"))
    };
    let mut pairs = links::LINKS
        .iter()
        .map(|(name, _)| *name)
        .chain(events::NO_CHANGE.iter().map(|(name, _)| *name))
        .chain(failures::CALL_LOGS.iter().map(|(name, _)| *name));
    LISTS.concat().contains(&name)
        || SINGLE.contains(&name)
        || PREFIXES.concat().iter().any(|prefix| name.starts_with(prefix))
        || pairs.any(|listed| listed == name)
        || is_redirect()
}

#[test]
fn every_record_is_replayed_or_left_out_for_a_reason() -> anyhow::Result<()> {
    for name in beginning("")?.into_iter().filter(|name| !name.starts_with(TEST_CALLS)) {
        let is_left_out = LEFT_OUT.iter().any(|(left_out, _)| *left_out == name);
        assert_ne!(is_replayed(&name), is_left_out, "{name}: either replayed or left out");
    }
    for (name, _) in LEFT_OUT {
        assert!(!beginning(name)?.is_empty(), "{name} does not exist");
    }
    Ok(())
}
