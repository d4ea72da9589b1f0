//! Many seeds: some at once, each in a world of its own; a run that was interrupted goes on where
//! it was.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use futures::StreamExt as _;

use crate::run::{Report, run};
use crate::seed::Seed;
use crate::shrink::shrink;

/// What shall be played.
#[derive(Debug)]
pub struct Campaign {
    /// The seeds, in order.
    pub seeds: Vec<Seed>,
    /// How many worlds at once.
    pub jobs: usize,
    /// At most so many worlds to make a red seed smaller.
    pub shrink: usize,
    /// Where to note which seeds are done.
    pub state: Option<PathBuf>,
}

#[derive(Debug, Default)]
pub struct Done {
    /// How many are green.
    pub green: usize,
    /// The red ones, as small as they became.
    pub red: Vec<Seed>,
}

impl Campaign {
    /// Plays all that was not played before.
    pub async fn run(self, say: &dyn Fn(&str)) -> anyhow::Result<Done> {
        let earlier = self.state.as_deref().map_or_else(BTreeMap::new, noted);
        let mut done = Done::default();
        let mut fresh = Vec::new();
        for seed in self.seeds {
            match earlier.get(&seed.to_string()) {
                Some(true) => done.green += 1,
                Some(false) => done.red.push(seed),
                None => fresh.push(seed),
            }
        }
        let played = futures::stream::iter(fresh).map(|seed| async move {
            let report = run(&seed).await;
            say(&report.to_string());
            let red = if report.is_red() {
                say(&report.schedule.to_string());
                Some(smallest(report, self.shrink, say).await)
            } else {
                None
            };
            (seed, red)
        });
        let mut played = std::pin::pin!(played.buffer_unordered(self.jobs));
        while let Some((seed, red)) = played.next().await {
            if let Some(state) = &self.state {
                note(state, &seed, red.is_none())?;
            }
            match red {
                Some(red) => done.red.push(red),
                None => done.green += 1,
            }
        }
        if let Some(state) = &self.state {
            // All is done: the next run begins from the start.
            let _ = std::fs::remove_file(state);
        }
        Ok(done)
    }
}

async fn smallest(report: Report, worlds: usize, say: &dyn Fn(&str)) -> Seed {
    if worlds == 0 || report.schedule.faults.is_empty() {
        return report.schedule.seed;
    }
    let smallest = shrink(report, worlds, &|text| say(&text)).await;
    say(&format!(
        "the smallest that is still red:\n{smallest}\n{}",
        smallest.schedule
    ));
    smallest.schedule.seed
}

/// The seeds that are done, and whether they were green.
fn noted(state: &Path) -> BTreeMap<String, bool> {
    let text = std::fs::read_to_string(state).unwrap_or_default();
    let lines = text.lines().filter_map(|line| line.split_once(' '));
    lines.map(|(seed, word)| (seed.to_owned(), word == "green")).collect()
}

fn note(state: &Path, seed: &Seed, is_green: bool) -> anyhow::Result<()> {
    if let Some(folder) = state.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(state)?;
    writeln!(file, "{seed} {}", if is_green { "green" } else { "red" })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn seeds_that_are_noted_are_not_played_again() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("run/state");
        note(&state, &Seed::whole(1), true).unwrap();
        note(&state, &Seed::whole(2), false).unwrap();
        let campaign = Campaign {
            seeds: vec![Seed::whole(1), Seed::whole(2)],
            jobs: 1,
            shrink: 0,
            state: Some(state.clone()),
        };
        let Done { green, red } = campaign.run(&|_| {}).await.unwrap();
        assert_eq!((green, red), (1, vec![Seed::whole(2)]));
        assert!(!state.exists());
    }
}
