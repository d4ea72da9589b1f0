//! Which seeds together make each pair of kinds of faults meet, so that a bounded run leaves no
//! pair out.

use std::collections::BTreeSet;

use crate::schedule::Schedule;
use crate::seed::Seed;

pub(crate) type Pairs = BTreeSet<(String, String)>;

/// The pairs that meet in a schedule.
pub(crate) fn pairs(schedule: &Schedule) -> Pairs {
    let kinds: BTreeSet<String> = schedule.faults.iter().map(|fault| fault.kind.class()).collect();
    let pairs = kinds.iter().flat_map(|first| {
        let others = kinds.range(first.clone()..).skip(1);
        others.map(move |second| (first.clone(), second.clone()))
    });
    pairs.collect()
}

/// At most so many of the seeds, each the one that adds the most pairs to those before it; and all
/// pairs that they cover.
pub(crate) fn choose(seeds: impl Iterator<Item = Seed>, most: usize) -> (Vec<Seed>, Pairs) {
    let mut pool: Vec<(Seed, Pairs)> = seeds.map(|seed| (seed.clone(), pairs(&Schedule::of(&seed)))).collect();
    let (mut chosen, mut covered) = (Vec::new(), Pairs::new());
    while chosen.len() < most {
        let new = |(_, pairs): &(Seed, Pairs)| pairs.difference(&covered).count();
        let best = pool
            .iter()
            .enumerate()
            .max_by_key(|(place, entry)| (new(entry), usize::MAX - place));
        let Some(place) = best.filter(|(_, entry)| new(entry) > 0).map(|(place, _)| place) else {
            break;
        };
        let (seed, pairs) = pool.swap_remove(place);
        covered.extend(pairs);
        chosen.push(seed);
    }
    chosen.sort();
    (chosen, covered)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chosen_seeds_cover_more_pairs_than_the_first_ones() {
        let seeds = || (0..200).map(Seed::whole);
        let (chosen, covered) = choose(seeds(), 10);
        let first: Pairs = seeds().take(10).flat_map(|seed| pairs(&Schedule::of(&seed))).collect();
        assert_eq!(chosen.len(), 10);
        assert!(covered.len() > first.len());
    }
}
