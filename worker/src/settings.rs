//! The worker's settings: its own group and those that it shares with other processes. All problems
//! are reported at once.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use passerelle_model::config::{
    BaserowSettings, BaserowUserSettings, BridgeFileSettings, DeadLetterSettings, DocmostSettings, Locale,
    MailSettings, Problem, Problems, Reader, RedisSettings, SlackSettings, StallSettings, StoreSettings, TraceSettings,
    WebhookSecrets,
};

use passerelle_queue::gate::GatePolicy;
use passerelle_queue::loops::LoopPolicy;

use crate::clients::mail::Mail;
use crate::maintenance::ledger_writer::Retention;
use crate::maintenance::tasks::TaskSettings;
use crate::rule_files::{self, Loaded};
use crate::runner::RunnerSettings;

/// Everything that a worker needs to start.
#[derive(Debug)]
pub struct Settings {
    /// `WORKER_CONCURRENCY`, `WORKER_GRACE_SECONDS` and `WORKER_LEASE_SECONDS`: how it takes jobs.
    pub runner: RunnerSettings,
    /// `WORKER_HEALTH_BIND`: where `/healthz`, `/readyz` and `/metrics` answer.
    pub health_bind: SocketAddr,
    /// `WORKER_ZOMBIE_WINDOW_SECONDS`: how long after an unknown outcome a page may still come to
    /// exist.
    pub zombie_window: Duration,
    /// `BRIDGE_INSTANCE`: the word in the marks of its pages, for a bridge whose store was lost.
    pub bridge_instance: Option<String>,
    /// `WORKER_REPEAT_SECONDS`: the identical sync of a row is carried out at most once in so long.
    /// 0 switches that off.
    pub repeat: Duration,
    /// `LEDGER_KEEP_DAYS` (default 90, 0: for ever) and `LEDGER_REMOVE_MOST`: how long finished
    /// events are kept.
    pub retention: Retention,
    /// `LOG_LEVEL`.
    pub log_level: String,
    pub redis: RedisSettings,
    /// The ledger, links and intents.
    pub store: StoreSettings,
    /// The source of the rows.
    pub baserow: BaserowSettings,
    /// A user of it who may see webhooks, if one is named.
    pub baserow_user: Option<BaserowUserSettings>,
    /// The secrets that webhooks of this bridge carry, as far as the worker is given them.
    pub webhook_secrets: WebhookSecrets,
    /// Why some of these could not be read. Only the ingress needs them, so that ends no start.
    pub unread_secrets: Vec<Problem>,
    pub docmost: DocmostSettings,
    /// `GATE_…`: when to spare a target that is down.
    pub gates: GatePolicy,
    /// What is done from time to time.
    pub tasks: TaskSettings,
    /// `DEAD_LETTERS_BUDGET_BYTES`.
    pub dead_letters: DeadLetterSettings,
    /// `STALL_…`: how long things may wait.
    pub stalls: StallSettings,
    /// `OTEL_…`: where spans are sent, if a collector is set.
    pub traces: Option<TraceSettings>,
    /// What to do for which table, and what notices say.
    pub loaded: Loaded,
    /// `BRIDGE_FILE`: where the rules were read.
    pub bridge_file: PathBuf,
    /// `LOOP_…`: when a row goes in circles.
    pub loops: LoopPolicy,
    /// The mail server, if `SMTP_URL` is set.
    pub mail: Option<Mail>,
    /// `NOTICE_MAILS_PER_HOUR`: most mails to people within an hour; 0: no limit.
    pub mails_per_hour: u32,
    /// `SLACK_…`, if `SLACK_WEBHOOK_URL` is set.
    pub slack: Option<SlackSettings>,
}

impl Settings {
    /// Reads everything, or reports everything that is wrong.
    pub fn read(mut reader: Reader) -> Result<Self, Problems> {
        let path = BridgeFileSettings::read(&reader).path;
        let locale = Locale::read(&mut reader);
        let loaded = noted(&mut reader, rule_files::load(&path, &locale));
        let mail = MailSettings::read(&mut reader).and_then(|mail| noted(&mut reader, Mail::new(&mail)));
        let mails_per_hour = reader.parsed("NOTICE_MAILS_PER_HOUR", 200);
        let slack = SlackSettings::read(&mut reader);
        let runner = runner(&mut reader);
        let health_bind = reader.parsed("WORKER_HEALTH_BIND", SocketAddr::from(([127, 0, 0, 1], 8081)));
        let zombie_window = reader.seconds("WORKER_ZOMBIE_WINDOW_SECONDS", 15);
        let repeat = Duration::from_secs(reader.parsed("WORKER_REPEAT_SECONDS", 300));
        let bridge_instance = bridge_instance(&mut reader);
        let retention = retention(&mut reader);
        let log_level = reader.text("LOG_LEVEL", "info");
        let redis = RedisSettings::read(&mut reader);
        let store = StoreSettings::read(&mut reader);
        let baserow = BaserowSettings::read(&mut reader);
        let baserow_user = BaserowUserSettings::read(&mut reader);
        let callers = loaded.iter().flat_map(|loaded: &Loaded| &loaded.callers);
        let of_ingress = reader.afresh();
        let webhook_secrets = WebhookSecrets::read(&of_ingress, callers.map(|(_, caller)| caller));
        let unread_secrets = of_ingress.problems();
        let docmost = DocmostSettings::read(&mut reader);
        let gates = GatePolicy::read(&mut reader);
        let tasks = TaskSettings::read(&mut reader);
        let dead_letters = DeadLetterSettings::read(&mut reader);
        let stalls = StallSettings::read(&mut reader);
        let traces = TraceSettings::read(&mut reader);
        let loops = LoopPolicy::read(&mut reader);
        let loaded = reader.finish(loaded)?.ok_or(Problems(Vec::new()))?;
        Ok(Self {
            runner,
            health_bind,
            zombie_window,
            bridge_instance,
            repeat,
            retention,
            log_level,
            redis,
            store,
            baserow,
            baserow_user,
            webhook_secrets,
            unread_secrets,
            docmost,
            gates,
            tasks,
            dead_letters,
            stalls,
            traces,
            loaded,
            bridge_file: path,
            loops,
            mail,
            mails_per_hour,
            slack,
        })
    }
}

/// What was read, or nothing and its problems among the others.
fn noted<T>(reader: &mut Reader, read: Result<T, Problems>) -> Option<T> {
    read.map_err(|problems| reader.add(problems)).ok()
}

fn runner(reader: &mut Reader) -> RunnerSettings {
    RunnerSettings {
        concurrency: reader.parsed("WORKER_CONCURRENCY", 16_usize).clamp(1, 1024),
        grace: reader.seconds("WORKER_GRACE_SECONDS", 20),
        lease: reader.seconds("WORKER_LEASE_SECONDS", 30),
    }
}

fn bridge_instance(reader: &mut Reader) -> Option<String> {
    let word = reader.optional("BRIDGE_INSTANCE")?;
    let is_word = (4..=16).contains(&word.len()) && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    if !is_word {
        let hint =
            "copy what follows `baserow-bridge-` in the labels of the bridge's pages: 4 to 16 small letters and digits";
        reader.problem("BRIDGE_INSTANCE", "is no word of a bridge", hint);
    }
    Some(word)
}

fn retention(reader: &mut Reader) -> Retention {
    let days: u32 = reader.parsed("LEDGER_KEEP_DAYS", 90);
    Retention {
        keep: (days > 0).then(|| Duration::from_hours(24 * u64::from(days))),
        may_remove_most: reader.parsed("LEDGER_REMOVE_MOST", false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_of_the_webhooks_that_only_the_ingress_may_read_ends_no_start() {
        let reader = Reader::from_pairs([
            ("BRIDGE_FILE", concat!(env!("CARGO_MANIFEST_DIR"), "/../bridge.toml")),
            ("REDIS_URL", "redis://127.0.0.1:1"),
            ("BASEROW_URL", "http://127.0.0.1:1"),
            ("BASEROW_TOKEN", "token"),
            ("DOCMOST_URL", "http://127.0.0.1:1"),
            ("DOCMOST_EMAIL", "bridge@example.org"),
            ("DOCMOST_PASSWORD", "password"),
            ("BASEROW_WEBHOOK_SECRET_FILE", "/nowhere/secret"),
        ]);
        let unread = Settings::read(reader).unwrap().unread_secrets;
        let [Problem { place, .. }] = unread.as_slice() else {
            panic!("{unread:?}")
        };
        assert_eq!(place, "BASEROW_WEBHOOK_SECRET_FILE");
    }
}
