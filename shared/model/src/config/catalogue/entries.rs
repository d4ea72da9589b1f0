//! The table itself. One entry: name = default, valid values, who reads it, meaning; groups and
//! entries in the order of the settings page.

use super::{Default, Program, Setting};

use Default::{Computed, Required, Unset, Value};
use Program::{Cli, Ingress, Scripts, Worker};

/// `NAME = default, "values", [programs], "meaning";` with `secret` before the name, or `e.g. "…"`
/// after the default, where they apply.
macro_rules! settings {
    ($($group:literal { $(
        $([$secret:ident])? $name:ident = $default:expr, $(e.g. $example:literal,)?
            $values:literal, [$($program:ident),+], $meaning:literal;
    )+ })+) => {
        /// Every setting, in the order of the settings page.
        pub const SETTINGS: &[Setting] = &[$($(Setting {
            name: stringify!($name),
            group: $group,
            default: $default,
            values: $values,
            programs: &[$($program),+],
            meaning: $meaning,
            secret: settings!(@is_secret $($secret)?),
            example: concat!("", $($example)?),
        },)+)+];
    };
    (@is_secret secret) => { true };
    (@is_secret) => { false };
}

/// Settings of the release before, and what became of them: told for one release.
pub const FORMER_SETTINGS: [(&str, &str); 2] = [("GATE_RAMP_SECONDS", RAMP), ("GATE_FULL_RATE", RAMP)];
const RAMP: &str = "leave it out: a ramp follows the answers of its target, no longer the clock";

settings! {
    "Baserow and Docmost" {
        BASEROW_URL = Required, e.g. "https://baserow.example.org", "an http:// or https:// address", [Worker, Cli],
            "The address of Baserow.";
        BASEROW_PUBLIC_URL = Computed("BASEROW_URL"), e.g. "https://baserow.example.org",
            "an http:// or https:// address", [Worker, Cli],
            "The address that people use, for links, where it differs from BASEROW_URL.";
        [secret] BASEROW_TOKEN = Required, "text", [Worker, Cli],
            "A database token with read, create and update rights (Baserow: Settings → Database tokens).";
        BASEROW_TIMEOUT_SECONDS = Value("15"), "seconds, from 1", [Worker, Cli],
            "How long one call of Baserow may take.";
        BASEROW_EMAIL = Unset, e.g. "admin@example.org", "an e-mail address", [Worker, Cli],
            "A Baserow user, builder or admin in the workspace: for `make provision`, and for workers that switch \
             webhooks back on. The bridge runs without.";
        [secret] BASEROW_PASSWORD = Unset, "text", [Worker, Cli],
            "The password of that user.";
        DOCMOST_URL = Required, e.g. "https://wiki.example.org", "an http:// or https:// address", [Worker, Cli],
            "The address of Docmost.";
        DOCMOST_PUBLIC_URL = Computed("DOCMOST_URL"), e.g. "https://wiki.example.org",
            "an http:// or https:// address", [Worker, Cli],
            "The address that people use, for links, where it differs from DOCMOST_URL.";
        DOCMOST_COLLAB_URL = Computed("DOCMOST_URL"), e.g. "https://collab.example.org",
            "an http://, https://, ws:// or wss:// address", [Worker, Cli],
            "The address of Docmost's collaborative documents, where Docmost itself has a COLLAB_URL. Without /collab.";
        DOCMOST_EMAIL = Required, e.g. "bridge@example.org", "an e-mail address", [Worker, Cli],
            "The bridge's own Docmost account: a member, writer in the spaces that the rules use. Not needed with \
             DOCMOST_TOKEN.";
        [secret] DOCMOST_PASSWORD = Required, "text", [Worker, Cli],
            "The password of that account. Not needed with DOCMOST_TOKEN.";
        [secret] DOCMOST_TOKEN = Unset, "text", [Worker, Cli],
            "A bearer token in place of e-mail address and password (Docmost's enterprise API keys).";
        DOCMOST_TIMEOUT_SECONDS = Value("15"), "seconds, from 1", [Worker, Cli],
            "How long one call of Docmost may take.";
        EXTRA_CA_FILE = Unset, e.g. "/etc/passerelle/ca.pem", "the path of a PEM file", [Worker, Cli],
            "Certificate authorities to trust besides the system's: for Baserow, Docmost, the mail server, Slack and \
             PostgreSQL. (Redis has REDIS_CA_FILE.)";
        BRIDGE_INSTANCE = Unset, e.g. "k3x9q2ab", "4 to 16 small letters and digits", [Worker, Cli],
            "The word by which the bridge's pages carry its mark (label `baserow-bridge-…`). Only for a bridge whose \
             database was lost: a new one makes its own, and one that has its database keeps it.";
        DOCMOST_CONCURRENCY = Value("16"), "a number, from 1", [Worker, Cli],
            "The most calls of Docmost at once, all workers together. Below it, the workers find by themselves how many \
             gain anything, beginning with 4.";
    }
    "Webhooks" {
        [secret] BASEROW_WEBHOOK_SECRET = Required,
            "at least 16 characters; two, separated by a comma, during a rotation", [Ingress, Worker, Cli],
            "The secret of the webhooks. `[sources]` in bridge.toml names this variable, and may name others. A worker that \
             switches webhooks back on (BASEROW_EMAIL) knows by it which are of this bridge.";
    }
    "Pages and messages" {
        BRIDGE_LOCALE = Value("fr"), "fr, en or de", [Worker, Cli],
            "The language of messages to people, and of numbers, dates and small words that templates write: `05/12/2026`, `1 234,50`.";
        BRIDGE_TIME_ZONE = Value("Europe/Paris"), "a name of the time zone database", [Worker, Cli],
            "Where moments are told, except those of a Baserow field that forces a time zone of its own.";
    }
    "Notices" {
        SMTP_URL = Unset, e.g. "smtp://mail.example.org:587",
            "smtp://host:port (STARTTLS) or smtps://host:port (TLS)", [Worker, Cli],
            "The mail server. Without it no mail is sent, and notices are kept as `off`.";
        SMTP_TLS = Computed("starttls for smtp://, tls for smtps://"), e.g. "starttls",
            "none, starttls or tls", [Worker, Cli],
            "How the connection is encrypted, where the URL does not say it.";
        SMTP_USERNAME = Unset, e.g. "passerelle", "text", [Worker, Cli],
            "The user at the mail server, if it wants one.";
        [secret] SMTP_PASSWORD = Unset, "text", [Worker, Cli],
            "The password of that user.";
        SMTP_CA_FILE = Computed("EXTRA_CA_FILE"), e.g. "/etc/ssl/mail-ca.pem", "the path of a PEM file", [Worker, Cli],
            "A certificate authority that the mail server's certificate may be signed by, besides the system's.";
        SMTP_TIMEOUT_SECONDS = Value("20"), "seconds, from 1", [Worker, Cli],
            "How long one answer of the mail server may take.";
        MAIL_FROM = Unset, e.g. "\"Passerelle <passerelle@example.org>\"",
            "an e-mail address, with a name if you like", [Worker, Cli],
            "The sender of mails. Required with SMTP_URL.";
        ADMIN_EMAIL = Unset, e.g. "admin@example.org", "e-mail addresses, separated by commas", [Worker, Cli],
            "Who receives messages about outages and other trouble. Required with SMTP_URL.";
        NOTICE_MAILS_PER_HOUR = Value("200"), "a number; 0: no limit", [Worker],
            "The most mails to people, whose addresses come from rows, within an hour. The others wait, and the admin \
             is told.";
        [secret] SLACK_WEBHOOK_URL = Unset, e.g. "https://hooks.slack.com/services/…",
            "an https:// address", [Worker, Cli],
            "An incoming webhook of Slack. Without it nothing is posted. Anyone who knows it can post.";
        SLACK_TIMEOUT_SECONDS = Value("10"), "seconds, from 1", [Worker, Cli],
            "How long one call of Slack may take.";
    }
    "Storage" {
        [secret] REDIS_URL = Value("redis://127.0.0.1:6379/0"),
            "redis:// or, with TLS, rediss://user:password@host:port/database; by Sentinel: \
             redis+sentinel:// or rediss+sentinel://user:password@host:port,host:port/name/database", [Ingress, Worker, Cli],
            "The queue. Redis 7 or later with the append-only file on and maxmemory-policy noeviction.";
        REDIS_CA_FILE = Unset, e.g. "/etc/passerelle/redis-ca.pem", "the path of a PEM file", [Ingress, Worker, Cli],
            "Which authorities may sign the certificates of Redis and Sentinel. Without it, those of this machine.";
        REDIS_KEY_PREFIX = Value("bridge"), "letters, digits and - _ :", [Ingress, Worker, Cli],
            "What every key begins with, so that several bridges can share one Redis.";
        REDIS_RESPONSE_SECONDS = Value("5"), "seconds, from 1", [Ingress, Worker, Cli],
            "How long an answer of Redis may take.";
        REDIS_WAIT_REPLICAS = Value("0"), "a number; 0: off", [Ingress, Cli],
            "How many replicas must have a delivery before it is answered 200. If they do not, it is spooled.";
        REDIS_WAIT_SECONDS = Value("0.5"), "seconds, decimals allowed", [Ingress, Cli],
            "How long those replicas may take.";
        [secret] DATABASE_URL = Value("sqlite://data/passerelle.sqlite"),
            "sqlite://path or postgres://user:password@host/database", [Worker, Cli],
            "The ledger. Special characters of a password in it are percent-encoded, such as %3F for a question mark.";
        [secret] DATABASE_PASSWORD = Unset, "text", [Worker, Cli],
            "The password of PostgreSQL, if it does not stand in DATABASE_URL. It may have any character.";
        DATABASE_TIMEOUT_SECONDS = Value("30"), "seconds, from 1", [Worker, Cli],
            "How long a statement may take before the database counts as unavailable.";
        LEDGER_KEEP_DAYS = Value("90"), "days; 0: for ever", [Worker],
            "How long finished events and their notices are kept. Open events, dead letters and links are never \
             removed.";
        LEDGER_REMOVE_MOST = Value("false"), "true or false", [Worker],
            "Lets LEDGER_KEEP_DAYS remove more than half of the ledger at once. Without it such a walk removes nothing \
             and says so.";
        INGRESS_SPOOL_DIR = Value("data/spool"),
            "the path of a folder on a local disk that outlives the process", [Ingress],
            "Where deliveries wait while Redis is unavailable.";
        INGRESS_SPOOL_BYTES = Value("536870912"), "bytes; 0: no spool", [Ingress],
            "The most that the spool may hold: 512 MiB are about 300,000 deliveries.";
        DEAD_LETTERS_BUDGET_BYTES = Value("67108864"), "bytes", [Worker, Cli],
            "How large the dead letters may grow before the admin is notified. Nothing is ever removed because of \
             it.";
        BRIDGE_FILE = Value("bridge.toml"), "the path of a file", [Ingress, Worker, Cli],
            "The rules. Templates are looked up beside it.";
        PASSERELLE_ENV_FILE = Value(".env"), "the path of a file; /dev/null: none", [Ingress, Worker, Cli],
            "The file with these settings. Without this, and without .env, it is /etc/passerelle/passerelle.env. Only in \
             the environment: the file cannot name another.";
        OWN_REDIS_PORT = Value("6399"), "a port", [Cli],
            "Where `passerelle up` and `make run` start a Redis of their own if REDIS_URL is not set.";
        RUN_FOLDER = Value(".run"), "the path of a folder", [Cli],
            "Where `passerelle up` keeps its logs, and which processes it has started.";
        DATA_FOLDER = Value("data"), "the path of a folder", [Cli],
            "Where a Redis of its own keeps its data.";
        [secret] POSTGRES_PASSWORD = Unset, "text", [Scripts],
            "The password of PostgreSQL in compose.yaml.";
    }
    "Ingress" {
        INGRESS_BIND = Value("127.0.0.1:8080"), "address:port", [Ingress, Cli],
            "Where the ingress listens.";
        INGRESS_HEALTH_BIND = Computed("INGRESS_BIND"), e.g. "0.0.0.0:8081", "address:port", [Ingress, Cli],
            "Where `/healthz`, `/readyz` and `/metrics` answer. With an address of its own they are not at \
             INGRESS_BIND, which can then be public.";
        INGRESS_PORT = Value("8080"), "a port", [Scripts],
            "The port of the ingress on the host, in compose.yaml.";
        INGRESS_THREADS = Computed("one per core"), e.g. "2", "a number from 1 to 512", [Ingress],
            "How many threads serve requests.";
        INGRESS_CONNECTIONS = Value("1024"), "a number, from 1", [Ingress],
            "The most connections at once; further ones wait. One that sends costs up to half a MiB.";
        INGRESS_BODY_LIMIT_BYTES = Value("2097152"), "bytes, from 1 to 3145728", [Ingress],
            "The largest body that is kept whole. Longer ones are accepted too, without their long values.";
        INGRESS_LARGEST_BODY_BYTES = Value("134217728"), "bytes, from 1", [Ingress],
            "The largest body that is read. A caller with a token is not refused for a longer one: its table is \
             compared.";
        INGRESS_HEADER_TIMEOUT_SECONDS = Value("5"), "seconds, from 1", [Ingress],
            "How long the head of a request may take.";
        INGRESS_BODY_TIMEOUT_SECONDS = Value("10"), "seconds, from 1", [Ingress],
            "How long a whole body may take; longer as long as it arrives at 2 Mbit/s.";
        INGRESS_ACCEPT_TIMEOUT_SECONDS = Value("3"), "seconds, from 1", [Ingress],
            "How long the queue may take to accept a delivery if there is no spool. With one, a delivery is spooled \
             after half a second. Baserow waits 5 s in all.";
        INGRESS_KEEP_ALIVE_SECONDS = Value("60"), "seconds, from 1", [Ingress],
            "How long a connection may be idle.";
        INGRESS_SHUTDOWN_SECONDS = Value("10"), "seconds, from 1", [Ingress],
            "How long requests may take to end at a stop.";
    }
    "Workers" {
        WORKER_CONCURRENCY = Value("16"), "a number from 1 to 1024", [Worker],
            "The most jobs that one worker runs at once.";
        WORKER_GRACE_SECONDS = Value("20"), "seconds, from 1", [Worker, Cli],
            "How long running jobs may take to end at a stop.";
        WORKER_LEASE_SECONDS = Value("30"), "seconds, from 1", [Worker],
            "How long a job stays with a worker that no longer renews its lease.";
        WORKER_HEALTH_BIND = Value("127.0.0.1:8081"), "address:port", [Worker, Cli],
            "Where `/healthz`, `/readyz` and `/metrics` answer.";
        WORKER_ZOMBIE_WINDOW_SECONDS = Value("15"), "seconds, from 1", [Worker],
            "How long a call without an answer may still take effect in Docmost.";
        WORKER_REPEAT_SECONDS = Value("300"), "seconds; 0: no limit", [Worker],
            "How long the identical write of a page is held back when someone has undone it.";
        WORKER_RECONCILE_SECONDS = Value("21600"), "seconds; 0: never", [Worker],
            "How often all rows are compared with their pages.";
        WORKER_RECONCILE_ROWS_PER_SECOND = Value("10"), "a number, from 1", [Worker],
            "How many syncs per second a reconciliation requests.";
        WORKER_WIKI_SECONDS = Value("60"), "seconds, decimals allowed; 0: never", [Worker],
            "How often the wiki is searched for labels and shares.";
        WORKER_SOURCES_SECONDS = Value("300"), "seconds; 0: never", [Worker],
            "How often Baserow's webhooks are checked and switched back on. Needs BASEROW_EMAIL and \
             BASEROW_PASSWORD.";
        WORKER_SWEEP_SECONDS = Value("900"), "seconds; 0: never", [Worker],
            "How often unconfirmed creates are checked for duplicate pages.";
        LOG_LEVEL = Value("info"),
            "error, warn, info, debug, trace, or a filter such as info,passerelle_worker=debug", [Ingress, Worker],
            "What is logged.";
    }
    "Traces" {
        OTEL_EXPORTER_OTLP_ENDPOINT = Unset, e.g. "http://127.0.0.1:4318",
            "an http:// or https:// address", [Ingress, Worker, Cli],
            "A collector that takes OTLP over HTTP (protobuf), such as Jaeger, Tempo or the OpenTelemetry Collector; \
             `/v1/traces` is added. Without it no spans are made.";
        [secret] OTEL_EXPORTER_OTLP_HEADERS = Unset, "name=value, separated by commas; values may be percent-encoded",
            [Worker, Cli],
            "Headers of each call of the collector, such as a key.";
        OTEL_SERVICE_NAME = Value("passerelle"), "text", [Worker, Cli],
            "The name under which the spans are found.";
        OTEL_TRACES_SAMPLER_ARG = Value("1"), "a number from 0 to 1", [Ingress],
            "The share of the deliveries of which spans are made. A delivery that comes with a `traceparent` follows \
             its caller's decision.";
    }
    "Console" {
        CONSOLE_BIND = Value("127.0.0.1:8090"), "address:port", [Cli],
            "Where `passerelle console` listens.";
        CONSOLE_PORT = Value("8090"), "a port", [Scripts],
            "The port of the console on this machine alone, in compose.yaml.";
        CONSOLE_URL = Unset, e.g. "https://bridge.example.org", "the http:// or https:// address of a site", [Cli],
            "The address that people use, where a proxy stands in front. With https:// a session is kept to TLS.";
        CONSOLE_SESSION_HOURS = Value("12"), "hours, from 1", [Cli],
            "How long a person stays signed in.";
        CONSOLE_USER_HEADER = Unset, e.g. "Remote-User", "the name of a header", [Cli],
            "The header in which a proxy (Authelia, oauth2-proxy) gives the name of the person whom it has let in. The \
             name needs an account: `passerelle console user add NAME --by-proxy`.";
        CONSOLE_PROXY_ADDRESSES = Unset, e.g. "10.0.0.2", "IP addresses, separated by commas", [Cli],
            "The addresses of that proxy. From any other the header is ignored.";
        CONSOLE_ROW_CONTENTS = Value("everybody"), "everybody or operators", [Cli],
            "Who sees values of rows in the console: they stand in what Baserow and Docmost say of a failure. With \
             `operators`, readers see that something failed, where and how, but not these words.";
    }
    "Stalls" {
        STALL_SPOOLED_SECONDS = Value("300"), "seconds, from 1", [Ingress],
            "How long the oldest delivery may wait in a spool before `/readyz` of the ingress and `doctor` warn.";
        STALL_QUEUED_SECONDS = Value("300"), "seconds, from 1", [Worker, Cli],
            "How long the oldest job may be queued before `/readyz` of the workers and `doctor` warn, and the admin is told.";
        STALL_LEDGER_SECONDS = Value("60"), "seconds, from 1", [Worker, Cli],
            "The same of the oldest ledger entry that waits for the database.";
        STALL_OPEN_SECONDS = Value("86400"), "seconds, from 1", [Worker, Cli],
            "The same of the oldest item without an outcome. A job may be retried for a day.";
        STALL_GATE_SECONDS = Value("900"), "seconds, from 1", [Worker, Cli],
            "The same of a gate that is stopped; `doctor` says FAIL then.";
        INGRESS_URL = Computed("http:// and INGRESS_HEALTH_BIND"), e.g. "http://127.0.0.1:8080",
            "http:// or https:// addresses, separated by commas", [Cli],
            "Where `doctor` finds the ingresses. Each is asked for /readyz and /metrics.";
    }
    "Loop guard" {
        LOOP_EVENTS = Value("10"), "a number; 0: off", [Ingress, Worker],
            "More identical events of one row than this within LOOP_WINDOW_SECONDS park the row. Set it alike for \
             ingress and workers.";
        LOOP_WINDOW_SECONDS = Value("60"), "seconds, from 1", [Ingress, Worker],
            "The window in which identical events are counted.";
        LOOP_COOLDOWN_SECONDS = Value("300"), "seconds, from 1", [Ingress, Worker],
            "How long a parked row is left alone.";
    }
    "Gates (outage mode)" {
        GATE_WINDOW_SECONDS = Value("30"), "seconds, decimals allowed", [Worker, Cli],
            "The window of the rule \"at least ten calls, half of them failed\", which stops a gate.";
        GATE_PROBE_SECONDS = Value("5"), "seconds, decimals allowed", [Worker, Cli],
            "The wait before the first probe; it doubles with each probe that fails.";
        GATE_PROBE_LONGEST_SECONDS = Value("60"), "seconds, decimals allowed", [Worker, Cli],
            "The longest wait between two probes.";
        GATE_PROBE_LEASE_SECONDS = Value("20"), "seconds, decimals allowed", [Worker, Cli],
            "When a worker that probes and no longer renews its lease is replaced.";
        GATE_STEP_SECONDS = Value("1"), "seconds, decimals allowed", [Worker, Cli],
            "After a recovery, the most jobs at once double or halve once in so long, as the answers are.";
        GATE_TICK_SECONDS = Value("1"), "seconds, decimals allowed", [Worker, Cli],
            "How often each worker looks at the gates.";
        GATE_DECISION_SECONDS = Value("1"), "seconds, decimals allowed", [Worker, Cli],
            "How long a failed job waits for the gate's decision before its attempt is counted.";
        GATE_DIGEST_SECONDS = Value("3600"), "seconds, decimals allowed", [Worker, Cli],
            "How often an incident that lasts is reported again.";
        GATE_QUIET_SECONDS = Value("600"), "seconds, decimals allowed", [Worker, Cli],
            "How long no job may fail for the third time before an incident without a stopped gate is over.";
    }
}
