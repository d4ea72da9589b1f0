//! A bridge in which a little of everything has happened, and every verb typed once or more.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use passerelle_model::config::Channel;
use passerelle_model::event::Disposition::{Closed, Sync};
use passerelle_model::id::{JobKey, ProcessName};
use passerelle_model::ledger::{FailureClass, LedgerRecord, Verdict};
use passerelle_model::outcome::Outcome;
use passerelle_model::time::Timestamp;
use passerelle_queue::{Queue, QueueName, RulesInUse, WorkerInfo};
use passerelle_store::{NoticeState, StoredNotice};
use reqwest::Method;
use serde_json::{Value, json};
use test_support::contract::Shape;
use test_support::eventually;
use tokio::task::JoinHandle;

use crate::desk::{accepted, at, attempt, delivery, failure};
use crate::town::Town;

const HOUR: u64 = 3_600_000;

/// The town, and what must live as long as the play.
pub(crate) struct Scene {
    town: Town,
    queue: Queue,
    /// Lets the worker that runs a job end.
    release: Sender<()>,
    workers: Vec<JoinHandle<()>>,
    answers: BTreeMap<String, Shape>,
}

fn verdict(row: Option<u64>, wait: &Mutex<Receiver<()>>) -> Verdict {
    let failure = failure(FailureClass::Transient);
    match row {
        Some(1) => Verdict::Hold {
            after_ms: HOUR,
            failure,
        },
        Some(2) => Verdict::Retry {
            after_ms: HOUR,
            failure,
        },
        Some(3..=5) => Verdict::Bury {
            reason: "permanent".to_owned(),
            failure,
        },
        _ => {
            let _ = wait.lock().unwrap_or_else(PoisonError::into_inner).recv();
            Verdict::Done(Outcome::Synced)
        }
    }
}

fn notice(id: &str, state: NoticeState) -> anyhow::Result<StoredNotice> {
    Ok(StoredNotice {
        id: JobKey::parse(id)?,
        kind: "event".to_owned(),
        channel: Channel::Mail,
        rule: "attribution-mail".to_owned(),
        row: Some(crate::desk::row(5)?),
        event: None,
        args: "{}".to_owned(),
        created: Timestamp::now(),
        state,
        ended: None,
        tries: 1,
        error: Some("550 no such mailbox".to_owned()),
    })
}

impl Scene {
    /// Row 1 is held, row 2 has failed, rows 3 to 5 are dead, row 6 runs, row 8 waits in the paused
    /// queue.
    pub(crate) async fn set() -> anyhow::Result<Self> {
        let town = Town::start()?;
        let desk = &town.desk;
        let retry = Verdict::Retry {
            after_ms: 2000,
            failure: failure(FailureClass::Transient),
        };
        let history = vec![
            accepted(1, "e1", &[(5, Sync), (6, Closed(Outcome::Echo))])?,
            attempt(3, 1, 1, retry)?,
            attempt(6, 1, 2, Verdict::Done(Outcome::Synced))?,
        ];
        let LedgerRecord::Accepted(first) = &history[0] else {
            anyhow::bail!("not accepted")
        };
        let again = LedgerRecord::Duplicate {
            key: first.key.clone(),
            received: at(1500),
        };
        let store = desk.remember([history, vec![again]].concat()).await?;
        store
            .add_notice(&notice("notice/e1/trainer", NoticeState::Failed)?)
            .await?;

        let queue = desk.queue()?;
        let (release, wait) = channel();
        let wait = Mutex::new(wait);
        let name = ProcessName::unique("worker");
        let decide = move |job: &passerelle_model::job::Job| verdict(job.key.row().map(|row| row.row.get()), &wait);
        let worker = desk.worker_named(&name, QueueName::Sync, decide)?;
        let mut info = WorkerInfo::of_this_process(name, 1);
        info.rules = Some(RulesInUse::at_start("5f1d0c".to_owned()));
        queue.beat(&info).await?;
        let rows = [(1, Sync), (2, Sync), (3, Sync), (4, Sync), (5, Sync)];
        let _durable = queue.accept(delivery("e2", at(0), &rows)?).await?;
        until(&queue, "they are dead or wait", |stats| {
            (stats.scheduled, stats.dead) == (2, 3)
        })
        .await;
        let _durable = queue.accept(delivery("e3", at(0), &[(6, Sync)])?).await?;
        until(&queue, "it is taken", |stats| stats.running == 1).await;
        queue.pause("Ada", "a move").await?;
        let _durable = queue.accept(delivery("e4", at(0), &[(8, Sync)])?).await?;
        let hour = Duration::from_millis(HOUR);
        queue
            .hold_table(&JobKey::parse("t9/r1")?, "the field Nom is gone", hour, hour)
            .await?;
        let projet = json!({"Nom": "Éole", "Statut": "En cours", "Client": []});
        let path = "rows/table/2/?user_field_names=true";
        town.baserow_as_user(Method::POST, path, Some(projet)).await?;
        Ok(Self {
            town,
            queue,
            release,
            workers: vec![worker],
            answers: BTreeMap::new(),
        })
    }

    /// Types a verb; its answer joins the earlier ones of the verb.
    async fn types(&mut self, verb: &str, more: &[&str]) -> anyhow::Result<Value> {
        let words: Vec<&str> = verb.split(' ').chain(more.iter().copied()).collect();
        let typed = [&["--json"][..], &words].concat();
        let said = self
            .town
            .passerelle_with(&typed, &[("WORKER_HEALTH_BIND", "127.0.0.1:0")])
            .await;
        let problem = || anyhow::anyhow!("{words:?} gave {}: {}{}", said.code, said.out, said.err);
        let lines: Result<Vec<Value>, _> = said.out.lines().map(serde_json::from_str).collect();
        let answer = match (serde_json::from_str(&said.out), lines) {
            (Ok(answer), _) => answer,
            // JSON lines.
            (Err(_), Ok(lines)) if !lines.is_empty() => lines[0].clone(),
            _ => return Err(problem()),
        };
        for line in said.err.lines() {
            let told: Value = serde_json::from_str(line).map_err(|_| problem())?;
            anyhow::ensure!(told["note"].is_string() || told["error"].is_object(), problem());
        }
        let earlier = self.answers.entry(verb.to_owned()).or_default();
        earlier.join(Shape::of(&answer));
        Ok(answer)
    }

    /// Every verb; gives the shape of each one's answers.
    pub(crate) async fn play(mut self) -> anyhow::Result<BTreeMap<String, Shape>> {
        let by = ["--why", "a test"];
        self.types("gates stop", &[&["smtp"][..], &by].concat()).await?;
        self.types("run-now", &[&["t2/r1", "t2/r9"][..], &by].concat()).await?;
        for (verb, more) in [
            ("stats", &[][..]),
            ("workers", &[]),
            ("jobs", &["--limit", "3"]),
            ("gates", &[]),
            ("notices", &[]),
            ("trace", &["e1"]),
            ("trace", &["t2/r1"]),
            ("trace", &["t2/r3"]),
            ("dead list", &[]),
            ("dead export", &[]),
            ("check", &["--live"]),
            ("check", &["--file", "/nowhere/bridge.toml"]),
            ("preview", &["projet/1"]),
            ("doctor", &[]),
            ("provision", &["--url", "https://bridge.example.org", "--dry-run"]),
            ("reconcile", &["--dry-run"]),
        ] {
            self.types(verb, more).await?;
        }
        self.letters().await?;
        self.acts(&by).await?;
        drop(self.release);
        for worker in self.workers {
            worker.abort();
        }
        Ok(self.answers)
    }

    async fn letters(&mut self) -> anyhow::Result<()> {
        let letters = self.queue.dead_letters(None, 3).await?;
        let ids: Vec<&str> = letters.iter().map(|letter| letter.id.as_str()).collect();
        self.types("dead show", &ids[..1]).await?;
        self.types("dead replay", &[ids[0], "--dry-run"]).await?;
        self.types("dead replay", &[ids[0], "01UNKNOWN"]).await?;
        self.types("dead discard", &[ids[1], "--why", "a test"]).await?;
        Ok(())
    }

    async fn acts(&mut self, by: &[&str; 2]) -> anyhow::Result<()> {
        for gate in ["gates ramp", "gates release"] {
            self.types(gate, &[&["smtp"][..], by].concat()).await?;
        }
        self.types("notices retry", &["notice/e1/trainer"]).await?;
        let rule = ["--rule", "attribution-mail"];
        self.types("notices discard", &[&rule[..], by].concat()).await?;
        self.types("sync", &["t2/r10"]).await?;
        self.types("resume", by).await?;
        let worker = self.town.desk.worker(|_| Verdict::Done(Outcome::Synced))?;
        self.workers.push(worker);
        self.types("sync", &["t2/r42", "--wait"]).await?;
        self.types("pause", by).await?;
        self.types("acts", &["--limit", "3"]).await?;
        self.types("console user add", &["camille", "--role", "operator"])
            .await?;
        self.types("console user list", &[]).await?;
        self.types("console user role", &["camille", "reader"]).await?;
        self.types("console user password", &["camille"]).await?;
        self.types("console user remove", &["camille"]).await?;
        Ok(())
    }
}

async fn until(queue: &Queue, what: &str, is_so: impl Fn(&passerelle_queue::QueueStats) -> bool) {
    eventually(what, async || match queue.stats().await {
        Ok(stats) if is_so(&stats) => Ok(()),
        other => Err(other),
    })
    .await;
}
