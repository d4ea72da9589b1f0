//! The table of metrics, in the order of the page.

use super::{Kind, Metric};

/// Times within which a delivery becomes durable, in seconds. Baserow gives up after 5 s.
const ACCEPT_SECONDS: &[f64] = &[0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 3.0];
/// Times that an attempt takes, in seconds. A wiki under load takes seconds.
const ATTEMPT_SECONDS: &[f64] = &[0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0];
/// Times that a call waits for its permit, in seconds.
const WAIT_SECONDS: &[f64] = &[0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0];
/// Numbers of deliveries.
const GROUP_SIZES: &[f64] = &[1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0];

macro_rules! metrics {
    ($($group:literal { $($name:ident = $kind:expr, [$($label:literal),*], $help:literal;)* })*) => {
        /// Every metric of the ingress and of the workers.
        pub const METRICS: &[Metric] = &[$($(Metric {
            name: stringify!($name),
            group: $group,
            kind: $kind,
            labels: &[$($label),*],
            help: $help,
        }),*),*];
    };
}

use Kind::{Counter, Gauge, Histogram};

metrics! {
    "Ingress" {
        passerelle_ingress_deliveries_total = Counter, ["status"],
            "Deliveries that were answered 200: queued, duplicate, ignored, or spooled while Redis was away.";
        passerelle_ingress_items_total = Counter, ["disposition"],
            "Rows of new deliveries: sync is work, other words say why a row was closed at once.";
        passerelle_ingress_refused_total = Counter, ["reason"],
            "Requests that were refused. A rise of one reason is a wrong secret, a proxy, or somebody who tries.";
        passerelle_ingress_accept_seconds = Histogram(ACCEPT_SECONDS), [],
            "Time from the parsed delivery to the durable one.";
        passerelle_ingress_rows_parked_total = Counter, [],
            "Rows that the loop guard parked. Alert: two programs may answer each other.";
        passerelle_ingress_bodies_without_share_total = Counter, [],
            "Bodies that found no memory in time, and were read without their long values.";
    }
    "Spool" {
        passerelle_ingress_spool_bytes = Gauge, [],
            "What the spool's folder holds, with what was set aside.";
        passerelle_ingress_spool_deliveries = Gauge, [],
            "Deliveries in the spool that are to be drained.";
        passerelle_ingress_spool_oldest_seconds = Gauge, [],
            "How long the oldest of them waits. Alert when that is minutes.";
        passerelle_ingress_spool_drained_total = Counter, ["status"],
            "Deliveries that were drained from the spool into the queue.";
        passerelle_ingress_spool_quarantined = Gauge, [],
            "Deliveries that are set aside because Redis cuts the connection for them. Alert when it is not 0.";
        passerelle_ingress_spool_quarantined_total = Counter, [],
            "Deliveries that were set aside.";
        passerelle_ingress_spool_damaged_total = Counter, [],
            "Files of the spool that could not be read to their end. Alert.";
    }
    "Queue" {
        passerelle_queue_redis_up = Gauge, [],
            "1 or 0, from the first change on.";
        passerelle_queue_accept_group = Histogram(GROUP_SIZES), [],
            "Deliveries that shared one round trip.";
        passerelle_queue_leases_lost_total = Counter, [],
            "Leases that were not renewed in time.";
        passerelle_queue_crashes_total = Counter, [],
            "Runs whose handler panicked or whose worker died.";
        passerelle_queue_adopted_total = Counter, [],
            "Tasks of stock apalis-redis producers that became jobs.";
        passerelle_oldest_seconds = Gauge, ["what"],
            "How long the oldest waits: queued, ledger, open; since when a gate is stopped: gate.";
        passerelle_dead_letters = Gauge, [],
            "Dead letters of all queues.";
        passerelle_dead_letters_bytes = Gauge, [],
            "Their bytes in Redis. Alert above passerelle_dead_letters_budget_bytes.";
        passerelle_dead_letters_budget_bytes = Gauge, [],
            "DEAD_LETTERS_BUDGET_BYTES.";
    }
    "Worker" {
        passerelle_worker_attempts_total = Counter, ["result"],
            "Attempts, by result.";
        passerelle_worker_attempt_seconds = Histogram(ATTEMPT_SECONDS), [],
            "How long attempts take.";
        passerelle_docmost_permit_wait_seconds = Histogram(WAIT_SECONDS), [],
            "How long calls of Docmost wait for a permit (DOCMOST_CONCURRENCY).";
        passerelle_cache_failures_total = Counter, ["action"],
            "Caches that could not be read, written or cleared. A warning, never a failed sync.";
        passerelle_notices_total = Counter, ["channel", "result"],
            "Notices: sent, held by NOTICE_MAILS_PER_HOUR (alert), or failed for good.";
        passerelle_tasks_total = Counter, ["task", "result"],
            "Periodic tasks: done, failed, lost, given_back.";
        passerelle_rules_broken_total = Counter, ["table"],
            "Jobs that found the rule of their table broken. Alert when it rises.";
        passerelle_reconcile_findings_total = Counter, ["reason"],
            "Rows that differ from their pages.";
        passerelle_source_findings_total = Counter, ["finding"],
            "Findings at Baserow's webhooks: off (alert), switched_on, failing, missing, refused.";
        passerelle_shares_found_total = Counter, [],
            "Pages that were shared with anyone who has the link. Alert when it rises.";
    }
    "Ledger" {
        passerelle_deliveries_answered = Gauge, [],
            "Deliveries that were answered in the present life of Redis' data. Every worker measures it: take the maximum.";
        passerelle_deliveries_recorded = Gauge, [],
            "Those of them that are in the database.";
        passerelle_deliveries_on_the_way = Gauge, [],
            "Those of them that are on their way into the database.";
        passerelle_deliveries_missing = Gauge, [],
            "0, or answered deliveries are nowhere. Alert.";
        passerelle_ledger_items = Gauge, [],
            "Rows of accepted events. Every worker measures it: take the maximum.";
        passerelle_ledger_items_open = Gauge, [],
            "Those of them without an outcome yet.";
        passerelle_ledger_items_ended = Gauge, ["outcome"],
            "Those of them that have ended, by outcome.";
        passerelle_ledger_items_missing = Gauge, [],
            "0, or the ledger is broken. Alert.";
        passerelle_ledger_backlog_entries = Gauge, [],
            "Ledger entries that the database does not have yet. Alert when it keeps growing.";
        passerelle_ledger_kept_entries = Gauge, [],
            "Ledger entries that the database has and Redis has not forgotten. Alert when it stays above 1,500.";
        passerelle_ledger_entries_written_total = Counter, [],
            "Ledger entries that were written to the database.";
        passerelle_ledger_events_retired_total = Counter, [],
            "Finished events that were removed after LEDGER_KEEP_DAYS.";
    }
    "Traces" {
        passerelle_spans_sent_total = Counter, [],
            "Spans that the collector took (OTEL_EXPORTER_OTLP_ENDPOINT).";
        passerelle_spans_dropped_total = Counter, ["reason"],
            "Spans that nobody will see: full, collector, store. Nothing else suffers.";
    }
    "Outage mode" {
        passerelle_gate_state = Gauge, ["gate"],
            "0 flowing, 1 ramping, 2 probing, 3 stopped.";
        passerelle_gate_ramp_limit = Gauge, ["gate"],
            "Jobs that a ramping gate allows in flight at once, all workers together; 0 if it does not ramp.";
        passerelle_useful_calls = Gauge, ["target"],
            "Calls at once that were found to be useful, all workers together; at most DOCMOST_CONCURRENCY.";
        passerelle_gate_probes_total = Counter, ["target", "result"],
            "Probes of a stopped gate.";
        passerelle_gate_stops_total = Counter, ["gate"],
            "How often a gate stopped.";
        passerelle_incidents_total = Counter, ["target"],
            "Outages that were told to the admin.";
    }
}
