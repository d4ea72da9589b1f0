//! Feeds a reader with a corpus and with damaged copies of it, to find what makes it panic.
//!
//! In ordinary tests that is the corpus and a few thousand copies, always the same. `make fuzz
//! TARGET=… MINUTES=…` goes on with others for so long. An input that makes the reader panic is
//! written into `tests/corpus/<target>/`; it stays there, so that every later test replays it.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../corpus");
/// Damaged copies in an ordinary test.
const COPIES: u64 = 2000;
/// An input does not grow beyond this, in bytes.
const LONGEST: usize = 64 * 1024;
/// Pieces that readers treat in a way of their own.
const PIECES: [&[u8]; 20] = [
    b"null",
    b"0",
    b"-1",
    b"1e999",
    b"18446744073709551616",
    b"\"\"",
    b"[]",
    b"{}",
    b"\"id\":",
    b"\\u0000",
    b"\\ud800",
    b"\xff",
    b"\xe2\x80\xae",
    b"\x1b[31m",
    b"{{",
    b"}}",
    b"{%",
    b"[[rules]]",
    b"=",
    b"\"\"\"",
];

/// Feeds the target: with `seeds`, with the files of its corpus, and with damaged copies of both.
/// The error: an input made it panic.
pub fn fuzz(target: &str, mut seeds: Vec<Vec<u8>>, read: impl Fn(&[u8])) -> anyhow::Result<()> {
    let folder = Path::new(CORPUS).join(target);
    for entry in std::fs::read_dir(&folder)? {
        seeds.push(std::fs::read(entry?.path())?);
    }
    let try_one = |input: &[u8]| {
        let tried = catch_unwind(AssertUnwindSafe(|| read(input)));
        tried.map_err(|_| anyhow::anyhow!("the input in {} makes it panic", keep(&folder, input).display()))
    };
    for seed in &seeds {
        try_one(seed)?;
    }
    let (began, minutes) = (Instant::now(), minutes());
    let mut chance = Chance(if minutes.is_some() { seed_of_now() } else { 1 });
    let mut fed = 0_u64;
    while minutes.map_or(fed < COPIES, |minutes| began.elapsed() < minutes) {
        let mut input = seeds[chance.below(seeds.len())].clone();
        for _ in 0..=chance.below(4) {
            chance.damage(&mut input, &seeds);
        }
        input.truncate(LONGEST);
        try_one(&input)?;
        fed += 1;
    }
    let seeds = seeds.len();
    writeln!(
        std::io::stdout(),
        "{target}: {seeds} inputs of the corpus, {fed} damaged copies"
    )?;
    Ok(())
}

/// `FUZZ_SECONDS`, as `make fuzz` sets it.
fn minutes() -> Option<Duration> {
    #[expect(clippy::disallowed_methods, reason = "no setting of the product")]
    let seconds = std::env::var("FUZZ_SECONDS").ok()?;
    seconds.parse().ok().map(Duration::from_secs)
}

#[expect(clippy::disallowed_methods, reason = "each run is to find something else")]
fn seed_of_now() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(1, |since| u64::try_from(since.as_nanos()).unwrap_or(1) | 1)
}

fn keep(folder: &Path, input: &[u8]) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    input.hash(&mut hasher);
    let path = folder.join(format!("{:016x}", hasher.finish()));
    let _ = std::fs::write(&path, input);
    path
}

/// Chance that can be repeated (xorshift).
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).unwrap_or(0) % bound.max(1)
    }

    /// A piece of a text: its beginning and its end.
    fn piece(&mut self, length: usize) -> std::ops::Range<usize> {
        let start = self.below(length + 1);
        start..(start + self.below(40)).min(length)
    }

    fn damage(&mut self, input: &mut Vec<u8>, others: &[Vec<u8>]) {
        let piece = self.piece(input.len());
        match self.below(6) {
            0 => {
                let bits = 1 << self.below(8);
                if let Some(byte) = input.get_mut(piece.start) {
                    *byte ^= bits;
                }
            }
            1 => drop(input.drain(piece)),
            2 => {
                let again = input[piece.clone()].repeat(1 + self.below(30));
                input.splice(piece.start..piece.start, again);
            }
            3 => drop(input.splice(piece, PIECES[self.below(PIECES.len())].iter().copied())),
            4 => {
                let other = &others[self.below(others.len())];
                let theirs = self.piece(other.len());
                input.splice(piece, other[theirs].iter().copied());
            }
            _ => input.truncate(piece.end),
        }
    }
}
