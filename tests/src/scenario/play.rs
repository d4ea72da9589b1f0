//! Plays a scenario, from its first step to its last.

use std::io;
use std::path::Path;
use std::time::Instant;

use anyhow::Context as _;
use passerelle_model::config::{BridgeFile, Problem, Problems, did_you_mean};
use serde::Deserialize;

use super::claim::Claims;
use super::stage::Stage;
use super::{Claim, Scenario, Told};
use crate::builder::absolute;
use crate::process::program_path;

/// Plays a scenario and tells of each step, up to the first claim that is not true. `rules` is the
/// folder of `bridge.toml`, where it is not the one that the scenario names. Whether all claims are
/// true.
///
/// # Errors
/// [`Problems`] of the scenario or of the rules; what kept it from being played, or from being told.
pub async fn play(
    path: &Path,
    rules: Option<&Path>,
    mut tell: impl FnMut(&Told) -> io::Result<()>,
) -> anyhow::Result<bool> {
    let scenario = Scenario::load(path)?;
    let bridge = absolute(&scenario.bridge_file(rules))?;
    let file = judged(&scenario, &bridge).await?;
    let mut stage = Stage::set(&scenario, &bridge, &file).await?;
    for (number, step) in scenario.steps.iter().enumerate() {
        let place = scenario
            .positions
            .of(&["step".to_owned(), number.to_string()], &["that"]);
        let began = Instant::now();
        let mut told = Told {
            scenario: path.display().to_string(),
            step: number + 1,
            place,
            that: step.that.clone(),
            acts: step.when.iter().map(ToString::to_string).collect(),
            claims: Vec::new(),
            facts: Vec::new(),
            seconds: 0.0,
        };
        let place = told.place.clone();
        told.claims = stage.step(&scenario, step).await.context(place)?;
        if !finish(&mut told, &stage, began, &mut tell).await? {
            return Ok(false);
        }
    }
    let began = Instant::now();
    let mut told = Told {
        scenario: path.display().to_string(),
        step: scenario.steps.len() + 1,
        place: path.display().to_string(),
        that: "in the end nothing is left undone".to_owned(),
        acts: Vec::new(),
        claims: the_end(&stage, &scenario).await?,
        facts: Vec::new(),
        seconds: 0.0,
    };
    finish(&mut told, &stage, began, &mut tell).await
}

/// Tells of a step; whether all its claims are true.
async fn finish(
    told: &mut Told,
    stage: &Stage,
    began: Instant,
    tell: &mut impl FnMut(&Told) -> io::Result<()>,
) -> anyhow::Result<bool> {
    told.seconds = began.elapsed().as_secs_f64();
    if told.wrong().is_some() {
        told.facts = stage.facts().await?;
    }
    tell(told)?;
    Ok(told.wrong().is_none())
}

async fn the_end(stage: &Stage, scenario: &Scenario) -> anyhow::Result<Vec<Claim>> {
    let mut claims = Claims::default();
    let judged = stage.nothing_is_left(scenario, &mut claims).await;
    claims.after(judged)
}

/// What `passerelle check` finds.
#[derive(Debug, Deserialize)]
struct Checked {
    problems: Vec<Found>,
}

#[derive(Debug, Deserialize)]
struct Found {
    place: String,
    what: String,
    hint: String,
}

/// The rules, if they are right and have the scenario's: the verb `check` says so, as for anybody
/// who writes rules.
async fn judged(scenario: &Scenario, bridge: &Path) -> anyhow::Result<BridgeFile> {
    let checked = tokio::process::Command::new(program_path("passerelle")?)
        .args(["--json", "check", "--file"])
        .arg(bridge)
        .env_clear()
        .env("PASSERELLE_ENV_FILE", "/dev/null")
        .envs(&scenario.settings)
        .kill_on_drop(true)
        .output()
        .await?;
    let answer: Checked = serde_json::from_slice(&checked.stdout).with_context(|| {
        let complaint = String::from_utf8_lossy(&checked.stderr);
        format!("the rules cannot be checked: {complaint}")
    })?;
    let found = answer
        .problems
        .into_iter()
        .map(|Found { place, what, hint }| Problem { place, what, hint });
    let mut problems: Vec<Problem> = found.collect();
    if !problems.is_empty() {
        return Err(Problems(problems).into());
    }
    let file = BridgeFile::load(bridge)?;
    let rules = file.rules.iter().map(|rule| rule.get_ref().name.as_str());
    let rules: Vec<&str> = rules
        .chain(file.wiki.iter().map(|rule| rule.get_ref().name.as_str()))
        .collect();
    if !rules.contains(&scenario.rule.as_str()) {
        problems.push(Problem {
            place: scenario.positions.of(&[], &["rule"]),
            what: format!("{} has no rule {:?}", bridge.display(), scenario.rule),
            hint: did_you_mean(&scenario.rule, rules),
        });
        return Err(Problems(problems).into());
    }
    Ok(file)
}
