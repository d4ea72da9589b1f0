//! The part of the matrix that every change must pass: a fixed set of seeds, bounded in time.

use std::path::Path;

use fault_matrix::campaign::{Campaign, Done};
use fault_matrix::schedule::Schedule;
use fault_matrix::seed::{Seed, seeds_of};

#[tokio::test]
async fn the_bounded_set_of_seeds_is_green() {
    let campaign = Campaign {
        seeds: file("bounded.txt").unwrap().into_iter().map(|(seed, _)| seed).collect(),
        jobs: 2,
        shrink: 0,
        state: None,
    };
    let Done { green, red } = campaign.run(&|text| println!("{text}")).await.unwrap();
    assert!(green > 0 && red.is_empty(), "red: {red:?}");
}

/// A seed that is kept has found something, or covers something: it must go on to mean the same.
#[test]
fn every_kept_seed_still_plays_the_faults_that_its_file_names() {
    for name in ["bounded.txt", "known-red.txt"] {
        for (seed, remark) in file(name).unwrap() {
            let classes = Schedule::of(&seed).classes();
            assert!(
                remark.starts_with(&classes),
                "{name}: seed {seed} plays {classes:?} now, and not {remark:?}: take a seed that does"
            );
        }
    }
}

/// The seeds of a file, each with its remark.
fn file(name: &str) -> anyhow::Result<Vec<(Seed, String)>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(name);
    let text = std::fs::read_to_string(path)?;
    let remarks = text.lines().filter_map(|line| line.split_once('#'));
    let remarks: Vec<&str> = remarks
        .filter(|(seed, _)| !seed.trim().is_empty())
        .map(|(_, remark)| remark.trim())
        .collect();
    let seeds = seeds_of(&text).map_err(anyhow::Error::msg)?;
    anyhow::ensure!(seeds.len() == remarks.len(), "{name}: every seed needs a remark");
    Ok(seeds.into_iter().zip(remarks.into_iter().map(str::to_owned)).collect())
}
