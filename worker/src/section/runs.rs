//! Makes a text equal to what is wanted: only the characters between the common beginning and the
//! common end are replaced, so that a comment on the rest stays where it is.

use yrs::types::Attrs;
use yrs::{Any, Text as _, TransactionMut, XmlTextRef};

use super::canonical::{COMMENT, marks};
use super::insert::{append, attrs_of, utf16_len};
use super::read::{self, Run, kind_of};
use crate::content::document::Node;

/// A text with, for each character, the number of its run.
struct Letters {
    chars: Vec<char>,
    runs: Vec<usize>,
}

impl Letters {
    fn of<'a>(texts: impl Iterator<Item = &'a str>) -> Self {
        let mut letters = Self {
            chars: Vec::new(),
            runs: Vec::new(),
        };
        for (run, text) in texts.enumerate() {
            letters.chars.extend(text.chars());
            letters.runs.resize(letters.chars.len(), run);
        }
        letters
    }

    fn units(&self, from: usize, to: usize) -> u32 {
        let chars = self.chars.get(from..to).unwrap_or_default();
        utf16_len(&chars.iter().collect::<String>())
    }
}

/// Changes a text; both texts counted in UTF-16 units, as the wiki does.
pub(super) fn patch(txn: &mut TransactionMut<'_>, text: &XmlTextRef, wanted: &[Node]) {
    let Some(current) = read::stored_runs(txn, text) else {
        let all = text.len(txn);
        text.remove_range(txn, 0, all);
        append(txn, text, 0, wanted);
        return;
    };
    let old = Letters::of(current.iter().map(|run| run.text.as_str()));
    let new = Letters::of(wanted.iter().map(|run| run.text.as_deref().unwrap_or_default()));
    let head = old.chars.iter().zip(&new.chars).take_while(|(a, b)| a == b).count();
    let rest = old.chars.len().min(new.chars.len()) - head;
    let backwards = old.chars.iter().rev().zip(new.chars.iter().rev());
    let tail = backwards.take(rest).take_while(|(a, b)| a == b).count();
    let (old_end, new_end) = (old.chars.len() - tail, new.chars.len() - tail);
    let start = old.units(0, head);
    if old_end > head {
        text.remove_range(txn, start, old.units(head, old_end));
    }
    append(txn, text, start, &between(wanted, &new, head, new_end));
    let restyle = Restyle {
        text,
        current: &current,
        wanted,
    };
    restyle.range(txn, Part::of(&old, 0, head), Part::of(&new, 0, head));
    restyle.range(txn, Part::of(&old, old_end, tail), Part::of(&new, new_end, tail));
}

/// The runs of a part of a text.
fn between(wanted: &[Node], letters: &Letters, from: usize, to: usize) -> Vec<Node> {
    let chars = letters.chars.get(from..to).unwrap_or_default();
    let runs = letters.runs.get(from..to).unwrap_or_default();
    let mut parts: Vec<(usize, String)> = Vec::new();
    for (char, run) in chars.iter().zip(runs) {
        match parts.last_mut() {
            Some((last, text)) if last == run => text.push(*char),
            _ => parts.push((*run, char.to_string())),
        }
    }
    let parts = parts.into_iter();
    parts
        .filter_map(|(run, text)| Some(Node::run(text, wanted.get(run)?.marks.clone())))
        .collect()
}

/// Some characters of a text.
#[derive(Clone, Copy)]
struct Part<'a> {
    letters: &'a Letters,
    from: usize,
    runs: &'a [usize],
}

impl<'a> Part<'a> {
    fn of(letters: &'a Letters, from: usize, count: usize) -> Self {
        Self {
            letters,
            from,
            runs: letters.runs.get(from..from + count).unwrap_or_default(),
        }
    }
}

/// Gives characters that stay their right marks.
struct Restyle<'a> {
    text: &'a XmlTextRef,
    current: &'a [Run],
    wanted: &'a [Node],
}

impl Restyle<'_> {
    /// For the same characters in the old and in the new text.
    fn range(&self, txn: &mut TransactionMut<'_>, old: Part<'_>, new: Part<'_>) {
        let pairs: Vec<(usize, usize)> = old.runs.iter().copied().zip(new.runs.iter().copied()).collect();
        let mut place = new.from;
        for group in pairs.chunk_by(|a, b| a == b) {
            let at = new.letters.units(0, place);
            let length = new.letters.units(place, place + group.len());
            place += group.len();
            if let Some((old_run, new_run)) = group.first()
                && let (Some(old_run), Some(new_run)) = (self.current.get(*old_run), self.wanted.get(*new_run))
                && let Some(change) = change(old_run, new_run)
            {
                self.text.format(txn, at, length, change);
            }
        }
    }
}

/// The attributes to set; `None` if the marks say the same. Comments stay.
fn change(current: &Run, wanted: &Node) -> Option<Attrs> {
    if marks(&read::marks(&current.attrs)) == marks(&wanted.marks) {
        return None;
    }
    let old = current.attrs.keys().filter(|name| kind_of(name) != COMMENT);
    let mut change: Attrs = old.map(|name| (name.clone(), Any::Null)).collect();
    change.extend(attrs_of(&wanted.marks));
    Some(change)
}
