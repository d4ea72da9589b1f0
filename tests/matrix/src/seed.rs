//! The name of a schedule: a number, and if it was narrowed, which of its faults are left: `17`,
//! `17/2,5`.

use std::fmt;
use std::str::FromStr;

/// The name of a schedule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seed {
    /// What the dice begin with.
    pub number: u64,
    /// The numbers of the faults that are left; `None` for all.
    pub only: Option<Vec<usize>>,
}

impl Seed {
    /// The whole schedule of a number.
    pub fn whole(number: u64) -> Self {
        Self { number, only: None }
    }

    /// The same number with these faults only.
    #[must_use]
    pub fn narrowed(&self, only: Vec<usize>) -> Self {
        Self {
            number: self.number,
            only: Some(only),
        }
    }

    /// Whether the fault of this number is left.
    pub fn has(&self, fault: usize) -> bool {
        self.only.as_ref().is_none_or(|only| only.contains(&fault))
    }
}

impl fmt::Display for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.number)?;
        let Some(only) = &self.only else { return Ok(()) };
        let numbers: Vec<String> = only.iter().map(usize::to_string).collect();
        write!(f, "/{}", numbers.join(","))
    }
}

impl FromStr for Seed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("{text:?} is no seed: write a number, or a number and some of its faults, like 17/2,5");
        let (number, only) = match text.trim().split_once('/') {
            Some((number, only)) => (number, Some(only)),
            None => (text.trim(), None),
        };
        let only = only.map(|only| {
            let numbers = only.split(',').filter(|number| !number.is_empty());
            numbers.map(str::parse).collect::<Result<_, _>>()
        });
        Ok(Self {
            number: number.parse().map_err(|_| wrong())?,
            only: only.transpose().map_err(|_| wrong())?,
        })
    }
}

/// The seeds of a file: one a line, and after `#` what people should know of it.
pub fn seeds_of(text: &str) -> Result<Vec<Seed>, String> {
    let lines = text
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default().trim());
    lines.filter(|line| !line.is_empty()).map(str::parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_reads_as_it_prints() {
        for text in ["17", "17/2,5", "0/"] {
            let seed: Seed = text.parse().unwrap();
            assert_eq!(seed.to_string(), text);
        }
        assert!("seventeen".parse::<Seed>().is_err());
        assert!("17/two".parse::<Seed>().is_err());
    }

    #[test]
    fn a_file_of_seeds_may_have_remarks() {
        let seeds = seeds_of("# all of them\n1\n\n2/3 # why\n").unwrap();
        assert_eq!(seeds, [Seed::whole(1), Seed::whole(2).narrowed(vec![3])]);
    }
}
