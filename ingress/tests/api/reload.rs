//! A new `bridge.toml` while the ingress runs.

use std::path::PathBuf;

use serde_json::json;
use tempfile::TempDir;
use test_support::{eventually, signal};

use crate::harness::{Answer, Ingress, SECRET, print_items};
use passerelle_model::ledger::LedgerRecord;
use passerelle_queue::IngressInfo;

/// A bridge file, and an ingress that works by it.
struct World {
    folder: TempDir,
    ingress: Ingress,
}

impl World {
    fn start(text: &str) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("bridge.toml");
        std::fs::write(&path, text)?;
        let other = ("OTHER_SECRET", "fedcba9876543210fedcba9876543210");
        let ingress = Ingress::start_with(&[("BRIDGE_FILE", &path.display().to_string()), other])?;
        Ok(Self { folder, ingress })
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("bridge.toml")
    }

    /// Writes another file, and asks for it; what the ingress says of itself when it has answered.
    async fn asks_for(&self, text: &str) -> anyhow::Result<IngressInfo> {
        std::fs::write(self.file(), text)?;
        let request = self.ingress.queue.request_reload("Ada", "new callers").await?;
        Ok(self
            .says("it has answered", |info| info.rules.answered == request)
            .await)
    }

    async fn says(&self, what: &str, is_so: impl Fn(&IngressInfo) -> bool) -> IngressInfo {
        eventually(what, async || match self.ingress.queue.ingresses().await {
            Ok(alive) if alive.len() == 1 && is_so(&alive[0]) => Ok(alive[0].clone()),
            other => Err(format!("{other:?}")),
        })
        .await
    }

    /// A row whose fields differ: in one that may be quiet, and in the number of the event.
    async fn update(&self, event: &str, field: &str) -> anyhow::Result<Answer> {
        let row = |value: &str| json!({"id": 5, "order": "1.00", "Nom": "Refonte", field: value});
        let body = json!({
            "table_id": 2, "database_id": 1, "workspace_id": 1, "webhook_id": 7, "event_id": event,
            "event_type": "rows.updated", "items": [row("new")], "old_items": [row("old")],
        });
        self.ingress.deliver(body.to_string()).await
    }

    /// How the items of each accepted delivery were judged.
    async fn judged(&self) -> anyhow::Result<Vec<String>> {
        let ledger = self.ingress.ledger().await?.into_iter();
        let accepted = ledger.filter_map(|record| match record {
            LedgerRecord::Accepted(event) => Some(print_items(&event.items)),
            _ => None,
        });
        Ok(accepted.collect())
    }
}

fn of_secret(variable: &str) -> String {
    format!("[sources]\n\"*\" = {{ proof = \"hmac\", secrets = \"{variable}\" }}\n")
}

#[tokio::test]
async fn new_callers_and_fields_are_taken_at_a_request_and_nothing_else_is_asked_again() {
    let mine = of_secret("BASEROW_WEBHOOK_SECRET");
    let world = World::start(&mine).unwrap();
    let first = world.says("it is alive", |_| true).await.rules;
    assert_eq!(world.update("e-1", "Seen").await.unwrap().status, 200);

    let quiet = format!("ignored_fields = [\"Seen\"]\nowned_fields = [\"Page\"]\n{mine}");
    let second = world.asks_for(&quiet).await.unwrap().rules;
    assert!(second.hash != first.hash && second.refused.is_none(), "{second:?}");
    for (event, field) in [("e-2", "Seen"), ("e-3", "Page"), ("e-4", "Nom 2")] {
        assert_eq!(world.update(event, field).await.unwrap().status, 200);
    }
    let judged = ["5 sync", "5 no_change", "5 echo", "5 sync"];
    assert_eq!(world.judged().await.unwrap(), judged);

    world.asks_for(&of_secret("OTHER_SECRET")).await.unwrap();
    assert_eq!(world.update("e-5", "Nom").await.unwrap().status, 401);
    world.asks_for(&mine).await.unwrap();
    assert_eq!(world.update("e-5", "Nom").await.unwrap().status, 200);
    assert_eq!(
        world.says("it works by the first", |_| true).await.rules.hash,
        first.hash
    );
}

#[tokio::test]
async fn a_wrong_file_is_refused_as_a_whole_with_its_place_and_the_earlier_one_stays() {
    let mine = of_secret("BASEROW_WEBHOOK_SECRET");
    let world = World::start(&mine).unwrap();
    world
        .ingress
        .errors
        .expect("the bridge file was read again and is not taken");
    let first = world.says("it is alive", |_| true).await.rules;
    for (wrong, what) in [
        ("ignored_fields = [\"Nom\"]\n[sources]\n", "[sources] is empty"),
        (
            &format!("ignored_fields = [\"Nom\"]\n{}", of_secret("NO_SECRET")),
            "NO_SECRET: is not set",
        ),
        (
            &format!("ignored_fields = [\"Nom\"]\nowned_field = []\n{mine}"),
            "bridge.toml:2:",
        ),
    ] {
        let told = world.asks_for(wrong).await.unwrap().rules;
        let why = told.refused.unwrap();
        assert!(why.contains(what) && !why.contains(SECRET), "{why}");
        assert_eq!((told.hash, told.since), (first.hash.clone(), first.since));
    }
    assert_eq!(world.update("e-1", "Nom").await.unwrap().status, 200);
    assert_eq!(world.judged().await.unwrap(), ["5 sync"]);
    let told = world.asks_for(&mine).await.unwrap().rules;
    assert_eq!(told.refused, None);
}

#[tokio::test]
async fn sighup_has_the_ingress_read_its_file_again_and_a_stop_takes_it_off_the_list() {
    let mine = of_secret("BASEROW_WEBHOOK_SECRET");
    let world = World::start(&mine).unwrap();
    let first = world.says("it is alive", |_| true).await;
    std::fs::write(world.file(), format!("owned_fields = [\"Page\"]\n{mine}")).unwrap();
    signal(first.pid, "HUP").unwrap();
    let second = world
        .says("it works by the new file", |info| info.rules.hash != first.rules.hash)
        .await;
    assert_eq!((second.name, second.rules.answered), (first.name, 0));
    let World { ingress, .. } = world;
    let queue = ingress.queue.clone();
    // Its Redis ends with it.
    let redis = ingress.stop_and_keep_redis().await.unwrap();
    assert_eq!(queue.ingresses().await.unwrap(), []);
    drop(redis);
}
