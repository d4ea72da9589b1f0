//! The laws of a plan, held against a wiki with plans that nobody has thought of: carried out twice
//! is carried out once, and interrupted anywhere, then repeated, ends in the same tree. (That plans
//! are deterministic and their slots unique is held in `worker/src/rules/`.)

use std::collections::BTreeSet;

use anyhow::ensure;
use passerelle_model::id::RowKey;
use passerelle_model::outcome::Outcome;
use passerelle_sandbox::faults::{Fault, FaultKind};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use test_support::eventually;

use crate::world::World;

const FORMATION: u64 = 3;
const BLOC: u64 = 4;
const BLOCS: usize = 4;
/// Each is a course of its own that goes through several states.
const COURSES: usize = 8;

/// What a course and its blocs are called, and which of these are linked.
#[derive(Debug, Clone)]
struct State {
    title: String,
    blocs: Vec<(String, bool)>,
    interruption: Interruption,
}

/// What happens to an attempt at its n-th call to the wiki.
#[derive(Debug, Clone)]
struct Interruption {
    at: u32,
    kind: FaultKind,
    /// Whether the attempt ends there, as by `kill -9`.
    dies: bool,
}

fn interruption() -> impl Strategy<Value = Interruption> {
    let refused = FaultKind::Status {
        status: 502,
        headers: [].into(),
        body: None,
    };
    let carried_out_later = FaultKind::ZombieWrite {
        after_ms: Some(30),
        after_release_ms: 0,
    };
    let kinds = prop_oneof![
        Just((FaultKind::Hang, true)),
        Just((carried_out_later, true)),
        Just((FaultKind::LostAnswer, false)),
        Just((refused, false)),
    ];
    (0_u32..16, kinds).prop_map(|(at, (kind, dies))| Interruption { at, kind, dies })
}

fn state() -> impl Strategy<Value = State> {
    let name = "[A-Z][a-z]{2,8}";
    let blocs = prop::collection::vec((name, any::<bool>()), BLOCS);
    (name, blocs, interruption()).prop_map(|(title, blocs, interruption)| State {
        title,
        blocs,
        interruption,
    })
}

#[tokio::test]
async fn a_plan_that_is_interrupted_anywhere_and_repeated_ends_in_the_same_tree() {
    let world = World::start().await.unwrap();
    let mut runner = TestRunner::deterministic();
    let mut interrupted = 0;
    for _ in 0..COURSES {
        let states = prop::collection::vec(state(), 2)
            .new_tree(&mut runner)
            .unwrap()
            .current();
        let (course, blocs) = empty_course(&world).await.unwrap();
        for state in &states {
            enter(&world, course, &blocs, state).await.unwrap();
            interrupted += usize::from(interrupted_attempt(&world, course, &state.interruption).await);
            assert_eq!(world.sync_eventually(course).await.reason(), None);
            if let Err(wrong) = the_tree_is_right(&world, course, state).await {
                panic!("{wrong}\nafter {states:#?}");
            }
            world.docmost.calls.clear();
            assert_eq!(world.sync(course).await.unwrap(), Outcome::NoChange, "{states:#?}");
            assert_eq!(
                world.docmost.calls.list().len(),
                0,
                "carried out twice is carried out once"
            );
        }
    }
    assert!(
        interrupted >= COURSES,
        "only {interrupted} attempts met their interruption"
    );
}

async fn empty_course(world: &World) -> anyhow::Result<(RowKey, Vec<RowKey>)> {
    let mut blocs = Vec::new();
    for number in 0..BLOCS {
        blocs.push(world.create(BLOC, json!({"Titre": format!("Bloc {number}")})).await?);
    }
    Ok((world.create(FORMATION, json!({"Titre": "Cours"})).await?, blocs))
}

async fn enter(world: &World, course: RowKey, blocs: &[RowKey], state: &State) -> anyhow::Result<()> {
    let mut linked = Vec::new();
    for (bloc, (title, is_linked)) in blocs.iter().zip(&state.blocs) {
        world.change(*bloc, json!({ "Titre": title })).await?;
        linked.extend(is_linked.then_some(bloc.row.get()));
    }
    let fields = json!({"Titre": state.title, "bloc": linked});
    world.change(course, fields).await.map(|_| ())
}

/// One attempt that meets the interruption, if it has so many calls; says whether it did.
async fn interrupted_attempt(world: &World, course: RowKey, interruption: &Interruption) -> bool {
    world.docmost_fault(Fault {
        skip: interruption.at,
        times: Some(1),
        ..Fault::on("/api/", interruption.kind.clone())
    });
    let is_met = || world.docmost.faults.list().iter().any(|fault| fault.used > 0);
    let death = eventually("the call was met", async || {
        if is_met() && interruption.dies { Ok(()) } else { Err(()) }
    });
    // Whichever ends first drops the other where it stands.
    tokio::select! {
        () = death => {}
        _ = world.attempt(course) => {}
    }
    let was_met = is_met();
    world.docmost.faults.clear();
    was_met
}

async fn the_tree_is_right(world: &World, course: RowKey, state: &State) -> anyhow::Result<()> {
    let all = world.all_pages().await?;
    let own = format!("baserow-t{}-r{}", course.table, course.row);
    let is_own = |page: &&Value| {
        let mut labels = page["labels"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str);
        labels.any(|label| label == own || label.starts_with(&format!("{own}-")))
    };
    let pages: Vec<&Value> = all.iter().filter(is_own).collect();
    let labels: BTreeSet<String> = pages.iter().map(|page| page["labels"].to_string()).collect();
    ensure!(labels.len() == pages.len(), "a slot has two pages: {pages:#?}");

    let living: Vec<&Value> = pages.into_iter().filter(|page| page["deletedAt"].is_null()).collect();
    let (roots, mut below): (Vec<&Value>, Vec<&Value>) =
        living.into_iter().partition(|page| page["parentPageId"].is_null());
    ensure!(roots.len() == 1, "not one root: {roots:#?}");
    let title = format!("Formation {}", state.title);
    ensure!(roots[0]["title"] == title, "{}", roots[0]);
    ensure!(
        below.iter().all(|page| page["parentPageId"] == roots[0]["id"]),
        "{below:#?}"
    );
    below.sort_by_key(|page| page["position"].as_str().unwrap_or_default().to_owned());
    let found: Vec<&str> = below.iter().filter_map(|page| page["title"].as_str()).collect();
    let linked = state.blocs.iter().filter(|(_, is_linked)| *is_linked);
    let expected: Vec<&str> = linked.map(|(title, _)| title.as_str()).collect();
    ensure!(found == expected, "{found:?} instead of {expected:?}");
    Ok(())
}
