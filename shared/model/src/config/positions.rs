//! Where things stand in a text, for problems: `bridge.toml:12:9` is line 12, character 9, both
//! from 1.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::DeValue;

/// `bridge.toml:12:9`: the place of a byte of a file's text.
pub fn place(file: &str, text: &str, byte: usize) -> String {
    let before = text.get(..byte).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let column = before.get(start..).unwrap_or_default().chars().count() + 1;
    format!("{file}:{line}:{column}")
}

/// The byte at which a word begins that is part of no longer one, at this line (from 1) or later.
pub fn find_word(text: &str, line: usize, word: &str) -> Option<usize> {
    let start = match line {
        0 | 1 => 0,
        _ => text.match_indices('\n').nth(line - 2)?.0 + 1,
    };
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let rest = text.get(start..)?;
    let mut found = rest.match_indices(word).map(|(at, _)| at);
    let whole = found.find(|at| {
        let (before, after) = (rest.get(..*at), rest.get(at + word.len()..));
        !before.is_some_and(|text| text.ends_with(is_part)) && !after.is_some_and(|text| text.starts_with(is_part))
    });
    whole.map(|at| start + at)
}

/// Where each value of `bridge.toml` stands. A path is the keys down to it; an element of a list is
/// its number, from 0.
#[derive(Debug, Clone, Default)]
pub struct Positions {
    file: String,
    text: String,
    found: BTreeMap<Vec<String>, Range<usize>>,
}

impl Positions {
    pub(super) fn new(file: &str, text: &str, document: &Spanned<DeValue<'_>>) -> Self {
        let mut positions = Self {
            file: file.to_owned(),
            text: text.to_owned(),
            found: BTreeMap::new(),
        };
        positions.walk(&mut Vec::new(), document);
        positions
    }

    fn walk(&mut self, path: &mut Vec<String>, value: &Spanned<DeValue<'_>>) {
        let mut below = |path: &mut Vec<String>, name: String, value: &Spanned<DeValue<'_>>| {
            path.push(name);
            self.found.insert(path.clone(), value.span());
            self.walk(path, value);
            path.pop();
        };
        match value.get_ref() {
            DeValue::Table(table) => {
                for (key, value) in table {
                    below(path, key.get_ref().to_string(), value);
                }
            }
            DeValue::Array(items) => {
                for (number, value) in items.iter().enumerate() {
                    below(path, number.to_string(), value);
                }
            }
            _ => {}
        }
    }

    /// The file's name.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The file's text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The path of the element of a list (`rules`) that begins at this byte.
    pub fn path(&self, list: &str, start: usize) -> Vec<String> {
        let is_it = |(path, span): &(&Vec<String>, &Range<usize>)| {
            path.len() == 2 && path.first().is_some_and(|first| first == list) && span.start == start
        };
        let found = self.found.iter().find(is_it);
        found.map_or_else(|| vec![list.to_owned()], |(path, _)| path.clone())
    }

    /// The place of the value below a path that these keys lead to; where there is none, of what is
    /// around it.
    pub fn of(&self, path: &[String], keys: &[&str]) -> String {
        self.place(self.nearest(path, keys).map_or(0, |span| span.start))
    }

    /// The place of a byte of the text that the value stands for, if it is written there as it is.
    pub fn within(&self, path: &[String], keys: &[&str], value: &str, byte: usize) -> String {
        let Some(span) = self.nearest(path, keys) else {
            return self.place(0);
        };
        let written = self.text.get(span.clone()).unwrap_or_default();
        let begins = written.find(value).map_or(0, |begins| begins + byte);
        self.place(span.start + begins)
    }

    pub(super) fn place(&self, byte: usize) -> String {
        place(&self.file, &self.text, byte)
    }

    fn nearest(&self, path: &[String], keys: &[&str]) -> Option<&Range<usize>> {
        let keys = keys.iter().map(|&key| key.to_owned());
        let mut path: Vec<String> = path.iter().cloned().chain(keys).collect();
        while !path.is_empty() {
            if let Some(found) = self.found.get(&path) {
                return Some(found);
            }
            path.pop();
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_found_where_it_stands_alone() {
        let text = "clinet2\n{{ clinet.Nom }}\n";
        let at = find_word(text, 1, "clinet").unwrap();
        assert_eq!(place("projet.md", text, at), "projet.md:2:4");
        assert_eq!(find_word(text, 3, "clinet"), None);
        assert_eq!(find_word(text, 9, "clinet"), None);
    }

    #[test]
    fn characters_are_counted_not_bytes() {
        let text = "# é\né = 'é' # x";
        assert_eq!(place("a", text, text.find('x').unwrap()), "a:2:11");
    }
}
