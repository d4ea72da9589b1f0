//! What if the power fails here? For every *here* there is: a worker process dies at the point,
//! another one carries on, and the wiki ends as if nothing had happened. A new crash point without
//! a way to reach it fails this test.

use std::process::{Child, Command, Stdio};

use anyhow::Context as _;
use futures::StreamExt as _;
use passerelle_model::id::RowKey;
use passerelle_queue::Queue;
use passerelle_sandbox::faults::{Fault, FaultKind};
use passerelle_worker::crash::CrashPoint;
use serde_json::{Value, json};
use test_support::eventually;

use crate::world::World;

/// Pages below pages of their space, one for each status.
const GROUPED: &str = r#"title = "Projet {{ row.Nom }} - Atelier Nord"
parent = "Projets {{ row.Statut }}"
write_back = { page_id = "docmost_page_id", url = "docmost_url" }"#;

/// A worker process; killed when dropped.
struct Worker(Child);

impl Worker {
    fn start(world: &World, crash_at: Option<CrashPoint>) -> anyhow::Result<Self> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_passerelle-worker"));
        command.env_clear().envs(world.environment());
        if let Some(point) = crash_at {
            command.env("PASSERELLE_CRASH_AT", point.name());
        }
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        Ok(Self(child.context("the worker could not be started")?))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The wiki equals the row, the row knows its page, and nothing is left to do; or what is still
/// missing.
///
/// The numbers of the queue are read one after the other, so a job on its way from one place to
/// another may be in none of them: they are only believed together with the state of the wiki and
/// of the row.
async fn carried_on(world: &World, queue: &Queue, row: RowKey, pages: usize) -> anyhow::Result<()> {
    let living = world.pages().await?;
    anyhow::ensure!(living.len() == pages, "{living:?}");
    let is_group = |page: &Value| {
        page["title"]
            .as_str()
            .is_some_and(|title| title.starts_with("Projets "))
    };
    let (groups, living): (Vec<Value>, Vec<Value>) = living.into_iter().partition(is_group);
    if let Some(page) = living.first() {
        let fields = world.row(row).await?;
        let above = groups.iter().find(|group| group["id"] == page["parentPageId"]);
        let is_below = groups.is_empty()
            || above.is_some_and(|group| {
                group["title"] == format!("Projets {}", fields["Statut"]["value"].as_str().unwrap_or_default())
            });
        anyhow::ensure!(is_below, "{page} is below {above:?}");
        anyhow::ensure!(fields["docmost_page_id"] == page["id"], "{fields}");
        let title = match fields["Nom"].as_str() {
            Some(name) => format!("Projet {name} - Atelier Nord"),
            None => format!("Formation {}", fields["Titre"].as_str().unwrap_or_default()),
        };
        anyhow::ensure!(page["title"] == title, "{page}");
        let below: Vec<&str> = living[1..].iter().filter_map(|page| page["title"].as_str()).collect();
        anyhow::ensure!(
            below == ["Un", "Deux", "Trois"][..below.len()],
            "not the sub-pages in their order: {below:?}"
        );
    }
    let stats = queue.stats().await?;
    anyhow::ensure!(
        stats.active + stats.running + stats.scheduled + stats.dead == 0,
        "{stats:?}"
    );
    // The ledger tells the same: every item has exactly one outcome.
    let counts = world.context.store.counts().await?;
    anyhow::ensure!(
        counts.items > 0 && counts.open == 0 && counts.missing() == 0,
        "{counts:?}"
    );
    anyhow::ensure!(counts == world.context.store.recount().await?, "{counts:?}");
    Ok(())
}

/// Brings the world to where the point will be reached, and says how many pages shall live in the
/// end.
async fn prepare(world: &World, queue: &Queue, point: CrashPoint) -> anyhow::Result<(RowKey, usize)> {
    if point == CrashPoint::AfterSubPage {
        let row = course(world).await?;
        world.event(queue, row, "the-event").await?;
        return Ok((row, 4));
    }
    let row = world.project("Refonte").await?;
    let is_of_first_sync = !matches!(
        point,
        CrashPoint::AfterVisit
            | CrashPoint::AfterUpdate
            | CrashPoint::AfterMove
            | CrashPoint::AfterTrash
            | CrashPoint::AfterRestore
    );
    if !is_of_first_sync {
        world.synced(row).await?;
    }
    let pages = match point {
        CrashPoint::AfterTrash => {
            world.delete(row).await?;
            0
        }
        CrashPoint::AfterRestore => {
            world.baserow.faults.set(vec![deleted(row)]);
            world.synced(row).await?;
            world.baserow.faults.clear();
            1
        }
        CrashPoint::AfterVisit | CrashPoint::AfterUpdate => {
            world.change(row, json!({"Nom": "Refonte 2"})).await?;
            1
        }
        CrashPoint::AfterGroupClaimed | CrashPoint::AfterGroupMade => 2,
        CrashPoint::AfterMove => {
            world.change(row, json!({"Statut": "Terminé"})).await?;
            3
        }
        _ => 1,
    };
    world.event(queue, row, "the-event").await?;
    Ok((row, pages))
}

/// A course with three blocs.
async fn course(world: &World) -> anyhow::Result<RowKey> {
    let mut blocs = Vec::new();
    for title in ["Un", "Deux", "Trois"] {
        blocs.push(world.create(4, json!({ "Titre": title })).await?.row.get());
    }
    world.create(3, json!({"Titre": "Rust", "bloc": blocs})).await
}

fn deleted(row: RowKey) -> Fault {
    let kind = FaultKind::Status {
        status: 404,
        headers: [("content-type".to_owned(), "application/json".to_owned())].into(),
        body: Some(json!({"error": "ERROR_ROW_DOES_NOT_EXIST"})),
    };
    Fault::on(&format!("/api/database/rows/table/{}/{}/", row.table, row.row), kind)
}

async fn a_worker_dies(world: &World, point: CrashPoint) -> anyhow::Result<()> {
    let mut dying = Worker::start(world, Some(point))?;
    eventually(&format!("a worker dies {point:?}"), async || match dying.0.try_wait() {
        Ok(Some(_)) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    Ok(())
}

async fn crash_and_carry_on(point: CrashPoint) -> anyhow::Result<()> {
    let world = match point {
        CrashPoint::AfterGroupClaimed | CrashPoint::AfterGroupMade | CrashPoint::AfterMove => {
            World::with_page_of("projet", GROUPED, "x").await?
        }
        _ => World::start().await?,
    };
    let queue = world.queue()?;
    let (row, pages) = prepare(&world, &queue, point).await?;
    a_worker_dies(&world, point).await?;

    let _worker = Worker::start(&world, None)?;
    eventually(&format!("another worker carries on after {point:?}"), async || {
        carried_on(&world, &queue, row, pages).await
    })
    .await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_dies_at_any_point_leaves_one_page_and_no_lost_event() {
    let stories = futures::stream::iter(CrashPoint::of_a_sync().map(crash_and_carry_on));
    let results: Vec<anyhow::Result<()>> = Box::pin(stories.buffer_unordered(4).collect()).await;
    let failures: Vec<String> = results
        .into_iter()
        .filter_map(Result::err)
        .map(|error| format!("{error:#}"))
        .collect();
    assert_eq!(failures, Vec::<String>::new());
}

/// Its page is in the trash, and nothing remembers that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_comes_back_before_its_deletion_is_stored_has_its_page_again() {
    let world = World::start().await.unwrap();
    let queue = world.queue().unwrap();
    let row = world.project("Refonte").await.unwrap();
    world.synced(row).await.unwrap();
    world.baserow.faults.set(vec![deleted(row)]);
    world.event(&queue, row, "the-deletion").await.unwrap();
    a_worker_dies(&world, CrashPoint::AfterTrash).await.unwrap();
    assert_eq!(world.pages().await.unwrap().len(), 0);

    world.baserow.faults.clear();
    let _worker = Worker::start(&world, None).unwrap();
    eventually("the row has its page again", async || {
        carried_on(&world, &queue, row, 1).await
    })
    .await;
}

/// Nothing remembers the move, and the row has another group by then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_whose_move_was_not_stored_follows_its_row_to_the_next_group() {
    let world = World::with_page_of("projet", GROUPED, "x").await.unwrap();
    let queue = world.queue().unwrap();
    let (row, _) = prepare(&world, &queue, CrashPoint::AfterMove).await.unwrap();
    a_worker_dies(&world, CrashPoint::AfterMove).await.unwrap();
    world.change(row, json!({"Statut": "Brouillon"})).await.unwrap();

    let _worker = Worker::start(&world, None).unwrap();
    eventually("the page is below the third group", async || {
        carried_on(&world, &queue, row, 4).await
    })
    .await;
}

#[test]
fn the_program_lists_its_crash_points() {
    let output = Command::new(env!("CARGO_BIN_EXE_passerelle-worker"))
        .arg("--list-crash-points")
        .output()
        .unwrap();
    let listed = String::from_utf8(output.stdout).unwrap();
    let expected: Vec<String> = CrashPoint::ALL.iter().map(|point| point.name()).collect();
    assert_eq!(listed.lines().collect::<Vec<_>>(), expected);
}
