//! Reads `bridge.toml` with everything that is wrong with its form: what is wrong is taken out, and
//! the rest is read again.

use std::ops::Range;

use serde::Deserialize as _;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue, Error, ValueDeserializer};

use super::bridge_file::BridgeFile;
use super::nearest::{did_you_mean, nearest};
use super::positions::{Positions, place};
use super::problem::Problem;

const SEE: &str = "see docs/RULES.md for the fields of this file";

/// What could be read of the text, and all that is wrong with its form. A rule in which something
/// is wrong is left out.
pub(super) fn parse(text: &str, file: &str) -> (Option<BridgeFile>, Vec<Problem>) {
    let (document, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        let problem = |error: &Error| Problem {
            place: place(file, text, error.span().map_or(0, |span| span.start)),
            what: format!("it is no TOML: {}", error.message()),
            hint: "correct the line, or the one before it".to_owned(),
        };
        return (None, errors.iter().map(problem).collect());
    }
    let span = document.span();
    let document = Spanned::new(span, DeValue::Table(document.into_inner()));
    let positions = Positions::new(file, text, &document);
    let mut mending = Mending {
        document,
        found: Vec::new(),
        taken: Vec::new(),
    };
    let read = mending.read();
    let mut found = mending.found;
    found.sort_by_key(|(byte, _)| *byte);
    let read = read.map(|mut read| {
        read.rules.retain(|rule| is_whole(&rule.span(), &found));
        read.wiki.retain(|rule| is_whole(&rule.span(), &found));
        BridgeFile {
            positions: positions.clone(),
            ..read
        }
    });
    let problem = |(byte, said): (usize, Said)| Problem {
        place: positions.place(byte),
        what: said.what,
        hint: said.hint,
    };
    (read, found.into_iter().map(problem).collect())
}

/// Whether nothing is wrong within. The span of a rule is that of its head: its keys follow.
fn is_whole(rule: &Range<usize>, found: &[(usize, Said)]) -> bool {
    !found.iter().any(|(_, said)| said.rule == Some(rule.start))
}

struct Mending<'i> {
    document: Spanned<DeValue<'i>>,
    /// By the byte where it is.
    found: Vec<(usize, Said)>,
    /// Keys that were taken out, or that were meant by one, each with the table that lacks them now.
    taken: Vec<(Range<usize>, String)>,
}

struct Said {
    what: String,
    hint: String,
    /// Where the rule begins that it is in.
    rule: Option<usize>,
}

impl Mending<'_> {
    fn read(&mut self) -> Option<BridgeFile> {
        loop {
            let error = match BridgeFile::deserialize(ValueDeserializer::from(self.document.clone())) {
                Ok(read) => return Some(read),
                Err(error) => error,
            };
            let span = error.span().unwrap_or_default();
            let way = way_to(&self.document, &span).unwrap_or_default();
            self.note(&error, &span, &way);
            if !take(&mut self.document, &span) {
                return None;
            }
        }
    }

    fn note(&mut self, error: &Error, span: &Range<usize>, way: &[Step]) {
        let message = error.message().lines().next().unwrap_or_default();
        let mut quoted = message.split('`').skip(1).step_by(2);
        let subject = quoted.next().unwrap_or_default().to_owned();
        let known: Vec<&str> = quoted.collect();
        let rule = way.iter().find_map(|step| step.rule);
        let (what, hint) = if message.starts_with("unknown field") {
            if let (Some(last), Some(meant)) = (way.last(), nearest(&subject, known.iter().copied())) {
                self.taken.push((last.within.clone(), meant.to_owned()));
            }
            (
                format!("there is no key {subject:?} here"),
                did_you_mean(&subject, known),
            )
        } else if message.starts_with("unknown variant") {
            (format!("{subject:?} cannot stand here"), did_you_mean(&subject, known))
        } else if message.starts_with("missing field") {
            if self.taken.iter().any(|(table, name)| table == span && *name == subject) {
                return;
            }
            (format!("the key {subject:?} is missing"), SEE.to_owned())
        } else {
            (message.to_owned(), SEE.to_owned())
        };
        if let Some(Step {
            within, key: Some(key), ..
        }) = way.last()
        {
            self.taken.push((within.clone(), key.clone()));
        }
        self.found.push((span.start, Said { what, hint, rule }));
    }
}

/// A step on the way from the top of the file to what is wrong.
struct Step {
    /// The table or list that it is in.
    within: Range<usize>,
    key: Option<String>,
    /// Where it begins, if it is in a list, as rules are.
    rule: Option<usize>,
}

/// The way to what has this span, as a key or as a value.
fn way_to(value: &Spanned<DeValue<'_>>, span: &Range<usize>) -> Option<Vec<Step>> {
    match value.get_ref() {
        DeValue::Table(table) => table.iter().find_map(|(key, below)| {
            // A list of tables begins where its first table does: what is deeper is meant.
            let is_it = key.span() == *span || below.span() == *span;
            let way = way_to(below, span).or(is_it.then(Vec::new))?;
            let step = Step {
                within: value.span(),
                key: Some(key.get_ref().to_string()),
                rule: None,
            };
            Some(std::iter::once(step).chain(way).collect())
        }),
        DeValue::Array(items) => items.iter().find_map(|item| {
            let way = if item.span() == *span {
                Vec::new()
            } else {
                way_to(item, span)?
            };
            let step = Step {
                within: value.span(),
                key: None,
                rule: Some(item.span().start),
            };
            Some(std::iter::once(step).chain(way).collect())
        }),
        _ => None,
    }
}

/// Takes out what has this span; whether it was there.
fn take(value: &mut Spanned<DeValue<'_>>, span: &Range<usize>) -> bool {
    match value.get_mut() {
        DeValue::Table(table) => {
            if table.iter_mut().any(|(_, below)| take(below, span)) {
                return true;
            }
            let mut keys = table.iter();
            let found = keys.find(|(key, below)| key.span() == *span || below.span() == *span);
            let found = found.map(|(key, _)| key.get_ref().to_string());
            found.is_some_and(|key| table.remove(key.as_str()).is_some())
        }
        DeValue::Array(items) => {
            if items.iter().any(|item| item.span() == *span) {
                let mut others = DeArray::new();
                let kept = items.iter().filter(|item| item.span() != *span);
                kept.for_each(|item| others.push(item.clone()));
                *items = others;
                return true;
            }
            items.iter_mut().any(|item| take(item, span))
        }
        _ => false,
    }
}
