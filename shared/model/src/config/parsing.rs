//! Reads a TOML file with everything that is wrong with its form: what is wrong is taken out, and
//! the rest is read again.

use std::ops::Range;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue, Error, ValueDeserializer};

use super::bridge_file::BridgeFile;
use super::nearest::{did_you_mean, nearest};
use super::positions::{Positions, place};
use super::problem::{Problem, Problems};

const SEE: &str = "see docs/RULES.md for the fields of this file";

/// Reads the text of a TOML file, with the places of its values. `file` is its name in problems,
/// `see` says where its fields are described.
///
/// # Errors
/// Everything that is wrong with its form, each with its line and character.
pub fn read_toml<T: DeserializeOwned>(text: &str, file: &str, see: &'static str) -> Result<(T, Positions), Problems> {
    let read = read::<T>(text, file, see).map_err(Problems)?;
    match read.value {
        Some(value) if read.found.is_empty() => Ok((value, read.positions)),
        _ => Err(Problems(problems(&read.positions, read.found))),
    }
}

/// What could be read of the text, and all that is wrong with its form. A rule in which something
/// is wrong is left out.
pub(super) fn parse(text: &str, file: &str) -> (Option<BridgeFile>, Vec<Problem>) {
    let Read {
        value,
        positions,
        found,
    } = match read::<BridgeFile>(text, file, SEE) {
        Ok(read) => read,
        Err(problems) => return (None, problems),
    };
    let value = value.map(|mut read| {
        read.rules.retain(|rule| is_whole(&rule.span(), &found));
        read.wiki.retain(|rule| is_whole(&rule.span(), &found));
        BridgeFile {
            positions: positions.clone(),
            ..read
        }
    });
    (value, problems(&positions, found))
}

struct Read<T> {
    value: Option<T>,
    positions: Positions,
    /// What is wrong with its form, by the byte where it is.
    found: Vec<(usize, Said)>,
}

/// Fails with all that makes it no TOML.
fn read<T: DeserializeOwned>(text: &str, file: &str, see: &'static str) -> Result<Read<T>, Vec<Problem>> {
    let (document, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        let problem = |error: &Error| Problem {
            place: place(file, text, error.span().map_or(0, |span| span.start)),
            what: format!("it is no TOML: {}", error.message()),
            hint: "correct the line, or the one before it".to_owned(),
        };
        return Err(errors.iter().map(problem).collect());
    }
    let span = document.span();
    let document = Spanned::new(span, DeValue::Table(document.into_inner()));
    let positions = Positions::new(file, text, &document);
    let mut mending = Mending {
        document,
        see,
        found: Vec::new(),
        taken: Vec::new(),
    };
    let value = mending.read();
    let mut found = mending.found;
    found.sort_by_key(|(byte, _)| *byte);
    Ok(Read {
        value,
        positions,
        found,
    })
}

fn problems(positions: &Positions, found: Vec<(usize, Said)>) -> Vec<Problem> {
    let problem = |(byte, said): (usize, Said)| Problem {
        place: positions.place(byte),
        what: said.what,
        hint: said.hint,
    };
    found.into_iter().map(problem).collect()
}

/// Whether nothing is wrong within. The span of a rule is that of its head: its keys follow.
fn is_whole(rule: &Range<usize>, found: &[(usize, Said)]) -> bool {
    !found.iter().any(|(_, said)| said.rule == Some(rule.start))
}

struct Mending<'i> {
    document: Spanned<DeValue<'i>>,
    see: &'static str,
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
    fn read<T: DeserializeOwned>(&mut self) -> Option<T> {
        loop {
            let error = match T::deserialize(ValueDeserializer::from(self.document.clone())) {
                Ok(read) => return Some(read),
                Err(error) => error,
            };
            let span = error.span().unwrap_or_default();
            let message = error.message().lines().next().unwrap_or_default();
            let named = message.split('`').nth(1).filter(|_| message.starts_with("unknown"));
            let named = named.and_then(|named| named_in(&self.document, &span, named));
            let (span, begins) = named.unwrap_or((span.clone(), span.start));
            let way = way_to(&self.document, &span).unwrap_or_default();
            if let Some(said) = self.said(message, &span, &way) {
                self.found.push((begins, said));
            }
            if !take(&mut self.document, &span) {
                return None;
            }
        }
    }

    /// What is wrong, unless it only follows from what is.
    fn said(&mut self, message: &str, span: &Range<usize>, way: &[Step]) -> Option<Said> {
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
                return None;
            }
            (format!("the key {subject:?} is missing"), self.see.to_owned())
        } else {
            (message.to_owned(), self.see.to_owned())
        };
        if let Some(Step {
            within, key: Some(key), ..
        }) = way.last()
        {
            self.taken.push((within.clone(), key.clone()));
        }
        Some(Said { what, hint, rule })
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

/// The table of this span, or the one in the list of this span, in which a key or a word stands,
/// and where. A table that is read as a whole, because one of its words says what it is, fails as a
/// whole, and so does the list that it is in.
fn named_in(value: &Spanned<DeValue<'_>>, span: &Range<usize>, named: &str) -> Option<(Range<usize>, usize)> {
    match value.get_ref() {
        DeValue::Table(table) if value.span() == *span => {
            let is_it = |below: &DeValue<'_>| matches!(below, DeValue::String(text) if text == named);
            let key = table.iter().find(|(key, _)| key.get_ref() == named);
            let word = || table.values().find(|below| is_it(below.get_ref()));
            let found = key.map(|(key, _)| key.span());
            let found = found.or_else(|| word().map(Spanned::span))?;
            Some((span.clone(), found.start))
        }
        DeValue::Array(items) if value.span() == *span => {
            items.iter().find_map(|item| named_in(item, &item.span(), named))
        }
        DeValue::Table(table) => table.values().find_map(|below| named_in(below, span, named)),
        DeValue::Array(items) => items.iter().find_map(|below| named_in(below, span, named)),
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
